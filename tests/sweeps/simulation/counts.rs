//! Counters of a simulation.

/// The extent of a simulation.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) worlds: usize,
    pub(crate) commands: usize,
    /// Calls that reached a host, completely or partly.
    pub(crate) exchanges: usize,
    /// Steps of the batches that were sent.
    pub(crate) steps: usize,
    /// Faults, crashes and interference by people.
    pub(crate) mishaps: usize,
}

impl Counts {
    /// Returns the operations that limit long runs: commands and exchanges.
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
