//! Tasks that need equal results from several providers, of both kinds.

use serde_json::{Value, json};
use wasipool_evaluation::model::Job;
use wasipool_evaluation::pool::{Pool, Setup};
use wasipool_evaluation::scenario::with_pool;

/// Random numbers and clocks: two runs differ, unless the job fixes them.
const DICE: &str = include_str!("guests/dice.wat");

fn both_kinds() -> Setup {
    Setup::broker().native("native", 2).tab(1)
}

async fn run(pool: &Pool, job: &Value) -> anyhow::Result<(Job, Vec<Value>)> {
    pool.client.put_blob("dice", DICE).await?;
    let job = pool.client.submit_and_wait(job, "100s").await?;
    let mut results = Vec::new();
    for index in 0..job.tasks {
        let path = format!("/v1/jobs/{}/tasks/{index}", job.id);
        results.push(pool.client.get(&path).await?.json()?);
    }
    Ok((job, results))
}

#[test]
fn a_tab_and_a_daemon_agree_to_the_byte_where_random_and_clocks_are_fixed() {
    with_pool(&both_kinds(), async |pool| {
        let job = json!({
            "module": "dice",
            "count": 3,
            "quorum": 2,
            "deterministic": { "seed": 7 },
        });
        let (job, results) = run(pool, &job).await?;
        assert_eq!(job.state, "succeeded", "{results:?}");
        for result in &results {
            // There is one party of each kind: both ran it.
            assert!(result["attempts"].as_u64() >= Some(2), "{result}");
            assert_eq!(result["variants"], Value::Null);
        }
        Ok(())
    });
}

#[test]
fn results_that_differ_are_disputed_and_all_are_shown() {
    with_pool(&both_kinds(), async |pool| {
        let job = json!({
            "module": "dice",
            "count": 1,
            "quorum": 2,
            "placement_timeout": "2s",
        });
        let (job, results) = run(pool, &job).await?;
        assert_eq!(job.count("disputed"), 1, "{results:?}");
        let result = &results[0];
        assert_eq!(result["state"], "disputed");
        let variants = result["variants"].as_array().expect("there are variants");
        assert_eq!(variants.len(), 2, "{result}");
        let mut names: Vec<&str> = variants
            .iter()
            .filter_map(|variant| variant["provider"]["name"].as_str())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["native", "tab"]);
        for variant in variants {
            assert_eq!(variant["exit_code"], 0);
            assert_eq!(variant["stdout_size"], 32);
            assert!(variant["stdout_base64"].is_string() || variant["stdout"].is_string());
        }
        assert_ne!(variants[0]["digest"], variants[1]["digest"]);
        assert_ne!(variants[0]["stdout_digest"], variants[1]["stdout_digest"]);
        assert_eq!(variants[0]["stderr_digest"], variants[1]["stderr_digest"]);
        Ok(())
    });
}

#[test]
fn results_of_strangers_are_confirmed_until_they_are_trusted() {
    let strangers = Setup::broker()
        .args(&["--trust", "adaptive", "--trusted-after", "3"])
        .native("one", 1)
        .native("two", 1)
        .native("three", 1);
    with_pool(&strangers, async |pool| {
        let job = |count: u32| json!({ "module": "dice", "count": count, "deterministic": { "seed": 7 } });
        let (first, results) = run(pool, &job(1)).await?;
        assert_eq!(first.state, "succeeded");
        assert_eq!(results[0]["attempts"], 2, "{}", results[0]);
        run(pool, &job(20)).await?;
        let providers: Value = pool.client.get("/v1/providers").await?.json()?;
        let all = providers["items"].as_array().expect("a list");
        let trusted = all.iter().filter(|provider| provider["trust"] == "trusted");
        assert!(trusted.count() >= 2, "{providers}");
        // By now most results need nobody else's.
        let (last, results) = run(pool, &job(60)).await?;
        assert_eq!(last.count("succeeded"), 60);
        assert!(results.iter().any(|result| result["attempts"] == 1));
        Ok(())
    });
}
