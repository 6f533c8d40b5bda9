//! Proof of work: `hash BITS [TEXT]` finds the smallest number that, written
//! behind TEXT, gives a SHA-256 hash that begins with BITS zero bits.

use std::env;
use std::process::ExitCode;

use sha2::{Digest as _, Sha256};

/// More would take days.
const BITS_MAX: u32 = 48;

fn main() -> ExitCode {
    let bits = env::args().nth(1).and_then(|arg| arg.parse::<u32>().ok());
    let Some(bits) = bits.filter(|bits| *bits <= BITS_MAX) else {
        eprintln!("usage: hash BITS [TEXT], at most {BITS_MAX} bits");
        return ExitCode::from(2);
    };
    let text = env::args().nth(2).unwrap_or_else(|| "wasipool".to_owned());
    let begun = Sha256::new_with_prefix(&text);
    for number in 0_u64.. {
        let hash = begun.clone().chain_update(number.to_string()).finalize();
        if zero_bits(&hash) >= bits {
            println!("{text}{number} {hash:x}");
            break;
        }
    }
    ExitCode::SUCCESS
}

/// Zero bits at the front.
fn zero_bits(hash: &[u8]) -> u32 {
    let zero_bytes = hash.iter().take_while(|byte| **byte == 0).count();
    let rest = hash.get(zero_bytes).map_or(0, |byte| byte.leading_zeros());
    zero_bytes as u32 * 8 + rest
}
