//! Travelling salesman by brute force: tries all n! orders of the cities.
//!
//! Nothing is pruned and no symmetry is used: one more city is n times the
//! work, which makes it a load whose length is easy to choose.

mod cities;
mod search;

use std::io::{self, Read, Write};
use std::process::ExitCode;

const USAGE: &str = "\
usage: tsp rand N [--seed S]   N random cities: find the best tour
       tsp read                cities from stdin, lines of name,x,y
       tsp write N [--seed S]  print N random cities as name,x,y";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(text) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(message) => {
            eprintln!("tsp: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &[String]) -> Result<String, String> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["rand", count] => random(count, cities::fresh_seed()),
        ["rand", count, "--seed", seed] => random(count, parse_seed(seed)?),
        ["write", count] => write(count, cities::fresh_seed()),
        ["write", count, "--seed", seed] => write(count, parse_seed(seed)?),
        ["read"] => {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| format!("stdin: {error}"))?;
            search::report(&cities::parse(&text)?)
        }
        _ => Err(format!("what shall I do?\n{USAGE}")),
    }
}

fn random(count: &str, seed: u64) -> Result<String, String> {
    let tour = search::report(&cities::random(parse_count(count)?, seed))?;
    Ok(format!("seed {seed}\n{tour}"))
}

fn write(count: &str, seed: u64) -> Result<String, String> {
    Ok(cities::to_csv(&cities::random(parse_count(count)?, seed)))
}

fn parse_count(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| format!("not a number of cities: {text}"))
}

fn parse_seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("not a seed: {text}"))
}
