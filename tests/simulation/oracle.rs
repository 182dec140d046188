//! I17: what every command must do when nothing disturbs it, told from a diary alone.
//!
//! No records, marks or links are kept here: who was before whom, and what is bad, is found by reading the diary
//! backwards.

use switchback::{ErrorKind, Report, plan::RollbackTarget, report::Outcome};

use crate::{
    command::Command,
    ground::{Ground, record_line},
};

#[derive(Debug, Clone, PartialEq)]
enum Entry {
    Brought(String),
    /// By a deploy or an activation.
    Forward(String),
    Back(String),
}

/// What was done on the fleet, from the first day on.
#[derive(Debug, Default)]
pub(crate) struct Diary(Vec<Entry>);

/// How a command must end.
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
        Entry::Brought(_) => None,
    })
}

impl Diary {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|entry| matches!(entry, Entry::Brought(brought) if brought == name))
    }

    /// Whether it ever became current other than by going back.
    fn was_deployed(&self, name: &str) -> bool {
        self.0.contains(&Entry::Forward(name.to_owned()))
    }

    /// What was current just before it last became so other than by going back.
    fn before(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().rposition(|entry| *entry == Entry::Forward(name.to_owned()))?;
        current(&self.0[..at])
    }

    fn is_bad(&self, name: &str) -> bool {
        (0..self.0.len()).rev().find_map(|at| self.mark_at(at, name)).unwrap_or(false)
    }

    /// Whether the entry makes `name` bad or good.
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
            if way.contains(&before) {
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

    /// Writes `command` down, and says how it must end.
    fn write(&mut self, command: &Command) -> End {
        match command {
            Command::Status => End::Done,
            Command::Deploy { name, .. } | Command::Stage { name, .. } if self.has(name) => End::Refused,
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
        }
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

    /// Holds what `command` said, and what the hosts hold now, against the diary.
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
            (Outcome::Refused, _) => End::Refused,
            other => return Err(format!("I17: {command:?} ended as {other:?}")),
        };
        let expected = self.write(command);
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
            if hosted.record != record || hosted.bad != self.is_bad(name) || !self.has(name) {
                return Err(format!("{name} is {hosted:?}"));
            }
        }
        let brought = self.0.iter().filter(|entry| matches!(entry, Entry::Brought(_))).count();
        if ground.releases.len() == brought { Ok(()) } else { Err("a release is missing".to_owned()) }
    }
}
