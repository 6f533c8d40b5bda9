//! The outcomes as charts.

use std::path::Path;

use plotters::prelude::*;

use super::table::figure;
use crate::suite::Outcome;

const WIDTH: u32 = 960;
const ROW: u32 = 34;
const HEAD: u32 = 64;
/// The part of the width in which the names stand.
const NAMES: f64 = 0.42;

/// A bar a case: its ratio to its floor, with the lowest and the highest round.
///
/// # Errors
/// If the file can't be written.
pub(crate) fn ratios(path: &Path, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let rows: Vec<_> = outcomes
        .iter()
        .filter_map(|one| Some((one, one.ratio()?)))
        .collect();
    let height = HEAD + ROW * u32::try_from(rows.len())?;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let soft = RGBColor(0x55, 0x5f, 0x6b);
    let title = ("sans-serif", 18).into_font().color(&BLACK);
    area.draw_text(
        "Ratio to the floor of the same round (1 = as good as the floor)",
        &title,
        (16, 14),
    )?;
    let left = (f64::from(WIDTH) * NAMES) as i32;
    let right = WIDTH as i32 - 150;
    let most = rows.iter().map(|(_, ratio)| ratio.high).fold(1.0, f64::max);
    let across = |value: f64| left + (f64::from(right - left) * value / most) as i32;
    let text = ("sans-serif", 13).into_font().color(&BLACK);
    let small = ("sans-serif", 12).into_font().color(&soft);
    for (at, (outcome, ratio)) in rows.iter().enumerate() {
        let top = (HEAD + ROW * u32::try_from(at)?) as i32;
        area.draw_text(
            &format!("{} · {}", outcome.group, outcome.name),
            &text,
            (16, top),
        )?;
        area.draw_text(
            &format!("against {}", outcome.floor),
            &small,
            (16, top + 15),
        )?;
        let bar = [(left, top + 2), (across(ratio.median), top + 22)];
        area.draw(&Rectangle::new(bar, RGBColor(0x3b, 0x6e, 0xa8).filled()))?;
        let line = [
            (across(ratio.low), top + 12),
            (across(ratio.high), top + 12),
        ];
        area.draw(&PathElement::new(line, BLACK.stroke_width(1)))?;
        let value = outcome.median(|reading| reading.value);
        let said = format!("{:.2}   {} {}", ratio.median, figure(value), outcome.unit);
        area.draw_text(&said, &text, (across(ratio.high) + 8, top + 5))?;
    }
    let one = [
        (across(1.0), HEAD as i32 - 6),
        (across(1.0), height as i32 - 6),
    ];
    area.draw(&PathElement::new(one, soft.stroke_width(1)))?;
    area.present()?;
    Ok(())
}
