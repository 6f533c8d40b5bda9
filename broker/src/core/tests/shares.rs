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
