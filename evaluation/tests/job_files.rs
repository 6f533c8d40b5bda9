//! The job files of `wasi-apps/*/jobs`, on a daemon and in a tab, against known
//! answers.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use wasipool_evaluation::client::Client;
use wasipool_evaluation::job_file;
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::programs;
use wasipool_evaluation::scenario::with_pool;

/// How long a job may take.
const LIMIT: Duration = Duration::from_secs(90);

/// What all tasks' stdout must be, in order.
type Check = fn(&[String]) -> bool;

/// A job file and what is right.
const FILES: [(&str, Check); 14] = [
    ("argon2/jobs/passwords.json", passwords),
    ("conformance/jobs/all.json", conforming),
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

/// A job file and what its tasks must print, worked out apart from the guests.
const EXACT: [(&str, &[&str]); 7] = [
    (
        "cat/jobs/bytes.json",
        &["", "a line\n", "Gr\u{fc}\u{df}e, \u{4e16}\u{754c}"],
    ),
    ("files/jobs/root.json", &[FILES_AT_WORK; 3]),
    (
        "hash/jobs/zeros.json",
        &[
            "pool57 005c560fb18fc67643d10304b3e2936c29cfa17842c207fd263ee8c3bd1e3b0f\n",
            "pool3877 0005c648a5ba20c2fac468a2b79fc4b5e989541986d6b473db8368ec626e20f7\n",
            "pool67883 000036838a4e234b276934335b379131d6741b054c0c869430308191d1471478\n",
            "pool67883 000036838a4e234b276934335b379131d6741b054c0c869430308191d1471478\n",
        ],
    ),
    (
        "json/jobs/orders.json",
        &[
            "nobody 0.00 2\n",
            "customer 65 347.50 2264\n",
            "customer 157 12053.00 1376772\n",
        ],
    ),
    (
        "matrix/jobs/products.json",
        &[
            "0 0\n",
            "389.76171875 7.89453125\n",
            "6248.98046875 31.265625\n",
        ],
    ),
    ("noop/jobs/hundred.json", &[""; 100]),
    (
        "work/jobs/lengths.json",
        &[
            "9e3779b97f4a7c15\n",
            "011f0ac196cd8b13\n",
            "4f2763281a8a0221\n",
            "96099bf089d09792\n",
        ],
    ),
];

const FILES_AT_WORK: &str = "/tmp: deep three.txt\n/tmp: first.txt three.txt\n\
                             a.txt begins with Some(\"line A\")\nb.bin has 100000 bytes\n\
                             /out: a.txt b.bin\n";

/// A job file of a guest that ends badly, and the ends of its tasks.
const ENDS: [(&str, &[&str]); 5] = [
    (
        "exit/jobs/codes.json",
        &["succeeded", "failed", "failed", "failed"],
    ),
    ("flood/jobs/output.json", &["succeeded", "output_exceeded"]),
    ("hog/jobs/memory.json", &["succeeded", "out_of_memory"]),
    ("spin/jobs/time.json", &["timed_out", "timed_out"]),
    ("trap/jobs/trap.json", &["trapped", "trapped"]),
];

/// For its number of checks: each that doesn't pass is a line on stderr and an
/// exit code.
fn conforming(outputs: &[String]) -> bool {
    outputs.len() == 1 && outputs[0].ends_with(" checks passed\n")
}

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

#[test]
fn job_files_print_what_was_worked_out_on_both_kinds() {
    with_pool(&Setup::broker().native("native", 2).tab(2), async |pool| {
        let client = &pool.client;
        for (path, expected) in EXACT {
            put_guest_of(client, path).await?;
            for kind in ["native", "browser"] {
                let outputs = run(client, path, kind).await?;
                ensure!(outputs == expected, "{path} ({kind}): {outputs:?}");
            }
        }
        Ok(())
    });
}

#[test]
fn job_files_end_badly_where_they_should_on_both_kinds() {
    with_pool(&Setup::broker().native("native", 2).tab(2), async |pool| {
        let client = &pool.client;
        for (path, expected) in ENDS {
            put_guest_of(client, path).await?;
            for kind in ["native", "browser"] {
                let results = job_file::end(client, path, kind, LIMIT).await?;
                let states: Vec<&str> = results.iter().map(|result| &*result.state).collect();
                ensure!(states == expected, "{path} ({kind}): {results:?}");
            }
        }
        Ok(())
    });
}

async fn put_guest_of(client: &Client, path: &str) -> anyhow::Result<()> {
    let guest = path.split('/').next().unwrap_or_default();
    client.put_guests(&[guest]).await
}

/// Runs a job file on one kind of provider; each task's stdout.
async fn run(client: &Client, path: &str, kind: &str) -> anyhow::Result<Vec<String>> {
    let results = job_file::run(client, path, kind, LIMIT).await?;
    let mut outputs = Vec::new();
    for result in &results {
        outputs.push(String::from_utf8(client.stdout(result).await?)?);
    }
    Ok(outputs)
}
