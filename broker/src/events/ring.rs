//! The last events, for who was away for a moment or reads slowly.

use std::collections::VecDeque;

use bytes::Bytes;

/// Events that are kept.
const EVENTS_MAX: usize = 256;
/// Bytes of all of them.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Events by their numbers, the last ones.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// Events are known from after this number on.
    floor: u64,
    newest: u64,
    events: VecDeque<Bytes>,
    bytes: usize,
}

impl Ring {
    /// The number of the last event.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// The number that the next event gets.
    pub(super) fn next(&self) -> u64 {
        self.newest + 1
    }

    /// Appends an event.
    pub(super) fn push(&mut self, event: Bytes) {
        self.newest += 1;
        self.bytes += event.len();
        self.events.push_back(event);
        while self.events.len() > EVENTS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.len();
            self.floor += 1;
        }
    }

    /// Forgets all events: what comes next doesn't go on from them.
    pub(super) fn interrupt(&mut self) {
        self.newest += 1;
        self.floor = self.newest;
        self.events.clear();
        self.bytes = 0;
    }

    /// The event after that number, if there is one; an error if what came after
    /// it is no longer known.
    pub(super) fn after(&self, number: u64) -> Result<Option<Bytes>, Lost> {
        if !(self.floor..=self.newest).contains(&number) {
            return Err(Lost);
        }
        let at = usize::try_from(number - self.floor).map_err(|_| Lost)?;
        Ok(self.events.get(at).cloned())
    }
}

/// What came after an event is no longer known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_events_are_there() {
        let mut ring = Ring::default();
        ring.interrupt();
        let start = ring.newest();
        assert_eq!(ring.after(start), Ok(None));
        for number in 1..=EVENTS_MAX + 1 {
            ring.push(Bytes::from(number.to_string()));
        }
        assert_eq!(ring.after(start), Err(Lost), "one too many");
        assert_eq!(ring.after(start + 1), Ok(Some(Bytes::from_static(b"2"))));
        assert_eq!(ring.after(ring.newest()), Ok(None));
        assert_eq!(ring.after(ring.next()), Err(Lost), "not yet there");
        ring.push(Bytes::from(vec![b'x'; BYTES_MAX]));
        assert_eq!(ring.after(ring.newest() - 2), Err(Lost), "too many bytes");
        assert!(ring.after(ring.newest() - 1).unwrap().is_some());
        let last = ring.newest();
        ring.interrupt();
        assert_eq!(ring.after(last), Err(Lost));
        assert_eq!(ring.after(ring.newest()), Ok(None));
    }
}
