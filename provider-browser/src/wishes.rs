//! What the volunteer wants, from all that the page has said.

use crate::offer::SLOTS_MAX;
use crate::page::{Command, Pause, Settings, Surroundings};

/// The smallest share of its time that a slot may work, in percent.
pub const SHARE_MIN: u8 = 10;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    settings: Settings,
    surroundings: Surroundings,
    paused: bool,
}

/// What a command means for what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// What is offered may have changed; what runs goes on.
    Offer,
    /// It has changed, and what runs is to go back to the pool at once.
    GiveBack,
}

impl Wishes {
    /// Takes a command; those that aren't wishes change nothing.
    pub fn take(&mut self, command: &Command) -> Change {
        let before = self.pause();
        match command {
            Command::Start { settings, .. } => {
                self.settings = settings.clone();
                self.paused = false;
            }
            Command::Set { settings } => self.settings = settings.clone(),
            Command::Surroundings(surroundings) => self.surroundings = *surroundings,
            Command::Pause => self.paused = true,
            Command::Resume => self.paused = false,
            Command::Stop | Command::Leave | Command::Probe => return Change::None,
        }
        match self.pause() {
            // A person sees what runs and can still stop it; a battery can't.
            pause @ Some(Pause::Battery | Pause::Metered) if pause != before => Change::GiveBack,
            _ => Change::Offer,
        }
    }

    /// Why nothing new is to be run, if so.
    #[must_use]
    pub fn pause(&self) -> Option<Pause> {
        if self.paused {
            Some(Pause::Person)
        } else if self.settings.pause_on_battery && self.surroundings.on_battery {
            Some(Pause::Battery)
        } else if self.settings.pause_on_metered && self.surroundings.metered {
            Some(Pause::Metered)
        } else {
            None
        }
    }

    /// Tasks at the same time, paused or not.
    #[must_use]
    pub fn slots(&self) -> u16 {
        self.settings.slots.clamp(1, SLOTS_MAX)
    }

    /// The share of its time that a slot may work, in percent.
    #[must_use]
    pub fn share(&self) -> u8 {
        self.settings.share.clamp(SHARE_MIN, 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pause_on_battery: bool, pause_on_metered: bool) -> Settings {
        Settings {
            slots: 2,
            share: 50,
            pause_on_battery,
            pause_on_metered,
        }
    }

    fn on(on_battery: bool, metered: bool) -> Command {
        Command::Surroundings(Surroundings {
            on_battery,
            metered,
        })
    }

    #[test]
    fn a_battery_pauses_only_who_asked_for_it_and_at_once() {
        let mut wishes = Wishes::default();
        let set = |battery, metered| Command::Set {
            settings: settings(battery, metered),
        };
        assert_eq!(wishes.take(&set(false, false)), Change::Offer);
        assert_eq!(wishes.take(&on(true, true)), Change::Offer);
        assert_eq!(wishes.pause(), None);
        assert_eq!(wishes.take(&set(true, true)), Change::GiveBack);
        assert_eq!(wishes.pause(), Some(Pause::Battery));
        assert_eq!(wishes.take(&on(false, true)), Change::GiveBack);
        assert_eq!(wishes.pause(), Some(Pause::Metered));
        assert_eq!(wishes.take(&on(false, true)), Change::Offer, "nothing new");
        assert_eq!(wishes.take(&on(false, false)), Change::Offer);
        assert_eq!(wishes.pause(), None);
    }

    #[test]
    fn a_person_pauses_what_is_new_and_a_new_start_resumes() {
        let mut wishes = Wishes::default();
        assert_eq!(wishes.take(&Command::Pause), Change::Offer);
        assert_eq!(wishes.pause(), Some(Pause::Person));
        wishes.take(&Command::Resume);
        assert_eq!(wishes.pause(), None);
        wishes.take(&Command::Pause);
        wishes.take(&Command::Start {
            name: String::new(),
            token: String::new(),
            settings: settings(false, false),
        });
        assert_eq!(wishes.pause(), None);
    }

    #[test]
    fn slots_and_share_stay_within_what_makes_sense() {
        let mut wishes = Wishes::default();
        for (given, expected) in [
            ((0, 0), (1, 10)),
            ((9, 75), (9, 75)),
            ((999, 200), (256, 100)),
        ] {
            let settings = Settings {
                slots: given.0,
                share: given.1,
                ..Settings::default()
            };
            wishes.take(&Command::Set { settings });
            assert_eq!((wishes.slots(), wishes.share()), expected);
        }
    }
}
