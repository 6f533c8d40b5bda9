//! Prints all that a guest sees of its world: arguments, environment, files, stdin.
//!
//! The output depends on nothing else, so equal tasks print equal bytes. The guests
//! `hello-c`, `hello-go` and `hello-wat` print the same but for the first line.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(&mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hello: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "hello from rust")?;

    let args: Vec<String> = env::args().collect();
    for (index, arg) in args.iter().enumerate() {
        writeln!(out, "arg[{index}]={arg}")?;
    }

    let mut vars: Vec<(String, String)> = env::vars().collect();
    vars.sort();
    for (name, value) in &vars {
        writeln!(out, "{name}={value}")?;
    }

    // Written before the listing, so that the listing shows it.
    if let Some(name) = value_of(&args, "--write") {
        let path = format!("/{}", name.trim_start_matches('/'));
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        writeln!(file, "written by hello")?;
    }

    list(out, Path::new("/"))?;

    let shown = env::var("FILE").unwrap_or_else(|_| "/input.txt".to_owned());
    if env::var_os("FILE").is_some() || Path::new(&shown).exists() {
        let mut content = Vec::new();
        File::open(&shown)
            .and_then(|mut file| file.read_to_end(&mut content))
            .map_err(|error| io::Error::new(error.kind(), format!("{shown}: {error}")))?;
        writeln!(out, "--- {shown}")?;
        out.write_all(&content)?;
    }

    let mut input = io::stdin().lock();
    if !input.fill_buf()?.is_empty() {
        writeln!(out, "--- stdin")?;
        io::copy(&mut input, out)?;
    }
    out.flush()
}

/// The word after `option`.
fn value_of<'a>(args: &'a [String], option: &str) -> Option<&'a str> {
    let at = args.iter().position(|arg| arg == option)?;
    args.get(at + 1).map(String::as_str)
}

/// One line a file, in the order of their paths: `/path size`; folders end in `/`.
fn list(out: &mut impl Write, folder: &Path) -> io::Result<()> {
    // A host may give the guest no root at all.
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            writeln!(out, "{}/", path.display())?;
            list(out, &path)?;
        } else {
            writeln!(out, "{} {}", path.display(), metadata.len())?;
        }
    }
    Ok(())
}
