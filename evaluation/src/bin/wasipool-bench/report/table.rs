//! The outcomes as a table for people.

use std::fmt::Write as _;

use crate::suite::Outcome;

/// One line for each case, with a head.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let width = outcomes
        .iter()
        .map(|one| one.name.chars().count())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    let mut group = "";
    for outcome in outcomes {
        if outcome.group != group {
            group = outcome.group;
            let _ = writeln!(
                text,
                "\n{:width$}  {:>10} {:8} {:>8} {:>8}  {:>17}  {:>15}  {:>12}  goal",
                group.to_uppercase(),
                "median",
                "",
                "p50 ms",
                "p99 ms",
                "ratio to floor",
                "CPU µs b + p",
                "peak MB b, p",
            );
        }
        let _ = writeln!(text, "{}", line(outcome, width));
    }
    text
}

fn line(outcome: &Outcome, width: usize) -> String {
    let median = |of: fn(&crate::suite::Reading) -> f64| outcome.median(of);
    let ratio = outcome.ratio().map_or_else(String::new, |ratio| {
        format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.low, ratio.high)
    });
    let goal = match (outcome.goal, outcome.reached()) {
        (Some(goal), Some(true)) => format!("{} reached", figure(goal)),
        (Some(goal), _) => format!("{} NOT reached", figure(goal)),
        (None, _) => String::new(),
    };
    // What has no requests has no response times and costs nothing for each.
    let timed = median(|r| r.p50_ms) > 0.0;
    let only = |text: String| if timed { text } else { String::new() };
    let cpu = only(format!(
        "{:.1} + {:.1}",
        median(|r| r.broker_cpu_us),
        median(|r| r.provider_cpu_us)
    ));
    let peak = only(format!(
        "{:.0}, {:.0}",
        median(|r| r.broker_peak as f64) / 1e6,
        median(|r| r.provider_peak as f64) / 1e6
    ));
    format!(
        "{:width$}  {:>10} {:8} {:>8} {:>8}  {ratio:>17}  {cpu:>15}  {peak:>12}  {goal}",
        outcome.name,
        figure(median(|r| r.value)),
        outcome.unit,
        only(format!("{:.2}", median(|r| r.p50_ms))),
        only(format!("{:.2}", median(|r| r.p99_ms))),
    )
}

/// A number with as many digits as say something.
pub(super) fn figure(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        let shown: Vec<String> = [0.2417, 99.9, 123.4, 4_000.0, 1_234_567.0]
            .map(figure)
            .into();
        assert_eq!(shown, ["0.24", "99.90", "123", "4,000", "1,234,567"]);
    }
}
