//! [`HistoryEntry`]: what was done on a host, as its history keeps it.

use serde::{Deserialize, Serialize};

use crate::{
    lines,
    name::ReleaseName,
    outcome::{Command, HostOutcome, Outcome},
    store::{Interrupted, Kept},
    time::Timestamp,
    token::Token,
};

/// One line of a host's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// The version of this format: 1.
    pub format: u32,
    /// The operation: the same on all hosts.
    pub operation: Token,
    /// The command.
    pub command: Command,
    /// When it ended, by the host's clock.
    pub at: Timestamp,
    /// Who ran it: `user@host` of the controller, and the CI job where there is one.
    pub by: String,
    /// The release that was current before.
    pub from: Option<ReleaseName>,
    /// The release that it was to be.
    pub to: Option<ReleaseName>,
    /// The releases that it pruned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<ReleaseName>,
    /// Why, when that was said.
    pub reason: Option<String>,
    /// What was deployed, as version control calls it, when that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What became of the command on the whole fleet.
    pub outcome: Outcome,
    /// What became of this host.
    pub host: HostOutcome,
    /// How long it took until then, in seconds.
    pub seconds: f64,
}

impl HistoryEntry {
    /// The line of an operation that was interrupted, when it had come to upload something or further: the time is when it began,
    /// by the controller's clock, since nobody saw its end.
    #[must_use]
    pub(crate) fn of_interrupted(left: &Interrupted) -> Option<Self> {
        let owner = left.owner.record()?;
        let (from, to, host) = match &left.intent {
            Kept::Record(intent) => (&intent.from, &intent.to, HostOutcome::Unknown),
            // Without an intent it had switched nothing.
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
            seconds: 0.0,
        })
    }

    /// Returns whether one of these entries tells of the same operation.
    #[must_use]
    pub(crate) fn is_among(&self, entries: &[Self]) -> bool {
        entries.iter().any(|entry| entry.operation == self.operation)
    }

    /// Returns which release an operation left a host on.
    #[must_use]
    pub(crate) fn trail(&self) -> Trail<'_> {
        match (self.host, self.outcome, &self.from, &self.to) {
            (HostOutcome::Switched, _, from, Some(to)) if from.as_ref() != Some(to) => Trail::On(to),
            // A first deploy was undone: `current` was taken away. Or nobody knows how far it came.
            (HostOutcome::Switched | HostOutcome::Unknown, ..) | (HostOutcome::Failed, Outcome::Inconsistent, ..) => {
                Trail::Lost
            }
            (HostOutcome::Reverted, _, Some(from), _) => Trail::On(from),
            // An attempt that was refused names what it saw before the lock, when others could still switch.
            (HostOutcome::Unchanged, Outcome::Done | Outcome::Unchanged | Outcome::Inconsistent, Some(from), _) => {
                Trail::On(from)
            }
            _ => Trail::Silent,
        }
    }

    /// Reads the lines of a history, oldest first, and counts those that mean nothing.
    #[must_use]
    pub(crate) fn read_lines(content: &[u8]) -> (Vec<Self>, usize) {
        lines::read(content)
    }
}

/// What an entry says of the release that was current on the host after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trail<'e> {
    /// Nothing: an older entry may.
    Silent,
    /// That it is not known, or that there was none.
    Lost,
    /// That it was this one.
    On(&'e ReleaseName),
}

#[cfg(test)]
mod tests {
    use super::*;

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
            seconds: 1.5,
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
        ];
        for (host, outcome, from, to, expected) in cases {
            let entry = HistoryEntry { host, outcome, from: name(from), to: name(to), ..entry() };
            assert_eq!(entry.trail(), expected, "{entry:?}");
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
