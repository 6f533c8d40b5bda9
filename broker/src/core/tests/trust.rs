//! Whom results are believed of.

use super::*;

/// A pool where each provider is another party, and three confirmed results in
/// a row make a party trusted.
fn strangers(providers: u128) -> Bench {
    let config = Config {
        trust: Trust::Adaptive,
        trusted_after: 3,
        prefetch_max: 0,
        ageing_ms: u64::MAX,
        ..Config::default()
    };
    let mut bench = Bench {
        core: Core::new(config),
        now_ms: 0,
    };
    (1..=providers).for_each(|provider| drop(bench.join(provider, capacity(1))));
    bench
}

/// Lets a job of one task run; what each provider answers is `answer`. Returns
/// who ran it, and the effects of its end.
fn run_one(bench: &mut Bench, job: u128, answer: impl Fn(u128) -> u8) -> (Vec<u128>, Vec<Effect>) {
    let mut running = assigned(&bench.submit(job, spec(1)));
    let mut ran = Vec::new();
    while !running.is_empty() {
        let (provider, attempt, _) = running.remove(0);
        ran.push(provider);
        let effects = bench.ended((provider, attempt), final_result(answer(provider)), 1_000);
        if !ends(&effects).is_empty() {
            return (ran, effects);
        }
        running.extend(assigned(&effects));
    }
    panic!("the task did not end");
}

fn standing(bench: &Bench, provider: u128) -> Option<Standing> {
    bench.core.provider(ProviderId(provider))?.standing
}

#[test]
fn a_strangers_result_needs_another_and_a_trusted_ones_does_not() {
    let mut bench = strangers(2);
    for job in 0..3 {
        assert_eq!(standing(&bench, 1), Some(Standing::New));
        let (ran, effects) = run_one(&mut bench, 1 + job, |_| 7);
        assert_eq!(ran.len(), 2);
        assert!(matches!(effects[0], Effect::TaskEnded { attempts: 2, .. }));
    }
    assert_eq!(standing(&bench, 1), Some(Standing::Trusted));
    let mut alone = 0;
    for job in 0..100 {
        alone += u32::from(run_one(&mut bench, 10 + job, |_| 7).0.len() == 1);
    }
    // One in three is checked at first, fewer as the run grows.
    assert!((70..100).contains(&alone), "{alone}");
}

#[test]
fn a_single_stranger_is_not_believed() {
    let mut bench = strangers(1);
    bench.submit(
        1,
        JobSpec {
            placement_timeout_ms: 1_000,
            ..spec(1)
        },
    );
    assert!(ends(&bench.ended((1, 0), final_result(7), 1)).is_empty());
    let effects = bench.tick(1_000);
    assert!(reasons(&effects)[0].starts_with("1 of 2 equal results came"));
}

#[test]
fn who_is_contradicted_rests_and_is_trusted_no_more() {
    let mut bench = strangers(3);
    for job in 0..6 {
        run_one(&mut bench, 1 + job, |_| 7);
    }
    let trusted = |bench: &Bench, provider| standing(bench, provider) == Some(Standing::Trusted);
    assert!(trusted(&bench, 1));
    // The first begins to lie; sooner or later it is checked.
    let lies = |provider| if provider == 1 { 8 } else { 7 };
    let mut jobs = 100..;
    while trusted(&bench, 1) {
        run_one(&mut bench, jobs.next().expect("there are more"), lies);
    }
    assert_eq!(standing(&bench, 1), Some(Standing::Distrusted));
    let view = bench.core.provider(ProviderId(1)).expect("it is there");
    assert!(view.cooled_down_until_ms.is_some());
    let reason = view.cooled_down_reason.expect("it says why");
    assert!(reason.starts_with("others contradicted"), "{reason}");
}

#[test]
fn an_unconfirmed_result_is_struck_when_its_giver_is_contradicted() {
    let mut bench = strangers(2);
    let two = assigned(&bench.submit(1, spec(2)));
    assert_eq!(two.len(), 2, "both replicas of the first task");
    let effects = bench.ended((1, 0), final_result(8), 1);
    // The liar begins the second task, and gives a result nobody confirms yet.
    let begun = assigned(&effects);
    assert_eq!(begun, [(1, 2, 1)]);
    bench.ended((1, 2), final_result(8), 1);
    bench.ended((2, 1), final_result(7), 1);
    // They differ in the first; a third party settles it.
    let effects = bench.join(3, capacity(1));
    let settling = assigned(&effects);
    assert_eq!(settling.len(), 1);
    let (_, attempt, index) = settling[0];
    assert_eq!(index, 0);
    let effects = bench.ended((3, attempt), final_result(7), 1);
    assert_eq!(ends(&effects).len(), 1);
    // The second task's result from the liar counts no more: two others run it.
    let mut running: Vec<_> = assigned(&effects);
    running.extend(assigned(&bench.event(Event::Tick)));
    let mut values = Vec::new();
    while let Some((provider, attempt, index)) = running.pop() {
        assert_ne!(provider, 1);
        values.push((provider, index));
        let effects = bench.ended((provider, attempt), final_result(7), 1);
        running.extend(assigned(&effects));
    }
    // The second provider has had the second task since the first ended.
    assert_eq!(bench.core.totals().jobs, 1);
    let effects = bench.ended((2, 3), final_result(7), 1);
    assert!(matches!(effects.last(), Some(Effect::JobEnded { .. })));
}

#[test]
fn mixed_kinds_are_preferred_for_a_quorum() {
    let mut bench = Bench::without_prefetch();
    for provider in 1..=3 {
        bench.join(provider, capacity(1));
    }
    let slow = Capacity {
        speed: 100,
        ..capacity(1)
    };
    bench.event(Event::Join {
        provider: ProviderId(4),
        kind: ProviderKind::Browser,
        capacity: slow,
        group: Group::of_address(4),
    });
    let two = JobSpec {
        quorum: 2,
        ..spec(1)
    };
    assert_eq!(providers(&bench.submit(1, two.clone())), [1, 4]);
    // Where there is none left of the other kind, the same kind will do.
    assert_eq!(providers(&bench.submit(2, two)), [2, 3]);
}

#[test]
fn who_is_not_trusted_gets_tasks_whose_results_are_known() {
    let config = Config {
        trust: Trust::Adaptive,
        trusted_after: 3,
        spot_checks: 1,
        prefetch_max: 0,
        ageing_ms: u64::MAX,
        ..Config::default()
    };
    let mut bench = Bench {
        core: Core::new(config),
        now_ms: 0,
    };
    let check = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Check {
                provider,
                attempt,
                task,
            } => Some((provider.0, attempt.0, task.index)),
            _ => None,
        })
    };
    bench.join(1, capacity(1));
    bench.join(2, capacity(1));
    bench.submit(1, spec(3));
    bench.ended((1, 0), final_result(7), 1);
    assert_eq!(
        check(&bench.ended((2, 1), final_result(7), 1)),
        None,
        "both had it"
    );
    // The first task is known now: who comes is asked for it first.
    let (provider, attempt, index) = check(&bench.join(3, capacity(1))).expect("a check");
    assert_eq!((provider, index), (3, 0));
    assert_eq!(standing(&bench, 3), Some(Standing::New));
    let counts = bench.counts(1);
    let effects = bench.ended((3, attempt), final_result(8), 1);
    assert_eq!(ends(&effects), [], "the task has ended");
    assert_eq!(bench.counts(1), counts);
    assert_eq!(standing(&bench, 3), Some(Standing::Distrusted));
    // Another one answers well.
    let (_, attempt, _) = check(&bench.join(4, capacity(1))).expect("a check");
    bench.ended((4, attempt), final_result(7), 1);
    assert_eq!(standing(&bench, 4), Some(Standing::New));
    // What is asked of a job ends with it.
    let (_, attempt, _) = check(&bench.join(5, capacity(1))).expect("a check");
    let revoked = Effect::Revoke {
        provider: ProviderId(5),
        attempt: AttemptId(attempt),
    };
    let effects = bench.event(Event::Cancel { job: JobId(1) });
    assert!(effects.contains(&revoked));
    assert_eq!(bench.core.totals().attempts, 0);
}
