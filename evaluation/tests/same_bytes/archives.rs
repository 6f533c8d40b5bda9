//! The same three files as a zip, a tar and a gzipped tar.

use std::io::Write as _;

const FILES: [(&str, &str); 3] = [
    ("input.txt", "from an archive\n"),
    ("sub/deep/two.txt", "two\n"),
    ("z.txt", ""),
];

/// How `hello` lists them.
pub(crate) const LISTED: &str = "/input.txt 16\n/sub/\n/sub/deep/\n/sub/deep/two.txt 4\n/z.txt 0\n\
                          --- /input.txt\nfrom an archive\n";

/// The archives by the names under which they are stored.
pub(crate) fn all() -> anyhow::Result<[(&'static str, Vec<u8>); 3]> {
    let tar = tar()?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar)?;
    Ok([
        ("files.zip", zip()?),
        ("files.tar", tar),
        ("files.tar.gz", gzip.finish()?),
    ])
}

fn zip() -> anyhow::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, content) in FILES {
        zip.start_file(path, zip::write::SimpleFileOptions::default())?;
        zip.write_all(content.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

fn tar() -> anyhow::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in FILES {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content.as_bytes())?;
    }
    Ok(tar.into_inner()?)
}
