//! Lets a schedule happen.

use super::super::model::{Model, Tamper};
use super::super::*;
use super::schedule::{Act, Schedule};

/// Runs it all; panics where a rule is broken.
pub(super) fn run(schedule: &Schedule, tamper: Tamper) {
    let mut model = Model::new(schedule.prefetch_max, schedule.trust, tamper);
    for step in &schedule.steps {
        model.now_ms += step.after_ms;
        act(&mut model, &step.act);
    }
    model.finish();
}

fn act(model: &mut Model, act: &Act) {
    let event = match act {
        Act::Submit(spec) => return model.submit(spec.clone()),
        Act::Join {
            kind,
            capacity,
            group,
        } => return model.join(*kind, capacity.clone(), *group),
        Act::FallSilent(provider) => {
            return model
                .provider(*provider)
                .into_iter()
                .for_each(|id| model.silence(id));
        }
        Act::Late(number, verdict) => return model.repeat_old_outcome(*number, verdict.clone()),
        Act::Forge(from, attempt, verdict) => {
            return model.forge(*from, *attempt, verdict.clone());
        }
        Act::SubmitAgain(job) => return model.submit_again(*job),
        Act::Sync => return model.sync(),
        Act::Restart { rejoin } => return model.restart(*rejoin),
        Act::Tick => Some(Event::Tick),
        Act::Cancel(job) => model.job(*job).map(|job| Event::Cancel { job }),
        Act::Leave(provider) => model
            .provider(*provider)
            .map(|provider| Event::Leave { provider }),
        Act::Drain(provider) => model
            .provider(*provider)
            .map(|provider| Event::Drain { provider }),
        Act::Capacity(provider, capacity) => {
            let capacity = capacity.clone();
            model
                .provider(*provider)
                .map(|provider| Event::Capacity { provider, capacity })
        }
        Act::RoundTrip(provider, micros) => {
            let micros = *micros;
            model
                .provider(*provider)
                .map(|provider| Event::RoundTrip { provider, micros })
        }
        Act::End {
            provider,
            attempt,
            verdict,
            run_us,
        } => model
            .attempt(*provider, *attempt)
            .map(|(provider, attempt)| Event::Ended {
                provider,
                attempt,
                verdict: verdict.clone(),
                run_us: *run_us,
            }),
    };
    if let Some(event) = event {
        model.handle(event);
    }
}
