//! The WebSocket: who to connect to, and how its messages are moved.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, Stream, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use wasipool_shared::mux::Mux;
use wasipool_shared::wire::piece::MESSAGE_BYTES_MAX;
use wasipool_shared::wire::{PATH, SUBPROTOCOL};

use super::GOODBYE;
use crate::broker::detail;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens the WebSocket of the broker at `url`.
pub(super) async fn dial(url: &str, patience: Duration) -> anyhow::Result<Socket> {
    let url = address(url)?;
    let mut request = url.as_str().into_client_request()?;
    let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
    let headers = request.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        // Each message at once: the mux decides about the order.
        .write_buffer_size(0);
    let connecting = connect_async_with_config(request, Some(config), true);
    let connected = timeout(patience, connecting)
        .await
        .with_context(|| format!("no WebSocket to {url}"))?;
    match connected {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            bail!(
                "the broker says {} to {url}: {}",
                response.status(),
                detail(body)
            )
        }
        Err(error) => Err(error).with_context(|| format!("no WebSocket to {url}")),
    }
}

/// The address of the WebSocket, made of the broker's.
fn address(broker: &str) -> anyhow::Result<String> {
    let Some((scheme, rest)) = broker.split_once("://") else {
        bail!("{broker:?} is no address: write it like http://127.0.0.1:4080");
    };
    let scheme = match scheme {
        "http" => "ws",
        "https" => "wss",
        _ => bail!("a broker is at http:// or https://, not at {scheme}://"),
    };
    Ok(format!("{scheme}://{}{PATH}", rest.trim_end_matches('/')))
}

/// Moves messages until the session or the socket ends.
pub(super) async fn carry(mux: Mux, socket: Socket) {
    let (mut sink, mut stream) = socket.split();
    let writing = async {
        while let Some(piece) = mux.next_piece().await {
            if sink.send(Message::Binary(piece.encode())).await.is_err() {
                return mux.close("the WebSocket can't be written to");
            }
        }
    };
    tokio::select! {
        () = writing => {}
        reason = read(&mux, &mut stream) => return mux.close(&reason),
        // Somebody who takes nothing can't be told anything either.
        () = overdue(&mux) => return,
    }
    // What was said last has to arrive: so the broker closes first.
    let goodbye = async {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        _ = sink.send(Message::Close(Some(frame))).await;
        while let Some(Ok(_)) = stream.next().await {}
    };
    _ = timeout(GOODBYE, goodbye).await;
}

/// Ends a while after the session did.
async fn overdue(mux: &Mux) {
    mux.closed().await;
    tokio::time::sleep(GOODBYE).await;
}

/// Takes what comes; says why no more does.
async fn read(
    mux: &Mux,
    stream: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
) -> String {
    loop {
        mux.room().await;
        match stream.next().await {
            Some(Ok(Message::Binary(message))) => {
                if let Err(error) = mux.receive(message) {
                    return format!("the broker broke the protocol: {error}");
                }
            }
            // Pings are answered by the library.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(Some(frame)))) if !frame.reason.is_empty() => {
                return format!("the broker closed: {}", frame.reason);
            }
            Some(Ok(Message::Close(_))) | None => return "the broker closed".to_owned(),
            Some(Ok(Message::Text(_) | Message::Frame(_))) => {
                return "the broker sent a text message".to_owned();
            }
            Some(Err(error)) => return error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_brokers() {
        for (broker, expected) in [
            ("http://127.0.0.1:4080", "ws://127.0.0.1:4080/wasipool/1"),
            ("http://[::1]:4080/", "ws://[::1]:4080/wasipool/1"),
            ("https://pool.example/x", "wss://pool.example/x/wasipool/1"),
        ] {
            assert_eq!(address(broker).unwrap(), expected);
        }
        for wrong in ["127.0.0.1:4080", "ftp://a", ""] {
            assert!(address(wrong).is_err(), "{wrong:?}");
        }
    }
}
