//! Map and reduce over a text: how often each word stands in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: wordcount map             counts the words of stdin, prints WORD<TAB>COUNT, sorted
       wordcount reduce [FOLDER] adds up all such lists below FOLDER (/), prints the sum,
                                 the most frequent first";

type Words = BTreeMap<String, u64>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["map"] => map(),
        ["reduce"] => reduce("/"),
        ["reduce", folder] => reduce(folder),
        _ => Err(format!("what shall I do?\n{USAGE}")),
    };
    let written = done.and_then(|text| {
        let written = io::stdout().write_all(text.as_bytes());
        written.map_err(|error| format!("stdout: {error}"))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("wordcount: {message}");
            ExitCode::from(2)
        }
    }
}

fn map() -> Result<String, String> {
    let mut bytes = Vec::new();
    io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| format!("stdin: {error}"))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut words = Words::new();
    for word in text
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        *words.entry(word.to_lowercase()).or_default() += 1;
    }
    Ok(words
        .iter()
        .map(|(word, count)| format!("{word}\t{count}\n"))
        .collect())
}

fn reduce(folder: &str) -> Result<String, String> {
    let mut paths = Vec::new();
    collect(Path::new(folder), &mut paths)?;
    let mut words = Words::new();
    for path in &paths {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        for line in text.lines() {
            let parsed = line
                .split_once('\t')
                .and_then(|(word, count)| Some((word, count.parse::<u64>().ok()?)));
            let (word, count) =
                parsed.ok_or_else(|| format!("{}: no WORD<TAB>COUNT: {line}", path.display()))?;
            *words.entry(word.to_owned()).or_default() += count;
        }
    }
    let mut sorted: Vec<_> = words.into_iter().collect();
    sorted.sort_by(|(left, more), (right, fewer)| fewer.cmp(more).then(left.cmp(right)));
    Ok(sorted
        .iter()
        .map(|(word, count)| format!("{word}\t{count}\n"))
        .collect())
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let explain = |error: io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(explain)? {
        let path = entry.map_err(explain)?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}
