//! Two ends with a pipe between them, and what a liar gets.

use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// What a future gives that has no reason to wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match poll(pin!(future)) {
        Poll::Ready(found) => found,
        Poll::Pending => panic!("it waits"),
    }
}

fn waits(future: impl Future) -> bool {
    poll(pin!(future)).is_pending()
}

fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn next(mux: &Mux) -> Option<Piece> {
    match poll(pin!(mux.next_piece())) {
        Poll::Ready(piece) => piece,
        Poll::Pending => None,
    }
}

/// Carries everything over that can be; says how many pieces that were.
fn carry(from: &Mux, to: &Mux) -> usize {
    let pieces = core::iter::from_fn(|| next(from));
    pieces
        .map(|piece| to.receive(piece.encode()).unwrap())
        .count()
}

fn bytes(size: usize, seed: usize) -> Bytes {
    (0..size).map(|at| ((at * 31 + seed) % 251) as u8).collect()
}

fn read_all(stream: &mut Incoming) -> Vec<u8> {
    let mut all = Vec::new();
    while let Poll::Ready(Ok(Some(some))) = poll(pin!(stream.read())) {
        all.extend_from_slice(&some);
    }
    all
}

#[test]
fn a_ping_waits_for_a_piece_and_not_for_a_blob() {
    let (left, right) = (Mux::default(), Mux::default());
    let mut blob = now(left.open()).unwrap();
    now(blob.write(bytes(1_000_000, 0))).unwrap();
    assert!(matches!(next(&left), Some(Piece::Bulk { first: true, .. })));
    now(left.write_control(Bytes::from_static(b"ping"))).unwrap();
    let Some(Piece::Control { content, last }) = next(&left) else {
        panic!("the control stream is next");
    };
    assert_eq!((&*content, last), (&b"ping"[..], false));
    right
        .receive(Piece::Control { content, last }.encode())
        .unwrap();
    assert_eq!(now(right.read_control()).unwrap().unwrap(), "ping");
    assert!(waits(right.read_control()));
}

#[test]
fn streams_take_turns() {
    let mux = Mux::default();
    let mut streams: Vec<_> = (0..3).map(|_| now(mux.open()).unwrap()).collect();
    for stream in &mut streams {
        now(stream.write(bytes(3 * PIECE_BYTES_MAX, 0))).unwrap();
    }
    let order: Vec<u32> = core::iter::from_fn(|| match next(&mux) {
        Some(Piece::Bulk { stream, .. }) => Some(stream),
        _ => None,
    })
    .collect();
    assert_eq!(order, [1, 2, 3, 1, 2, 3, 1, 2, 3]);
}

#[test]
fn a_sender_stops_at_the_window_until_something_is_taken() {
    let (left, right) = (Mux::default(), Mux::default());
    let window = STREAM_WINDOW_BYTES as usize;
    let sent = bytes(3 * window, 5);
    let mut out = now(left.open()).unwrap();
    now(out.write(sent.clone())).unwrap();
    assert_eq!(carry(&left, &right), window / PIECE_BYTES_MAX);
    assert!(waits(out.write(Bytes::from_static(b"x"))), "too much waits");

    let mut stream = now(right.accept()).unwrap();
    let mut received = Vec::new();
    while received.len() < sent.len() {
        let taken = read_all(&mut stream);
        assert!(taken.len() <= window);
        received.extend_from_slice(&taken);
        carry(&right, &left);
        carry(&left, &right);
    }
    assert_eq!(received, sent);
    let mut finish = pin!(out.finish());
    assert!(
        poll(finish.as_mut()).is_pending(),
        "its end is not sent yet"
    );
    carry(&left, &right);
    assert_eq!(poll(finish), Poll::Ready(Ok(())));
    assert_eq!(now(stream.read()), Ok(None));
}

#[test]
fn all_streams_together_stop_at_the_window_of_the_socket() {
    let (left, right) = (Mux::default(), Mux::default());
    let window = STREAM_WINDOW_BYTES as usize;
    let mut streams: Vec<_> = (0..5).map(|_| now(left.open()).unwrap()).collect();
    for stream in &mut streams {
        now(stream.write(bytes(window, 0))).unwrap();
    }
    let most = SOCKET_WINDOW_BYTES as usize / PIECE_BYTES_MAX;
    assert_eq!(carry(&left, &right), most);
    // One that nobody takes holds up nobody else.
    let slow = now(right.accept()).unwrap();
    let mut others: Vec<_> = (0..4).map(|_| now(right.accept()).unwrap()).collect();
    let mut received = 0;
    while received < 4 * window {
        received += others
            .iter_mut()
            .map(|it| read_all(it).len())
            .sum::<usize>();
        let moved = carry(&right, &left) + carry(&left, &right);
        assert!(moved > 0, "stuck at {received}");
    }
    drop(slow);
}

#[test]
fn there_are_so_many_streams_and_no_more() {
    let (left, right) = (Mux::default(), Mux::default());
    let open = || {
        let mut stream = now(left.open()).unwrap();
        now(stream.write(Bytes::from_static(b"x"))).unwrap();
        stream
    };
    let mut streams: Vec<_> = (0..BULK_STREAMS_MAX).map(|_| open()).collect();
    assert!(waits(left.open()));
    let mut finish = Box::pin(streams.remove(0).finish());
    assert!(poll(finish.as_mut()).is_pending());
    carry(&left, &right);
    assert!(waits(left.open()), "what is sent is not taken");
    assert_eq!(read_all(&mut now(right.accept()).unwrap()), b"x");
    carry(&right, &left);
    let _another = open();
    assert!(waits(left.open()));
}

#[test]
fn a_reader_that_goes_stops_the_sender() {
    let (left, right) = (Mux::default(), Mux::default());
    let window = STREAM_WINDOW_BYTES as usize;
    let mut out = now(left.open()).unwrap();
    now(out.write(bytes(2 * window, 0))).unwrap();
    carry(&left, &right);
    drop(now(right.accept()).unwrap());
    carry(&right, &left);
    assert_eq!(now(out.write(Bytes::new())), Err(WriteError::Stopped));
    assert_eq!(carry(&left, &right), 1, "an end and nothing else");
    drop(out);
    // All of the credit is back.
    let mut another = now(left.open()).unwrap();
    now(another.write(bytes(window, 0))).unwrap();
    assert_eq!(carry(&left, &right), window / PIECE_BYTES_MAX);
}

#[test]
fn a_writer_that_goes_ends_its_stream_early() {
    let (left, right) = (Mux::default(), Mux::default());
    let mut out = now(left.open()).unwrap();
    now(out.write(bytes(100_000, 0))).unwrap();
    let first = next(&left).unwrap();
    right.receive(first.encode()).unwrap();
    drop(out);
    carry(&left, &right);
    let mut stream = now(right.accept()).unwrap();
    assert_eq!(read_all(&mut stream).len(), PIECE_BYTES_MAX);
    assert_eq!(now(stream.read()), Ok(None));
    drop(now(left.open()).unwrap());
    assert_eq!(next(&left), None, "nobody learns of one that never began");
}

#[test]
fn an_end_comes_after_what_was_said_before() {
    let (left, right) = (Mux::default(), Mux::default());
    now(left.write_control(bytes(100_000, 0))).unwrap();
    let mut finish = pin!(left.finish_control());
    assert!(poll(finish.as_mut()).is_pending());
    carry(&left, &right);
    assert_eq!(poll(finish), Poll::Ready(Ok(())));
    assert_eq!(now(right.read_control()).unwrap().unwrap().len(), 100_000);
    assert_eq!(now(right.read_control()), Ok(None));
    let more = Piece::Control {
        content: bytes(1, 0),
        last: false,
    };
    assert_eq!(right.receive(more.encode()), Err(Broken::Unknown(0)));
}

#[test]
fn whoever_waits_learns_that_it_is_closed() {
    let (left, right) = (Mux::default(), Mux::default());
    let mut out = now(left.open()).unwrap();
    now(out.write(bytes(10, 0))).unwrap();
    carry(&left, &right);
    let mut stream = now(right.accept()).unwrap();
    right.close("gone");
    right.close("again");
    let closed = Closed("gone".into());
    assert_eq!(now(right.closed()), closed);
    assert_eq!(read_all(&mut stream).len(), 10, "what came is there");
    assert_eq!(now(stream.read()), Err(closed.clone()));
    assert_eq!(now(right.read_control()), Err(closed.clone()));
    assert_eq!(now(right.accept()).unwrap_err(), closed);
    assert_eq!(now(right.open()).unwrap_err(), closed);
    assert_eq!(now(right.next_piece()), None);
    assert_eq!(now(right.finish_control()), Err(closed));
}

#[test]
fn a_full_control_stream_lets_nobody_read_further() {
    let (left, right) = (Mux::default(), Mux::default());
    now(right.room());
    for _ in 0..CONTROL_BUFFER_BYTES / PIECE_BYTES_MAX {
        assert!(!waits(right.room()));
        now(left.write_control(bytes(PIECE_BYTES_MAX, 0))).unwrap();
        carry(&left, &right);
    }
    assert!(waits(right.room()));
    now(right.read_control()).unwrap();
    now(right.room());
}

#[test]
fn whoever_breaks_a_rule_is_found_out() {
    let bulk = |stream, size, first, last| Piece::Bulk {
        stream,
        content: bytes(size, 0),
        first,
        last,
    };
    let after = |before: &[Piece], piece: Piece| {
        let mux = Mux::default();
        before
            .iter()
            .for_each(|it| mux.receive(it.encode()).unwrap());
        mux.receive(piece.encode())
    };
    let many = |count| {
        (1..=count)
            .map(|it| bulk(it, 1, true, false))
            .collect::<Vec<_>>()
    };
    let credit = Piece::Credit {
        stream: 1,
        bytes: 1,
    };
    for (before, piece, expected) in [
        (vec![], bulk(1, 1, false, false), Err(Broken::Unknown(1))),
        (many(1), bulk(1, 1, true, false), Err(Broken::Unknown(1))),
        (
            vec![bulk(1, 1, true, true)],
            bulk(1, 1, false, false),
            Err(Broken::Unknown(1)),
        ),
        (many(31), bulk(32, 1, true, false), Ok(())),
        (many(32), bulk(33, 1, true, false), Err(Broken::Streams)),
        (vec![], credit, Err(Broken::Credit)),
    ] {
        assert_eq!(after(&before, piece.clone()), expected, "{piece:?}");
    }
    let mut pieces = vec![bulk(1, PIECE_BYTES_MAX, true, false)];
    pieces.resize(16, bulk(1, PIECE_BYTES_MAX, false, false));
    assert_eq!(after(&pieces[..15], pieces[1].clone()), Ok(()));
    assert_eq!(
        after(&pieces, bulk(1, 1, false, false)),
        Err(Broken::Window(1))
    );
    let second = pieces.clone().into_iter().map(|piece| match piece {
        Piece::Bulk { content, first, .. } => Piece::Bulk {
            stream: 2,
            content,
            first,
            last: false,
        },
        other => other,
    });
    let full: Vec<_> = pieces.iter().cloned().chain(second).collect();
    assert_eq!(
        after(&full, bulk(3, 1, true, false)),
        Err(Broken::Window(3))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn pieces_are_read_as_they_were_written(
        stream in 1_u32..,
        content in prop::collection::vec(any::<u8>(), 1..100),
        first: bool,
        last: bool,
        credit in 1_u32..,
    ) {
        let content = Bytes::from(content);
        for piece in [
            Piece::Control { content: content.clone(), last },
            Piece::Bulk { stream, content, first, last },
            Piece::Credit { stream, bytes: credit },
            Piece::Stop { stream },
        ] {
            prop_assert_eq!(Piece::decode(piece.encode()), Ok(piece));
        }
    }

    /// Streams of any size arrive whole, whoever is how fast, and nothing holds
    /// more than its window.
    #[test]
    fn everything_arrives(
        sizes in prop::collection::vec(1_usize..600_000, 1..36),
        control in prop::collection::vec(1_usize..200_000, 0..10),
        steps in prop::collection::vec(0_u8..6, 1..100),
    ) {
        let (left, right) = (Mux::default(), Mux::default());
        let expected: Vec<Bytes> = sizes.iter().zip(0..).map(|(size, seed)| bytes(*size, seed)).collect();
        let said: Vec<Bytes> = control.iter().zip(0..).map(|(size, seed)| bytes(*size, seed)).collect();
        let said_bytes: usize = control.iter().sum();
        let mut senders: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
        for body in expected.clone() {
            let mux = left.clone();
            senders.push(Box::pin(async move {
                let mut out = mux.open().await.unwrap();
                // The first byte says which it is.
                out.write(body.slice(..1)).await.unwrap();
                out.write(body.slice(1..)).await.unwrap();
                out.finish().await.unwrap();
            }));
        }
        let (mux, words) = (left.clone(), said.clone());
        senders.push(Box::pin(async move {
            for word in words {
                mux.write_control(word).await.unwrap();
            }
            mux.finish_control().await.unwrap();
        }));
        let mut wire: [VecDeque<Piece>; 2] = Default::default();
        let (mut incoming, mut received, mut heard) = (Vec::new(), Vec::new(), Vec::new());
        // Each kind of step comes again and again.
        let mut steps = steps.iter().chain(&[0, 1, 2, 3, 4, 5]).cycle();
        for _ in 0..2_000_000 {
            match steps.next().unwrap() {
                0 => senders.retain_mut(|sender| poll(pin!(sender)).is_pending()),
                1 => wire[0].extend(next(&left)),
                2 => wire[1].extend(next(&right)),
                3 => while let Some(piece) = wire[0].pop_front() {
                    right.receive(piece.encode()).unwrap();
                },
                4 => while let Some(piece) = wire[1].pop_front() {
                    left.receive(piece.encode()).unwrap();
                },
                _ => {
                    while let Poll::Ready(Ok(stream)) = poll(pin!(right.accept())) {
                        incoming.push((stream, Vec::new()));
                    }
                    incoming.retain_mut(|(stream, all)| match poll(pin!(stream.read())) {
                        Poll::Ready(Ok(Some(some))) => { all.extend_from_slice(&some); true }
                        Poll::Ready(Ok(None)) => { received.push(core::mem::take(all)); false }
                        _ => true,
                    });
                    if let Poll::Ready(Ok(Some(some))) = poll(pin!(right.read_control())) {
                        heard.extend_from_slice(&some);
                    }
                }
            }
            if received.len() == expected.len() && heard.len() == said_bytes && senders.is_empty() {
                break;
            }
        }
        let mut received: Vec<Bytes> = received.into_iter().map(Into::into).collect();
        let mut expected = expected;
        received.sort();
        expected.sort();
        prop_assert!(received == expected, "{} of {} streams", received.len(), expected.len());
        prop_assert!(heard == said.concat());
    }
}
