//! What of a request's body nobody reads.
//!
//! A request may be refused before its body is read: a wrong token, a bad name.
//! If the connection were closed then, with bytes still coming, the client would
//! see it reset instead of the reply that says why. So the rest is read and
//! thrown away, within limits (RFC 9112, section 9.6).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use futures_util::StreamExt as _;
use tokio::time::timeout;

/// Bytes that are read on; who sends more is cut off.
const LEFTOVER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Time for that.
const LEFTOVER_TIME: Duration = Duration::from_secs(5);

/// The same request; what is left of its body when it is dropped is read.
pub(super) fn read_on(request: Request) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    request.map(|body| Body::new(ReadOn(Some(body))))
}

/// A body that is there until its last drop.
struct ReadOn(Option<Body>);

impl HttpBody for ReadOn {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for ReadOn {
    fn drop(&mut self) {
        let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        // Without a runtime there is no connection either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(timeout(LEFTOVER_TIME, throw_away(body)));
        }
    }
}

async fn throw_away(body: Body) {
    let mut pieces = body.into_data_stream();
    let mut left = LEFTOVER_BYTES_MAX;
    while let Some(Ok(piece)) = pieces.next().await {
        if piece.len() > left {
            return;
        }
        left -= piece.len();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::stream;

    use super::*;

    /// A body of so many pieces of 1 MiB that counts those that were taken.
    fn body(pieces: usize, taken: &Arc<AtomicUsize>) -> Request {
        let taken = Arc::clone(taken);
        let pieces = stream::iter(0..pieces).map(move |_| {
            taken.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_static(&[0; 1024 * 1024]))
        });
        Request::new(Body::from_stream(pieces))
    }

    async fn dropped(pieces: usize) -> usize {
        let taken = Arc::default();
        drop(read_on(body(pieces, &taken)));
        // The task that reads on has the only other hold on the counter.
        while Arc::strong_count(&taken) > 1 {
            tokio::task::yield_now().await;
        }
        taken.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn the_rest_is_read_up_to_the_limit() {
        assert_eq!(dropped(3).await, 3);
        assert_eq!(dropped(8).await, 8);
        assert_eq!(dropped(100).await, 9, "the ninth is over the limit");
    }

    #[tokio::test]
    async fn what_is_read_is_whole() {
        let taken = Arc::default();
        let request = read_on(body(2, &taken));
        let bytes = axum::body::to_bytes(request.into_body(), usize::MAX).await;
        assert_eq!(bytes.unwrap().len(), 2 * 1024 * 1024);
    }
}
