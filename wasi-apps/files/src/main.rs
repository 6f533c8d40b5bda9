//! Works on its private root: makes folders and files, renames, removes,
//! lists, and leaves `/out/a.txt` and `/out/b.bin` as artifacts.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};

const BINARY_SIZE: usize = 100_000;

fn main() -> io::Result<()> {
    fs::create_dir_all("/tmp/deep/er")?;
    fs::create_dir_all("/out")?;

    fs::write("/tmp/deep/one.txt", "one\n")?;
    fs::write("/tmp/deep/er/two.txt", "two\n")?;
    fs::write("/tmp/three.txt", "three\n")?;
    list("/tmp")?;

    fs::rename("/tmp/deep/one.txt", "/tmp/first.txt")?;
    fs::remove_file("/tmp/deep/er/two.txt")?;
    fs::remove_dir("/tmp/deep/er")?;
    fs::remove_dir("/tmp/deep")?;
    list("/tmp")?;

    let mut text = fs::File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open("/out/a.txt")?;
    for line in 1..=10 {
        writeln!(text, "line {line}")?;
    }
    text.seek(SeekFrom::Start(5))?;
    text.write_all(b"A")?;
    text.rewind()?;
    let mut read_back = String::new();
    text.read_to_string(&mut read_back)?;
    println!("a.txt begins with {:?}", read_back.lines().next());

    let bytes: Vec<u8> = (0..BINARY_SIZE).map(|i| (i % 251) as u8).collect();
    fs::write("/out/b.bin", &bytes)?;
    println!("b.bin has {} bytes", fs::metadata("/out/b.bin")?.len());
    fs::remove_dir_all("/tmp")?;
    list("/out")
}

fn list(folder: &str) -> io::Result<()> {
    let mut names = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    println!("{folder}: {}", names.join(" "));
    Ok(())
}
