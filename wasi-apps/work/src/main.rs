//! Keeps a slot busy for a fixed amount of work: `work M` hashes M million
//! times and prints the hash, which depends on M alone.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(millions) = env::args().nth(1).and_then(|arg| arg.parse::<u64>().ok()) else {
        eprintln!("usage: work MILLIONS");
        return ExitCode::from(2);
    };
    let mut hash = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..millions * 1_000_000 {
        hash = mix(hash ^ round);
    }
    println!("{hash:016x}");
    ExitCode::SUCCESS
}

/// The finish of splitmix64: each round needs the one before, so that no
/// compiler can shorten or vectorise the loop.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
