//! The job files of `wasi-apps/*/jobs`, on a daemon and in a tab, against known
//! answers.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use wasipool_evaluation::client::Client;
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::programs;
use wasipool_evaluation::scenario::with_pool;

/// What all tasks' stdout must be, in order.
type Check = fn(&[String]) -> bool;

/// A job file and what is right.
const FILES: [(&str, Check); 6] = [
    ("argon2/jobs/passwords.json", passwords),
    ("fibonacci/jobs/first-thirty.json", first_thirty),
    ("grep/jobs/lines.json", matching_lines),
    ("montecarlo/jobs/handfuls.json", handfuls),
    ("wc/jobs/texts.json", counted_texts),
    ("wordcount/jobs/lines.json", counted_words),
];

/// As the native build of the same program prints them.
fn passwords(hashes: &[String]) -> bool {
    hashes.len() == 8
        && hashes[0] == "33df220c031ce793285f342dd33e83388df2a806c2c17a6821128dfed5f12603\n"
        && hashes[7] == "86e82dc9744f44e92f2b2d05cfc644f4d82a0ff09da829ca32d80fb7faa6e598\n"
}

fn first_thirty(lines: &[String]) -> bool {
    let (mut this, mut next) = (0_u64, 1_u64);
    lines.len() == 30
        && lines.iter().enumerate().all(|(index, line)| {
            let right = format!("fib({index}) = {this}\n");
            (this, next) = (next, this + next);
            *line == right
        })
}

fn matching_lines(lines: &[String]) -> bool {
    *lines == ["apple\navocado\n", "2\n", "BEE\nplum\n"]
}

/// All darts, and the hits that the native build counts.
fn handfuls(lines: &[String]) -> bool {
    let number = |line: &String, at| {
        line.split(' ')
            .nth(at)
            .and_then(|word| word.parse::<u64>().ok())
    };
    let sum = |at| {
        lines
            .iter()
            .filter_map(|line| number(line, at))
            .sum::<u64>()
    };
    (sum(0), sum(1)) == (100_000_000, 78_545_734)
}

fn counted_texts(lines: &[String]) -> bool {
    *lines == ["0 0 0\n", "1 2 9\n", "2 4 20\n", "1 1 5\n"]
}

fn counted_words(lines: &[String]) -> bool {
    *lines
        == [
            "and\t1\nbroker\t1\npool\t1\nthe\t2\n",
            "broker\t1\ntab\t1\nthe\t2\n",
            "",
        ]
}

#[test]
fn job_files_give_the_known_answers_on_both_kinds() {
    with_pool(&Setup::broker().native("native", 2).tab(2), async |pool| {
        let client = &pool.client;
        let mut wrong = Vec::new();
        for (path, check) in FILES {
            let guest = path.split('/').next().unwrap_or_default();
            client.put_guests(&[guest]).await?;
            for kind in ["native", "browser"] {
                let outputs = run(client, path, kind)
                    .await
                    .with_context(|| format!("{path} ({kind})"))?;
                if !check(&outputs) {
                    wrong.push(format!("{path} ({kind}): {outputs:?}"));
                }
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    });
}

/// Runs a job file on one kind of provider; each task's stdout.
async fn run(client: &Client, path: &str, kind: &str) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(programs::repository().join("wasi-apps").join(path))?;
    let mut job: Value = serde_json::from_str(&text)?;
    job["requires"] = json!({ "kind": kind });
    let id = client.submit(&job).await?.id;
    let ended = client.ended(&id, Duration::from_secs(90)).await?;
    ensure!(ended.state == "succeeded", "{ended:?}");
    let results = client.results(&id).await?;
    let mut outputs = Vec::new();
    for result in &results {
        outputs.push(String::from_utf8(client.stdout(result).await?)?);
    }
    Ok(outputs)
}
