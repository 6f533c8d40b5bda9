//! One simulated provider: a real session that answers each task at once,
//! without a guest.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use tokio::time::{MissedTickBehavior, interval};
use wasipool_shared::capacity::{Capacity, Features, ProviderKind};
use wasipool_shared::task::{Outcome, Timing};
use wasipool_shared::wire::frame::{FrameReader, FrameWriter, Packed, decode_one, messages};
use wasipool_shared::wire::message::{
    Ended, Hello, HelloReply, Output, ToBroker, ToProvider, Welcome,
};
use wasipool_shared::wire::version::VersionRange;
use wtransport::{Connection, RecvStream, SendStream};

/// Bytes that are read at a time: sessions are many, so this is little.
const READ_BYTES: usize = 16 * 1024;
/// Guest memory that each claims to have: enough for any number of no-ops.
const MEMORY_BYTES: u64 = 1 << 40;

/// A simulated provider's place in the pool.
pub(super) struct Session {
    // Dropping it would close the session.
    _connection: Connection,
    sender: SendStream,
    receiver: RecvStream,
    reader: FrameReader,
    buffer: Vec<u8>,
    heartbeat: Duration,
}

impl Session {
    /// Says hello on a new connection and waits for the welcome.
    ///
    /// # Errors
    /// If the broker doesn't let it in.
    pub(super) async fn join(
        connection: Connection,
        ticket: String,
        number: usize,
        slots: u16,
    ) -> anyhow::Result<Self> {
        let (mut sender, receiver) = connection.open_bi().await?.await?;
        let hello = Hello {
            versions: VersionRange::OURS,
            ticket,
            name: format!("simulated-{number}"),
            kind: ProviderKind::Native,
            agent: "wasipool-bench swarm".to_owned(),
            capacity: Capacity {
                slots,
                memory_bytes: MEMORY_BYTES,
                features: Features(u32::MAX),
                speed: 1_000,
            },
        };
        let mut frames = FrameWriter::default();
        push(&mut frames, &hello)?;
        sender.write_all(&frames.take()).await?;
        let mut session = Self {
            _connection: connection,
            sender,
            receiver,
            reader: FrameReader::default(),
            buffer: vec![0; READ_BYTES],
            heartbeat: Duration::ZERO,
        };
        let frame = session
            .frame()
            .await?
            .context("the session closed instead of a welcome")?;
        match decode_one(&frame)? {
            HelloReply::Welcome(Welcome { heartbeat_ms, .. }) => {
                session.heartbeat = Duration::from_millis(heartbeat_ms.into());
                Ok(session)
            }
            HelloReply::Refuse(refuse) => bail!("refused: {}", refuse.text),
        }
    }

    /// Answers until the broker ends the session.
    ///
    /// # Errors
    /// If the connection breaks.
    pub(super) async fn serve(mut self) -> anyhow::Result<()> {
        let mut heartbeat = interval(self.heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut frames = FrameWriter::default();
        let mut pings = 0;
        loop {
            tokio::select! {
                biased;
                frame = self.frame() => {
                    let Some(frame) = frame? else { break };
                    for message in messages(&frame) {
                        answer(&message?, &mut frames)?;
                    }
                    // What has come with it is answered in the same write.
                    while let Some(frame) = self.reader.next_frame()? {
                        for message in messages(&frame) {
                            answer(&message?, &mut frames)?;
                        }
                    }
                }
                _ = heartbeat.tick() => {
                    pings += 1;
                    push(&mut frames, &ToBroker::Ping(pings))?;
                }
            }
            if !frames.is_empty() {
                self.sender.write_all(&frames.take()).await?;
            }
        }
        Ok(())
    }

    async fn frame(&mut self) -> anyhow::Result<Option<Bytes>> {
        loop {
            if let Some(frame) = self.reader.next_frame()? {
                return Ok(Some(frame));
            }
            match self.receiver.read(&mut self.buffer).await? {
                Some(count) => self.reader.feed(&self.buffer[..count]),
                None => return Ok(None),
            }
        }
    }
}

fn answer(message: &ToProvider, frames: &mut FrameWriter) -> anyhow::Result<()> {
    match message {
        ToProvider::Assign(assignment) => {
            let ended = Ended {
                attempt: assignment.attempt,
                outcome: Outcome::Exited(0),
                stdout: Output::Inline(Bytes::new()),
                stderr: Output::Inline(Bytes::new()),
                artifacts: Vec::new(),
                timing: Timing::default(),
            };
            push(frames, &ToBroker::Ended(ended))
        }
        ToProvider::Bye(refuse) => bail!("the broker ended the session: {}", refuse.text),
        _ => Ok(()),
    }
}

fn push<M: serde::Serialize>(frames: &mut FrameWriter, message: &M) -> anyhow::Result<()> {
    match frames.push(message)? {
        Packed::Framed => Ok(()),
        Packed::TooLarge(_) => bail!("a message that is too large for a frame"),
    }
}
