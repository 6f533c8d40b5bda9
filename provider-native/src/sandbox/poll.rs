//! `poll_oneoff`: sleeping, in a way that a time limit or an order to stop can
//! end.
//!
//! Reading and writing never block here (stdin is in memory, files are
//! files), so a subscription to a descriptor is ready at once.

use std::time::{Duration, Instant};

use wasmtime::Caller;

use super::clocks::{Clocks, nanos};
use super::guest::Guest;
use super::host::{errno, read_u32, split};

const SUBSCRIPTION_BYTES: usize = 48;
const EVENT_BYTES: usize = 32;
/// Subscriptions in one call.
const SUBSCRIPTIONS_MAX: usize = 4096;

/// What a guest waits for.
#[derive(Debug, Clone, Copy)]
struct Subscription {
    userdata: u64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Clock {
        id: u32,
        timeout_ns: u64,
        absolute: bool,
    },
    Read,
    Write,
}

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;

pub(super) fn poll_oneoff(
    mut caller: Caller<'_, Guest>,
    subscriptions: i32,
    events: i32,
    count: i32,
    ready: i32,
) -> wasmtime::Result<i32> {
    let (memory, guest) = split(&mut caller)?;
    let at = |pointer: i32| pointer.cast_unsigned() as usize;
    let count = at(count);
    if count == 0 || count > SUBSCRIPTIONS_MAX {
        return Ok(errno::INVAL);
    }
    let slots = (0..count).map(|index| at(subscriptions) + index * SUBSCRIPTION_BYTES);
    let parsed: Option<Vec<_>> = slots.map(|at| parse(memory.get(at..)?)).collect();
    let Some(parsed) = parsed else {
        return Ok(errno::INVAL);
    };

    let happened = wait(guest, &parsed)?;
    let (memory, _) = split(&mut caller)?;
    let mut into = at(events);
    for subscription in &happened {
        let event = subscription.event();
        let Some(slot) = memory
            .get_mut(into..)
            .and_then(|rest| rest.first_chunk_mut())
        else {
            return Ok(errno::FAULT);
        };
        *slot = event;
        into += EVENT_BYTES;
    }
    let Some(slot) = memory
        .get_mut(at(ready)..)
        .and_then(|rest| rest.first_chunk_mut())
    else {
        return Ok(errno::FAULT);
    };
    *slot = u32::try_from(happened.len())?.to_le_bytes();
    Ok(errno::SUCCESS)
}

fn parse(bytes: &[u8]) -> Option<Subscription> {
    let bytes: &[u8; SUBSCRIPTION_BYTES] = bytes.first_chunk()?;
    let u64_at = |at: usize| {
        bytes
            .get(at..)
            .and_then(<[u8]>::first_chunk)
            .copied()
            .map(u64::from_le_bytes)
    };
    let kind = match bytes[8] {
        0 => {
            let id = read_u32(bytes, 16)?;
            if id != REALTIME && id != MONOTONIC {
                return None;
            }
            Kind::Clock {
                id,
                timeout_ns: u64_at(24)?,
                absolute: bytes[40] & 1 == 1,
            }
        }
        1 => Kind::Read,
        2 => Kind::Write,
        _ => return None,
    };
    Some(Subscription {
        userdata: u64_at(0)?,
        kind,
    })
}

impl Subscription {
    fn event(&self) -> [u8; EVENT_BYTES] {
        let (kind, available) = match self.kind {
            Kind::Clock { .. } => (0, 0_u64),
            Kind::Read => (1, 1),
            Kind::Write => (2, 1),
        };
        let mut event = [0; EVENT_BYTES];
        event[..8].copy_from_slice(&self.userdata.to_le_bytes());
        event[10] = kind;
        event[16..24].copy_from_slice(&available.to_le_bytes());
        event
    }

    /// How long until its time has come.
    fn left_ns(&self, wall_ns: u64, monotonic_ns: u64) -> u64 {
        match self.kind {
            Kind::Clock {
                timeout_ns,
                absolute: false,
                ..
            } => timeout_ns,
            Kind::Clock {
                id: REALTIME,
                timeout_ns,
                ..
            } => timeout_ns.saturating_sub(wall_ns),
            Kind::Clock { timeout_ns, .. } => timeout_ns.saturating_sub(monotonic_ns),
            Kind::Read | Kind::Write => 0,
        }
    }
}

/// Waits for the first of them, and gives all whose time has come then.
fn wait(guest: &mut Guest, subscriptions: &[Subscription]) -> wasmtime::Result<Vec<Subscription>> {
    let (wall_ns, monotonic_ns) = match guest.clocks() {
        clocks @ Clocks::Real { .. } => (nanos(clocks.wall()), clocks.monotonic_ns()),
        Clocks::Seeded(clock) => {
            let now_ns = clock.lock().read_ns();
            (now_ns, now_ns)
        }
    };
    let left = |subscription: &Subscription| subscription.left_ns(wall_ns, monotonic_ns);
    let shortest_ns = subscriptions.iter().map(left).min().unwrap_or(0);
    if shortest_ns > 0 {
        match guest.clocks() {
            Clocks::Real { .. } => sleep(guest, Duration::from_nanos(shortest_ns))?,
            Clocks::Seeded(clock) => {
                clock
                    .lock()
                    .advance_to_ns(monotonic_ns.saturating_add(shortest_ns));
            }
        }
    }
    Ok(subscriptions
        .iter()
        .filter(|one| left(one) <= shortest_ns)
        .copied()
        .collect())
}

fn sleep(guest: &mut Guest, duration: Duration) -> wasmtime::Result<()> {
    let awake = Instant::now().checked_add(duration);
    let until = [awake, guest.deadline].into_iter().flatten().min();
    guest.stop.wait_until(until);
    guest.check()
}
