//! Build steps that need Rust. `cargo xtask help` lists them.
#![expect(clippy::print_stdout, reason = "a command-line tool answers on stdout")]

mod bindgen;
mod wat_to_wasm;

use anyhow::{Result, bail};
use std::path::Path;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  bindgen IN.wasm OUT-DIR       JavaScript glue for a browser module (what the
                                wasm-bindgen command does with --target web)
  wat IN.wat OUT.wasm …         WAT text to binary, any number of pairs
  help                          this text";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["bindgen", input, out_dir] => bindgen::run(Path::new(input), Path::new(out_dir)),
        ["wat", ref pairs @ ..] if !pairs.is_empty() && pairs.len() % 2 == 0 => pairs
            .chunks_exact(2)
            .try_for_each(|pair| wat_to_wasm::run(Path::new(pair[0]), Path::new(pair[1]))),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("no such command: {}\n{USAGE}", args.join(" ")),
    }
}
