//! What the page and the worker with the session say to each other, as JSON.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// From the page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Command {
    /// Become a provider.
    Start {
        /// What people call it; made up if empty.
        #[serde(default)]
        name: String,
        /// Tasks at the same time.
        slots: u16,
        /// What proves that this tab may join, where the broker asks for it.
        #[serde(default)]
        token: String,
    },
    /// Finish what runs, take no more, leave.
    Stop,
    /// Leave at once.
    Leave,
}

/// Where the provider stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It finds out what this browser can do.
    #[default]
    Preparing,
    /// It knocks at the broker's door.
    Connecting,
    /// It takes tasks.
    Connected,
    /// It finishes what runs.
    Draining,
    /// The connection is lost; it tries again after a while.
    Waiting,
    /// It has left, as it was told to.
    Stopped,
    /// It gave up.
    Failed,
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Status {
    /// Where the provider stands.
    pub state: State,
    /// Why, where there is something to say.
    pub detail: String,
    /// The name that the broker gave this session.
    pub provider: Option<String>,
    /// What people call it.
    pub name: String,
    /// Tasks that can run at the same time.
    pub slots: u16,
    /// The measured speed.
    pub speed: u32,
    /// Guest memory that it offers.
    pub memory_bytes: u64,
    /// Features of the engine.
    pub features: Vec<&'static str>,
    /// What runs now, longest first.
    pub running: Vec<Running>,
    /// Tasks that wait for a blob or a slot.
    pub waiting: usize,
    /// Tasks that ended, however they ended.
    pub done: u64,
    /// Tasks that couldn't be run here.
    pub faults: u64,
    /// The last things that went wrong, newest first.
    pub errors: VecDeque<Problem>,
}

/// A task that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Running {
    /// Its name.
    pub task: String,
    /// What people call it: the job's name, or the module's.
    pub label: String,
    /// The digest of its module.
    pub module: String,
    /// What the guest is called with.
    pub args: String,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What.
    pub text: String,
}

/// Problems that are kept.
const PROBLEMS_MAX: usize = 20;
/// Characters of a problem's text, and of arguments.
const TEXT_CHARS_MAX: usize = 300;

impl Status {
    /// Notes something that went wrong.
    pub fn problem(&mut self, at_ms: u64, text: &str) {
        self.errors.truncate(PROBLEMS_MAX - 1);
        self.errors.push_front(Problem {
            at_ms,
            text: shorten(text),
        });
    }
}

/// A text that isn't too long to be shown.
#[must_use]
pub fn shorten(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_json() {
        let read = |text| serde_json::from_str::<Command>(text).unwrap();
        let start = Command::Start {
            name: String::new(),
            slots: 2,
            token: String::new(),
        };
        assert_eq!(read(r#"{"do":"start","slots":2}"#), start);
        assert_eq!(read(r#"{"do":"leave"}"#), Command::Leave);
        assert!(serde_json::from_str::<Command>(r#"{"do":"start","slots":-1}"#).is_err());
    }

    #[test]
    fn problems_are_kept_short_and_few() {
        let mut status = Status::default();
        for at_ms in 0..100 {
            status.problem(at_ms, &"ä".repeat(400));
        }
        assert_eq!(status.errors.len(), PROBLEMS_MAX);
        assert_eq!(status.errors[0].at_ms, 99);
        assert_eq!(status.errors[0].text.chars().count(), TEXT_CHARS_MAX + 1);
        let json = serde_json::to_string(&Status::default()).unwrap();
        assert!(json.contains(r#""state":"preparing""#), "{json}");
    }
}
