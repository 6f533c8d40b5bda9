//! Jobs of several shapes, and what must come of each of their tasks.

use serde_json::{Value, json};
use wasipool_evaluation::model::TaskResult;

use crate::random::Random;

/// Beyond what is sent along with a task.
const LARGE: usize = 40_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One description for all tasks.
    Count,
    /// Each task its own, and some fail.
    Each,
    /// With an input that is kept beside the job.
    Large,
}

/// A job that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) tasks: u32,
    shape: Shape,
}

impl Plan {
    pub(crate) fn random(name: String, random: &mut Random) -> Self {
        let (shape, tasks) = match random.below(6) {
            0..3 => (Shape::Count, 1 + random.below(12)),
            3 | 4 => (Shape::Each, 1 + random.below(6)),
            _ => (Shape::Large, 1),
        };
        let tasks = tasks as u32;
        Self { name, tasks, shape }
    }

    pub(crate) fn request(&self) -> Value {
        let own = match self.shape {
            Shape::Count => json!({
                "module": "hello.wasm",
                "count": self.tasks,
                "defaults": { "args": [&self.name, "{index}"] },
            }),
            Shape::Each => {
                let task = |index| json!({ "args": [exit_code(index).to_string()] });
                let tasks: Vec<_> = (0..self.tasks).map(task).collect();
                json!({ "module": "exit.wasm", "tasks": tasks })
            }
            Shape::Large => json!({
                "module": "cat.wasm",
                "tasks": [{ "stdin": self.input() }],
            }),
        };
        let mut job = json!({ "name": self.name, "retries": 100 });
        let (Value::Object(job_fields), Value::Object(own)) = (&mut job, own) else {
            unreachable!("both are objects");
        };
        job_fields.extend(own);
        job
    }

    fn input(&self) -> String {
        self.name.repeat(LARGE / self.name.len() + 1)
    }

    /// What a result must be, whoever gave it.
    pub(crate) fn check(&self, result: &TaskResult) -> anyhow::Result<()> {
        let index = result.index;
        let stdout = result.stdout.as_deref().unwrap_or_default();
        let (code, right) = match self.shape {
            Shape::Count => {
                let last = format!("arg[1]={}\narg[2]={index}\n", self.name);
                (0, stdout.ends_with(&last))
            }
            Shape::Each => (exit_code(index), true),
            Shape::Large => (0, stdout == self.input()),
        };
        let state = if code == 0 { "succeeded" } else { "failed" };
        anyhow::ensure!(
            result.state == state && result.exit_code == Some(code) && right,
            "{} must not end so: {result:?}",
            self.name
        );
        Ok(())
    }
}

fn exit_code(index: u32) -> u32 {
    index % 3
}
