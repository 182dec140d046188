//! [`SecondState`]: the agreement between packer and sender on whether the second stream of an upload gets files.

use std::sync::atomic::{AtomicU8, Ordering};

/// Nobody takes the stream.
const UNWANTED: u8 = 0;
/// The sender takes the stream, and it is still empty.
const WANTED: u8 = 1;
/// The stream has files, which arrive by no other way.
const USED: u8 = 2;

/// The state of the second stream.
///
/// The packer adds files only while the stream is wanted, and the sender can abandon it only while it has none.
#[derive(Debug)]
pub(super) struct SecondState(AtomicU8);

impl SecondState {
    pub(super) fn unwanted() -> Self {
        Self(AtomicU8::new(UNWANTED))
    }

    pub(super) fn wanted() -> Self {
        Self(AtomicU8::new(WANTED))
    }

    /// Announces that the sender takes the stream.
    pub(super) fn want(&self) {
        self.step(UNWANTED, WANTED);
    }

    /// Adds a file; returns `false` where nobody takes the stream.
    pub(super) fn put(&self) -> bool {
        self.step(WANTED, USED) || self.is_used()
    }

    /// Abandons the stream; returns `false` where it has files.
    pub(super) fn withdraw(&self) -> bool {
        self.step(WANTED, UNWANTED);
        !self.is_used()
    }

    /// Whether the stream has files.
    pub(super) fn is_used(&self) -> bool {
        self.0.load(Ordering::Acquire) == USED
    }

    fn step(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_in_while_it_is_wanted_and_then_nobody_goes_without_it() {
        let share = SecondState::unwanted();
        assert!(!share.put() && share.withdraw());
        share.want();
        assert!(share.withdraw() && !share.put());
        share.want();
        assert!(share.put() && share.put() && !share.withdraw() && share.is_used());
        share.want();
        assert!(share.is_used());
        assert!(SecondState::wanted().put());
    }
}
