//! What is needed to run a job, as it is stored until the job has ended.
//!
//! What is written here is read by later versions: a change of [`Stored`] or of
//! what is in it is a new format, with a number of its own.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wasipool_shared::capacity::{Features, ProviderKind};
use wasipool_shared::task::TaskSpec;
use wasipool_shared::wire::WireError;
use wasipool_shared::wire::frame::{decode_one, encode_one};

use super::job::JobRecord;
use crate::driver::{ModuleInfo, NewJob, Requires, Tasks};

/// The first byte of what is encoded here.
const FORMAT: u8 = 1;

/// Why a job can't be gone on with.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpecError {
    #[error("its format is {0:?}, which this broker doesn't know")]
    Format(Option<u8>),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("it names a description that it doesn't have")]
    Missing,
}

/// All of a job that isn't in its record.
#[derive(Debug, Serialize, Deserialize)]
struct Stored<Spec> {
    module_size: u64,
    module_features: Features,
    retries: u32,
    quorum: u32,
    placement_timeout_ms: u64,
    kind: Option<ProviderKind>,
    features: Features,
    tasks: StoredTasks<Spec>,
}

#[derive(Debug, Serialize, Deserialize)]
enum StoredTasks<Spec> {
    Count(u32, Spec),
    /// Each different description once, and which of them each task has.
    Each(Vec<Spec>, Vec<u32>),
}

/// Encodes what the record of a job doesn't hold.
pub(super) fn encode(new: &NewJob) -> Result<Vec<u8>, WireError> {
    let tasks = match &new.tasks {
        Tasks::Count { n, spec } => StoredTasks::Count(*n, &**spec),
        Tasks::Each(specs) => {
            // Tasks without fields of their own share one description.
            let mut places = HashMap::new();
            let mut different: Vec<&TaskSpec> = Vec::new();
            let mut which = Vec::with_capacity(specs.len());
            for spec in specs {
                let place = places.entry(Arc::as_ptr(spec)).or_insert_with(|| {
                    different.push(spec);
                    u32::try_from(different.len() - 1).unwrap_or(u32::MAX)
                });
                which.push(*place);
            }
            StoredTasks::Each(different, which)
        }
    };
    let stored = Stored {
        module_size: new.module.size,
        module_features: new.module.features,
        retries: new.retries,
        quorum: new.quorum,
        placement_timeout_ms: new.placement_timeout_ms,
        kind: new.requires.kind,
        features: new.requires.features,
        tasks,
    };
    let mut encoded = vec![FORMAT];
    encoded.extend_from_slice(&encode_one(&stored)?);
    Ok(encoded)
}

/// The job again.
pub(super) fn decode(record: &JobRecord, encoded: &[u8]) -> Result<NewJob, SpecError> {
    let stored: Stored<TaskSpec> = match encoded.split_first() {
        Some((&FORMAT, stored)) => decode_one(stored)?,
        format => return Err(SpecError::Format(format.map(|(format, _)| *format))),
    };
    let tasks = match stored.tasks {
        StoredTasks::Count(n, spec) => Tasks::Count {
            n,
            spec: Arc::new(spec),
        },
        StoredTasks::Each(different, which) => {
            let different: Vec<_> = different.into_iter().map(Arc::new).collect();
            let find = |place: u32| different.get(place as usize).cloned();
            let specs = which
                .into_iter()
                .map(|place| find(place).ok_or(SpecError::Missing));
            Tasks::Each(specs.collect::<Result<_, _>>()?)
        }
    };
    Ok(NewJob {
        name: record.name.clone(),
        owner: record.owner,
        module: ModuleInfo {
            reference: record.module_reference.clone(),
            digest: record.module,
            size: stored.module_size,
            features: stored.module_features,
        },
        tasks,
        priority: record.priority,
        retries: stored.retries,
        quorum: stored.quorum,
        placement_timeout_ms: stored.placement_timeout_ms,
        requires: Requires {
            kind: stored.kind,
            features: stored.features,
        },
        labels: record.labels.clone(),
        idempotency_key: record.idempotency_key.clone(),
    })
}
