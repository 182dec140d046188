//! Predicts the outcome of every undisturbed command from a diary alone. FAULTS.md I17.
//!
//! The oracle keeps no records, marks or links: it derives predecessors and bad releases by reading the diary
//! backwards.

use switchback::{ErrorKind, Report, fleet::RollbackTarget, report::Outcome};

use crate::simulation::{
    command::Command,
    ground::{Ground, record_line},
};

#[derive(Debug, Clone, PartialEq)]
enum Entry {
    Brought(String),
    /// By a deploy or an activation.
    Forward(String),
    Back(String),
    /// Removed by a prune.
    Gone(String),
    Pinned(String, bool),
}

/// The changes to the fleet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Diary(Vec<Entry>);

/// The expected end of a command.
#[derive(Debug, PartialEq)]
enum End {
    Done,
    Unchanged,
    Refused,
    NothingBefore,
}

fn current(diary: &[Entry]) -> Option<&str> {
    diary.iter().rev().find_map(|entry| match entry {
        Entry::Forward(name) | Entry::Back(name) => Some(name.as_str()),
        Entry::Brought(_) | Entry::Gone(_) | Entry::Pinned(..) => None,
    })
}

impl Diary {
    fn has(&self, name: &str) -> bool {
        let last = self.0.iter().rev().find_map(|entry| match entry {
            Entry::Brought(brought) if brought == name => Some(true),
            Entry::Gone(gone) if gone == name => Some(false),
            _ => None,
        });
        last.unwrap_or(false)
    }

    /// Whether the name is taken: by an existing release, or by one that was current once.
    fn is_taken(&self, name: &str) -> bool {
        self.has(name) || self.0.iter().any(|entry| matches!(entry, Entry::Forward(to) if to == name))
    }

    fn is_pinned(&self, name: &str) -> bool {
        let last = self.0.iter().rev().find_map(|entry| match entry {
            Entry::Pinned(pinned, pins) if pinned == name => Some(*pins),
            Entry::Gone(gone) if gone == name => Some(false),
            _ => None,
        });
        last.unwrap_or(false)
    }

    /// Whether the release ever became current other than by a rollback.
    fn was_deployed(&self, name: &str) -> bool {
        self.0.contains(&Entry::Forward(name.to_owned()))
    }

    /// Returns the release that was current before this one last became current other than by a rollback.
    fn before(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().rposition(|entry| *entry == Entry::Forward(name.to_owned()))?;
        current(&self.0[..at])
    }

    fn is_bad(&self, name: &str) -> bool {
        (0..self.0.len()).rev().find_map(|at| self.mark_at(at, name)).unwrap_or(false)
    }

    /// Returns `true` if the entry makes `name` bad, `false` if good, `None` if neither.
    fn mark_at(&self, at: usize, name: &str) -> Option<bool> {
        match &self.0[at] {
            Entry::Back(to) | Entry::Forward(to) if to == name => Some(false),
            Entry::Back(_) if current(&self.0[..at]) == Some(name) => Some(true),
            _ => None,
        }
    }

    fn way_back(&self) -> Vec<&str> {
        let mut way: Vec<&str> = current(&self.0).into_iter().collect();
        while let Some(before) = way.last().and_then(|last| self.before(last)) {
            if way.contains(&before) || !self.has(before) {
                break;
            }
            way.push(before);
        }
        way.drain(..1.min(way.len()));
        way
    }

    fn good_back(&self, steps: usize) -> Option<String> {
        self.way_back().into_iter().filter(|name| !self.is_bad(name)).nth(steps - 1).map(ToOwned::to_owned)
    }

    /// Enters `command`, and returns its expected end.
    fn write(&mut self, command: &Command, pruned: &[String]) -> End {
        match command {
            Command::Status => End::Done,
            Command::Deploy { name, .. } | Command::Stage { name, .. } if self.is_taken(name) => End::Refused,
            Command::Stage { name, .. } => self.enter(&[Entry::Brought(name.clone())]),
            Command::Deploy { name, .. } => self.enter(&[Entry::Brought(name.clone()), Entry::Forward(name.clone())]),
            Command::Activate { name, .. } => {
                if !self.has(name) || !self.is_bad(name) && self.way_back().contains(&name.as_str()) {
                    End::Refused
                } else if current(&self.0) == Some(name) {
                    End::Unchanged
                } else {
                    self.enter(&[Entry::Forward(name.clone())])
                }
            }
            Command::Rollback { target, from } => self.go_back(target, from.as_deref()),
            Command::Pin { name, .. } if !self.has(name) => End::Refused,
            Command::Pin { name, pins } if self.is_pinned(name) == *pins => End::Unchanged,
            Command::Pin { name, pins } => self.enter(&[Entry::Pinned(name.clone(), *pins)]),
            Command::Prune { keep } => self.prune(usize::try_from(*keep).expect("a small number"), pruned),
        }
    }

    /// Enters the releases that a prune removed. Checks only which releases must stay, and which good ones must go; not
    /// which bad or never current releases are too old.
    fn prune(&mut self, keep: usize, pruned: &[String]) -> End {
        // The root does not exist before the first release.
        if self.0.is_empty() {
            return End::Refused;
        }
        let good: Vec<String> =
            self.way_back().into_iter().filter(|name| !self.is_bad(name)).map(ToOwned::to_owned).collect();
        let stays = |name: &String| current(&self.0) == Some(name) || self.is_pinned(name);
        let kept = good.len().min(keep.max(1));
        let wrong = pruned.iter().any(|name| stays(name) || good[..kept].contains(name) || !self.has(name));
        let left = !self.is_broken() && good[kept..].iter().any(|name| !stays(name) && !pruned.contains(name));
        if wrong || left {
            return End::Refused;
        }
        let gone: Vec<Entry> = pruned.iter().cloned().map(Entry::Gone).collect();
        if gone.is_empty() { End::Unchanged } else { self.enter(&gone) }
    }

    /// Whether the chain of records has a cycle, or ends at a release without a record, since it was only rolled back
    /// to by name: then no good release is removed.
    fn is_broken(&self) -> bool {
        let way: Vec<&str> = current(&self.0).into_iter().chain(self.way_back()).collect();
        way.last().is_some_and(|last| !self.was_deployed(last) || self.before(last).is_some_and(|on| way.contains(&on)))
    }

    fn enter(&mut self, entries: &[Entry]) -> End {
        self.0.extend_from_slice(entries);
        End::Done
    }

    fn go_back(&mut self, target: &RollbackTarget, from: Option<&str>) -> End {
        let Some(on) = current(&self.0) else { return End::Refused };
        if from.is_some_and(|from| from != on) {
            return End::Unchanged;
        }
        let to = match target {
            RollbackTarget::Release(name) if !self.has(name.as_str()) => return End::Refused,
            RollbackTarget::Release(name) if name.as_str() == on => return End::Unchanged,
            RollbackTarget::Release(name) => Some(name.to_string()),
            RollbackTarget::Steps(steps) => self.good_back(usize::try_from(*steps).expect("a small number")),
        };
        match to {
            Some(to) => self.enter(&[Entry::Back(to)]),
            None => End::NothingBefore,
        }
    }

    /// Checks the report of `command`, and the hosts, against the diary.
    pub(crate) fn check<'g>(
        &mut self,
        command: &Command,
        report: &Report,
        hosts: impl Iterator<Item = &'g Ground>,
    ) -> Result<(), String> {
        let end = match (report.outcome, report.error.as_ref().map(|error| error.kind)) {
            (Outcome::Done, _) => End::Done,
            (Outcome::Unchanged, _) => End::Unchanged,
            (Outcome::Refused, Some(ErrorKind::NothingBefore | ErrorKind::ChainLoops | ErrorKind::BadRecord)) => {
                End::NothingBefore
            }
            (Outcome::Refused, Some(ErrorKind::PreviousGone)) if goes_steps(command) => End::NothingBefore,
            // The upload itself finds that the name belongs to a pruned release.
            (Outcome::Refused, _) | (Outcome::Failed, Some(ErrorKind::NameTaken)) => End::Refused,
            other => return Err(format!("I17: {command:?} ended as {other:?}")),
        };
        let pruned: Vec<String> =
            report.hosts.first().iter().flat_map(|host| &host.pruned).map(ToString::to_string).collect();
        let expected = self.write(command, &pruned);
        if end != expected {
            return Err(format!("I17: {command:?} ended as {end:?}, and not as {expected:?}: {:?}", self.0));
        }
        for ground in hosts {
            self.holds(ground).map_err(|why| format!("I17: after {command:?}, {why}: {:?}", self.0))?;
        }
        Ok(())
    }

    fn holds(&self, ground: &Ground) -> Result<(), String> {
        if ground.on() != current(&self.0) {
            return Err(format!("it is on {:?}", ground.on()));
        }
        for (name, hosted) in &ground.releases {
            let record = self.was_deployed(name).then(|| record_line(self.before(name)));
            let marks = (hosted.bad, hosted.pinned) == (self.is_bad(name), self.is_pinned(name));
            if hosted.record != record || !marks || !self.has(name) {
                return Err(format!("{name} is {hosted:?}"));
            }
        }
        let count = |wanted: fn(&Entry) -> bool| self.0.iter().filter(|entry| wanted(entry)).count();
        let brought =
            count(|entry| matches!(entry, Entry::Brought(_))) - count(|entry| matches!(entry, Entry::Gone(_)));
        if ground.releases.len() == brought { Ok(()) } else { Err("a release is missing".to_owned()) }
    }
}

/// Whether the command is a rollback by a number of good releases.
fn goes_steps(command: &Command) -> bool {
    matches!(command, Command::Rollback { target: RollbackTarget::Steps(_), .. })
}
