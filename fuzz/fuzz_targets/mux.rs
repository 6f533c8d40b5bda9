//! Whatever comes as messages of a WebSocket is taken or refused; what is taken
//! is read back as it was written, and never piles up beyond its limits.
#![no_main]

use core::pin::pin;
use core::task::{Context, Poll, Waker};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wasipool_shared::limits::{BULK_STREAMS_MAX, SOCKET_WINDOW_BYTES};
use wasipool_shared::mux::{Incoming, Mux};
use wasipool_shared::wire::piece::Piece;

fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(found) => Some(found),
        Poll::Pending => None,
    }
}

fuzz_target!(|data: &[u8]| {
    let mux = Mux::default();
    let mut streams: Vec<Incoming> = Vec::new();
    let (mut opened, mut buffered) = (Vec::new(), 0_u64);
    let mut rest = data;
    // Each message begins with what to do after it, and its length.
    while let [action, length, more @ ..] = rest {
        let (message, left) = more.split_at(more.len().min(usize::from(*length)));
        rest = left;
        let message = Bytes::copy_from_slice(message);
        if let Ok(piece) = Piece::decode(message.clone()) {
            assert_eq!(piece.encode(), message);
            if let Piece::Bulk { content, .. } = piece {
                buffered += content.len() as u64;
            }
        }
        if mux.receive(message).is_err() {
            break;
        }
        match action % 8 {
            0 => streams.extend(now(mux.accept()).and_then(Result::ok)),
            1 => drop(streams.pop()),
            2 => {
                for stream in &mut streams {
                    if let Some(Ok(Some(some))) = now(stream.read()) {
                        buffered -= some.len() as u64;
                    }
                }
            }
            3 => {
                let _ = now(mux.read_control());
            }
            4 => opened.extend(now(mux.open()).and_then(Result::ok)),
            5 => {
                if let Some(stream) = opened.last_mut() {
                    let _ = now(stream.write(Bytes::from(vec![7; 100_000])));
                }
            }
            6 => drop(opened.pop()),
            _ => while let Some(Some(_)) = now(mux.next_piece()) {},
        }
        assert!(streams.len() <= data.len() && opened.len() <= BULK_STREAMS_MAX as usize);
        // What was dropped unread counts no more, so this is at least as much.
        assert!(buffered <= u64::from(SOCKET_WINDOW_BYTES) + data.len() as u64);
    }
});
