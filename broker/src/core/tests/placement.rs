//! Which provider gets a task.

use super::*;

fn with_memory(slots: u16, memory_bytes: u64) -> Capacity {
    Capacity {
        memory_bytes,
        ..capacity(slots)
    }
}

#[test]
fn memory_is_never_overcommitted() {
    let mut bench = Bench::new();
    bench.join(1, with_memory(4, GIB));
    // Two fit at once, so no third may even wait there: a slot is free for it.
    assert_eq!(
        assigned(&bench.submit(
            1,
            JobSpec {
                memory_bytes: 512 * MIB,
                ..spec(9)
            }
        ))
        .len(),
        2
    );
    // Nor anything else.
    assert!(
        bench
            .submit(
                2,
                JobSpec {
                    memory_bytes: 1,
                    ..spec(1)
                }
            )
            .is_empty()
    );
    let effects = bench.ended((1, 0), final_result(0), 100);
    assert_eq!(assigned(&effects).len(), 1);
}

#[test]
fn what_waits_at_a_provider_needs_no_memory_yet() {
    let mut bench = Bench::new();
    bench.join(1, with_memory(2, GIB));
    let job = JobSpec {
        memory_bytes: 512 * MIB,
        ..spec(1_000)
    };
    assert_eq!(assigned(&bench.submit(1, job)).len(), 4);
    // Once they are known to be short, many more wait there.
    assert!(assigned(&bench.ended((1, 0), final_result(0), 100)).len() > 64);
    let large = JobSpec {
        memory_bytes: 600 * MIB,
        ..spec(1)
    };
    assert!(
        bench.submit(2, large).is_empty(),
        "beside one of the others it would be too much"
    );
}

#[test]
fn kind_and_features_are_respected() {
    let mut bench = Bench::new();
    let tab = Event::Join {
        provider: ProviderId(1),
        kind: ProviderKind::Browser,
        capacity: Capacity {
            features: Features::SIMD,
            ..capacity(8)
        },
        group: Group::of_address(1),
    };
    bench.event(tab);
    bench.join(
        2,
        Capacity {
            features: Features::GC,
            ..capacity(1)
        },
    );
    let native = Requires {
        kind: Some(ProviderKind::Native),
        ..Requires::default()
    };
    assert_eq!(
        providers(&bench.submit(
            1,
            JobSpec {
                requires: native,
                ..spec(1)
            }
        )),
        [2]
    );
    let simd = Requires {
        features: Features::SIMD,
        ..Requires::default()
    };
    assert_eq!(
        providers(&bench.submit(
            2,
            JobSpec {
                requires: simd,
                ..spec(1)
            }
        )),
        [1]
    );
    let gc = Requires {
        features: Features::GC,
        ..Requires::default()
    };
    assert_eq!(
        providers(&bench.submit(
            3,
            JobSpec {
                requires: gc,
                ..spec(2)
            }
        )),
        [2]
    );
}

#[test]
fn free_slots_come_before_any_waiting() {
    let mut bench = Bench::new();
    bench.join(
        1,
        Capacity {
            speed: 100_000,
            ..capacity(2)
        },
    );
    bench.join(
        2,
        Capacity {
            speed: 10,
            ..capacity(1)
        },
    );
    let mut first = providers(&bench.submit(1, spec(100)));
    first.truncate(3);
    assert_eq!(first, [1, 1, 2]);
}

#[test]
fn the_fast_and_near_come_first() {
    let mut bench = Bench::without_prefetch();
    bench.join(1, capacity(1));
    bench.join(
        2,
        Capacity {
            speed: 4_000,
            ..capacity(1)
        },
    );
    bench.join(
        3,
        Capacity {
            speed: 4_000,
            ..capacity(1)
        },
    );
    bench.event(Event::RoundTrip {
        provider: ProviderId(2),
        micros: 20_000,
    });
    bench.event(Event::RoundTrip {
        provider: ProviderId(3),
        micros: 100,
    });
    assert_eq!(providers(&bench.submit(1, spec(3))), [3, 2, 1]);
}

#[test]
fn who_has_the_module_comes_first_among_equals() {
    let mut bench = Bench::without_prefetch();
    for provider in 1..=3 {
        bench.join(provider, capacity(1));
    }
    let other = JobSpec {
        module: Digest([9; 32]),
        ..spec(1)
    };
    bench.submit(1, JobSpec { ..other.clone() });
    bench.submit(2, spec(1));
    bench.ended((1, 0), final_result(0), 50_000);
    bench.ended((2, 1), final_result(0), 50_000);
    assert_eq!(providers(&bench.submit(3, spec(1))), [2]);
    assert_eq!(providers(&bench.submit(4, other)), [1]);
}

#[test]
fn unknown_tasks_pile_up_nowhere_and_long_ones_are_not_sent_ahead() {
    let mut bench = Bench::new();
    bench.join(1, capacity(4));
    assert_eq!(
        assigned(&bench.submit(1, spec(1_000))).len(),
        8,
        "one a slot beyond the slots"
    );
    let effects = bench.ended((1, 0), final_result(0), 200_000);
    assert!(assigned(&effects).is_empty());
    for attempt in 1..4 {
        assert!(assigned(&bench.ended((1, attempt), final_result(0), 200_000)).is_empty());
    }
    assert_eq!(
        assigned(&bench.ended((1, 4), final_result(0), 200_000)).len(),
        1
    );
}

#[test]
fn short_tasks_fill_the_window() {
    let mut bench = Bench::new();
    bench.join(1, capacity(2));
    bench.event(Event::RoundTrip {
        provider: ProviderId(1),
        micros: 300,
    });
    bench.submit(1, spec(10_000));
    for attempt in 0..4 {
        bench.ended((1, attempt), final_result(0), 20);
    }
    let view = bench.core.provider(ProviderId(1)).expect("it is there");
    assert!(view.queued >= 64, "{}", view.queued);
}

#[test]
fn a_short_task_is_not_sent_behind_long_ones() {
    let mut bench = Bench::new();
    bench.join(1, capacity(1));
    bench.submit(
        1,
        JobSpec {
            module: Digest([1; 32]),
            ..spec(2)
        },
    );
    bench.ended((1, 0), final_result(0), 5_000_000);
    bench.ended((1, 1), final_result(0), 5_000_000);
    bench.submit(
        2,
        JobSpec {
            module: Digest([1; 32]),
            ..spec(1)
        },
    );
    assert!(bench.submit(3, spec(100)).is_empty());
}

#[test]
fn speed_is_learned() {
    let mut bench = Bench::without_prefetch();
    bench.join(1, capacity(1));
    bench.join(2, capacity(1));
    let mut running = assigned(&bench.submit(1, spec(1_000)));
    for _ in 0..400 {
        let (provider, attempt, _) = running.remove(0);
        let run_us = if provider == 1 { 90_000 } else { 30_000 };
        running.extend(assigned(&bench.ended(
            (provider, attempt),
            final_result(0),
            run_us,
        )));
    }
    let speed = |id| {
        bench
            .core
            .provider(ProviderId(id))
            .expect("it is there")
            .speed
    };
    let ratio = f64::from(speed(2)) / f64::from(speed(1));
    assert!((2.5..3.5).contains(&ratio), "{ratio}");
}
