//! Random numbers from a seed: the same seed draws the same.

/// `SplitMix64`.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Draws a number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).expect("it fits")).expect("it is below a usize")
    }

    /// Whether an event of probability `per_mille` in a thousand happens.
    pub(crate) fn happens(&mut self, per_mille: usize) -> bool {
        self.below(1000) < per_mille
    }

    pub(crate) fn one_of<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// Returns another source, which draws on its own.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// Draws an instant somewhere in two centuries, as of a clock that jumps.
    pub(crate) fn seconds(&mut self) -> i64 {
        let century = 100 * 365 * 24 * 3600;
        i64::try_from(self.below(2 * century)).expect("it is small") - i64::try_from(century / 2).expect("it is small")
    }
}
