//! What has begun runs to its end: polled by who waits for it, and by a task of its own once nobody does any more.
//!
//! A task for each write from its beginning would cost as much as sending a copy to another member. Who waits must poll it
//! or drop it, as connections do: what is left lying holds up who else writes to the same key.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;

/// Work that dropping does not stop.
pub(super) struct Begun<T: Send + 'static> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    runtime: Handle,
}

impl<T: Send + 'static> Begun<T> {
    /// To be called, and the work to be waited for, on a runtime.
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { work: Some(Box::pin(work)), runtime: Handle::current() }
    }
}

impl<T: Send + 'static> Future for Begun<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let done = ready!(work.as_mut().poll(context));
        self.work = None;
        Poll::Ready(done)
    }
}

impl<T: Send + 'static> Drop for Begun<T> {
    fn drop(&mut self) {
        // What panicked cannot go on.
        if let Some(work) = self.work.take()
            && !std::thread::panicking()
        {
            drop(self.runtime.spawn(work));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_goes_on_when_nobody_waits_for_it_any_more() {
        let (may_go_on, wait) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let mut begun = Begun::new(async move {
            let _ = wait.await;
            let _ = done.send("done");
        });
        assert!((&mut begun).now_or_never().is_none());
        drop(begun);
        may_go_on.send(()).unwrap();
        assert_eq!(is_done.await, Ok("done"));
    }

    #[tokio::test]
    async fn what_is_done_is_given_to_who_waits() {
        assert_eq!(Begun::new(async { 7 }).await, 7);
    }
}
