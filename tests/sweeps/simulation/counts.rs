//! Counts of what was simulated.

/// How much was simulated.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) worlds: usize,
    pub(crate) commands: usize,
    /// Calls that reached a host, wholly or in part.
    pub(crate) exchanges: usize,
    /// Steps of batches that were sent.
    pub(crate) steps: usize,
    /// Faults, crashes and deeds of people.
    pub(crate) mishaps: usize,
}

impl Counts {
    /// What the bound on long runs counts: commands and exchanges.
    pub(crate) fn operations(&self) -> usize {
        self.commands + self.exchanges
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.commands += other.commands;
        self.exchanges += other.exchanges;
        self.steps += other.steps;
        self.mishaps += other.mishaps;
    }
}
