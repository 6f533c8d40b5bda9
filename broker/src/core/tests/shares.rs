//! Who gets how much, in virtual time: providers by what they can do, jobs by
//! their priority.

use super::cluster::Cluster;
use super::*;

#[track_caller]
fn assert_near(value: u32, expected: u32, percent: u32) {
    let off = value.abs_diff(expected) * 100;
    assert!(
        off <= expected * percent,
        "{value} is not within {percent} % of {expected}"
    );
}

#[test]
fn two_slots_and_one_share_long_tasks_two_to_one() {
    let mut cluster = Cluster::new();
    cluster.join(1, 2, 1.0, 200);
    cluster.join(2, 1, 1.0, 2_000);
    cluster.submit(1, spec(60), 200_000);
    cluster.run(u64::MAX);
    assert_near(cluster.done_by(1), 40, 15);
    assert_near(cluster.done_by(2), 20, 15);
    // 20 rounds of 200 ms, were nothing lost.
    assert!(cluster.now_us < 4_500_000, "{} µs", cluster.now_us);
}

#[test]
fn shares_follow_slots_times_speed() {
    for run_us in [2_000, 20_000, 90_000, 200_000] {
        let mut cluster = Cluster::new();
        cluster.join(1, 2, 1.0, 200);
        cluster.join(2, 1, 3.0, 2_000);
        // Both say that they are equally fast.
        let tasks = 140 * (200_000 / run_us) as u32;
        cluster.submit(1, spec(tasks), run_us);
        cluster.run(u64::MAX);
        assert_near(cluster.done_by(1), tasks * 6 / 7, 15);
        assert_near(cluster.done_by(2), tasks / 7, 15);
    }
}

#[test]
fn long_tasks_do_not_wait_behind_others_near_the_end() {
    // The slow tab must not hold two tasks while the fast one is idle.
    let mut cluster = Cluster::new();
    cluster.join(1, 1, 1.0, 200);
    cluster.join(2, 1, 10.0, 200);
    cluster.submit(1, spec(12), 300_000);
    cluster.run(u64::MAX);
    assert!(cluster.done_by(2) <= 2, "{}", cluster.done_by(2));
}

#[test]
fn short_tasks_never_wait_for_the_network() {
    // Ten milliseconds of latency, tasks of one: without tasks sent ahead each
    // slot would be idle 95 % of the time.
    let mut cluster = Cluster::new();
    cluster.join(1, 2, 1.0, 10_000);
    cluster.submit(1, spec(10_000), 1_000);
    cluster.run(u64::MAX);
    assert!(cluster.now_us < 5_500_000, "{} µs", cluster.now_us);
}

#[test]
fn jobs_share_by_weight_whatever_their_run_times() {
    let mut cluster = Cluster::new();
    cluster.join(1, 4, 1.0, 200);
    cluster.submit(
        1,
        JobSpec {
            priority: 25,
            ..spec(100_000)
        },
        20_000,
    );
    let other = JobSpec {
        module: Digest([8; 32]),
        ..spec(100_000)
    };
    cluster.submit(2, other, 80_000);
    cluster.run(60_000_000);
    // 240 s of slots: 160 to the first, 80 to the second.
    assert_near(cluster.done_of(1), 8_000, 10);
    assert_near(cluster.done_of(2), 1_000, 10);
}

#[test]
fn a_small_job_does_not_wait_for_a_large_one() {
    let mut cluster = Cluster::new();
    cluster.join(1, 2, 1.0, 200);
    cluster.submit(1, spec(1_000_000), 10_000);
    cluster.run(1_000_000);
    cluster.submit(2, spec(10), 10_000);
    cluster.run(1_500_000);
    assert_eq!(cluster.done_of(2), 10);
}

#[test]
fn a_stream_of_small_jobs_does_not_starve_a_large_one() {
    let mut cluster = Cluster::new();
    cluster.join(1, 1, 1.0, 200);
    cluster.submit(
        1,
        JobSpec {
            priority: -50,
            ..spec(1_000)
        },
        20_000,
    );
    for job in 0..400 {
        cluster.submit(10 + job, spec(1), 20_000);
        cluster.run(22_000 * (job as u64 + 1));
    }
    // They leave a tenth of the time, and take no more than that from it.
    assert!(cluster.done_of(1) >= 20, "{}", cluster.done_of(1));
}

#[test]
fn owners_share_equally_whatever_they_submit() {
    let mut cluster = Cluster::new();
    cluster.join(1, 4, 1.0, 200);
    for job in 0..9 {
        let greedy = JobSpec {
            owner: 7,
            priority: 100,
            ..spec(100_000)
        };
        cluster.submit(10 + job, greedy, 20_000);
    }
    let modest = JobSpec {
        owner: 8,
        priority: -50,
        ..spec(100_000)
    };
    cluster.submit(1, modest, 20_000);
    cluster.run(30_000_000);
    // 120 s of slots: 60 to each of the two.
    assert_near(cluster.done_of(1), 3_000, 5);
    let first: u32 = (0..9).map(|job| cluster.done_of(10 + job)).sum();
    assert_near(first, 3_000, 5);
    // And within the first, its jobs are equal.
    assert_near(cluster.done_of(10), 333, 10);
}

#[test]
fn an_owner_that_comes_later_has_its_share_at_once() {
    let mut cluster = Cluster::new();
    cluster.join(1, 2, 1.0, 200);
    for owner in 1..=3 {
        let other = JobSpec {
            owner,
            ..spec(100_000)
        };
        cluster.submit(owner.into(), other, 10_000);
    }
    cluster.run(10_000_000);
    let late = JobSpec {
        owner: 4,
        ..spec(100_000)
    };
    cluster.submit(4, late, 10_000);
    let before = cluster.done_of(1);
    cluster.run(20_000_000);
    // A quarter of 20 s of slots; nobody makes up for what it had not.
    assert_near(cluster.done_of(4), 500, 10);
    assert_near(cluster.done_of(1) - before, 500, 10);
}

#[test]
fn the_least_of_a_hundred_jobs_starts_before_long() {
    let mut cluster = Cluster::new();
    cluster.join(1, 1, 1.0, 200);
    for job in 0..100 {
        let first = JobSpec {
            priority: 100,
            ..spec(1_000_000)
        };
        cluster.submit(10 + job, first, 20_000);
    }
    cluster.run(1_000_000);
    let least = JobSpec {
        priority: -100,
        ..spec(1_000)
    };
    cluster.submit(1, least, 20_000);
    // Its weight is one of 25,600, so its second task would come after 512 s;
    // but each 30 s without a start halve the wait.
    cluster.run(300_000_000);
    assert!(cluster.done_of(1) >= 2, "{}", cluster.done_of(1));
    // It is no way to get more than its share either.
    assert!(cluster.done_of(1) <= 5, "{}", cluster.done_of(1));
}

#[test]
fn five_hundred_tasks_on_four_workers_lose_no_time() {
    let mut cluster = Cluster::new();
    for provider in 1..=4 {
        cluster.join(provider, 1, 1.0, 5_000);
    }
    cluster.submit(1, spec(500), 200_000);
    cluster.run(u64::MAX);
    assert_eq!(cluster.done_of(1), 500, "none is starved");
    // 125 each, of 200 ms, and now and then a way to the broker and back.
    assert!(cluster.now_us < 27_000_000, "{} µs", cluster.now_us);
    for provider in 1..=4 {
        assert_near(cluster.done_by(provider), 125, 2);
    }
}
