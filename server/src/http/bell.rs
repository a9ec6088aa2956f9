//! Tells a connection's task whether anything but its client has woken it, so that a request does not pay for looking at
//! timers.
//!
//! Invariant: whoever is polled with the bell's context and wakes it is polled again the next time that the task is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// What rings before it wakes the task.
#[derive(Debug, Default)]
pub(super) struct Bell(Option<(Waker, Arc<Ring>)>);

#[derive(Debug)]
struct Ring {
    has_rung: AtomicBool,
    task: Waker,
}

impl Bell {
    /// The waker to poll with whoever may have rung, if anybody may have since the last call. At first everybody may.
    pub(super) fn answer(&mut self, cx: &Context<'_>) -> Option<&Waker> {
        let is_known = self.0.as_ref().is_some_and(|(_, ring)| ring.task.will_wake(cx.waker()));
        if !is_known {
            let ring = Arc::new(Ring { has_rung: AtomicBool::new(true), task: cx.waker().clone() });
            self.0 = Some((Waker::from(Arc::clone(&ring)), ring));
        }
        let (waker, ring) = self.0.as_ref()?;
        if !ring.has_rung.load(Ordering::Acquire) {
            return None;
        }
        // First: who rings while it is polled rings for the next time.
        ring.has_rung.store(false, Ordering::Release);
        Some(waker)
    }
}

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_is_answered_at_first_and_then_once_after_each_ring() {
        let (task, mut bell) = (Arc::new(Task::default()), Bell::default());
        let waker = Waker::from(Arc::clone(&task));
        let cx = Context::from_waker(&waker);
        let ringer = bell.answer(&cx).cloned().unwrap();
        assert!(bell.answer(&cx).is_none());
        ringer.wake_by_ref();
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
        assert!(bell.answer(&cx).is_some());
        assert!(bell.answer(&cx).is_none());
    }

    #[test]
    fn in_another_task_everybody_is_looked_at_again() {
        let mut bell = Bell::default();
        let [first, second] = [(), ()].map(|()| Waker::from(Arc::new(Task::default())));
        assert!(bell.answer(&Context::from_waker(&first)).is_some());
        assert!(bell.answer(&Context::from_waker(&second)).is_some());
        assert!(bell.answer(&Context::from_waker(&second)).is_none());
    }
}
