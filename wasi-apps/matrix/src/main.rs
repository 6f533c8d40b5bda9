//! `matrix N` multiplies two matrices of N × N doubles, whose elements depend on
//! their places alone, and prints the sum of the product's diagonal and its last
//! element.

use std::env;
use std::process::ExitCode;

/// A tile of both matrices and of the product stays in the caches of a core.
const TILE: usize = 48;
/// More wouldn't fit into the memory that a task has by default.
const SIDE_MAX: usize = 3_000;

fn main() -> ExitCode {
    let side = env::args().nth(1).and_then(|arg| arg.parse::<usize>().ok());
    let Some(side) = side.filter(|side| (1..=SIDE_MAX).contains(side)) else {
        eprintln!("usage: matrix N, from 1 to {SIDE_MAX}");
        return ExitCode::from(2);
    };
    let left = filled(side, |row, column| (row * 7 + column * 3) % 11);
    let right = filled(side, |row, column| (row * 5 + column * 13) % 17);
    let product = multiply(&left, &right, side);
    let diagonal: f64 = product.iter().step_by(side + 1).sum();
    println!("{diagonal} {}", product[side * side - 1]);
    ExitCode::SUCCESS
}

fn filled(side: usize, element: impl Fn(usize, usize) -> usize) -> Vec<f64> {
    let elements = (0..side * side).map(|at| element(at / side, at % side) as f64 / 16.0);
    elements.collect()
}

/// Tile by tile; within a tile, row by row.
fn multiply(left: &[f64], right: &[f64], side: usize) -> Vec<f64> {
    let mut product = vec![0.0; side * side];
    for middle in (0..side).step_by(TILE) {
        let middles = middle..(middle + TILE).min(side);
        for column in (0..side).step_by(TILE) {
            let width = TILE.min(side - column);
            for row in 0..side {
                let into = &mut product[row * side + column..][..width];
                for step in middles.clone() {
                    let factor = left[row * side + step];
                    let from = &right[step * side + column..][..width];
                    for (sum, value) in into.iter_mut().zip(from) {
                        *sum += factor * value;
                    }
                }
            }
        }
    }
    product
}
