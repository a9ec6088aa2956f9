//! Panics of simulated nodes: tokio keeps them in the task, where nobody looks; here each is a violation.

use std::cell::Cell;
use std::sync::Once;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// How many panics there have been on this thread since this was first called on any.
#[must_use]
pub fn count() -> u64 {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            COUNT.set(COUNT.get() + 1);
            before(panic);
        }));
    });
    COUNT.get()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_that_tokio_keeps_is_counted() {
        let before = super::count();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let task = runtime.spawn(async { panic!("as it should") });
        assert!(runtime.block_on(task).is_err());
        assert_eq!(super::count(), before + 1);
    }
}
