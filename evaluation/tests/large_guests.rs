//! Large programs that others wrote, on a daemon and in a tab: interpreters.
//! They are fetched by `make guests-large`, and these tests are run by
//! `make test-large`.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use wasipool_evaluation::job_file;
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
