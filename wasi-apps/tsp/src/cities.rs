//! Cities: random ones, real ones, and their form as text.

use std::fmt::Write;

use crate::random::Random;

const PLANE: &str = "name,x,y";
const EARTH: &str = "name,lat,lon";

/// See README.md for where they are from.
const SETS: [(&str, &str); 2] = [
    ("germany", include_str!("../data/germany.csv")),
    ("north-america", include_str!("../data/north-america.csv")),
];

pub struct City {
    pub name: String,
    pub at: (f64, f64),
}

/// Cities, and what their coordinates are.
pub struct Map {
    pub cities: Vec<City>,
    /// Degrees north and east, not x and y.
    pub on_earth: bool,
}

/// Cities on a square of 1000 by 1000, in steps of a thousandth: their text
/// form is exact, so that `write | read` finds what `rand` finds.
pub fn random(count: usize, seed: u64) -> Map {
    let mut random = Random::new(seed);
    let mut coordinate = || (random.next() % 1_000_000) as f64 / 1000.0;
    let cities = (0..count)
        .map(|index| City {
            name: format!("c{index}"),
            at: (coordinate(), coordinate()),
        })
        .collect();
    Map {
        cities,
        on_earth: false,
    }
}

/// The text of a set of real cities.
pub fn set(name: &str) -> Result<&'static str, String> {
    let found = SETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| {
        let known = SETS.map(|(known, _)| known).join(", ");
        format!("no set of cities is called {name}; there are {known}")
    })
}

pub fn to_csv(map: &Map) -> String {
    let mut text = format!("{PLANE}\n");
    for City { name, at } in &map.cities {
        writeln!(text, "{name},{:.3},{:.3}", at.0, at.1).expect("a String takes all");
    }
    text
}

/// Reads lines of a name and two numbers. A first line says what those are;
/// without it they are x and y.
pub fn parse(text: &str) -> Result<Map, String> {
    let on_earth = text.lines().next().map(str::trim) == Some(EARTH);
    let mut cities = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || (number == 0 && [PLANE, EARTH].contains(&line)) {
            continue;
        }
        let city = parse_line(line, on_earth).ok_or_else(|| {
            let expected = if on_earth { EARTH } else { PLANE };
            format!("line {}: expected {expected}: {line}", number + 1)
        })?;
        cities.push(city);
    }
    Ok(Map { cities, on_earth })
}

fn parse_line(line: &str, on_earth: bool) -> Option<City> {
    let mut fields = line.split(',').map(str::trim);
    let name = fields.next()?.to_owned();
    let at: (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let possible = if on_earth {
        at.0.abs() <= 90.0 && at.1.abs() <= 180.0
    } else {
        at.0.is_finite() && at.1.is_finite()
    };
    (fields.next().is_none() && possible).then_some(City { name, at })
}
