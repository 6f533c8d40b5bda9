//! Nothing accepted is ever lost: jobs are submitted without pause while the
//! broker, its providers, or both are killed at random instants.
//!
//! `WASIPOOL_KILL_ROUNDS` says how often, `WASIPOOL_KILL_SEED` repeats the
//! choices of an earlier run, as far as the machine's timing lets them be
//! repeated.

mod clients;
mod ledger;
mod plan;
mod random;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use wasipool_evaluation::client::Client;
use wasipool_evaluation::model::{Job, Page};
use wasipool_evaluation::pool::{Pool, Setup};
use wasipool_evaluation::scenario::with_pool_for;
use wasipool_evaluation::wait::until;

use clients::Clients;
use ledger::Ledger;
use random::Random;

const ROUNDS: u64 = 5;
/// Until a round must be through, on a busy machine.
const ROUND: Duration = Duration::from_secs(20);
/// Until all jobs must have ended, and all results be read.
const END: Duration = Duration::from_secs(100);
/// The longest time between two kills.
const QUIET_MS: u64 = 1_500;
const SLOTS: u32 = 2;
const PROVIDERS: [&str; 2] = ["first", "second"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Broker,
    Provider,
    Both,
}

#[test]
fn nothing_is_lost_with_a_killed_broker() {
    test(Victim::Broker);
}

#[test]
fn nothing_is_lost_with_killed_providers() {
    test(Victim::Provider);
}

#[test]
fn nothing_is_lost_when_both_are_killed() {
    test(Victim::Both);
}

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")),
    )
}

fn test(victim: Victim) {
    let rounds = setting("WASIPOOL_KILL_ROUNDS").unwrap_or(ROUNDS);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let any = now.map_or(0, |now| now.subsec_nanos().into());
    let seed = setting("WASIPOOL_KILL_SEED").unwrap_or(any);
    #[expect(
        clippy::print_stderr,
        reason = "the test harness shows it with a failure"
    )]
    {
        eprintln!("{rounds} rounds, WASIPOOL_KILL_SEED={seed}");
    }
    let setup = PROVIDERS
        .iter()
        .fold(Setup::broker().durable(), |setup, name| {
            setup.native(name, SLOTS)
        });
    let limit = END + ROUND * u32::try_from(rounds).unwrap_or(u32::MAX);
    with_pool_for(limit, &setup, async |pool| {
        let mut random = Random(seed);
        let client = pool.client.clone();
        client.put_guests(&["hello", "exit", "cat"]).await?;
        let ledger = Arc::new(Ledger::default());
        let clients = Clients::start(&client, &ledger, &mut random);
        for _ in 0..rounds {
            tokio::time::sleep(Duration::from_millis(random.below(QUIET_MS))).await;
            kill(pool, victim, &mut random).await?;
        }
        clients.stop().await?;
        // None that keeps connections to a broker that was killed.
        let client = Client::new(client.base())?;
        all_ended(&client).await?;
        check(&client, &ledger).await?;
        if victim != Victim::Provider {
            pool.restart_broker().await?;
            check(&Client::new(client.base())?, &ledger).await?;
        }
        ledger.check_size(rounds)
    });
}

async fn kill(pool: &mut Pool, victim: Victim, random: &mut Random) -> anyhow::Result<()> {
    let provider = PROVIDERS[random.below(2) as usize];
    let broker_first = random.below(2) == 0;
    if victim == Victim::Broker || victim == Victim::Both && broker_first {
        pool.restart_broker().await?;
    }
    if victim != Victim::Broker {
        pool.replace_native(provider, SLOTS)?;
    }
    if victim == Victim::Both && !broker_first {
        pool.restart_broker().await?;
    }
    Ok(())
}

/// Waits until each job has ended as the store knows it: what runs may have
/// ended a moment before its commit.
async fn all_ended(client: &Client) -> anyhow::Result<()> {
    until("all jobs have ended", END, async || {
        for state in ["queued", "running"] {
            let jobs = client
                .get(&format!("/v1/jobs?state={state}&limit=1"))
                .await?;
            if !jobs.json::<Page<Job>>()?.items.is_empty() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await
}

/// Compares all that the broker has with all that clients know.
async fn check(client: &Client, ledger: &Ledger) -> anyhow::Result<()> {
    let mut cursor = None::<String>;
    let mut found = Vec::new();
    loop {
        let mut request = client
            .request(Method::GET, "/v1/jobs")
            .query("limit", "500");
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
        }
        let page: Page<Job> = request.send_ok().await?.json()?;
        found.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    for job in &found {
        let results = client.get(&format!("/v1/jobs/{}/results", job.id)).await?;
        ledger.read_lines(&job.id, &results.text())?;
        ledger.check(job)?;
    }
    ledger.check_all(&found)
}
