//! Travelling salesman: the best tour of a few cities by brute force, a good one
//! of many by hill climbing or simulated annealing.
//!
//! Brute force prunes nothing and uses no symmetry: one more city is n times the
//! work, which makes it a load whose length is easy to choose.

mod brute;
mod cities;
mod distances;
mod improve;
mod limit;
mod options;
mod random;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::process::ExitCode;

use cities::Map;
use distances::Distances;
use limit::Budget;
use options::{Method, Options};
use random::Random;

/// Of the methods that improve a tour: the table of distances is square.
const MOST: usize = 2_000;

const USAGE: &str = "\
usage: tsp rand N [OPTIONS]     N random cities: find a tour
       tsp read [OPTIONS]       cities from stdin, lines of name,x,y (or name,lat,lon after a line that says so)
       tsp tour SET [OPTIONS]   a set of real cities: germany, north-america
       tsp write N [--seed S]   print N random cities, for read
       tsp write SET            print a set of real cities
options: --seed S               of the cities and of the search
         --method brute         all orders of at most 20 cities (the default)
         --method climb         hill climbing, again and again from random tours
         --method anneal        simulated annealing
         --steps N, --time T    how long the latter two go on, at most (default: 1000000 steps); T as 2s or 300ms";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
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

fn run(args: &[&str]) -> Result<String, String> {
    match *args {
        ["rand", count, ref rest @ ..] => {
            let mut options = options::parse(rest)?;
            let seed = *options.seed.get_or_insert_with(random::fresh_seed);
            report(&cities::random(number_of_cities(count)?, seed), &options)
        }
        ["read", ref rest @ ..] => {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| format!("stdin: {error}"))?;
            find(&text, rest)
        }
        ["tour", set, ref rest @ ..] => find(cities::set(set)?, rest),
        ["write", count, ref rest @ ..] if is_number(count) => {
            let seed = options::parse(rest)?.seed;
            let seed = seed.unwrap_or_else(random::fresh_seed);
            Ok(cities::to_csv(&cities::random(
                number_of_cities(count)?,
                seed,
            )))
        }
        ["write", set] => Ok(cities::set(set)?.to_owned()),
        _ => Err(format!("what shall I do?\n{USAGE}")),
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn number_of_cities(text: &str) -> Result<usize, String> {
    options::number(text, "number of cities")
}

fn find(csv: &str, words: &[&str]) -> Result<String, String> {
    let mut options = options::parse(words)?;
    if options.method != Method::Brute {
        options.seed.get_or_insert_with(random::fresh_seed);
    }
    report(&cities::parse(csv)?, &options)
}

/// The best tour found and its length, as text.
fn report(map: &Map, options: &Options) -> Result<String, String> {
    let count = map.cities.len();
    let most = if options.method == Method::Brute {
        brute::MOST
    } else {
        MOST
    };
    if !(1..=most).contains(&count) {
        let method = options.method.name();
        return Err(format!(
            "{count} cities: give 1 to {most} with --method {method}"
        ));
    }
    let distances = Distances::new(map);
    let mut text = String::new();
    let mut line = |what: std::fmt::Arguments<'_>| {
        text.write_fmt(what).expect("a String takes all");
        text.push('\n');
    };
    if let Some(seed) = options.seed {
        line(format_args!("seed {seed}"));
    }
    line(format_args!("cities {count}"));
    let tour = if options.method == Method::Brute {
        brute::search(&distances)
    } else {
        // Not the numbers that random cities are made of.
        let mut random = Random::new(!options.seed.unwrap_or(0));
        let mut budget = Budget::new(options.limit);
        let search = match options.method {
            Method::Anneal => improve::anneal,
            Method::Climb | Method::Brute => improve::climb,
        };
        let tour = search(&distances, &mut random, &mut budget);
        line(format_args!("steps {}", budget.steps()));
        tour
    };
    let length = distances.of_tour(&tour);
    line(format_args!(
        "length {}.{:03}",
        length / 1000,
        length % 1000
    ));
    text.push_str("tour");
    for &city in tour.iter().chain(tour.first()) {
        let name = &map.cities[city].name;
        // Between quotes where a space would make two of one.
        let quote = if name.contains(' ') { "\"" } else { "" };
        write!(text, " {quote}{name}{quote}").expect("a String takes all");
    }
    text.push('\n');
    Ok(text)
}
