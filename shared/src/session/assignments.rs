//! What a provider has been given: what each assignment waits for, which run.

use std::collections::{HashMap, HashSet, VecDeque};

use super::outcome::{self, RunResult};
use super::{BlobUse, Effect};
use crate::digest::Digest;
use crate::ids::AttemptId;
use crate::limits::REASON_BYTES_MAX;
use crate::task::{BlobRef, Fault};
use crate::wire::message::{Assignment, ToBroker};

/// Revocations that came before what they revoke (an assignment too large for
/// a frame travels on a stream of its own and may be overtaken).
const EARLY_REVOCATIONS_MAX: usize = 1_024;

#[derive(Debug)]
enum Stage {
    /// Some blobs are not there yet.
    Fetching {
        missing: HashSet<Digest>,
        assignment: Box<Assignment>,
    },
    /// It waits for a slot.
    Ready {
        assignment: Box<Assignment>,
    },
    Running,
}

#[derive(Debug)]
struct Entry {
    stage: Stage,
    module: Digest,
    blobs: Vec<Digest>,
    came_us: u64,
    ready_us: u64,
}

#[derive(Debug, Default)]
struct Blob {
    users: usize,
    here: bool,
}

/// How long guests of one module run, lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    module: Digest,
    mean_us: u64,
}

/// Guests that run for less, in microseconds, are over sooner than a thread that
/// sleeps is told of the next one.
const SHORT_US: u64 = 500;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    entries: HashMap<AttemptId, Entry>,
    ready: VecDeque<AttemptId>,
    running: usize,
    /// Of the module that ended last.
    pace: Option<Pace>,
    blobs: HashMap<Digest, Blob>,
    revoked_early: VecDeque<AttemptId>,
}

impl Assignments {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn add(&mut self, now_us: u64, assignment: Assignment, effects: &mut Vec<Effect>) {
        let attempt = assignment.attempt;
        if let Some(at) = self
            .revoked_early
            .iter()
            .position(|revoked| *revoked == attempt)
        {
            self.revoked_early.remove(at);
            return;
        }
        if self.entries.contains_key(&attempt) {
            return;
        }
        let mut blobs = Vec::new();
        let mut missing = HashSet::new();
        let module = (assignment.module, BlobUse::Module);
        let data = assignment.spec.blobs().map(|blob| (blob, BlobUse::Data));
        for (blob, used) in core::iter::once(module).chain(data) {
            if !blobs.contains(&blob.digest) {
                blobs.push(blob.digest);
                if !self.take_blob(blob, used, effects) {
                    missing.insert(blob.digest);
                }
            }
        }
        let module = assignment.module.digest;
        let assignment = Box::new(assignment);
        let stage = if missing.is_empty() {
            self.ready.push_back(attempt);
            Stage::Ready { assignment }
        } else {
            Stage::Fetching {
                missing,
                assignment,
            }
        };
        let entry = Entry {
            stage,
            module,
            blobs,
            came_us: now_us,
            ready_us: now_us,
        };
        self.entries.insert(attempt, entry);
    }

    /// Counts one more user of a blob; true if it is here already.
    fn take_blob(&mut self, blob: BlobRef, used: BlobUse, effects: &mut Vec<Effect>) -> bool {
        let state = self.blobs.entry(blob.digest).or_insert_with(|| {
            effects.push(Effect::Locate(blob, used));
            Blob::default()
        });
        state.users += 1;
        state.here
    }

    fn release_blobs(&mut self, blobs: &[Digest], effects: &mut Vec<Effect>) {
        for digest in blobs {
            if let Some(blob) = self.blobs.get_mut(digest) {
                blob.users -= 1;
                if blob.users == 0 {
                    self.blobs.remove(digest);
                    effects.push(Effect::Release(*digest));
                }
            }
        }
    }

    pub(super) fn blob_ready(&mut self, now_us: u64, digest: Digest) {
        match self.blobs.get_mut(&digest) {
            Some(blob) if !blob.here => blob.here = true,
            Some(_) | None => return,
        }
        let mut ready = Vec::new();
        for (attempt, entry) in &mut self.entries {
            if let Stage::Fetching { missing, .. } = &mut entry.stage
                && missing.remove(&digest)
                && missing.is_empty()
            {
                ready.push(*attempt);
            }
        }
        // In the order in which the broker gave them.
        ready.sort_unstable();
        for attempt in ready {
            if let Some(entry) = self.entries.get_mut(&attempt) {
                entry.ready_us = now_us;
                let stage = core::mem::replace(&mut entry.stage, Stage::Running);
                if let Stage::Fetching { assignment, .. } = stage {
                    entry.stage = Stage::Ready { assignment };
                    self.ready.push_back(attempt);
                }
            }
        }
    }

    pub(super) fn blob_failed(&mut self, digest: Digest, reason: &str, effects: &mut Vec<Effect>) {
        let waits = |entry: &Entry| matches!(&entry.stage, Stage::Fetching { missing, .. } if missing.contains(&digest));
        let mut failed: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| waits(entry))
            .map(|(id, _)| *id)
            .collect();
        failed.sort_unstable();
        for attempt in failed {
            self.failed(attempt, Fault::Blob(format!("{digest}: {reason}")), effects);
        }
    }

    /// Starts what is ready while slots are free; beyond them, at most `ahead`
    /// more as long as they are of a module whose guests are over at once.
    pub(super) fn start_ready(&mut self, slots: usize, ahead: usize, effects: &mut Vec<Effect>) {
        loop {
            let full = self.running >= slots;
            if full && (slots == 0 || self.running >= slots + ahead || !self.next_is_short()) {
                return;
            }
            let Some(attempt) = self.ready.pop_front() else {
                return;
            };
            let Some(entry) = self.entries.get_mut(&attempt) else {
                continue;
            };
            let stage = core::mem::replace(&mut entry.stage, Stage::Running);
            if let Stage::Ready { assignment } = stage {
                self.running += 1;
                effects.push(Effect::Start(assignment));
            }
        }
    }

    fn next_is_short(&self) -> bool {
        let next = self.ready.front().and_then(|next| self.entries.get(next));
        let pace = self.pace.zip(next);
        pace.is_some_and(|(pace, next)| pace.module == next.module && pace.mean_us < SHORT_US)
    }

    /// Learns from a guest that has ended: the mean follows within a few, and a
    /// long one among short ones is noticed at once.
    fn learn(&mut self, module: Digest, run_us: u64) {
        let known = self.pace.filter(|pace| pace.module == module);
        let mean_us = match known {
            Some(pace) if run_us < pace.mean_us => (pace.mean_us * 3 + run_us) / 4,
            _ => run_us,
        };
        self.pace = Some(Pace { module, mean_us });
    }

    pub(super) fn ended(&mut self, now_us: u64, result: RunResult, effects: &mut Vec<Effect>) {
        let Some(entry) = self.remove(result.attempt, effects) else {
            return;
        };
        self.learn(entry.module, result.run_us);
        let transfer_us = entry.ready_us.saturating_sub(entry.came_us);
        let since_ready_us = now_us.saturating_sub(entry.ready_us);
        outcome::send(result, transfer_us, since_ready_us, effects);
    }

    pub(super) fn failed(&mut self, attempt: AttemptId, fault: Fault, effects: &mut Vec<Effect>) {
        if self.remove(attempt, effects).is_some() {
            let fault = cut(fault);
            effects.push(Effect::Send(ToBroker::Failed { attempt, fault }));
        }
    }

    pub(super) fn revoke(&mut self, attempt: AttemptId, effects: &mut Vec<Effect>) {
        match self.remove(attempt, effects) {
            Some(Entry {
                stage: Stage::Running,
                ..
            }) => effects.push(Effect::Stop(attempt)),
            Some(_) => {}
            None => {
                if self.revoked_early.len() == EARLY_REVOCATIONS_MAX {
                    self.revoked_early.pop_front();
                }
                self.revoked_early.push_back(attempt);
            }
        }
    }

    /// Gives back what hasn't started.
    pub(super) fn return_waiting(&mut self, effects: &mut Vec<Effect>) {
        for attempt in self.sorted(|stage| !matches!(stage, Stage::Running)) {
            self.remove(attempt, effects);
            effects.push(Effect::Send(ToBroker::Returned(attempt)));
        }
    }

    /// Gives back everything, also what runs.
    pub(super) fn return_all(&mut self, effects: &mut Vec<Effect>) {
        for attempt in self.sorted(|stage| matches!(stage, Stage::Running)) {
            self.remove(attempt, effects);
            effects.push(Effect::Stop(attempt));
            effects.push(Effect::Send(ToBroker::Returned(attempt)));
        }
        self.return_waiting(effects);
    }

    pub(super) fn stop_all(&mut self, effects: &mut Vec<Effect>) {
        for attempt in self.sorted(|stage| matches!(stage, Stage::Running)) {
            effects.push(Effect::Stop(attempt));
        }
        *self = Self::default();
    }

    fn sorted(&self, which: impl Fn(&Stage) -> bool) -> Vec<AttemptId> {
        let entries = self.entries.iter().filter(|(_, entry)| which(&entry.stage));
        let mut attempts: Vec<_> = entries.map(|(attempt, _)| *attempt).collect();
        attempts.sort_unstable();
        attempts
    }

    fn remove(&mut self, attempt: AttemptId, effects: &mut Vec<Effect>) -> Option<Entry> {
        let entry = self.entries.remove(&attempt)?;
        match entry.stage {
            Stage::Running => self.running -= 1,
            Stage::Ready { .. } => self.ready.retain(|waiting| *waiting != attempt),
            Stage::Fetching { .. } => {}
        }
        self.release_blobs(&entry.blobs, effects);
        Some(entry)
    }
}

/// Reasons come from engines and guests: as long as they like.
fn cut(fault: Fault) -> Fault {
    let short = |text| outcome::cut_text(text, REASON_BYTES_MAX);
    match fault {
        Fault::Module(text) => Fault::Module(short(text)),
        Fault::Blob(text) => Fault::Blob(short(text)),
        Fault::Files(text) => Fault::Files(short(text)),
        Fault::Internal(text) => Fault::Internal(short(text)),
    }
}
