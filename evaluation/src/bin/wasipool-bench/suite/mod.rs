//! The benchmark suite: cases, each held against a floor, in interleaved rounds.
//!
//! All cases of a group have one pool. A round measures each case and right
//! after it its floor; so what the machine does beside that hits both, and the
//! ratio of a round means something even where the figures don't. Shown is the
//! median of the rounds, with the lowest and the highest.

mod cases;
mod floor;
mod pool;
mod reading;

use std::time::Duration;

use serde::Serialize;

pub(crate) use cases::{Better, Group, groups};
use pool::Pool;
pub(crate) use reading::Reading;

/// How thoroughly it is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds.
    pub(crate) rounds: usize,
    /// Time of each measurement.
    pub(crate) time: Duration,
}

/// What a case came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    /// The group.
    pub(crate) group: &'static str,
    /// The case.
    pub(crate) name: String,
    /// Of the values.
    pub(crate) unit: &'static str,
    /// What is held against it; empty where there is nothing.
    pub(crate) floor: &'static str,
    /// Whether more or less is better.
    pub(crate) better: Better,
    /// One for each round.
    pub(crate) readings: Vec<Reading>,
    /// The floor's, in the same rounds.
    pub(crate) floors: Vec<f64>,
    /// The figure to reach, if one is set.
    pub(crate) goal: Option<f64>,
}

impl Outcome {
    /// The median of something over all rounds.
    pub(crate) fn median(&self, of: impl Fn(&Reading) -> f64) -> f64 {
        Spread::of(self.readings.iter().map(of)).median
    }

    /// How the rounds' values are related to their floors: over 1 is better
    /// than the floor, whichever way the unit goes.
    pub(crate) fn ratio(&self) -> Option<Spread> {
        let pairs = self.readings.iter().zip(&self.floors);
        let ratio = |(reading, floor): (&Reading, &f64)| match self.better {
            Better::More => reading.value / floor,
            Better::Less => floor / reading.value,
        };
        (!self.floors.is_empty()).then(|| Spread::of(pairs.map(ratio)))
    }

    /// Whether the goal is reached; nothing without one.
    pub(crate) fn reached(&self) -> Option<bool> {
        let value = self.median(|reading| reading.value);
        self.goal.map(|goal| match self.better {
            Better::More => value >= goal,
            Better::Less => value <= goal,
        })
    }
}

/// The middle and the ends of some values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The lowest.
    pub(crate) low: f64,
    /// The one in the middle.
    pub(crate) median: f64,
    /// The highest.
    pub(crate) high: f64,
}

impl Spread {
    /// Of no values it is all zero.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |at: usize| values.get(at).copied().unwrap_or_default();
        Self {
            low: at(0),
            median: at(values.len() / 2),
            high: at(values.len().saturating_sub(1)),
        }
    }
}

/// Runs one group; tells of each measurement as it is done.
///
/// # Errors
/// If a part doesn't start, or gives a wrong answer.
pub(crate) async fn run(
    group: &Group,
    effort: Effort,
    mut tell: impl FnMut(&str),
) -> anyhow::Result<Vec<Outcome>> {
    let pool = Pool::start(group.setup, group.guests).await?;
    let mut outcomes: Vec<Outcome> = group
        .cases
        .iter()
        .map(|case| case.outcome(group.name))
        .collect();
    for round in 1..=effort.rounds {
        for (case, outcome) in group.cases.iter().zip(&mut outcomes) {
            let reading = case.load.round(&pool, effort.time).await?;
            tell(&format!(
                "{} · {} · round {round} of {}: {:.1} {}",
                group.name, case.name, effort.rounds, reading.value, case.unit
            ));
            outcome.readings.push(reading);
            if let Some(floor) = &case.floor {
                outcome
                    .floors
                    .push(floor.round(group.setup.slots, effort.time / 2).await?);
            }
        }
    }
    tell(&format!(
        "{} · broker memory at the end: {:.1} MB",
        group.name,
        pool.broker_resident()? as f64 / 1e6
    ));
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_over_one_where_it_is_better_than_the_floor() {
        let mut case = groups().remove(0).cases.remove(0).outcome("group");
        case.floors = vec![10.0, 20.0, 40.0];
        case.readings = [20.0, 20.0, 20.0]
            .map(|value| Reading {
                value,
                ..Reading::default()
            })
            .to_vec();
        case.better = Better::More;
        assert_eq!(
            case.ratio(),
            Some(Spread {
                low: 0.5,
                median: 1.0,
                high: 2.0
            })
        );
        case.goal = Some(19.0);
        assert_eq!(case.reached(), Some(true));
        case.better = Better::Less;
        assert_eq!(
            case.ratio(),
            Some(Spread {
                low: 0.5,
                median: 1.0,
                high: 2.0
            })
        );
        assert_eq!(case.reached(), Some(false));
        case.floors.clear();
        assert_eq!(case.ratio(), None);
    }
}
