//! Waiting for what another process does. The limits keep a failure from hanging; nothing is measured by them.

use std::{
    thread,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `holds`, and fails after a generous time.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "{what} did not come");
        thread::sleep(PAUSE);
    }
}

/// Waits like [`until`], while other work of the test goes on.
pub(crate) async fn soon(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(PAUSE).await;
    }
}
