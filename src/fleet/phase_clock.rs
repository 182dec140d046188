//! [`PhaseClock`]: the time that each phase of a run takes.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::{event::Phase, report::PhaseTime};

/// Measures the phases of a run, by a clock that tests can pause.
#[derive(Debug, Default)]
pub(super) struct PhaseClock(Mutex<Times>);

#[derive(Debug, Default)]
struct Times {
    ended: Vec<PhaseTime>,
    /// The present phase, and its beginning.
    present: Option<(Phase, Instant)>,
}

impl PhaseClock {
    /// Ends the present phase and begins another.
    pub(super) fn enter(&self, phase: Phase) {
        let now = Instant::now();
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.ended = times.until(now);
        times.present = Some((phase, now));
    }

    /// Returns the phases until now, in the order in which they first began.
    pub(super) fn times(&self) -> Vec<PhaseTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).until(Instant::now())
    }
}

impl Times {
    /// A phase that came again, such as data after a failure, has one time.
    fn until(&self, now: Instant) -> Vec<PhaseTime> {
        let mut times = self.ended.clone();
        if let Some((phase, since)) = self.present {
            let seconds = now.duration_since(since).as_secs_f64();
            match times.iter_mut().find(|time| time.phase == phase) {
                Some(time) => time.seconds += seconds,
                None => times.push(PhaseTime { phase, seconds }),
            }
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_time() {
        let clock = PhaseClock::default();
        assert_eq!(clock.times(), []);
        for (phase, seconds) in [(Phase::Data, 2), (Phase::Switch, 1), (Phase::Data, 3)] {
            clock.enter(phase);
            tokio::time::advance(Duration::from_secs(seconds)).await;
        }
        let expected = [(Phase::Data, 5.0), (Phase::Switch, 1.0)];
        assert_eq!(clock.times(), expected.map(|(phase, seconds)| PhaseTime { phase, seconds }));
    }
}
