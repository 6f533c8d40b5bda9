//! How far it is from each city to each other, in thousandths: of a unit on the
//! plane, of a kilometre on Earth. Whole numbers add up the same in any order, so
//! that every machine finds the same tour.

use crate::cities::{City, Map};

/// The mean radius, in metres.
const EARTH_RADIUS: f64 = 6_371_008.8;

pub struct Distances {
    count: usize,
    all: Vec<u64>,
}

impl Distances {
    pub fn new(map: &Map) -> Self {
        let count = map.cities.len();
        let distance = if map.on_earth { great_circle } else { straight };
        let mut all = Vec::with_capacity(count * count);
        for from in &map.cities {
            all.extend(map.cities.iter().map(|to| distance(from, to)));
        }
        Self { count, all }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn between(&self, from: usize, to: usize) -> u64 {
        self.all[from * self.count + to]
    }

    /// Of the whole round.
    pub fn of_tour(&self, tour: &[usize]) -> u64 {
        let next = tour.iter().cycle().skip(1);
        tour.iter()
            .zip(next)
            .map(|(&from, &to)| self.between(from, to))
            .sum()
    }
}

fn straight(from: &City, to: &City) -> u64 {
    let (dx, dy) = (from.at.0 - to.at.0, from.at.1 - to.at.1);
    ((dx * dx + dy * dy).sqrt() * 1000.0).round() as u64
}

/// By the haversine formula. The functions are libm's and not the machine's, as
/// those may differ in the last bit.
fn great_circle(from: &City, to: &City) -> u64 {
    let (north, other_north) = (from.at.0.to_radians(), to.at.0.to_radians());
    let half_north = libm::sin((other_north - north) / 2.0);
    let half_east = libm::sin((to.at.1 - from.at.1).to_radians() / 2.0);
    let cosines = libm::cos(north) * libm::cos(other_north);
    let square = half_north * half_north + cosines * half_east * half_east;
    (2.0 * EARTH_RADIUS * libm::asin(square.sqrt().min(1.0))).round() as u64
}
