//! stdout and stderr of a guest, kept in memory up to a limit.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// Bytes that one write may have.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// One captured output; clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Capture(Arc<Mutex<Captured>>);

#[derive(Debug)]
struct Captured {
    bytes: BytesMut,
    limit: usize,
    exceeded: bool,
}

/// Ends a guest that wrote more than it may.
#[derive(Debug, thiserror::Error)]
#[error("more output than allowed")]
struct Exceeded;

impl Capture {
    pub(super) fn new(limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self(Arc::new(Mutex::new(Captured {
            bytes: BytesMut::new(),
            limit,
            exceeded: false,
        })))
    }

    /// Keeps what fits; false if that isn't all.
    fn keep(&self, bytes: &[u8]) -> bool {
        let mut captured = self.0.lock();
        let room = captured.limit - captured.bytes.len();
        let kept = bytes.len().min(room);
        captured.bytes.extend_from_slice(&bytes[..kept]);
        captured.exceeded |= kept < bytes.len();
        kept == bytes.len()
    }

    /// Whether more was written than allowed.
    pub(super) fn exceeded(&self) -> bool {
        self.0.lock().exceeded
    }

    /// What was written, at most as much as allowed.
    pub(super) fn take(&self) -> Bytes {
        std::mem::take(&mut self.0.lock().bytes).freeze()
    }
}

impl IsTerminal for Capture {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Capture {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl OutputStream for Capture {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.keep(&bytes) {
            Ok(())
        } else {
            Err(StreamError::Trap(Exceeded.into()))
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

#[async_trait]
impl Pollable for Capture {
    async fn ready(&mut self) {}
}

impl tokio::io::AsyncWrite for Capture {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let kept = self.keep(bytes);
        Poll::Ready(if kept {
            Ok(bytes.len())
        } else {
            Err(std::io::Error::other(Exceeded))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
