//! What happens in a simulated world, made from a seed: a list of steps that
//! name what they touch by a number, so that any part of the list can be left
//! out and the rest still means something.

use super::super::*;

/// One step.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Time that passes before it, in milliseconds.
    pub(super) after_ms: u64,
    pub(super) act: Act,
}

/// What is done. Numbers choose among those that are there, modulo their count;
/// where nobody is, nothing happens.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Submit(JobSpec),
    /// A job that is there is submitted once more.
    SubmitAgain(u32),
    Cancel(u32),
    Join {
        kind: ProviderKind,
        capacity: Capacity,
        group: Group,
    },
    Leave(u32),
    /// The provider is dead, and nobody knows it yet.
    FallSilent(u32),
    Drain(u32),
    Capacity(u32, Capacity),
    RoundTrip(u32, u32),
    /// An attempt that is live at a provider ends.
    End {
        provider: u32,
        attempt: u32,
        verdict: Verdict,
        run_us: u64,
    },
    /// An outcome of an attempt that is over comes late, or once more.
    Late(u32, Verdict),
    /// A provider sends the outcome of an attempt that is live elsewhere.
    Forge(u32, u32, Verdict),
    /// Nothing but time.
    Tick,
    /// What ended until now is in the store for good.
    Sync,
    /// The broker dies and starts again from its store; whether providers come
    /// back at once.
    Restart {
        rejoin: bool,
    },
}

/// Chances of each kind of act: a row for each world, so that some worlds know
/// no cancels, others hardly anything but faults.
const ACTS: usize = 15;
const USUAL: [u64; ACTS] = [5, 1, 1, 6, 2, 1, 1, 2, 1, 26, 3, 1, 3, 3, 1];

/// The rules of a world, and what happens in it.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) prefetch_max: u32,
    pub(super) trust: Trust,
    pub(super) steps: Vec<Step>,
}

impl Schedule {
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random(seed);
        let prefetch_max = if random.one_in(3) {
            0
        } else {
            random.below(20) as u32
        };
        let mut chances = USUAL;
        for chance in &mut chances {
            match random.below(8) {
                0 => *chance = 0,
                1 => *chance *= 4,
                _ => {}
            }
        }
        // Without these nothing happens at all.
        for always in [0, 3, 9] {
            chances[always] = chances[always].max(USUAL[always]);
        }
        let world = World {
            quorums: random.one_in(2),
            groups: 1 + random.below(5),
            accounts: Random(seed ^ 0xacc0).one_in(4),
            liars: random.one_in(2),
        };
        let steps = 20 + random.below(100);
        let steps = (0..steps).map(|_| Step {
            after_ms: passing_ms(&mut random),
            act: world.act(&mut random, &chances),
        });
        Self {
            prefetch_max,
            trust: trust_of(seed),
            steps: steps.collect(),
        }
    }
}

/// What was added later has chances of its own, so that old seeds go on making
/// the worlds that they made.
fn trust_of(seed: u64) -> Trust {
    if Random(!seed).one_in(4) {
        Trust::Adaptive
    } else {
        Trust::All
    }
}

/// Mostly moments, now and then a jump of the clock.
fn passing_ms(random: &mut Random) -> u64 {
    match random.below(100) {
        0 => random.below(100_000_000),
        1..6 => random.below(20_000),
        6..40 => 0,
        _ => random.below(200),
    }
}

/// What all steps of a world have in common.
struct World {
    quorums: bool,
    groups: u64,
    accounts: bool,
    liars: bool,
}

impl World {
    fn act(&self, random: &mut Random, chances: &[u64; ACTS]) -> Act {
        let any = |random: &mut Random| random.next() as u32;
        match pick(random, chances) {
            0 => Act::Submit(self.spec(random)),
            1 => Act::SubmitAgain(any(random)),
            2 => Act::Cancel(any(random)),
            3 => Act::Join {
                kind: kind(random),
                capacity: some_capacity(random),
                group: self.group(random.below(self.groups)),
            },
            4 => Act::Leave(any(random)),
            5 => Act::FallSilent(any(random)),
            6 => Act::Drain(any(random)),
            7 => Act::Capacity(any(random), some_capacity(random)),
            8 => Act::RoundTrip(any(random), random.below(300_000) as u32),
            9 => Act::End {
                provider: any(random),
                attempt: any(random),
                verdict: self.verdict(random),
                run_us: 1 << random.below(24),
            },
            10 => Act::Late(any(random), self.verdict(random)),
            11 => Act::Forge(any(random), any(random), self.verdict(random)),
            12 => Act::Tick,
            13 => Act::Sync,
            _ => Act::Restart {
                rejoin: random.one_in(2),
            },
        }
    }

    /// In some worlds pairs of addresses belong to one account each.
    fn group(&self, address: u64) -> Group {
        Group {
            address,
            account: if self.accounts { 1 + address / 2 } else { 0 },
        }
    }

    fn verdict(&self, random: &mut Random) -> Verdict {
        let lie = self.liars && random.one_in(3);
        match random.below(10) {
            0..5 if lie => final_result(1 + random.below(3) as u8),
            0..5 => final_result(0),
            5 => Verdict::Final {
                succeeded: false,
                fingerprint: random.one_in(2).then_some(Digest([9; 32])),
            },
            6 => Verdict::Returned,
            _ => fault(),
        }
    }

    fn spec(&self, random: &mut Random) -> JobSpec {
        let quorums: &[u32] = if self.quorums {
            &[0, 1, 1, 2, 2, 3]
        } else {
            &[1]
        };
        JobSpec {
            // As many of one task as of all others together.
            tasks: if random.one_in(2) {
                1
            } else {
                random.below(30) as u32
            },
            priority: (random.below(201) as i16 - 100) as i8,
            owner: random.below(3),
            retries: random.below(4) as u32,
            quorum: one_of(random, quorums),
            module: Digest([random.below(3) as u8; 32]),
            memory_bytes: one_of(random, &[0, 1, 2, 3, 4, 7]) * 128 * MIB,
            requires: Requires {
                kind: random.one_in(3).then(|| kind(random)),
                features: Features(one_of(random, &[0, 0, 1, 3])),
            },
            placement_timeout_ms: random.below(20_000),
            resumed: None,
        }
    }
}

fn one_of<T: Copy>(random: &mut Random, all: &[T]) -> T {
    all[random.below(all.len() as u64) as usize]
}

fn kind(random: &mut Random) -> ProviderKind {
    one_of(random, &[ProviderKind::Native, ProviderKind::Browser])
}

fn some_capacity(random: &mut Random) -> Capacity {
    Capacity {
        slots: random.below(4) as u16,
        memory_bytes: random.below(9) * 128 * MIB,
        features: Features(one_of(random, &[0, 1, 3])),
        speed: 100 + random.below(3_000) as u32,
    }
}

fn pick(random: &mut Random, chances: &[u64; ACTS]) -> usize {
    let mut left = random.below(chances.iter().sum());
    for (at, chance) in chances.iter().enumerate() {
        if left < *chance {
            return at;
        }
        left -= chance;
    }
    unreachable!("less than the sum was drawn")
}
