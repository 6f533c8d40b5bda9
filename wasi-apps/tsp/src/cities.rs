//! Cities: random ones, and their form as text.

use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};

pub struct City {
    pub name: String,
    pub x: f64,
    pub y: f64,
}

/// A seed from the host's random source; below 10^6, to be typed by hand.
pub fn fresh_seed() -> u64 {
    RandomState::new().hash_one(0) % 1_000_000
}

/// Cities on a square of 1000 by 1000, in steps of a thousandth: their text
/// form is exact, so that `write | read` finds what `rand` finds.
pub fn random(count: usize, seed: u64) -> Vec<City> {
    let mut state = seed;
    let mut coordinate = || (splitmix64(&mut state) % 1_000_000) as f64 / 1000.0;
    (0..count)
        .map(|index| City {
            name: format!("c{index}"),
            x: coordinate(),
            y: coordinate(),
        })
        .collect()
}

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub fn to_csv(cities: &[City]) -> String {
    let mut text = String::from("name,x,y\n");
    for city in cities {
        writeln!(text, "{},{:.3},{:.3}", city.name, city.x, city.y).expect("a String takes all");
    }
    text
}

/// Reads lines of `name,x,y`; a first line that says just that is skipped.
pub fn parse(text: &str) -> Result<Vec<City>, String> {
    let mut cities = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || (number == 0 && line == "name,x,y") {
            continue;
        }
        let city = parse_line(line)
            .ok_or_else(|| format!("line {}: expected name,x,y: {line}", number + 1))?;
        cities.push(city);
    }
    Ok(cities)
}

fn parse_line(line: &str) -> Option<City> {
    let mut fields = line.split(',').map(str::trim);
    let name = fields.next()?.to_owned();
    let x: f64 = fields.next()?.parse().ok()?;
    let y: f64 = fields.next()?.parse().ok()?;
    let complete = fields.next().is_none() && x.is_finite() && y.is_finite();
    complete.then_some(City { name, x, y })
}
