//! The simulation finds mistakes: what the core says is changed on its way to
//! the model as a mistake in the core would change it, and the rules must break,
//! and the schedule must shrink to what shows it.

use super::super::model::Tamper;
use super::super::*;
use super::{check, shrink};

/// The shortest schedule that shows the mistake, of the first seed that does.
fn shortest(tamper: Tamper) -> shrink::Broken {
    let found = (0..200).find_map(|seed| check(seed, tamper).err());
    found.expect("the mistake shows within 200 seeds")
}

#[track_caller]
fn assert_found(tamper: Tamper, said: &str, steps_max: usize) {
    let broken = shortest(tamper);
    assert!(broken.said.contains(said), "{broken}");
    assert!(broken.schedule.steps.len() <= steps_max, "{broken}");
    // And what is left shows it again.
    assert!(shrink::broken(&broken.schedule, tamper).is_some());
    assert!(shrink::broken(&broken.schedule, super::HONEST).is_none());
}

#[test]
fn a_task_that_ends_twice_is_found() {
    let twice: Tamper = |effects| {
        let end = |effect: &&Effect| {
            matches!(
                effect,
                Effect::TaskEnded {
                    end: End::Final { .. },
                    ..
                }
            )
        };
        if let Some(ended) = effects.iter().find(end).cloned() {
            effects.insert(0, ended);
        }
    };
    assert_found(twice, "the result that counts was given", 3);
}

#[test]
fn an_end_that_gets_lost_is_found() {
    let lost: Tamper = |effects| {
        effects.retain(|effect| {
            !matches!(
                effect,
                Effect::TaskEnded {
                    end: End::Cancelled,
                    ..
                }
            )
        });
    };
    assert_found(lost, "left: 0", 2);
}

#[test]
fn an_assignment_that_gets_lost_is_found() {
    let lost: Tamper = |effects| {
        effects.retain(|effect| {
            !matches!(
                effect,
                Effect::Assign {
                    task: TaskId { index: 3, .. },
                    ..
                }
            )
        });
    };
    assert_found(lost, "left: ", 3);
}

#[test]
fn an_attempt_at_the_wrong_provider_is_found() {
    let wrong: Tamper = |effects| {
        let assigns = effects.iter_mut().filter_map(|effect| match effect {
            Effect::Assign { provider, .. } => Some(provider),
            _ => None,
        });
        let all: Vec<&mut ProviderId> = assigns.collect();
        if let Some(first) = all.first().map(|first| **first) {
            all.into_iter().for_each(|provider| *provider = first);
        }
    };
    let broken = shortest(wrong);
    assert!(broken.schedule.steps.len() <= 4, "{broken}");
}
