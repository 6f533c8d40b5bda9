//! Jobs: ends, cancelling, rejection, size.

use super::*;

#[test]
fn a_task_ends_once_and_the_job_after_its_last() {
    let mut bench = Bench::without_prefetch();
    bench.join(1, capacity(1));
    let started = assigned(&bench.submit(1, spec(2)));
    assert_eq!(started, [(1, 0, 0)]);
    assert_eq!(
        bench.counts(1),
        Counts {
            tasks: 2,
            queued: 1,
            running: 1,
            ..Counts::default()
        }
    );

    let effects = bench.ended((1, 0), final_result(0), 1_000);
    assert!(
        matches!(effects[0], Effect::TaskEnded { attempts: 1, .. }),
        "{effects:?}"
    );
    assert_eq!(assigned(&effects), [(1, 1, 1)]);

    let failed = Verdict::Final {
        succeeded: false,
        fingerprint: None,
    };
    let effects = bench.ended((1, 1), failed, 1_000);
    let counts = Counts {
        tasks: 2,
        succeeded: 1,
        failed: 1,
        ..Counts::default()
    };
    assert_eq!(
        effects[1..],
        [Effect::JobEnded {
            job: JobId(1),
            counts
        }]
    );
    assert_eq!(bench.core.counts(JobId(1)), None);
    assert_eq!(bench.core.totals().queued + bench.core.totals().running, 0);
}

#[test]
fn a_job_without_tasks_ends_at_once_and_a_second_of_a_name_changes_nothing() {
    let mut bench = Bench::new();
    assert!(matches!(
        bench.submit(1, spec(0))[..],
        [Effect::JobEnded { .. }]
    ));
    bench.submit(2, spec(5));
    bench.submit(2, spec(9));
    assert_eq!(bench.counts(2).tasks, 5);
}

#[test]
fn cancelling_ends_everything_at_once() {
    let mut bench = Bench::without_prefetch();
    bench.join(1, capacity(2));
    bench.submit(1, spec(5));
    let effects = bench.event(Event::Cancel { job: JobId(1) });
    let revoked = effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Revoke { .. }))
        .count();
    assert_eq!(revoked, 2);
    assert_eq!(ends(&effects).len(), 5);
    assert!(matches!(
        effects.last(),
        Some(Effect::JobEnded {
            counts: Counts { cancelled: 5, .. },
            ..
        })
    ));

    let late = bench.ended((1, 0), final_result(0), 1_000);
    assert_eq!(
        late,
        [Effect::Dropped {
            provider: ProviderId(1),
            attempt: AttemptId(0)
        }]
    );
    assert!(bench.event(Event::Cancel { job: JobId(1) }).is_empty());
    assert_eq!(
        bench
            .core
            .provider(ProviderId(1))
            .expect("it is there")
            .busy,
        0
    );
}

#[test]
fn a_million_tasks_cost_no_more_than_one() {
    let mut bench = Bench::new();
    bench.join(1, capacity(8));
    bench.submit(1, spec(1_000_000));
    let job = bench.core.jobs.iter().next().expect("the job is there").1;
    assert_eq!(job.queue.heap_bytes(), 0);
    assert!(size_of_val(job) < 512, "{}", size_of_val(job));
    assert_eq!(
        bench.core.totals().queued + bench.core.totals().running,
        1_000_000
    );
}

#[test]
fn what_nobody_can_run_is_rejected_with_what_is_missing() {
    let small = Capacity {
        memory_bytes: 2 * GIB,
        features: Features::SIMD,
        ..capacity(1)
    };
    let needing = |requires| JobSpec {
        requires,
        placement_timeout_ms: 1_000,
        ..spec(2)
    };
    let features = |features| {
        needing(Requires {
            kind: None,
            features,
        })
    };
    let browser = Requires {
        kind: Some(ProviderKind::Browser),
        ..Requires::default()
    };
    let huge = JobSpec {
        memory_bytes: 8 * GIB,
        ..needing(Requires::default())
    };
    for (spec, reason) in [
        (
            huge,
            "needs 8 GiB of memory, the largest provider offers 2 GiB",
        ),
        (needing(browser), "no provider of kind browser is connected"),
        (features(Features::GC), "no provider has the feature gc"),
        (
            features(Features::GC.union(Features::THREADS)),
            "no provider has the features threads, gc",
        ),
        (
            JobSpec {
                quorum: 3,
                ..needing(Requires::default())
            },
            "needs able providers of 3 different accounts or addresses, 1 are connected",
        ),
    ] {
        let mut bench = Bench::new();
        bench.join(1, small.clone());
        assert!(bench.submit(1, spec).is_empty());
        assert_eq!(bench.core.next_deadline_ms(), Some(1_000));
        assert!(bench.tick(999).is_empty());
        let effects = bench.tick(1);
        assert_eq!(reasons(&effects), [reason, reason]);
        assert!(matches!(effects.last(), Some(Effect::JobEnded { .. })));
        assert_eq!(bench.core.next_deadline_ms(), None);
    }
}

#[test]
fn the_placement_timeout_counts_from_when_the_last_able_provider_left() {
    let mut bench = Bench::without_prefetch();
    let spec = JobSpec {
        placement_timeout_ms: 1_000,
        ..spec(3)
    };
    bench.submit(1, spec);
    bench.tick(900);
    bench.join(1, capacity(1));
    assert_eq!(bench.core.next_deadline_ms(), None);
    bench.tick(5_000);
    bench.event(Event::Leave {
        provider: ProviderId(1),
    });
    assert_eq!(bench.core.next_deadline_ms(), Some(6_900));
    assert_eq!(reasons(&bench.tick(1_000)), ["no provider is connected"; 3]);
}

#[test]
fn who_can_but_is_busy_or_paused_is_waited_for() {
    let mut bench = Bench::without_prefetch();
    bench.join(1, capacity(0));
    bench.submit(
        1,
        JobSpec {
            placement_timeout_ms: 10,
            ..spec(1)
        },
    );
    assert!(bench.tick(1_000_000).is_empty());
    let resumed = Event::Capacity {
        provider: ProviderId(1),
        capacity: capacity(1),
    };
    assert_eq!(providers(&bench.event(resumed)), [1]);
}

#[test]
fn a_resumed_job_runs_only_what_has_not_ended() {
    let mut bench = Bench::without_prefetch();
    let ended = Counts {
        succeeded: 3,
        failed: 1,
        cancelled: 1,
        ..Counts::default()
    };
    let resumed = |open: Vec<std::ops::Range<u32>>, ended| {
        let resumed = Some(Resumed { open, ended });
        JobSpec { resumed, ..spec(9) }
    };
    bench.submit(1, resumed(vec![1..2, 4..6, 8..9], ended));
    let counts = Counts {
        tasks: 9,
        queued: 4,
        ..ended
    };
    assert_eq!(bench.counts(1), counts);
    let mut effects = bench.join(1, capacity(1));
    let mut ran = Vec::new();
    while let [(provider, attempt, index)] = assigned(&effects)[..] {
        ran.push(index);
        effects = bench.ended((provider, attempt), final_result(0), 1_000);
    }
    assert_eq!(ran, [1, 4, 5, 8]);
    let counts = Counts {
        tasks: 9,
        succeeded: 7,
        ..ended
    };
    let job = JobId(1);
    assert_eq!(effects.last(), Some(&Effect::JobEnded { job, counts }));

    // All of it had ended.
    let ended = Counts {
        succeeded: 9,
        ..Counts::default()
    };
    let effects = bench.submit(2, resumed(Vec::new(), ended));
    let (job, counts) = (JobId(2), Counts { tasks: 9, ..ended });
    assert_eq!(effects, [Effect::JobEnded { job, counts }]);
    assert_eq!(bench.core.totals().queued + bench.core.totals().running, 0);
}
