//! What clients know: what they sent, what was promised to them, and each
//! result that they read.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Context as _;
use parking_lot::Mutex;
use serde::Deserialize as _;
use serde_json::Value;
use wasipool_evaluation::model::{Job, TaskResult};

use crate::plan::Plan;
use crate::random::Random;

#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By name.
    sent: HashMap<String, Plan>,
    /// Names of jobs that were accepted, and their ids.
    accepted: HashMap<String, String>,
    /// The ids, to choose from.
    ids: Vec<String>,
    /// Results as they were read first, by job and index.
    read: HashMap<String, BTreeMap<u32, Value>>,
    /// Requests that broke off.
    broken: u64,
    /// Times that a result was read again.
    read_again: u64,
}

impl Ledger {
    pub(crate) fn sent(&self, plan: &Plan) {
        let known = self.0.lock().sent.insert(plan.name.clone(), plan.clone());
        assert_eq!(known, None, "each job has a name of its own");
    }

    /// A job has an id: the same each time.
    pub(crate) fn accepted(&self, plan: &Plan, job: &Job) -> anyhow::Result<()> {
        let mut inner = self.0.lock();
        let name = plan.name.clone();
        let first = inner
            .accepted
            .entry(name)
            .or_insert_with(|| job.id.clone())
            .clone();
        anyhow::ensure!(first == job.id, "{}: {first} and {}", plan.name, job.id);
        anyhow::ensure!(job.tasks == plan.tasks, "{plan:?} became {job:?}");
        inner.ids.push(first);
        Ok(())
    }

    pub(crate) fn broken(&self) {
        self.0.lock().broken += 1;
    }

    pub(crate) fn any_accepted(&self, random: &mut Random) -> Option<String> {
        let inner = self.0.lock();
        let at = random.below(inner.ids.len() as u64) as usize;
        inner.ids.get(at).cloned()
    }

    /// Takes all results of a job that somebody read, one a line.
    pub(crate) fn read_lines(&self, id: &str, lines: &str) -> anyhow::Result<()> {
        let parse = |line| serde_json::from_str(line).with_context(|| lines.to_owned());
        self.read(id, lines.lines().map(parse).collect::<Result<_, _>>()?)
    }

    /// Takes all results of a job that somebody read; what was read before must
    /// be there, and the same.
    pub(crate) fn read(&self, id: &str, results: Vec<Value>) -> anyhow::Result<()> {
        let mut inner = self.0.lock();
        let known = inner.read.entry(id.to_owned()).or_default();
        let mut now = BTreeSet::new();
        let mut again = 0;
        for value in results {
            let index = TaskResult::deserialize(&value)?.index;
            anyhow::ensure!(now.insert(index), "{id}.{index} is there twice");
            match known.entry(index) {
                Entry::Vacant(entry) => drop(entry.insert(value)),
                Entry::Occupied(first) => {
                    let first = first.get();
                    anyhow::ensure!(*first == value, "a result has changed:\n{first}\n{value}");
                    again += 1;
                }
            }
        }
        let lost = known.keys().find(|index| !now.contains(index));
        anyhow::ensure!(lost.is_none(), "{id}.{lost:?} was read, and is lost");
        inner.read_again += again;
        Ok(())
    }

    /// A job of the broker, all results of which were read: it is one that was
    /// sent, and has each result once.
    pub(crate) fn check(&self, job: &Job) -> anyhow::Result<()> {
        let inner = self.0.lock();
        let name = job.name.as_deref().unwrap_or_default();
        let plan = inner.sent.get(name);
        let plan = plan.with_context(|| format!("nobody sent {job:?}"))?;
        anyhow::ensure!(job.ended() && job.tasks == plan.tasks, "{plan:?}: {job:?}");
        let results = inner.read.get(&job.id).context("no results")?;
        let indexes: Vec<u32> = results.keys().copied().collect();
        let all: Vec<u32> = (0..plan.tasks).collect();
        anyhow::ensure!(indexes == all, "{job:?} has results of {indexes:?} only");
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for value in results.values() {
            let result = TaskResult::deserialize(value)?;
            plan.check(&result)?;
            let state = if result.exit_code == Some(0) {
                "succeeded"
            } else {
                "failed"
            };
            *counts.entry(state).or_default() += 1;
        }
        for (state, count) in counts {
            anyhow::ensure!(job.count(state) == count, "{state} is {count} in {job:?}");
        }
        Ok(())
    }

    /// All jobs of the broker: none that was accepted is missing, none is there
    /// twice.
    pub(crate) fn check_all(&self, found: &[Job]) -> anyhow::Result<()> {
        let inner = self.0.lock();
        let mut by_name = HashMap::new();
        for job in found {
            let twice = by_name.insert(job.name.clone().unwrap_or_default(), job.id.clone());
            anyhow::ensure!(twice.is_none(), "{job:?} is {twice:?} too");
        }
        for (name, id) in &inner.accepted {
            anyhow::ensure!(
                by_name.get(name) == Some(id),
                "{name} ({id}) was accepted, and is lost"
            );
        }
        Ok(())
    }

    /// That so much happened that the checks mean something.
    pub(crate) fn check_size(&self, rounds: u64) -> anyhow::Result<()> {
        let inner = self.0.lock();
        let summary = format!(
            "{} jobs sent, {} accepted, {} requests broken off, {} results read again",
            inner.sent.len(),
            inner.accepted.len(),
            inner.broken,
            inner.read_again,
        );
        #[expect(clippy::print_stderr, reason = "the test harness shows it on demand")]
        {
            eprintln!("{summary}");
        }
        anyhow::ensure!(
            inner.accepted.len() as u64 >= rounds,
            "too little: {summary}"
        );
        Ok(())
    }
}
