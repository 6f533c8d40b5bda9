//! Tasks that need equal results from different groups.

use super::*;

fn in_group(bench: &mut Bench, provider: u128, group: u64) -> Vec<Effect> {
    let (provider, kind) = (ProviderId(provider), ProviderKind::Native);
    let group = Group::of_address(group);
    bench.event(Event::Join {
        provider,
        kind,
        capacity: capacity(1),
        group,
    })
}

fn quorum(quorum: u32, tasks: u32) -> JobSpec {
    JobSpec {
        quorum,
        placement_timeout_ms: 1_000,
        ..spec(tasks)
    }
}

#[test]
fn equal_results_of_two_end_the_task_and_stop_the_third() {
    let mut bench = Bench::without_prefetch();
    for provider in 1..=4 {
        bench.join(provider, capacity(1));
    }
    let started = assigned(&bench.submit(1, quorum(2, 1)));
    assert_eq!(started.len(), 2, "in parallel, and no more than needed");
    assert!(ends(&bench.ended((1, 0), final_result(1), 1_000)).is_empty());
    assert_eq!(bench.counts(1).running, 1);
    // They differ: a third is asked, and a fourth would come only after it.
    let effects = bench.ended((2, 1), final_result(2), 1_000);
    assert_eq!(assigned(&effects).len(), 1);
    let (third, attempt, _) = assigned(&effects)[0];
    let effects = bench.ended((third, attempt), final_result(2), 1_000);
    let end = End::Final {
        provider: ProviderId(2),
        attempt: AttemptId(1),
    };
    assert_eq!(ends(&effects), [(0, end)]);
    assert!(matches!(effects[0], Effect::TaskEnded { attempts: 3, .. }));
    assert!(matches!(effects[1], Effect::JobEnded { .. }));
}

#[test]
fn results_that_all_differ_are_disputed() {
    let mut bench = Bench::without_prefetch();
    for provider in 1..=9 {
        bench.join(provider, capacity(1));
    }
    let mut running = assigned(&bench.submit(1, quorum(2, 1)));
    for value in 0..3 {
        let (provider, attempt, _) = running.remove(0);
        running.extend(assigned(&bench.ended(
            (provider, attempt),
            final_result(value),
            1,
        )));
    }
    let (provider, attempt, _) = running.remove(0);
    let without = Verdict::Final {
        succeeded: true,
        fingerprint: None,
    };
    let effects = bench.ended((provider, attempt), without, 1);
    assert_eq!(reasons(&effects), ["4 providers gave results that differ"]);
    assert!(running.is_empty());
}

#[test]
fn replicas_go_to_different_groups() {
    let mut bench = Bench::without_prefetch();
    in_group(&mut bench, 1, 7);
    in_group(&mut bench, 2, 7);
    assert!(
        bench.submit(1, quorum(2, 1)).is_empty(),
        "one group alone is no use"
    );
    assert_eq!(assigned(&in_group(&mut bench, 3, 8)).len(), 2);
    bench.ended((3, 0), final_result(0), 1);
    bench.ended((1, 0), final_result(0), 1);
    let view = |id| bench.core.provider(ProviderId(id)).expect("it is there");
    assert_eq!(view(1).busy + view(2).busy + view(3).busy, 1);
}

#[test]
fn a_lost_replica_is_replaced_and_counts_against_the_retries() {
    let mut bench = Bench::without_prefetch();
    for provider in 1..=3 {
        bench.join(provider, capacity(1));
    }
    bench.submit(
        1,
        JobSpec {
            retries: 1,
            ..quorum(2, 1)
        },
    );
    let effects = bench.event(Event::Leave {
        provider: ProviderId(1),
    });
    assert_eq!(assigned(&effects), [(3, 2, 0)]);
    let effects = bench.ended((3, 2), fault(), 0);
    assert_eq!(reasons(&effects).len(), 1);
    assert!(effects.contains(&Effect::Revoke {
        provider: ProviderId(2),
        attempt: AttemptId(1)
    }));
    assert!(matches!(effects.last(), Some(Effect::JobEnded { .. })));
}

#[test]
fn without_another_group_to_ask_differing_results_are_disputed() {
    let mut bench = Bench::without_prefetch();
    bench.join(1, capacity(1));
    bench.join(2, capacity(1));
    bench.submit(1, quorum(2, 1));
    bench.ended((1, 0), final_result(1), 1);
    bench.ended((2, 1), final_result(2), 1);
    assert_eq!(bench.core.next_deadline_ms(), Some(1_000));
    let effects = bench.tick(1_000);
    let reason = &reasons(&effects)[0];
    assert!(reason.starts_with("1 of 2 equal results came"), "{reason}");
    assert!(matches!(effects.last(), Some(Effect::JobEnded { .. })));
}

#[test]
fn cancelling_stops_all_replicas() {
    let mut bench = Bench::without_prefetch();
    for provider in 1..=3 {
        bench.join(provider, capacity(1));
    }
    bench.submit(1, quorum(3, 4));
    bench.ended((2, 1), final_result(0), 1);
    let effects = bench.event(Event::Cancel { job: JobId(1) });
    assert_eq!(ends(&effects).len(), 4);
    assert_eq!(bench.core.totals().attempts, 0);
    assert_eq!(bench.core.totals().queued + bench.core.totals().running, 0);
}

#[test]
fn replicas_go_to_different_accounts_too() {
    let mut bench = Bench::without_prefetch();
    let mut join = |provider: u128, address, account| {
        bench.event(Event::Join {
            provider: ProviderId(provider),
            kind: ProviderKind::Native,
            capacity: capacity(1),
            group: Group { address, account },
        });
    };
    join(1, 1, 7);
    join(2, 2, 7);
    join(3, 1, 8);
    join(4, 3, 8);
    let started = providers(&bench.submit(1, quorum(2, 1)));
    // Neither the first one's account nor its address has a second say.
    assert_eq!(started, [1, 4]);
}
