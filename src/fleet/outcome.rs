//! The outcome of an execution, in one table.
//!
//! Four facts decide it: how far the execution came, where each `current` is, where the data is, and why it stopped.
//! They are taken after everything that could be undone was undone.

use crate::{outcome::Outcome, store::Activated};

/// The furthest phase that an execution reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// The checks before anything is changed.
    Checks,
    /// The phases before the first switch.
    Preparation,
    /// The switch was sent to at least one host.
    Switch,
    /// Every host of a rollback or recovery switched. Nothing is undone from here on: that would make a bad
    /// release current.
    Pivot,
}

/// The state of `current` on a locked host, as far as this execution knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum HostState {
    /// Not moved by this execution.
    #[default]
    Untouched,
    /// Switched.
    Switched(Activated),
    /// Switched and reverted.
    Reverted(Activated),
    /// Switched and reverted, but a hook of the restored release failed.
    Unwell(Activated),
    /// Moved by somebody else after this execution had read it.
    Strayed(Option<Activated>),
    /// Lost the answer to a switch, and could not be read since.
    Unknown(Option<Activated>),
}

impl HostState {
    /// Returns the switch that took effect here, reverted or not.
    pub(super) fn switch(&self) -> Option<&Activated> {
        match self {
            Self::Switched(switch) | Self::Reverted(switch) | Self::Unwell(switch) => Some(switch),
            Self::Strayed(switch) | Self::Unknown(switch) => switch.as_ref(),
            Self::Untouched => None,
        }
    }
}

/// The state of `current` on the whole fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Code {
    /// Moved nowhere.
    Untouched,
    /// Moved on some hosts, and reverted on all of these.
    Reverted,
    /// The same, but a hook of a restored release failed.
    Unwell,
    /// Moved, and not reverted everywhere.
    Moved,
    /// Unknown on a host, or moved by somebody else.
    Lost,
}

impl Code {
    /// Sums up the hosts: the worst of them decides.
    pub(super) fn of<'h>(hosts: impl Iterator<Item = &'h HostState>) -> Self {
        let code = |host: &HostState| match host {
            HostState::Untouched => Self::Untouched,
            HostState::Reverted(_) => Self::Reverted,
            HostState::Unwell(_) => Self::Unwell,
            HostState::Switched(_) => Self::Moved,
            HostState::Strayed(_) | HostState::Unknown(_) => Self::Lost,
        };
        hosts.map(code).max().unwrap_or(Self::Untouched)
    }

    /// Whether every `current` is where it was before.
    pub(super) fn is_restored(self) -> bool {
        self <= Self::Unwell
    }
}

/// The state of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum DataState {
    /// At its proper version, or not read.
    #[default]
    Settled,
    /// A migration or its revert did not complete.
    Unsettled,
}

/// The reason why an execution stopped early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Something failed.
    Failure,
    /// A stop was requested.
    Interruption,
}

/// The state that a plan leads to if all of it succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// Every host moved as it should.
    Moves,
    /// There was nothing to move.
    Stays,
    /// Some hosts stay apart from the others, since their own records do not lead there.
    Strands,
}

/// Decides the outcome of an execution.
pub(super) fn outcome(reached: Reached, code: Code, data: DataState, stop: Option<Stop>, aim: Aim) -> Outcome {
    use Code::{Lost, Moved, Reverted, Untouched, Unwell};
    let Some(stop) = stop else {
        return match aim {
            Aim::Moves => Outcome::Done,
            Aim::Stays => Outcome::Unchanged,
            Aim::Strands => Outcome::Inconsistent,
        };
    };
    match (reached, code, data, stop) {
        (Reached::Checks, ..) => Outcome::Refused,
        (Reached::Pivot, ..) | (_, Unwell | Moved | Lost, ..) | (.., DataState::Unsettled, _) => Outcome::Inconsistent,
        (_, Untouched | Reverted, DataState::Settled, Stop::Interruption) => Outcome::Interrupted,
        (_, Untouched, DataState::Settled, Stop::Failure) => Outcome::Failed,
        (_, Reverted, DataState::Settled, Stop::Failure) => Outcome::PutBack,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: [Code; 5] = [Code::Untouched, Code::Reverted, Code::Unwell, Code::Moved, Code::Lost];

    fn word(value: impl serde::Serialize) -> String {
        serde_json::to_value(value).expect("JSON").as_str().expect("a word").to_owned()
    }

    /// A row for each way to stop, a column for each state of the code.
    fn table(data: DataState) -> String {
        let mut rows = Vec::new();
        for reached in [Reached::Checks, Reached::Preparation, Reached::Switch, Reached::Pivot] {
            for stop in [Stop::Failure, Stop::Interruption] {
                let outcomes = CODES.map(|code| word(outcome(reached, code, data, Some(stop), Aim::Moves)));
                rows.push(format!("{reached:?} {stop:?}: {}", outcomes.join(" ")));
            }
        }
        rows.join("\n")
    }

    #[test]
    fn a_stopped_execution_has_the_outcome_of_the_table() {
        let expected = "\
Checks Failure: refused refused refused refused refused
Checks Interruption: refused refused refused refused refused
Preparation Failure: failed put-back inconsistent inconsistent inconsistent
Preparation Interruption: interrupted interrupted inconsistent inconsistent inconsistent
Switch Failure: failed put-back inconsistent inconsistent inconsistent
Switch Interruption: interrupted interrupted inconsistent inconsistent inconsistent
Pivot Failure: inconsistent inconsistent inconsistent inconsistent inconsistent
Pivot Interruption: inconsistent inconsistent inconsistent inconsistent inconsistent";
        assert_eq!(table(DataState::Settled), expected);
        let unsettled = table(DataState::Unsettled);
        for row in unsettled.lines().skip(2) {
            assert!(row.ends_with(": inconsistent inconsistent inconsistent inconsistent inconsistent"), "{row}");
        }
    }

    #[test]
    fn an_execution_that_ended_has_the_outcome_of_its_plan() {
        for reached in [Reached::Switch, Reached::Pivot] {
            for code in CODES {
                let ended = |aim| outcome(reached, code, DataState::Settled, None, aim);
                assert_eq!(ended(Aim::Moves), Outcome::Done);
                assert_eq!(ended(Aim::Stays), Outcome::Unchanged);
                assert_eq!(ended(Aim::Strands), Outcome::Inconsistent);
            }
        }
    }

    #[test]
    fn the_worst_host_decides() {
        let hosts = [HostState::Untouched, HostState::Unknown(None), HostState::Untouched];
        assert_eq!(Code::of(hosts.iter()), Code::Lost);
        assert_eq!(Code::of(hosts[..1].iter()), Code::Untouched);
        assert_eq!(Code::of([].iter()), Code::Untouched);
    }
}
