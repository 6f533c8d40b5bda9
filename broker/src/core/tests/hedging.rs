//! Second attempts for stragglers near a job's end.

use super::*;

/// A job of three tasks at three providers of one slot each, of which the last
/// does not end; a fourth provider is idle.
fn straggling(retries: u32) -> Bench {
    let mut bench = Bench::without_prefetch();
    for provider in 1..=3 {
        bench.join(provider, capacity(1));
    }
    bench.submit(1, JobSpec { retries, ..spec(3) });
    bench.join(4, capacity(1));
    bench.now_ms = 100;
    bench.ended((1, 0), final_result(0), 100_000);
    bench.ended((2, 1), final_result(0), 100_000);
    bench
}

/// Ticks whenever something is due, for so long.
fn wait(bench: &mut Bench, until_ms: u64) -> Vec<Effect> {
    let mut effects = Vec::new();
    while let Some(next_ms) = bench.core.next_deadline_ms().filter(|at| *at <= until_ms) {
        bench.now_ms = next_ms;
        effects.extend(bench.event(Event::Tick));
    }
    bench.now_ms = until_ms;
    effects
}

#[test]
fn a_straggler_gets_a_second_attempt_and_the_first_result_wins() {
    let mut bench = straggling(3);
    assert_eq!(assigned(&wait(&mut bench, 1_000)), [], "not at once");
    let hedged = assigned(&wait(&mut bench, 10_000));
    let [(second, attempt, 2)] = hedged[..] else {
        panic!("one second attempt, of the task that is left: {hedged:?}");
    };
    assert_ne!(second, 3);
    assert_eq!(
        (bench.counts(1).running, bench.core.totals().attempts),
        (1, 2)
    );
    let effects = bench.ended((second, attempt), final_result(0), 100_000);
    let revoked = Effect::Revoke {
        provider: ProviderId(3),
        attempt: AttemptId(2),
    };
    assert_eq!(effects[0], revoked);
    assert!(matches!(effects[1], Effect::TaskEnded { attempts: 2, .. }));
    assert!(matches!(effects[2], Effect::JobEnded { .. }));
    assert_eq!(bench.core.next_deadline_ms(), None);
    // And the late result changes nothing.
    let late = bench.ended((3, 2), final_result(1), 1);
    assert!(matches!(late[..], [Effect::Dropped { .. }]));
}

#[test]
fn the_first_attempt_may_win_too() {
    let mut bench = straggling(3);
    let hedged = assigned(&wait(&mut bench, 10_000));
    let effects = bench.ended((3, 2), final_result(0), 9_000_000);
    let revoked = Effect::Revoke {
        provider: ProviderId(hedged[0].0),
        attempt: AttemptId(hedged[0].1),
    };
    assert_eq!(effects[0], revoked);
    assert!(matches!(effects.last(), Some(Effect::JobEnded { .. })));
}

#[test]
fn a_job_that_must_not_be_tried_twice_is_never_hedged() {
    let mut bench = straggling(0);
    assert!(wait(&mut bench, 1_000_000).is_empty());
}

#[test]
fn losses_of_both_attempts_stay_within_the_retries() {
    let mut bench = straggling(1);
    let hedged = assigned(&wait(&mut bench, 10_000));
    assert!(
        ends(&bench.ended((3, 2), fault(), 0)).is_empty(),
        "the other runs"
    );
    let (second, attempt, _) = hedged[0];
    assert_eq!(assigned(&wait(&mut bench, 100_000)), [], "no retry is left");
    let effects = bench.ended((second, attempt), fault(), 0);
    assert!(reasons(&effects)[0].starts_with("2 attempts were lost"));
}

#[test]
fn a_provider_that_dies_unnoticed_holds_nothing_up() {
    let mut bench = straggling(3);
    let hedged = assigned(&wait(&mut bench, 10_000));
    bench.event(Event::Leave {
        provider: ProviderId(3),
    });
    let counts = bench.counts(1);
    assert_eq!((counts.running, counts.queued, counts.lost), (1, 0, 0));
    let (second, attempt, _) = hedged[0];
    let effects = bench.ended((second, attempt), final_result(0), 100_000);
    assert!(matches!(effects[0], Effect::TaskEnded { attempts: 2, .. }));
}

#[test]
fn a_cancelled_job_stops_both() {
    let mut bench = straggling(3);
    wait(&mut bench, 10_000);
    let effects = bench.event(Event::Cancel { job: JobId(1) });
    let revoked = |effect: &&Effect| matches!(effect, Effect::Revoke { .. });
    assert_eq!(effects.iter().filter(revoked).count(), 2);
    assert_eq!(ends(&effects), [(2, End::Cancelled)]);
    assert_eq!(bench.core.totals().attempts, 0);
}

#[test]
fn others_that_wait_come_first() {
    let mut bench = straggling(3);
    let effects = bench.submit(2, spec(50));
    assert_eq!(assigned(&effects).len(), 3, "all slots are taken");
    assert_eq!(assigned(&wait(&mut bench, 10_000)), []);
}
