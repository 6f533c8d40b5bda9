//! The search through all orders.

use crate::distances::Distances;

/// More would run for years, and a mask of 32 bits holds the visited cities.
pub const MOST: usize = 20;

/// The best tour; the first of equal ones. For 1 to [`MOST`] cities.
pub fn search(distances: &Distances) -> Vec<usize> {
    Search::new(distances).run()
}

struct Search {
    count: usize,
    distances: [[u64; MOST]; MOST],
    path: [usize; MOST],
    best: u64,
    best_path: [usize; MOST],
}

impl Search {
    fn new(known: &Distances) -> Self {
        let mut distances = [[0; MOST]; MOST];
        for (from, row) in distances.iter_mut().take(known.count()).enumerate() {
            for (to, cell) in row.iter_mut().take(known.count()).enumerate() {
                *cell = known.between(from, to);
            }
        }
        Self {
            count: known.count(),
            distances,
            path: [0; MOST],
            best: u64::MAX,
            best_path: [0; MOST],
        }
    }

    fn run(mut self) -> Vec<usize> {
        let all = (1_u32 << self.count) - 1;
        for start in 0..self.count {
            self.path[0] = start;
            self.visit(1, all & !(1 << start), 0);
        }
        self.best_path[..self.count].to_vec()
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
