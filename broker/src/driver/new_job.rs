//! A job as it is submitted: checked, and everything it names resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasipool_shared::capacity::Features;
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::LABEL_BYTES_MAX;
use wasipool_shared::task::{BlobRef, TaskSpec};

use crate::core::Requires;

/// The module of a job, as resolved when the job came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleInfo {
    /// What the client wrote: a name or a digest.
    pub reference: String,
    /// Its content address.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What an engine must be able to do to run it.
    pub features: Features,
}

impl ModuleInfo {
    /// Its address and size.
    #[must_use]
    pub fn blob(&self) -> BlobRef {
        BlobRef {
            digest: self.digest,
            size: self.size,
        }
    }
}

/// The tasks of a job.
#[derive(Debug, Clone)]
pub enum Tasks {
    /// The same `n` times, but for `{index}` in the arguments.
    Count {
        /// How many.
        n: u32,
        /// What they have in common.
        spec: Arc<TaskSpec>,
    },
    /// Each its own.
    Each(Vec<Arc<TaskSpec>>),
}

impl Tasks {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        match self {
            Self::Count { n, .. } => *n,
            Self::Each(tasks) => u32::try_from(tasks.len()).unwrap_or(u32::MAX),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The task of that index, `{index}` in its arguments replaced.
    #[must_use]
    pub fn spec(&self, index: u32) -> Option<TaskSpec> {
        let spec = match self {
            Self::Count { n, spec } => (index < *n).then_some(spec)?,
            Self::Each(tasks) => tasks.get(usize::try_from(index).ok()?)?,
        };
        let mut spec = TaskSpec::clone(spec);
        for argument in &mut spec.args {
            if argument.contains("{index}") {
                *argument = argument.replace("{index}", &index.to_string());
            }
        }
        Some(spec)
    }

    /// The most memory that any of them may use, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        match self {
            Self::Count { spec, .. } => spec.limits.memory_bytes,
            Self::Each(tasks) => tasks
                .iter()
                .map(|spec| spec.limits.memory_bytes)
                .max()
                .unwrap_or_default(),
        }
    }
}

/// A job that is ready to be accepted.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What its owner calls it.
    pub name: Option<String>,
    /// What is run.
    pub module: ModuleInfo,
    /// How it is run, each time.
    pub tasks: Tasks,
    /// -100 to 100; higher gets a larger share.
    pub priority: i8,
    /// Whose job it is; 0 is nobody in particular. Owners share the pool
    /// equally, whatever number of jobs each has.
    pub owner: u64,
    /// How often a task is tried again when its provider is lost.
    pub retries: u32,
    /// Equal results, from different providers, that each task needs.
    pub quorum: u32,
    /// How long tasks wait for a provider that could run them.
    pub placement_timeout_ms: u64,
    /// Who may run it.
    pub requires: Requires,
    /// The owner's own marks.
    pub labels: BTreeMap<String, String>,
    /// A resend with the same key is the same job.
    pub idempotency_key: Option<String>,
}

impl NewJob {
    /// All blobs that running it needs; some may be named more than once.
    #[must_use]
    pub fn blobs(&self) -> Vec<Digest> {
        let mut digests = vec![self.module.digest];
        let mut add = |spec: &TaskSpec| digests.extend(spec.blobs().map(|blob| blob.digest));
        match &self.tasks {
            Tasks::Count { spec, .. } => add(spec),
            Tasks::Each(specs) => specs.iter().for_each(|spec| add(spec)),
        }
        digests
    }

    /// What providers are told that they run: the job's name, or how it refers
    /// to its module; of at most [`LABEL_BYTES_MAX`] bytes.
    #[must_use]
    pub fn label(&self) -> &str {
        label(self.name.as_deref(), &self.module.reference)
    }
}

fn label<'a>(name: Option<&'a str>, reference: &'a str) -> &'a str {
    let label = name.filter(|name| !name.is_empty()).unwrap_or(reference);
    &label[..label.floor_char_boundary(LABEL_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_the_name_or_the_reference_and_never_too_long() {
        assert_eq!(label(Some("sum of all"), "sum.wasm"), "sum of all");
        assert_eq!(label(None, "sum.wasm"), "sum.wasm");
        assert_eq!(label(Some(""), "sum.wasm"), "sum.wasm");
        assert_eq!(label(Some(&"a".repeat(65)), ""), "a".repeat(64));
        assert_eq!(
            label(Some(&format!("a{}", "ä".repeat(32))), ""),
            format!("a{}", "ä".repeat(31))
        );
    }
}
