//! Waiting for conditions, never for time alone.

use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not hold within `deadline`; the message says for what was waited.
pub async fn wait_until(deadline: Duration, what: &str, condition: impl AsyncFnMut() -> bool) {
    within(deadline, condition).await.unwrap_or_else(|| panic!("waited {deadline:?} in vain for {what}"));
}

/// How long it took until `condition` held; none when it did not within `deadline`.
pub async fn within(deadline: Duration, mut condition: impl AsyncFnMut() -> bool) -> Option<Duration> {
    let start = Instant::now();
    loop {
        if condition().await {
            return Some(start.elapsed());
        }
        if start.elapsed() > deadline {
            return None;
        }
        tokio::time::sleep(POLL).await;
    }
}
