//! [`HistoryEntry`]: an operation on a host, as its history records it.

use serde::{Deserialize, Serialize};

use crate::{
    lines,
    lock::LockOwner,
    name::ReleaseName,
    outcome::{Command, HostOutcome, Outcome},
    report::PhaseTime,
    store::{Ended, Interrupted, Kept},
    time::Timestamp,
    token::Token,
};

/// One line of a host's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HistoryEntry {
    /// The version of this format: 1.
    #[serde(rename = "format")]
    pub format: u32,
    /// The operation: the same on all hosts.
    #[serde(rename = "operation")]
    pub operation: Token,
    /// The command.
    #[serde(rename = "command")]
    pub command: Command,
    /// The end of the operation, by the host's clock.
    #[serde(rename = "at")]
    pub at: Timestamp,
    /// The user who ran it: `user@host` of the controller, and the CI job if there is one.
    #[serde(rename = "by")]
    pub by: String,
    /// The release that was current before.
    #[serde(rename = "from")]
    pub from: Option<ReleaseName>,
    /// The target release.
    #[serde(rename = "to")]
    pub to: Option<ReleaseName>,
    /// The releases that it pruned.
    #[serde(rename = "pruned", default, skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<ReleaseName>,
    /// The reason, if given.
    #[serde(rename = "reason")]
    pub reason: Option<String>,
    /// The revision of the deployed content in version control, if known.
    #[serde(rename = "revision", default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The outcome on the whole fleet.
    #[serde(rename = "outcome")]
    pub outcome: Outcome,
    /// The outcome on this host.
    #[serde(rename = "host")]
    pub host: HostOutcome,
    /// Whether a hook of the restored release failed on this host after the revert.
    #[serde(rename = "unwell", default, skip_serializing_if = "std::ops::Not::not")]
    pub unwell: bool,
    /// The duration up to the end, in seconds.
    #[serde(rename = "seconds")]
    pub seconds: f64,
    /// The time of each phase until then; empty in the entries of earlier versions.
    #[serde(rename = "phases", default, skip_serializing_if = "Vec::is_empty", with = "pairs")]
    #[cfg_attr(test, schemars(with = "Vec<(crate::event::Phase, f64)>"))]
    pub phases: Vec<PhaseTime>,
}

/// Writes the times of phases as pairs: a record without objects can be told from the torn one before it, also by earlier
/// versions.
mod pairs {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::{event::Phase, report::PhaseTime};

    pub(super) fn serialize<S: Serializer>(times: &[PhaseTime], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(times.iter().map(|time| (time.phase, time.seconds)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PhaseTime>, D::Error> {
        let pairs = Vec::<(Phase, f64)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().map(|(phase, seconds)| PhaseTime { phase, seconds }).collect())
    }
}

impl HistoryEntry {
    /// The entry of an operation of `owner` that ended now; `clock` is the host's clock, if the store knows it.
    #[must_use]
    pub fn new(owner: &LockOwner, ended: &Ended, clock: Option<Timestamp>) -> Self {
        Self {
            format: 1,
            operation: owner.operation.clone(),
            command: owner.command,
            at: clock.unwrap_or(owner.since),
            by: owner.by.clone(),
            from: ended.from.clone(),
            to: ended.to.clone(),
            pruned: ended.pruned.clone(),
            reason: owner.reason.clone(),
            revision: owner.revision.clone(),
            outcome: ended.outcome,
            host: ended.host,
            unwell: ended.unwell,
            seconds: ended.seconds,
            phases: ended.phases.clone(),
        }
    }

    /// The entry of an interrupted operation, if it had begun an upload or more. Its time is the beginning, by the
    /// controller's clock, since nobody saw the end.
    ///
    /// A store appends it when an operation settles the interrupted one.
    #[must_use]
    pub fn of_interrupted(left: &Interrupted) -> Option<Self> {
        let owner = left.owner.record().filter(|owner| owner.command != Command::Other)?;
        let (from, to, host) = match &left.intent {
            Kept::Record(intent) => (&intent.from, &intent.to, HostOutcome::Unknown),
            // Without an intent, the operation had switched nothing.
            Kept::Nothing => owner.upload.as_ref().map(|upload| (&upload.from, &upload.to, HostOutcome::Unchanged))?,
            Kept::Unreadable(_) => return None,
        };
        Some(Self {
            format: 1,
            operation: owner.operation.clone(),
            command: owner.command,
            at: owner.since,
            by: owner.by.clone(),
            from: from.clone(),
            to: Some(to.clone()),
            pruned: Vec::new(),
            reason: owner.reason.clone(),
            revision: owner.revision.clone(),
            outcome: Outcome::Interrupted,
            host,
            unwell: false,
            seconds: 0.0,
            phases: Vec::new(),
        })
    }

    /// Whether one of these entries is about the same operation.
    #[must_use]
    pub(crate) fn is_among(&self, entries: &[Self]) -> bool {
        entries.iter().any(|entry| entry.operation == self.operation)
    }

    /// Returns the release on which an operation left a host.
    #[must_use]
    pub(crate) fn trail(&self) -> Trail<'_> {
        match (self.host, self.outcome, &self.from, &self.to) {
            // Words of a later version: their effect on `current` is unknown.
            _ if self.command == Command::Other || self.outcome == Outcome::Other => Trail::Lost,
            (HostOutcome::Switched, _, from, Some(to)) if from.as_ref() != Some(to) => Trail::On(to),
            // A first deploy was reverted, which removed `current`; or nobody knows how far it came.
            (HostOutcome::Switched | HostOutcome::Unknown | HostOutcome::Other, ..)
            | (HostOutcome::Failed, Outcome::Inconsistent, ..) => Trail::Lost,
            (HostOutcome::Reverted, _, Some(from), _) => Trail::On(from),
            // A refused attempt records the state that it read before the lock, when others could still switch.
            (HostOutcome::Unchanged, Outcome::Done | Outcome::Unchanged | Outcome::Inconsistent, Some(from), _) => {
                Trail::On(from)
            }
            _ => Trail::Silent,
        }
    }

    /// Parses the lines of a history, oldest first, and counts the invalid ones.
    #[must_use]
    pub(crate) fn read_lines(content: &[u8]) -> (Vec<Self>, usize) {
        lines::read(content)
    }
}

/// The evidence of an entry about the current release of the host after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trail<'e> {
    /// None: an older entry may have some.
    Silent,
    /// The current release is unknown, or there was none.
    Lost,
    /// This release was current.
    On(&'e ReleaseName),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Phase;

    fn entry() -> HistoryEntry {
        HistoryEntry {
            format: 1,
            operation: Token::random(),
            command: Command::Deploy,
            at: Timestamp::UNIX_EPOCH,
            by: "jane@laptop".into(),
            from: None,
            to: "a".parse().ok(),
            pruned: Vec::new(),
            reason: None,
            revision: None,
            outcome: Outcome::Done,
            host: HostOutcome::Switched,
            unwell: false,
            seconds: 1.5,
            phases: vec![PhaseTime::new(Phase::Switch, 0.5)],
        }
    }

    #[test]
    fn an_entry_says_which_release_it_left_the_host_on() {
        let name = |text: &str| text.parse::<ReleaseName>().ok();
        let (a, b) = (name("a").expect("a name"), name("b").expect("a name"));
        let cases = [
            (HostOutcome::Switched, Outcome::Done, "a", "b", Trail::On(&b)),
            (HostOutcome::Switched, Outcome::Done, "", "b", Trail::On(&b)),
            (HostOutcome::Switched, Outcome::Done, "b", "b", Trail::Lost),
            (HostOutcome::Reverted, Outcome::PutBack, "a", "b", Trail::On(&a)),
            (HostOutcome::Reverted, Outcome::PutBack, "", "b", Trail::Silent),
            (HostOutcome::Unchanged, Outcome::Done, "a", "b", Trail::On(&a)),
            (HostOutcome::Unchanged, Outcome::Refused, "a", "b", Trail::Silent),
            (HostOutcome::Unchanged, Outcome::Interrupted, "a", "b", Trail::Silent),
            (HostOutcome::Failed, Outcome::Failed, "a", "b", Trail::Silent),
            (HostOutcome::Failed, Outcome::Inconsistent, "a", "b", Trail::Lost),
            (HostOutcome::Unknown, Outcome::Interrupted, "a", "b", Trail::Lost),
            (HostOutcome::Other, Outcome::Done, "a", "b", Trail::Lost),
            (HostOutcome::Unchanged, Outcome::Other, "a", "b", Trail::Lost),
            (HostOutcome::Switched, Outcome::Other, "a", "b", Trail::Lost),
        ];
        for (host, outcome, from, to, expected) in cases {
            let entry = HistoryEntry { host, outcome, from: name(from), to: name(to), ..entry() };
            assert_eq!(entry.trail(), expected, "{entry:?}");
            let later = HistoryEntry { command: Command::Other, ..entry };
            assert_eq!(later.trail(), Trail::Lost, "{later:?}");
        }
    }

    #[test]
    fn torn_lines_are_counted_and_the_rest_is_kept() {
        let (first, second, third) = (entry(), entry(), entry());
        let line = |entry: &HistoryEntry| serde_json::to_string(entry).expect("an entry is JSON");
        let torn = &line(&second)[..40];
        let content = format!("{}\n{torn}{}\n", line(&first), line(&third));
        assert_eq!(HistoryEntry::read_lines(content.as_bytes()), (vec![first, third], 1));
        assert_eq!(HistoryEntry::read_lines(b""), (vec![], 0));
    }
}
