//! Fibonacci numbers by the definition: calls and additions, nothing kept.

use std::hint::black_box;
use std::process::ExitCode;

/// The 93rd is the last that fits into 64 bits; nobody waits for it anyway.
const LAST: u64 = 93;

fn main() -> ExitCode {
    let numbers: Result<Vec<u64>, String> =
        std::env::args().skip(1).map(|text| parse(&text)).collect();
    match numbers {
        Ok(numbers) if !numbers.is_empty() => {
            for number in numbers {
                println!("fib({number}) = {}", fibonacci(black_box(number)));
            }
            ExitCode::SUCCESS
        }
        Ok(_) => fail("usage: fibonacci N…   each number below 94; from 30 on it takes a while"),
        Err(message) => fail(&message),
    }
}

fn parse(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(number) if number <= LAST => Ok(number),
        _ => Err(format!("not a number from 0 to {LAST}: {text}")),
    }
}

fn fibonacci(number: u64) -> u64 {
    if number < 2 {
        number
    } else {
        fibonacci(number - 1) + fibonacci(number - 2)
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("fibonacci: {message}");
    ExitCode::from(2)
}
