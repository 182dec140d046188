//! [`Share`]: whether the second stream of an upload has a part of the files, as who packs and who sends agree on it.

use std::sync::atomic::{AtomicU8, Ordering};

/// Nobody takes the stream.
const UNWANTED: u8 = 0;
/// Somebody does, and nothing is in it yet.
const WANTED: u8 = 1;
/// Files are in it, which come by no other way.
const USED: u8 = 2;

/// Who packs puts files into a stream only while it is wanted, and who sends can only go without it while there are none.
#[derive(Debug)]
pub(super) struct Share(AtomicU8);

impl Share {
    pub(super) fn unwanted() -> Self {
        Self(AtomicU8::new(UNWANTED))
    }

    pub(super) fn wanted() -> Self {
        Self(AtomicU8::new(WANTED))
    }

    /// Says that there is somebody to take the stream.
    pub(super) fn want(&self) {
        self.step(UNWANTED, WANTED);
    }

    /// Puts a first file in, or another one; `false` where nobody takes it.
    pub(super) fn put(&self) -> bool {
        self.step(WANTED, USED) || self.is_used()
    }

    /// Goes without the stream; `false` where files are in it.
    pub(super) fn withdraw(&self) -> bool {
        self.step(WANTED, UNWANTED);
        !self.is_used()
    }

    /// Whether files are in it.
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
        let share = Share::unwanted();
        assert!(!share.put() && share.withdraw());
        share.want();
        assert!(share.withdraw() && !share.put());
        share.want();
        assert!(share.put() && share.put() && !share.withdraw() && share.is_used());
        share.want();
        assert!(share.is_used());
        assert!(Share::wanted().put());
    }
}
