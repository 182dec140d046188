//! The names that the last commands learned, kept for completions and for nothing else.
//!
//! One small file for each fleet. Hosts said the names, and anybody with the user's rights can write the file: it is
//! only offered to the person who types.

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    time::SystemTime,
};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use switchback::{
    Address, ReleaseName, Report, Token,
    history::HistoryEntry,
    manifest::Digest,
    report::{Command, Outcome},
    status::HostStatus,
};

use crate::{
    args::{Global, Hosts},
    call::caches,
    render::DIGITS,
    target,
};

/// The maximum numbers of names to keep of a fleet.
const HOSTS: usize = 500;
const RELEASES: usize = 300;
const OPERATIONS: usize = 50;

/// The maximum size of a file, in bytes: that many names of the maximum length.
const SIZE: u64 = 256 << 10;

/// The number of fleets to keep.
const FLEETS: usize = 64;

/// The names of a fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The hosts, in the order of the last report of all of them.
    #[serde(rename = "hosts", default)]
    pub(crate) hosts: Vec<String>,
    /// The releases, as the hosts list them: the current one first.
    #[serde(rename = "releases")]
    pub(crate) releases: Vec<ReleaseName>,
    /// The operations, newest first.
    #[serde(rename = "operations")]
    pub(crate) operations: Vec<Operation>,
}

/// An operation that `log` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operation {
    #[serde(rename = "operation")]
    id: Token,
    #[serde(rename = "command")]
    command: Command,
    #[serde(rename = "to")]
    to: Option<ReleaseName>,
}

impl Operation {
    /// Returns the digits to type.
    pub(crate) fn digits(&self) -> &str {
        &self.id.as_str()[..DIGITS]
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.command)?;
        self.to.as_ref().map_or(Ok(()), |to| write!(f, " {to}"))
    }
}

/// Returns the names of the fleet that these flags select.
pub(crate) fn read(global: &Global, hosts: &Hosts) -> Option<Known> {
    read_file(&file(global, hosts)?)
}

/// Keeps what a report says. A failure is ignored: it only costs a completion.
pub(crate) fn remember(report: &Report, global: &Global, hosts: &Hosts) {
    let Some(file) = file(global, hosts) else { return };
    let known = read_file(&file).unwrap_or_default();
    let mut learned = learned(known.clone(), report);
    if hosts.host.is_empty() && !report.hosts.is_empty() {
        learned.hosts = distinct(report.hosts.iter().map(|host| host.host.clone()), HOSTS);
    }
    if learned != known {
        let _: io::Result<()> = write(&file, &learned);
    }
}

/// Returns the file of a fleet: its roots and hosts name it, however many of the hosts are selected.
fn file(global: &Global, hosts: &Hosts) -> Option<Utf8PathBuf> {
    let all = if target::is_configured(global) { Hosts::default() } else { hosts.clone() };
    let config = target::read(global).ok()?;
    // Hosts that a command lists are not known here: their root and the command name them.
    let (from, directory) = (config.hosts_from.clone(), config.directory.clone());
    let from = from.map(|from| format!("{:?}\n{directory:?}\n{}\n", config.root, from.command()));
    let config = if from.is_some() { config } else { target::selected(config, &all).ok()? };
    let identity = config.hosts.iter().map(|host| format!("{}\n{:?}\n{}\n", host.name, host.place, host.root));
    let digest = Digest::of(identity.chain(from).collect::<String>().as_bytes());
    Some(caches()?.join("completions").join(digest.to_string()))
}

/// Adds what a report says to the names that are known.
fn learned(mut known: Known, report: &Report) -> Known {
    let read: Vec<&HostStatus> = report.hosts.iter().filter_map(|host| host.status.as_ref()).collect();
    if !read.is_empty() {
        let names = read.iter().flat_map(|has| has.releases.iter().map(|release| release.name.clone()));
        known.releases = distinct(names, RELEASES);
    }
    let told: Vec<&HistoryEntry> = read.iter().flat_map(|has| has.history.iter().flatten()).collect();
    if !told.is_empty() {
        let operation = |entry: &&HistoryEntry| Operation {
            id: entry.operation.clone(),
            command: entry.command,
            to: entry.to.clone(),
        };
        known.operations = distinct(told.iter().map(operation), OPERATIONS);
    }
    if let Some(id) = report.operation.clone().filter(|_| !report.dry_run) {
        let operation = Operation { id, command: report.command, to: report.release.clone() };
        known.operations = distinct(std::iter::once(operation).chain(known.operations), OPERATIONS);
        let made = report.release.clone().filter(|_| matches!(report.outcome, Outcome::Done | Outcome::PutBack));
        let pruned: Vec<&ReleaseName> = report.hosts.iter().flat_map(|host| &host.pruned).collect();
        known.releases.retain(|name| !pruned.contains(&name));
        known.releases = distinct(made.into_iter().chain(known.releases), RELEASES);
    }
    known
}

/// Returns the first `most` distinct elements.
fn distinct<T: PartialEq>(all: impl IntoIterator<Item = T>, most: usize) -> Vec<T> {
    let mut distinct = Vec::new();
    for one in all {
        if distinct.len() == most {
            break;
        }
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    distinct
}

/// Reads a file, if nobody but the user can have written it. Each name in it must be valid.
fn read_file(file: &Utf8Path) -> Option<Known> {
    // NONBLOCK: opening a fifo must not wait for a writer.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).ok()?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(file).ok()?;
    let found = file.metadata().ok()?;
    let is_ours = found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0;
    if !found.is_file() || !is_ours || found.len() > SIZE {
        return None;
    }
    let mut text = Vec::new();
    file.take(SIZE).read_to_end(&mut text).ok()?;
    let known: Known = serde_json::from_slice(&text).ok()?;
    known.hosts.iter().all(|host| host.parse::<Address>().is_ok()).then_some(known)
}

/// Writes a file atomically, and removes the oldest files beyond the limit.
fn write(file: &Utf8Path, known: &Known) -> io::Result<()> {
    let Some(directory) = file.parent() else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut written = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
    written.write_all(&serde_json::to_vec(known)?)?;
    // Not synced: a file that a crash tore is no JSON, and is ignored.
    let _: File = written.persist(file)?;
    let of_fleet = |entry: fs::DirEntry| {
        entry.file_name().to_str()?.parse::<Digest>().ok()?;
        Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
    };
    let mut files: Vec<(SystemTime, _)> = fs::read_dir(directory)?.flatten().filter_map(of_fleet).collect();
    files.sort();
    let over = files.len().saturating_sub(FLEETS);
    files.iter().take(over).try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use switchback::{
        report::{HostOutcome, HostReport},
        status::{ReleaseState, ReleaseStatus},
    };

    use super::*;

    fn name(text: &str) -> ReleaseName {
        text.parse().expect("a name")
    }

    fn known(names: &[&str]) -> Known {
        Known { releases: names.iter().map(|text| name(text)).collect(), ..Known::default() }
    }

    fn listed(hosts: &[&[&str]]) -> Report {
        let mut report = Report::new(Command::Releases, Outcome::Done);
        for names in hosts {
            let mut host = HostReport::new("web", HostOutcome::Unchanged);
            let mut status = HostStatus::default();
            status.releases = names.iter().map(|text| ReleaseStatus::new(name(text), ReleaseState::Good)).collect();
            host.status = Some(status);
            report.hosts.push(host);
        }
        report
    }

    #[test]
    fn names_are_learned_from_what_commands_report() {
        let first = learned(known(&["old"]), &listed(&[&["b", "a"], &["b", "c"]]));
        assert_eq!(first, known(&["b", "a", "c"]));
        let mut deployed = Report::new(Command::Deploy, Outcome::Done);
        (deployed.release, deployed.operation) = (Some(name("d")), Some(Token::random()));
        let mut host = HostReport::new("web", HostOutcome::Switched);
        host.pruned = vec![name("a")];
        deployed.hosts.push(host);
        let then = learned(first.clone(), &deployed);
        assert_eq!(then.releases, known(&["d", "b", "c"]).releases);
        assert_eq!(then.operations[0].to_string(), "deploy d");
        deployed.dry_run = true;
        assert_eq!(learned(first.clone(), &deployed), first);
    }

    #[test]
    fn the_file_is_bounded_and_holds_valid_names_only() {
        let many: Vec<String> = (0..1000).map(|at| format!("{}{at}", "x".repeat(120))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let bounded = learned(Known::default(), &listed(&[&many]));
        assert_eq!(bounded.releases.len(), RELEASES);
        let directory = tempfile::tempdir().expect("a directory");
        let path = Utf8Path::from_path(directory.path()).expect("UTF-8").join("deep").join(Digest::of(b"").to_string());
        write(&path, &bounded).expect("it can be written");
        assert_eq!(read_file(&path), Some(bounded));
        let wrong = [
            r#"{"releases":["../x"],"operations":[]}"#,
            r#"{"releases":["a\u001b"],"operations":[]}"#,
            r#"{"hosts":["$(id)"],"releases":[],"operations":[]}"#,
            "",
            "{",
        ];
        for text in wrong {
            fs::write(&path, text).expect("it is ours");
            assert_eq!(read_file(&path), None, "{text}");
        }
        write(&path, &known(&["a"])).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("it is ours");
        assert_eq!(read_file(&path), None);
        fs::remove_file(&path).expect("it is ours");
        symlink("/etc/passwd", &path).expect("a link");
        assert_eq!(read_file(&path), None);
        for at in 0..FLEETS + 3 {
            let other = path.with_file_name(Digest::of(&at.to_le_bytes()).to_string());
            write(&other, &known(&["a"])).expect("it can be written");
        }
        assert_eq!(fs::read_dir(directory.path().join("deep")).expect("it is there").count(), FLEETS);
    }
}
