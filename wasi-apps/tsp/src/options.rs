//! What follows the command: `--name value`, in any order.

use std::time::Duration;

use crate::limit::Limit;

/// Steps if neither steps nor a time are given: a second or less.
const STEPS: u64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Brute,
    Climb,
    Anneal,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Self::Brute => "brute",
            Self::Climb => "climb",
            Self::Anneal => "anneal",
        }
    }
}

#[derive(Debug)]
pub struct Options {
    pub seed: Option<u64>,
    pub method: Method,
    pub limit: Limit,
}

pub fn parse(words: &[&str]) -> Result<Options, String> {
    let mut options = Options {
        seed: None,
        method: Method::Brute,
        limit: Limit {
            steps: None,
            time: None,
        },
    };
    for pair in words.chunks(2) {
        let [name, value] = *pair else {
            return Err(format!("{} needs a value", pair[0]));
        };
        match name {
            "--seed" => options.seed = Some(number(value, "seed")?),
            "--steps" => options.limit.steps = Some(number(value, "number of steps")?),
            "--time" => options.limit.time = Some(duration(value)?),
            "--method" => {
                let methods = [Method::Brute, Method::Climb, Method::Anneal];
                let found = methods.into_iter().find(|method| method.name() == value);
                options.method = found.ok_or_else(|| format!("not a method: {value}"))?;
            }
            _ => return Err(format!("no such option: {name}")),
        }
    }
    if options.limit.steps.is_none() && options.limit.time.is_none() {
        options.limit.steps = Some(STEPS);
    } else if options.method == Method::Brute {
        return Err("brute force has no limit: choose a --method".to_owned());
    }
    Ok(options)
}

pub fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a {what}: {text}"))
}

/// `2s`, `1.5s` or `300ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match text.strip_suffix("ms") {
        Some(count) => count.parse().map(|count: f64| count / 1000.0).ok(),
        None => text.strip_suffix('s').and_then(|count| count.parse().ok()),
    };
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| !time.is_zero())
        .ok_or_else(|| format!("not a time such as 2s or 300ms: {text}"))
}
