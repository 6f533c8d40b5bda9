//! Searches that improve a tour by turning a piece of it around (2-opt). A step is
//! one such change that is looked at.

use crate::distances::Distances;
use crate::limit::Budget;
use crate::random::Random;

/// Hill climbing: takes every change for the better until there is none, then
/// starts again from a random tour. The best of all, when the budget is used up.
pub fn climb(distances: &Distances, random: &mut Random, budget: &mut Budget) -> Vec<usize> {
    let mut tour: Vec<usize> = (0..distances.count()).collect();
    let mut best = tour.clone();
    let mut best_length = distances.of_tour(&best);
    loop {
        random.shuffle(&mut tour);
        let at_top = to_the_top(distances, &mut tour, budget);
        let length = distances.of_tour(&tour);
        if length < best_length {
            best_length = length;
            best.clone_from(&tour);
        }
        // Of three cities or fewer there is one tour: nothing to step through.
        if !at_top || tour.len() < 4 {
            return best;
        }
    }
}

/// Simulated annealing: takes changes for the worse too, the less often the
/// worse they are and the more of the budget is used up.
pub fn anneal(distances: &Distances, random: &mut Random, budget: &mut Budget) -> Vec<usize> {
    let mut tour: Vec<usize> = (0..distances.count()).collect();
    if tour.len() < 4 {
        return tour;
    }
    random.shuffle(&mut tour);
    let mut length = distances.of_tour(&tour);
    let mut best = tour.clone();
    let mut best_length = length;
    // From about what an edge of a random tour takes, to a thousandth of it.
    let hottest = length as f64 / tour.len() as f64;
    while budget.step() {
        let temperature = hottest * libm::pow(0.001, budget.used());
        let (from, to) = piece(random, tour.len());
        let change = gain(distances, &tour, from, to);
        if change > 0 && random.fraction() >= libm::exp(-(change as f64) / temperature) {
            continue;
        }
        tour[from..=to].reverse();
        length = length.strict_add_signed(change);
        if length < best_length {
            best_length = length;
            best.clone_from(&tour);
        }
    }
    best
}

/// Turns pieces until no turn makes the tour shorter; false if the budget was
/// used up before.
fn to_the_top(distances: &Distances, tour: &mut [usize], budget: &mut Budget) -> bool {
    let count = tour.len();
    loop {
        let mut better = false;
        for from in 1..count {
            for to in from + 1..count {
                if !budget.step() {
                    return false;
                }
                if gain(distances, tour, from, to) < 0 {
                    tour[from..=to].reverse();
                    better = true;
                }
            }
        }
        if !better {
            return true;
        }
    }
}

/// A piece without the first city: turning the rest is turning the piece.
fn piece(random: &mut Random, count: usize) -> (usize, usize) {
    let from = 1 + random.below(count - 2);
    let to = from + 1 + random.below(count - 1 - from);
    (from, to)
}

/// By how much the tour grows if that piece is turned around.
fn gain(distances: &Distances, tour: &[usize], from: usize, to: usize) -> i64 {
    let (before, after) = (tour[from - 1], tour[(to + 1) % tour.len()]);
    let (first, last) = (tour[from], tour[to]);
    let new = distances.between(before, last) + distances.between(first, after);
    let old = distances.between(before, first) + distances.between(last, after);
    new.cast_signed() - old.cast_signed()
}
