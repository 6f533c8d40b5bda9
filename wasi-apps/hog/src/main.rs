//! Takes memory in steps of 1 MiB, and touches it, until there is none:
//! `hog` goes on for ever, `hog N` stops after N MiB with success.

use std::env;
use std::hint::black_box;

const STEP: usize = 1 << 20;

fn main() {
    let limit: usize = env::args()
        .nth(1)
        .map_or(usize::MAX, |arg| arg.parse().expect("usage: hog [MIB]"));
    let mut held: Vec<Vec<u8>> = Vec::new();
    while held.len() < limit {
        let mut step = Vec::new();
        if step.try_reserve_exact(STEP).is_err() {
            // The trap after this line is how a guest out of memory ends.
            panic!("no more memory after {} MiB", held.len());
        }
        // Not zero: zero pages might never become real memory.
        step.resize(STEP, 0xa5);
        held.push(black_box(step));
    }
    println!("{} MiB", held.len());
}
