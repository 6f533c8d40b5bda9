//! One HTTP/1.1 connection, as lean as it can be: the load generator shares its
//! processors with what it measures, so each microsecond here is one less there.
//! Parsing is `httparse`'s.

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Bytes of a reply's head, at most.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a reply, at most.
const HEADERS_MAX: usize = 64;

/// A connection that is kept open from request to request.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// What was received of the reply that is being read.
    buffer: Vec<u8>,
}

/// The head of a reply, and where its body is in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply<'a> {
    /// The status.
    pub(crate) status: u16,
    /// What `Wasipool-State` says; empty without it.
    pub(crate) state: String,
    /// The body.
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// Connects to `HOST:PORT`.
    ///
    /// # Errors
    /// If nobody listens there.
    pub(crate) async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("no connection to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(HEAD_BYTES_MAX),
        })
    }

    /// Sends a whole request, head and body, and reads the whole reply.
    ///
    /// # Errors
    /// If the connection breaks, or the reply is none that has a known length.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Reply<'_>> {
        self.buffer.clear();
        // A large body must be read while it is still being sent: the other
        // side may answer as it comes.
        let (mut receiver, mut sender) = self.stream.split();
        let buffer = &mut self.buffer;
        let send = async {
            sender.write_all(request).await?;
            anyhow::Ok(())
        };
        let receive = async {
            loop {
                if let Some(head) = parse(buffer)? {
                    let end = head.body_at + head.length;
                    buffer.reserve(end.saturating_sub(buffer.len()));
                    while buffer.len() < end {
                        ensure!(receiver.read_buf(buffer).await? > 0, "the reply is cut off");
                    }
                    ensure!(buffer.len() == end, "more than one reply");
                    return anyhow::Ok(head);
                }
                ensure!(
                    buffer.len() < HEAD_BYTES_MAX,
                    "the reply's head is too long"
                );
                ensure!(
                    receiver.read_buf(buffer).await? > 0,
                    "the connection was closed instead of a reply"
                );
            }
        };
        let ((), head) = tokio::try_join!(send, receive)?;
        Ok(Reply {
            status: head.status,
            state: head.state,
            body: &self.buffer[head.body_at..],
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    state: String,
    body_at: usize,
    length: usize,
}

fn parse(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body_at) = response.parse(bytes).context("no HTTP")? else {
        return Ok(None);
    };
    let mut head = Head {
        status: response.code.unwrap_or_default(),
        state: String::new(),
        body_at,
        length: 0,
    };
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            head.length = str::from_utf8(header.value)?.trim().parse()?;
        } else if header.name.eq_ignore_ascii_case("wasipool-state") {
            str::from_utf8(header.value)?.clone_into(&mut head.state);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("a reply in chunks is not understood here");
        }
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_head_is_parsed_once_it_is_whole() {
        let whole = b"HTTP/1.1 200 OK\r\nWasipool-State: succeeded\r\ncontent-length: 3\r\n\r\nabc";
        for cut in 0..whole.len() - 3 {
            assert_eq!(parse(&whole[..cut]).unwrap(), None, "{cut}");
        }
        let head = parse(whole).unwrap().unwrap();
        assert_eq!((head.status, head.length), (200, 3));
        assert_eq!(head.state, "succeeded");
        assert_eq!(&whole[head.body_at..], b"abc");
        parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap_err();
    }

    #[tokio::test]
    async fn replies_come_in_pieces_and_one_after_the_other() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4];
            for body in ["first", "second one"] {
                stream.read_exact(&mut request).await.unwrap();
                let reply = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                for byte in reply.as_bytes() {
                    stream.write_all(&[*byte]).await.unwrap();
                }
            }
            stream.read_exact(&mut request).await.unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut")
                .await
                .unwrap();
        });
        let mut connection = Connection::open(&address).await.unwrap();
        assert_eq!(connection.exchange(b"ask!").await.unwrap().body, b"first");
        assert_eq!(
            connection.exchange(b"ask!").await.unwrap().body,
            b"second one"
        );
        let error = connection.exchange(b"ask!").await.unwrap_err();
        assert!(error.to_string().contains("cut off"), "{error}");
        server.await.unwrap();
    }
}
