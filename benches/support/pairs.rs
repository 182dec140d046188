//! Pairs of alternating measurements, and the table of their results.
#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::time::{Duration, Instant};

/// The number of pairs, unless `SWITCHBACK_BENCH_PAIRS` sets it.
const PAIRS: usize = 21;

/// Alternating measurements of ours and of the bare work (A B A B ...), so that other load affects both alike.
#[derive(Debug)]
pub(crate) struct Pairs {
    ours: Vec<Duration>,
    bare: Vec<Duration>,
}

impl Pairs {
    /// Takes pairs. Each closure returns the duration of its timed part. A first pair warms up and does not count.
    pub(crate) fn take(ours: impl FnMut() -> Duration, bare: impl FnMut() -> Duration) -> Self {
        Self::take_up_to(usize::MAX, ours, bare)
    }

    /// Takes at most `most` pairs, for slow work.
    pub(crate) fn take_up_to(
        most: usize,
        mut ours: impl FnMut() -> Duration,
        mut bare: impl FnMut() -> Duration,
    ) -> Self {
        ours();
        bare();
        let (ours, bare) = (0..count().min(most)).map(|_| (ours(), bare())).unzip();
        Self { ours, bare }
    }

    /// Returns the ratio of each pair, in ascending order.
    fn ratios(&self) -> Vec<f64> {
        let pairs = self.ours.iter().zip(&self.bare);
        let mut ratios: Vec<f64> = pairs.map(|(ours, bare)| ours.as_secs_f64() / bare.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }
}

fn count() -> usize {
    let asked = std::env::var("SWITCHBACK_BENCH_PAIRS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(PAIRS).max(1)
}

pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Prints its lines as they come, and ends the bench when a strict bound is broken.
#[derive(Debug, Default)]
pub(crate) struct Table {
    broken: usize,
}

impl Table {
    /// Prints the heading of the table.
    pub(crate) fn new() -> Self {
        println!(
            "{:<48} {:>8}  {:<15} {:>7}  {:<7} median of ours / bare",
            "what", "measured", "min..max", "bound", "verdict"
        );
        Self::default()
    }

    /// Prints a line for pairs, whose median ratio should be at most `bound`.
    pub(crate) fn ratio(&mut self, what: &str, pairs: &Pairs, bound: f64) {
        let ratios = pairs.ratios();
        let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
        let median = ratios[ratios.len() / 2];
        let spread = format!("{least:.2}..{most:.2}");
        let times = format!("{} / {}", seconds(&pairs.ours), seconds(&pairs.bare));
        self.line(what, &format!("{median:.2} x"), &spread, &format!("{bound:.2} x"), median <= bound, &times);
    }

    /// Prints a line for a count, which should be at most `bound`.
    pub(crate) fn count(&mut self, what: &str, found: u64, bound: u64, remark: &str) {
        self.line(what, &found.to_string(), "", &bound.to_string(), found <= bound, remark);
    }

    fn line(&mut self, what: &str, measured: &str, spread: &str, bound: &str, holds: bool, remark: &str) {
        let verdict = if holds { "holds" } else { "BROKEN" };
        self.broken += usize::from(!holds);
        println!("{what:<48} {measured:>8}  {spread:<15} {bound:>7}  {verdict:<7} {remark}");
    }

    /// Ends the process with 1 when a bound is broken and `SWITCHBACK_BENCH_STRICT=1`.
    ///
    /// Otherwise a broken bound is only information: the bounds hold for a quiet machine.
    pub(crate) fn end(self) {
        let strict = std::env::var_os("SWITCHBACK_BENCH_STRICT").is_some_and(|value| value == "1");
        if strict && self.broken > 0 {
            std::process::exit(1);
        }
    }
}

fn seconds(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort();
    let median = times[times.len() / 2].as_secs_f64() * 1000.0;
    if median < 10.0 { format!("{median:.2} ms") } else { format!("{median:.0} ms") }
}
