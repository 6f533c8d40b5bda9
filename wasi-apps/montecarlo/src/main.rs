//! Pi by throwing darts at a square: the part of them within the circle.

use std::process::ExitCode;

const USAGE: &str = "usage: montecarlo DARTS SEED   prints darts, hits and the estimate of pi";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<u64> = args.iter().filter_map(|text| text.parse().ok()).collect();
    let (2, [darts @ 1..=u64::MAX, seed]) = (args.len(), &numbers[..]) else {
        eprintln!("montecarlo: {USAGE}");
        return ExitCode::from(2);
    };
    let mut state = *seed;
    let mut hits = 0_u64;
    for _ in 0..*darts {
        let (x, y) = (throw(&mut state), throw(&mut state));
        hits += u64::from(x * x + y * y < 1.0);
    }
    println!("{darts} {hits} {:.6}", 4.0 * hits as f64 / *darts as f64);
    ExitCode::SUCCESS
}

/// SplitMix64 (G. Steele, D. Lea, C. Flood, 2014), as a number from 0 to 1.
fn throw(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
