//! Large programs that others wrote, on a daemon and in a tab: interpreters and
//! FFmpeg. They are fetched and built by `make guests-large`, and these tests are
//! run by `make test-large`.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use wasipool_evaluation::client::Client;
use wasipool_evaluation::job_file;
use wasipool_evaluation::model::TaskResult;
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::programs;
use wasipool_evaluation::scenario::with_pool_for;

/// A daemon's first compilation of a large module takes the most of it.
const LIMIT: Duration = Duration::from_secs(600);
const KINDS: [&str; 2] = ["native", "browser"];

#[test]
#[ignore = "run by make test-large"]
fn python_counts_primes() {
    // As tables of the prime-counting function have them.
    let expected = [
        "9592 primes from 0 to 99999\n",
        "8392 primes from 100000 to 199999\n",
        "8013 primes from 200000 to 299999\n",
        "7863 primes from 300000 to 399999\n",
    ];
    interpreter("python", "primes.py", "primes.json", &expected);
}

#[test]
#[ignore = "run by make test-large"]
fn ruby_counts_words() {
    let expected = [
        "3 it\n2 can\n2 what\n1 and\n1 does\n1 pool\n1 takes\n1 the\n",
        "2 zwölf\n1 zelte\n1 züge\n",
        "",
    ];
    interpreter("ruby", "words.rb", "words.json", &expected);
}

fn interpreter(guest: &str, script: &str, job: &str, expected: &[&str]) {
    let setup = Setup::broker().native("native", 2).tab(2);
    with_pool_for(LIMIT, &setup, async |pool| {
        let client = &pool.client;
        client.put_guests(&[guest]).await?;
        let folder = programs::repository().join("wasi-apps").join(guest);
        client
            .put_blob(script, fs::read(folder.join(script))?)
            .await?;
        for kind in KINDS {
            let path = format!("{guest}/jobs/{job}");
            let results = job_file::run(client, &path, kind, LIMIT).await?;
            let mut outputs = Vec::new();
            for result in &results {
                outputs.push(String::from_utf8(client.stdout(result).await?)?);
            }
            ensure!(outputs == expected, "{kind}: {outputs:?}");
        }
        Ok(())
    });
}

/// What each job brings back, on both kinds: the digests that FFmpeg 5.1.9 gives.
const CLIP: &str = "sha256:aa14db402a55ac98908aff7503018246907387d4ba2abe366f5c93ecaaa79743";
const SCREENSHOT: &str = "sha256:ca7af03442cc3e9ec5acbbd8fb02501ea2904d3290304e0d7a8a253ea0db39b6";
const TRANSCODED: [(&str, &str); 3] = [
    (
        "out.mkv",
        "sha256:799351dc24f597e72b7d3687a41e4c42879c67618380c18a8bdbd72dafd0d580",
    ),
    (
        "out.mov",
        "sha256:f3d4e8ea511cfa84d2becdd53bc79c1630982bfd8baab9cd44244434a30bc8a3",
    ),
    (
        "out.gif",
        "sha256:c61043dea35ccdb339a09e71e933fef80ab3a77b4553bbee211275afe9afd17a",
    ),
];
const FRAMES: usize = 50;

#[test]
#[ignore = "run by make test-large"]
fn ffmpeg_takes_a_screenshot_and_transcodes() {
    let setup = Setup::broker().native("native", 2).tab(2);
    with_pool_for(LIMIT, &setup, async |pool| {
        let client = &pool.client;
        client.put_guests(&["ffmpeg"]).await?;
        for kind in KINDS {
            ffmpeg(client, kind).await.context(kind)?;
        }
        Ok(())
    });
}

async fn ffmpeg(client: &Client, kind: &str) -> anyhow::Result<()> {
    let made = job_file::run(client, "ffmpeg/jobs/clip.json", kind, LIMIT).await?;
    ensure!(artifacts(&made) == [("clip.mp4", CLIP)], "{made:?}");
    let clip = client.get(&made[0].artifacts[0].url).await?.body;
    client.put_blob("clip.mp4", clip).await?;

    let shot = job_file::run(client, "ffmpeg/jobs/screenshot.json", kind, LIMIT).await?;
    ensure!(artifacts(&shot) == [("shot.png", SCREENSHOT)], "{shot:?}");
    let png = client.get(&shot[0].artifacts[0].url).await?.body;
    // Its header: 320 by 180 pixels.
    let size = [0, 0, 1, 64, 0, 0, 0, 180];
    ensure!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.get(16..24) == Some(&size));

    let other = job_file::run(client, "ffmpeg/jobs/transcode.json", kind, LIMIT).await?;
    ensure!(artifacts(&other) == TRANSCODED, "{other:?}");
    let frames = frames(&client.stdout(&other[3]).await?);
    ensure!(frames.len() == FRAMES, "{frames:?}");

    // FFV1 loses nothing: the same frames come out of it, here over stdin.
    let mkv = client.get(&other[0].artifacts[0].url).await?.body;
    let mut decode = client.run("ffmpeg.wasm").query("requires", kind);
    for arg in [
        "-v", "error", "-i", "-", "-map", "0:v", "-f", "framemd5", "-",
    ] {
        decode = decode.query("arg", arg);
    }
    let decoded = decode.body(mkv).send_ok().await?.body;
    ensure!(self::frames(&decoded) == frames, "FFV1 lost something");
    Ok(())
}

fn artifacts(results: &[TaskResult]) -> Vec<(&str, &str)> {
    let artifacts = results.iter().flat_map(|result| &result.artifacts);
    artifacts
        .map(|artifact| (&*artifact.path, &*artifact.digest))
        .collect()
}

/// The checksum of each frame: the last word of a line that is no comment.
fn frames(framemd5: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(framemd5);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_whitespace().last())
        .map(str::to_owned)
        .collect()
}
