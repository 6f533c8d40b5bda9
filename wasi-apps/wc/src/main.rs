//! Counts lines, words and bytes of stdin.

use std::io::{self, Read as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut lines, mut words, mut bytes) = (0_u64, 0_u64, 0_u64);
    let mut in_word = false;
    let mut input = io::stdin().lock();
    let mut piece = vec![0; 64 * 1024];
    loop {
        let count = match input.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => {
                eprintln!("wc: stdin: {error}");
                return ExitCode::from(2);
            }
        };
        bytes += count as u64;
        for byte in &piece[..count] {
            lines += u64::from(*byte == b'\n');
            let blank = byte.is_ascii_whitespace();
            words += u64::from(!blank && !in_word);
            in_word = !blank;
        }
    }
    println!("{lines} {words} {bytes}");
    ExitCode::SUCCESS
}
