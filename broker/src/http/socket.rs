//! Providers that come by WebSocket.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Error;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use wasipool_shared::wire::SUBPROTOCOL;
use wasipool_shared::wire::piece::MESSAGE_BYTES_MAX;

use super::{App, Problem};
use crate::transport::Packet;
use crate::transport::door::NotIn;

/// Bytes that are read at a time: set aside for each session, also for one that
/// says nothing.
const READ_BYTES: usize = 8 * 1024;

/// `GET /wasipool/1`: becomes a session.
///
/// # Errors
/// If it isn't a WebSocket that speaks the protocol, its page may not join, or
/// there are too many providers.
pub(super) async fn upgrade(
    State(app): State<App>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|error| {
        Problem::invalid(format!("this is for providers, by WebSocket: {error}"))
    })?;
    let mut upgrade = upgrade.protocols([SUBPROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        let detail = format!("the WebSocket doesn't name the subprotocol {SUBPROTOCOL}");
        return Err(Problem::invalid(detail));
    }
    let origin = headers.get(header::ORIGIN);
    let origin = origin.map(|origin| origin.to_str().unwrap_or("unreadable"));
    let seat = app.door.enter(origin).map_err(|error| not_in(&error))?;
    upgrade = upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BYTES)
        // Each message at once: the mux below decides about the order.
        .write_buffer_size(0);
    let door = app.door.clone();
    Ok(upgrade.on_upgrade(move |socket| door.session(seat, remote.ip(), Packets(socket))))
}

fn not_in(error: &NotIn) -> Problem {
    let detail = error.to_string();
    match error {
        NotIn::Origin(_) => Problem::new(StatusCode::FORBIDDEN, "forbidden", detail),
        NotIn::Full(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-capacity", detail).retry_after(30)
        }
    }
}

/// A socket as the transport wants it.
struct Packets(WebSocket);

impl Stream for Packets {
    type Item = Result<Packet, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0
            .poll_next_unpin(context)
            .map_ok(|message| match message {
                Message::Binary(bytes) => Packet::Binary(bytes),
                Message::Text(_) => Packet::Text,
                Message::Ping(_) => Packet::Ping,
                Message::Pong(_) => Packet::Pong,
                Message::Close(Some(frame)) => Packet::Close(frame.code, frame.reason.to_string()),
                Message::Close(None) => Packet::Close(0, String::new()),
            })
    }
}

impl Sink<Packet> for Packets {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready_unpin(context)
    }

    fn start_send(mut self: Pin<&mut Self>, packet: Packet) -> Result<(), Error> {
        self.0.start_send_unpin(match packet {
            Packet::Binary(bytes) => Message::Binary(bytes),
            Packet::Text => Message::Text("".into()),
            Packet::Ping => Message::Ping(Bytes::new()),
            Packet::Pong => Message::Pong(Bytes::new()),
            Packet::Close(code, reason) => {
                let reason = reason.into();
                Message::Close(Some(CloseFrame { code, reason }))
            }
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_flush_unpin(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_close_unpin(context)
    }
}
