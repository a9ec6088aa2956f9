//! Where the requests of an HTTP/2 connection run.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt as _;
use hyper::rt::Executor;

/// Polls a request where it was read, and makes a task only of one that has to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Eager;

impl<F: Future<Output = ()> + Send + Unpin + 'static> Executor<F> for Eager {
    fn execute(&self, mut request: F) {
        // One that panics is dropped, which resets its stream; as in a task of its own, it takes no other with it.
        let done = catch_unwind(AssertUnwindSafe(|| (&mut request).now_or_never()));
        if let Ok(None) = done {
            tokio::spawn(request);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_request_is_carried_out_where_it_came_as_far_as_it_gets_and_goes_on_by_itself() {
        let steps = Arc::new(AtomicUsize::new(0));
        let (go_on, awaited) = oneshot::channel();
        let (done, all_done) = oneshot::channel();
        let taken = Arc::clone(&steps);
        Eager.execute(Box::pin(async move {
            taken.fetch_add(1, Relaxed);
            awaited.await.unwrap();
            done.send(()).unwrap();
        }));
        assert_eq!(steps.load(Relaxed), 1);
        go_on.send(()).unwrap();
        all_done.await.unwrap();
    }

    #[test]
    fn a_request_that_panics_leaves_the_others_alone() {
        Eager.execute(Box::pin(async { panic!("as a test wants it") }));
    }
}
