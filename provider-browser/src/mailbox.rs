//! A queue between tasks of one thread.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::collections::VecDeque;
use std::rc::Rc;

/// Both ends of a queue: whoever has a clone may post, one takes.
#[derive(Debug)]
pub struct Mailbox<T>(Rc<RefCell<Inner<T>>>);

#[derive(Debug)]
struct Inner<T> {
    queue: VecDeque<T>,
    waiting: Option<Waker>,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(Inner {
            queue: VecDeque::new(),
            waiting: None,
        })))
    }
}

impl<T> Mailbox<T> {
    /// Puts something in, and wakes who waits.
    pub fn post(&self, item: T) {
        let mut inner = self.0.borrow_mut();
        inner.queue.push_back(item);
        let waiting = inner.waiting.take();
        drop(inner);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    /// Takes what came first, if there is something.
    #[must_use]
    pub fn try_take(&self) -> Option<T> {
        self.0.borrow_mut().queue.pop_front()
    }

    /// Takes what came first, or waits for it.
    pub async fn take(&self) -> T {
        poll_fn(|context| {
            let mut inner = self.0.borrow_mut();
            match inner.queue.pop_front() {
                Some(item) => Poll::Ready(item),
                None => {
                    inner.waiting = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use core::pin::pin;
    use core::task::{Context, Poll};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_waits_is_woken_once_and_gets_all_in_order() {
        let count = Arc::new(Count::default());
        let waker = Arc::clone(&count).into();
        let mut context = Context::from_waker(&waker);
        let mailbox = Mailbox::default();
        {
            let mut take = pin!(mailbox.take());
            assert_eq!(take.as_mut().poll(&mut context), Poll::Pending);
            for item in 0..3 {
                mailbox.clone().post(item);
            }
            assert_eq!(count.0.load(Ordering::Relaxed), 1);
            assert_eq!(take.as_mut().poll(&mut context), Poll::Ready(0));
        }
        assert_eq!(mailbox.try_take(), Some(1));
        assert_eq!(mailbox.try_take(), Some(2));
        assert_eq!(mailbox.try_take(), None);
    }
}
