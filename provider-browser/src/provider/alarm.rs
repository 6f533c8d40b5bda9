//! The one timer of the provider.

use super::Event;
use crate::js::{Timer, monotonic_us};
use crate::mailbox::Mailbox;

/// Posts [`Event::Alarm`] at the earliest of many deadlines.
pub(super) struct Alarm {
    mailbox: Mailbox<Event>,
    armed: Option<(f64, Timer)>,
}

impl Alarm {
    pub(super) fn new(mailbox: Mailbox<Event>) -> Self {
        Self {
            mailbox,
            armed: None,
        }
    }

    /// An alarm has come: there is none until the next is set.
    pub(super) fn rang(&mut self) {
        self.armed = None;
    }

    /// Rings at `at_us` at the latest. One that is set for earlier stays: to
    /// ring in vain is cheaper than to set it anew with each event.
    pub(super) fn set(&mut self, at_us: f64) {
        if self
            .armed
            .as_ref()
            .is_some_and(|(armed_us, _)| *armed_us <= at_us)
        {
            return;
        }
        let mailbox = self.mailbox.clone();
        // Timers may be early by the fraction that their clock is rounded by.
        let ms = ((at_us - monotonic_us()) / 1_000.0).max(0.0).ceil();
        self.armed = Some((at_us, Timer::after(ms, move || mailbox.post(Event::Alarm))));
    }
}
