//! Everything at once, from seeds: jobs, providers, faults, late and repeated
//! outcomes, in any order, with the model's checks after each step.

use super::model::Model;
use super::*;

/// Seeds that once found a mistake.
const OLD_SEEDS: &[u64] = &[];
const SEEDS: u64 = 2_000;
const STEPS: u64 = 60;

/// Ways in which attempts end, with their chances.
const VERDICTS: [fn(&mut Random) -> Verdict; 8] = [
    |_| final_result(0),
    |_| final_result(0),
    |_| final_result(0),
    |random| final_result(random.below(3) as u8),
    |_| Verdict::Final {
        succeeded: false,
        fingerprint: None,
    },
    |_| Verdict::Returned,
    |_| fault(),
    |_| fault(),
];

fn random_spec(random: &mut Random) -> JobSpec {
    let kinds = [
        None,
        None,
        Some(ProviderKind::Native),
        Some(ProviderKind::Browser),
    ];
    JobSpec {
        tasks: random.below(30) as u32,
        priority: random.below(201) as i8,
        owner: random.below(3),
        retries: random.below(4) as u32,
        quorum: [0, 1, 1, 1, 2, 3][random.below(6) as usize],
        module: Digest([random.below(3) as u8; 32]),
        memory_bytes: [0, 1, 2, 3, 4, 7][random.below(6) as usize] * 128 * MIB,
        requires: Requires {
            kind: kinds[random.below(4) as usize],
            features: Features([0, 0, 1, 3][random.below(4) as usize]),
        },
        placement_timeout_ms: random.below(20_000),
        resumed: None,
    }
}

fn random_capacity(random: &mut Random) -> Capacity {
    Capacity {
        slots: random.below(4) as u16,
        memory_bytes: random.below(9) * 128 * MIB,
        features: Features([0, 1, 3][random.below(3) as usize]),
        speed: 100 + random.below(3_000) as u32,
    }
}

fn random_event(random: &mut Random, model: &mut Model) -> Option<Event> {
    let kind = if random.one_in(2) {
        ProviderKind::Native
    } else {
        ProviderKind::Browser
    };
    Some(match random.below(40) {
        0..4 => Event::Submit {
            job: model.new_job(),
            spec: random_spec(random),
        },
        4..9 => Event::Join {
            provider: model.new_provider(),
            kind,
            capacity: random_capacity(random),
            group: random.below(4),
        },
        9 => Event::Cancel {
            job: model.any_job(random)?,
        },
        10 | 11 => Event::Leave {
            provider: model.any_provider(random)?,
        },
        12 => Event::Drain {
            provider: model.any_provider(random)?,
        },
        13 | 14 => Event::Capacity {
            provider: model.any_provider(random)?,
            capacity: random_capacity(random),
        },
        15 => Event::RoundTrip {
            provider: model.any_provider(random)?,
            micros: random.below(300_000) as u32,
        },
        16 => {
            model.now_ms += random.below(8_000);
            Event::Tick
        }
        _ => {
            let (provider, attempt) = model.any_attempt(random)?;
            let verdict = VERDICTS[random.below(VERDICTS.len() as u64) as usize];
            let run_us = 1 << random.below(20);
            Event::Ended {
                provider,
                attempt,
                verdict: verdict(random),
                run_us,
            }
        }
    })
}

fn simulate(seed: u64) {
    let mut random = Random(seed);
    let mut model = Model::new(if random.one_in(3) {
        0
    } else {
        random.below(20) as u32
    });
    for _ in 0..STEPS {
        model.now_ms += random.below(200);
        if let Some(event) = random_event(&mut random, &mut model) {
            model.handle(event);
        }
        if random.one_in(4) {
            model.handle(Event::Tick);
            model.repeat_old_outcome(&mut random);
        }
    }
    model.finish();
}

/// Names the seed when a simulation panics.
struct Naming(u64);

impl Drop for Naming {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The panic's own message can't be extended; a second line can.
            let line = format!("the simulation failed with seed {}\n", self.0);
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
        }
    }
}

#[test]
fn random_worlds_keep_the_rules() {
    for seed in OLD_SEEDS.iter().copied().chain(0..SEEDS) {
        let _naming = Naming(seed);
        simulate(seed);
    }
}
