//! Renders one tile of an image, or puts tiles together: the two halves of a
//! picture that a whole pool has drawn.

mod scene;
mod stitch;
mod tile;
mod trace;
mod vector;

use std::io::{self, Write as _};
use std::process::ExitCode;

const USAGE: &str = "\
usage: raytrace tile INDEX [--grid N] [--size PIXELS] [--samples N] [--out FILE]
           renders tile INDEX of N×N of a square image (16, 1024, 16), as a PPM
           to stdout, or to FILE below /
       raytrace stitch [FOLDER]
           finds all tiles (*.ppm) below FOLDER (/), prints the whole as a PNG";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["tile", index, ref options @ ..] => tile(index, options),
        ["stitch"] => stitch::stitch("/").and_then(|png| print(&png)),
        ["stitch", folder] => stitch::stitch(folder).and_then(|png| print(&png)),
        _ => Err(format!("what shall I do?\n{USAGE}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("raytrace: {message}");
            ExitCode::from(2)
        }
    }
}

fn tile(index: &str, options: &[&str]) -> Result<(), String> {
    let number = |text: &str| {
        text.parse::<u32>()
            .map_err(|_| format!("not a number: {text}"))
    };
    let mut job = tile::Tile {
        index: number(index)?,
        ..tile::Tile::default()
    };
    let mut out = None;
    for option in options.chunks(2) {
        match *option {
            ["--grid", value] => job.grid = number(value)?,
            ["--size", value] => job.size = number(value)?,
            ["--samples", value] => job.samples = number(value)?,
            ["--out", value] => out = Some(value),
            _ => return Err(format!("not understood: {}\n{USAGE}", option.join(" "))),
        }
    }
    let ppm = job.render()?;
    match out {
        Some(path) => std::fs::write(path, ppm).map_err(|error| format!("{path}: {error}")),
        None => print(&ppm),
    }
}

fn print(bytes: &[u8]) -> Result<(), String> {
    io::stdout()
        .write_all(bytes)
        .map_err(|error| format!("stdout: {error}"))
}
