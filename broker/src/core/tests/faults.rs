//! Providers that fail, leave, drain, and send what nobody wants.

use super::*;

fn leave(bench: &mut Bench, provider: u128) -> Vec<Effect> {
    bench.event(Event::Leave {
        provider: ProviderId(provider),
    })
}

#[test]
fn a_task_is_lost_after_its_retries() {
    let mut bench = Bench::without_prefetch();
    bench.submit(
        1,
        JobSpec {
            retries: 2,
            ..spec(1)
        },
    );
    for provider in 1..=2 {
        assert_eq!(providers(&bench.join(provider, capacity(1))), [provider]);
        assert!(leave(&mut bench, provider).is_empty());
    }
    let attempt = assigned(&bench.join(3, capacity(1)))[0].1;
    let effects = bench.ended((3, attempt), fault(), 0);
    assert!(
        matches!(effects[0], Effect::TaskEnded { attempts: 3, .. }),
        "{effects:?}"
    );
    let reason = &reasons(&effects)[0];
    assert!(
        reason.starts_with("3 attempts were lost: ") && reason.ends_with(": it broke"),
        "{reason}"
    );
}

#[test]
fn outcomes_count_only_from_where_the_attempt_is_live() {
    let mut bench = Bench::without_prefetch();
    bench.join(1, capacity(1));
    bench.join(2, capacity(1));
    bench.submit(1, spec(1));
    for stranger in [(2, 0), (1, 1), (9, 0)] {
        let effects = bench.ended(stranger, final_result(0), 1);
        let (provider, attempt) = (ProviderId(stranger.0), AttemptId(stranger.1));
        assert_eq!(effects, [Effect::Dropped { provider, attempt }]);
    }
    let moved = leave(&mut bench, 1);
    assert_eq!(assigned(&moved), [(2, 1, 0)]);
    assert!(matches!(
        bench.ended((1, 0), final_result(0), 1)[..],
        [Effect::Dropped { .. }]
    ));
    assert_eq!(ends(&bench.ended((2, 1), final_result(0), 1)).len(), 1);
    assert!(matches!(
        bench.ended((2, 1), final_result(0), 1)[..],
        [Effect::Dropped { .. }]
    ));
}

#[test]
fn only_what_may_have_started_counts_when_a_provider_leaves() {
    let mut bench = Bench::new();
    bench.join(1, capacity(2));
    // Two run, two were sent ahead.
    assert_eq!(
        assigned(&bench.submit(
            1,
            JobSpec {
                retries: 0,
                ..spec(6)
            }
        ))
        .len(),
        4
    );
    let effects = leave(&mut bench, 1);
    let lost: Vec<u32> = ends(&effects).into_iter().map(|(index, _)| index).collect();
    assert_eq!(lost, [1, 0]);
    let indices = |effects: &[Effect]| -> Vec<u32> {
        assigned(effects)
            .into_iter()
            .map(|(_, _, index)| index)
            .collect()
    };
    assert_eq!(
        indices(&bench.join(2, capacity(4))),
        [2, 3, 4, 5],
        "they go to the front"
    );
}

#[test]
fn a_draining_provider_finishes_and_gets_nothing_new() {
    let mut bench = Bench::new();
    bench.join(1, capacity(1));
    bench.submit(
        1,
        JobSpec {
            retries: 0,
            ..spec(3)
        },
    );
    assert!(
        bench
            .event(Event::Drain {
                provider: ProviderId(1)
            })
            .is_empty()
    );
    assert_eq!(ends(&bench.ended((1, 0), final_result(0), 1)).len(), 1);
    assert!(bench.ended((1, 1), Verdict::Returned, 0).is_empty());
    assert_eq!(bench.counts(1).queued, 2);
    let effects = bench.join(2, capacity(1));
    assert_eq!(assigned(&effects)[0].2, 1, "what was returned comes first");
    assert!(leave(&mut bench, 1).is_empty());
}

#[test]
fn a_faulty_task_goes_elsewhere_if_there_is_an_elsewhere() {
    let mut bench = Bench::without_prefetch();
    bench.join(1, capacity(1));
    bench.submit(1, spec(1));
    assert_eq!(
        providers(&bench.ended((1, 0), fault(), 0)),
        [1],
        "nobody else is there"
    );
    bench.join(
        2,
        Capacity {
            speed: 10,
            ..capacity(1)
        },
    );
    assert_eq!(
        providers(&bench.ended((1, 1), fault(), 0)),
        [2],
        "slow, but another"
    );
    assert_eq!(providers(&bench.ended((2, 2), fault(), 0)), [1]);
}

#[test]
fn a_task_waits_for_another_provider_while_later_tasks_pass_it() {
    let mut bench = Bench::without_prefetch();
    bench.join(1, capacity(1));
    bench.join(2, capacity(1));
    bench.submit(1, spec(4));
    let effects = bench.ended((1, 0), fault(), 0);
    assert_eq!(assigned(&effects), [(1, 2, 2)]);
    let effects = bench.ended((2, 1), final_result(0), 1_000);
    assert_eq!(assigned(&effects), [(2, 3, 0)]);
}

#[test]
fn who_returns_tasks_without_cause_does_not_get_them_back_at_once() {
    let mut bench = Bench::without_prefetch();
    bench.join(1, capacity(1));
    bench.join(2, capacity(1));
    bench.submit(
        1,
        JobSpec {
            retries: 0,
            ..spec(1)
        },
    );
    assert_eq!(providers(&bench.ended((1, 0), Verdict::Returned, 0)), [2]);
}

#[test]
fn faults_in_a_row_cool_a_provider_down_for_longer_each_time() {
    let mut bench = Bench::without_prefetch();
    bench.join(1, capacity(1));
    bench.submit(
        1,
        JobSpec {
            retries: 1_000,
            ..spec(1)
        },
    );
    let mut attempt = 0;
    let mut rests = Vec::new();
    while rests.len() < 8 {
        bench.ended((1, attempt), fault(), 0);
        attempt += 1;
        let view = bench.core.provider(ProviderId(1)).expect("it is there");
        let reason = view.cooled_down_reason.as_deref();
        assert_eq!(view.cooled_down_until_ms.is_some(), reason.is_some());
        if let Some(until_ms) = view.cooled_down_until_ms {
            let wanted = format!("{attempt} faults in a row, the last: it broke");
            assert_eq!(reason, Some(wanted.as_str()));
            assert_eq!(
                (bench.core.next_deadline_ms(), view.busy),
                (Some(until_ms), 0)
            );
            rests.push(until_ms - bench.now_ms);
            let rest_ms = until_ms - bench.now_ms;
            assert_eq!(providers(&bench.tick(rest_ms)), [1]);
        }
    }
    assert_eq!(
        rests,
        [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    );
    assert_eq!(attempt, 12, "the first rest came after five");
    bench.ended((1, attempt), final_result(0), 1);
    bench.submit(2, spec(1));
    bench.ended((1, attempt + 1), fault(), 0);
    let view = bench.core.provider(ProviderId(1)).expect("it is there");
    assert_eq!(
        (view.cooled_down_until_ms, view.failures, view.tasks_done),
        (None, 13, 1)
    );
}

#[test]
fn a_paused_provider_keeps_what_runs() {
    let mut bench = Bench::new();
    bench.join(1, capacity(1));
    bench.submit(
        1,
        JobSpec {
            retries: 0,
            ..spec(3)
        },
    );
    let paused = Event::Capacity {
        provider: ProviderId(1),
        capacity: capacity(0),
    };
    assert!(bench.event(paused).is_empty());
    let effects = bench.ended((1, 0), final_result(0), 1);
    assert_eq!((ends(&effects).len(), assigned(&effects).len()), (1, 0));
    // The one that had been sent ahead may have started since.
    assert_eq!(reasons(&leave(&mut bench, 1)).len(), 1);
}
