//! The search through all orders.

use crate::cities::City;
use std::fmt::Write;

/// More would run for years, and a mask of 32 bits holds the visited cities.
const MOST: usize = 20;

/// The best tour and its length, as text.
pub fn report(cities: &[City]) -> Result<String, String> {
    if cities.is_empty() || cities.len() > MOST {
        return Err(format!("{} cities: give 1 to {MOST}", cities.len()));
    }
    let (length, tour) = Search::new(cities).run();

    let mut text = format!("cities {}\n", cities.len());
    writeln!(text, "length {}.{:03}", length / 1000, length % 1000).expect("a String takes all");
    text.push_str("tour");
    for &city in tour.iter().chain(tour.first()) {
        text.push(' ');
        text.push_str(&cities[city].name);
    }
    text.push('\n');
    Ok(text)
}

struct Search {
    count: usize,
    /// In thousandths: whole numbers add up the same in any order, so that the
    /// first of equal tours wins on every machine.
    distances: [[u64; MOST]; MOST],
    path: [usize; MOST],
    best: u64,
    best_path: [usize; MOST],
}

impl Search {
    fn new(cities: &[City]) -> Self {
        let mut distances = [[0; MOST]; MOST];
        for (row, from) in distances.iter_mut().zip(cities) {
            for (cell, to) in row.iter_mut().zip(cities) {
                let (dx, dy) = (from.x - to.x, from.y - to.y);
                *cell = ((dx * dx + dy * dy).sqrt() * 1000.0).round() as u64;
            }
        }
        Self {
            count: cities.len(),
            distances,
            path: [0; MOST],
            best: u64::MAX,
            best_path: [0; MOST],
        }
    }

    fn run(mut self) -> (u64, Vec<usize>) {
        let all = (1_u32 << self.count) - 1;
        for start in 0..self.count {
            self.path[0] = start;
            self.visit(1, all & !(1 << start), 0);
        }
        (self.best, self.best_path[..self.count].to_vec())
    }

    /// Tries each unvisited city (a bit in `left`) as number `depth` of the tour.
    fn visit(&mut self, depth: usize, left: u32, length: u64) {
        let here = self.path[depth - 1];
        if left == 0 {
            let total = length + self.distances[here][self.path[0]];
            if total < self.best {
                self.best = total;
                self.best_path = self.path;
            }
            return;
        }
        let mut candidates = left;
        while candidates != 0 {
            let next = candidates.trailing_zeros() as usize;
            candidates &= candidates - 1;
            self.path[depth] = next;
            self.visit(
                depth + 1,
                left & !(1 << next),
                length + self.distances[here][next],
            );
        }
    }
}
