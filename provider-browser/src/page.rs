//! What the page and the worker with the session say to each other, as JSON.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// From the page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Command {
    /// Become a provider.
    Start {
        /// What people call it; made up if empty.
        name: String,
        /// What proves that this tab may join, where the broker asks for it.
        token: String,
        /// How much it gives.
        settings: Settings,
    },
    /// Give more or less from now on.
    Set {
        /// How much.
        settings: Settings,
    },
    /// What the machine lives on has changed.
    Surroundings(Surroundings),
    /// Take no more until it is resumed; what runs goes on.
    Pause,
    /// Take tasks again.
    Resume,
    /// Finish what runs, take no more, leave.
    Stop,
    /// Give back what runs, and leave at once.
    Leave,
    /// The network may have come back: look at once.
    Probe,
}

/// How much the volunteer gives.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Settings {
    /// Tasks at the same time.
    pub slots: u16,
    /// The share of its time that a slot works, in percent.
    pub share: u8,
    /// Take no tasks while the machine runs on its battery.
    pub pause_on_battery: bool,
    /// Take no tasks while data is paid for by volume.
    pub pause_on_metered: bool,
}

/// What the machine lives on, as far as the browser tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Surroundings {
    /// It runs on its battery.
    pub on_battery: bool,
    /// Data is paid for by volume, or is to be saved.
    pub metered: bool,
}

/// Why it takes no tasks though it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Pause {
    /// A person wants it so.
    Person,
    /// The machine runs on its battery.
    Battery,
    /// Data is paid for by volume.
    Metered,
}

/// Where the provider stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
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

impl State {
    /// Whether it is a provider or tries to be one.
    #[must_use]
    pub fn is_working(self) -> bool {
        matches!(
            self,
            Self::Connecting | Self::Connected | Self::Draining | Self::Waiting
        )
    }
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
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
    /// Why it takes no tasks, if so.
    pub paused: Option<Pause>,
    /// The measured speed.
    pub speed: u32,
    /// Guest memory that it offers.
    pub memory_bytes: u64,
    /// Features of the engine.
    pub features: Vec<&'static str>,
    /// What each slot does.
    pub doing: Vec<Slot>,
    /// Tasks that wait for a blob or a slot.
    pub waiting: usize,
    /// Tasks that ended, however they ended.
    pub done: u64,
    /// Tasks that couldn't be run here.
    pub faults: u64,
    /// The last things that went wrong, newest first.
    #[cfg_attr(test, ts(type = "Array<Problem>"))]
    pub errors: VecDeque<Problem>,
}

/// What a slot does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Slot {
    /// It waits for a task.
    Idle,
    /// It runs one.
    Running(Running),
    /// It has worked its share and rests.
    Resting {
        /// Until then, in milliseconds since 1970.
        until_ms: u64,
    },
}

/// A task that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
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
    /// The guest's memory now, in bytes, where the browser lets this be seen.
    pub memory_bytes: Option<u64>,
    /// The memory that it may have, in bytes.
    pub memory_max_bytes: u64,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
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
mod typescript;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_json() {
        let read = |text| serde_json::from_str::<Command>(text).unwrap();
        let start = Command::Start {
            name: String::new(),
            token: String::new(),
            settings: Settings {
                slots: 2,
                share: 50,
                ..Settings::default()
            },
        };
        let text = r#"{"do":"start","name":"","token":"","settings":
            {"slots":2,"share":50,"pause_on_battery":false,"pause_on_metered":false}}"#;
        assert_eq!(read(text), start);
        let surroundings = Command::Surroundings(Surroundings {
            on_battery: true,
            metered: false,
        });
        let text = r#"{"do":"surroundings","on_battery":true,"metered":false}"#;
        assert_eq!(read(text), surroundings);
        assert_eq!(read(r#"{"do":"leave"}"#), Command::Leave);
        assert!(
            serde_json::from_str::<Command>(r#"{"do":"set","settings":{"slots":-1,"share":1}}"#)
                .is_err()
        );
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
