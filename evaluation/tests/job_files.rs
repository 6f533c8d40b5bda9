//! The job files of `wasi-apps/*/jobs`, on a daemon and in a tab, against known
//! answers.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use wasipool_evaluation::client::Client;
use wasipool_evaluation::job_file;
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::programs;
use wasipool_evaluation::scenario::with_pool;

/// What all tasks' stdout must be, in order.
type Check = fn(&[String]) -> bool;

/// A job file and what is right.
const FILES: [(&str, Check); 13] = [
    ("argon2/jobs/passwords.json", passwords),
    ("fibonacci/jobs/first-thirty.json", first_thirty),
    ("grep/jobs/lines.json", matching_lines),
    ("hello/jobs/world.json", hello_from_rust),
    ("hello-c/jobs/world.json", hello_from_c),
    ("hello-go/jobs/world.json", hello_from_go),
    ("hello-wat/jobs/world.json", hello_from_wat),
    ("montecarlo/jobs/handfuls.json", handfuls),
    ("tsp/jobs/germany.json", tours_of_germany),
    ("tsp/jobs/north-america.json", tours_of_north_america),
    ("tsp/jobs/random.json", tours_of_random_cities),
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

fn hello_from_rust(outputs: &[String]) -> bool {
    hello(outputs, "rust")
}

fn hello_from_c(outputs: &[String]) -> bool {
    hello(outputs, "c")
}

fn hello_from_go(outputs: &[String]) -> bool {
    hello(outputs, "go")
}

fn hello_from_wat(outputs: &[String]) -> bool {
    hello(outputs, "wat")
}

fn hello(outputs: &[String], language: &str) -> bool {
    let expected = [
        "arg[1]=0\narg[2]=zwei\nA=1\nB=2\n",
        "arg[1]=--write\narg[2]=in/log\nFILE=/in/log\n/in/\n/in/log 23\n/z 0\n\
         --- /in/log\nfirst\nwritten by hello\n",
        "--- stdin\nwhat came\nover stdin",
    ];
    *outputs == expected.map(|rest| format!("hello from {language}\narg[0]=hello\n{rest}"))
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

/// As the native build of the same program prints them, as in the following two.
fn tours_of_germany(outputs: &[String]) -> bool {
    let end = "Rostock Berlin Dresden Chemnitz Leipzig \"Halle (Saale)\"\n";
    outputs[0].ends_with(end) && lengths(outputs) == ["2877.363", "2942.452", "2877.363"]
}

fn tours_of_north_america(outputs: &[String]) -> bool {
    let known = [
        "33631.392",
        "33636.725",
        "33289.145",
        "33686.848",
        "33166.781",
        "33829.024",
    ];
    lengths(outputs) == known
}

fn tours_of_random_cities(outputs: &[String]) -> bool {
    let known = [
        "1757.030", "2494.543", "2106.033", "2915.805", "3105.065", "2692.689", "2228.995",
        "2657.413", "2350.188", "3092.590",
    ];
    lengths(outputs) == known
}

fn lengths(outputs: &[String]) -> Vec<&str> {
    let lines = outputs.iter().flat_map(|output| output.lines());
    lines
        .filter_map(|line| line.strip_prefix("length "))
        .collect()
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
            // Its compiler isn't to be had everywhere.
            if guest == "hello-go" && !programs::has_guest(guest) {
                continue;
            }
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
    let results = job_file::run(client, path, kind, Duration::from_secs(90)).await?;
    let mut outputs = Vec::new();
    for result in &results {
        outputs.push(String::from_utf8(client.stdout(result).await?)?);
    }
    Ok(outputs)
}
