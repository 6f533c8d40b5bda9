//! From tiles to the whole picture.

use std::fs;
use std::path::{Path, PathBuf};

/// A tile as it was found.
struct Found {
    left: usize,
    top: usize,
    size: usize,
    side: usize,
    pixels: Vec<u8>,
}

/// All `*.ppm` below a folder, put together; the whole as a PNG.
pub fn stitch(folder: &str) -> Result<Vec<u8>, String> {
    let mut paths = Vec::new();
    collect(Path::new(folder), &mut paths)?;
    let mut whole: Option<(usize, Vec<u8>)> = None;
    let mut filled = 0;
    for path in &paths {
        let tile = read(path).map_err(|what| format!("{}: {what}", path.display()))?;
        let (size, pixels) =
            whole.get_or_insert_with(|| (tile.size, vec![0; tile.size * tile.size * 3]));
        if tile.size != *size {
            return Err(format!("{}: of a picture of another size", path.display()));
        }
        for row in 0..tile.side {
            let to = ((tile.top + row) * *size + tile.left) * 3;
            let from = row * tile.side * 3;
            pixels[to..to + tile.side * 3]
                .copy_from_slice(&tile.pixels[from..from + tile.side * 3]);
        }
        filled += tile.side * tile.side;
    }
    let (size, pixels) = whole.ok_or_else(|| format!("no tile (*.ppm) below {folder}"))?;
    if filled != size * size {
        return Err(format!(
            "tiles are missing: {filled} of {} pixels are there",
            size * size
        ));
    }
    encode(size as u32, &pixels)
}

fn encode(size: u32, pixels: &[u8]) -> Result<Vec<u8>, String> {
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, size, size);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(pixels)?;
        writer.finish()
    });
    written.map_err(|error| error.to_string())?;
    Ok(png)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let explain = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(explain)? {
        let path = entry.map_err(explain)?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|ending| ending == "ppm") {
            paths.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Found, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let mut rest = bytes.as_slice();
    let mut lines = [""; 4];
    for line in &mut lines {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or("no tile of this program")?;
        *line = str::from_utf8(&rest[..end]).map_err(|error| error.to_string())?;
        rest = &rest[end + 1..];
    }
    let numbers = |text: &str| -> Vec<usize> {
        text.split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    let (place, sides) = (numbers(lines[1]), numbers(lines[2]));
    let ([left, top, size, _], [side, _]) = (&place[..], &sides[..]) else {
        return Err("no tile of this program".to_owned());
    };
    let fits = left + side <= *size && top + side <= *size && rest.len() == side * side * 3;
    if !fits {
        return Err("the tile is cut off or out of place".to_owned());
    }
    Ok(Found {
        left: *left,
        top: *top,
        size: *size,
        side: *side,
        pixels: rest.to_vec(),
    })
}
