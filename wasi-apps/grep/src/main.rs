//! Prints the lines of stdin that match a pattern.

use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;

use regex::bytes::RegexBuilder;

const USAGE: &str = "usage: grep [-i] [-v] [-c] PATTERN   (case doesn't matter; lines that don't match; count only)";

fn main() -> ExitCode {
    match run() {
        // As grep does: 0 if a line was found, 1 if none was, 2 for an error.
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("grep: {message}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, String> {
    let (mut fold, mut invert, mut count_only, mut pattern) = (false, false, false, None);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "-i" => fold = true,
            "-v" => invert = true,
            "-c" => count_only = true,
            _ if pattern.is_none() => pattern = Some(argument),
            _ => return Err(USAGE.to_owned()),
        }
    }
    let pattern = pattern.ok_or(USAGE)?;
    let built = RegexBuilder::new(&pattern).case_insensitive(fold).build();
    let pattern = built.map_err(|error| error.to_string())?;
    let (mut input, mut output) = (io::stdin().lock(), io::BufWriter::new(io::stdout().lock()));
    let explain = |error: io::Error| error.to_string();
    let (mut line, mut found) = (Vec::new(), 0_u64);
    while input.read_until(b'\n', &mut line).map_err(explain)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if pattern.is_match(text) != invert {
            found += 1;
            if !count_only {
                output
                    .write_all(text)
                    .and_then(|()| output.write_all(b"\n"))
                    .map_err(explain)?;
            }
        }
        line.clear();
    }
    if count_only {
        writeln!(output, "{found}").map_err(explain)?;
    }
    output.flush().map_err(explain)?;
    Ok(found > 0)
}
