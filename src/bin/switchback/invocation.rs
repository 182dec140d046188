//! [`Invocation`]: this command line, for hints that can be pasted.

use clap::Parser;

use crate::args::{Cli, Global, Hosts};

/// The command line of this run, for use in hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// `switchback` with the flags that select the same fleet.
    pub(crate) fleet: String,
    /// The words of this command line, without the program and the flags in `SHOWN`.
    same: Vec<String>,
}

/// Flags that change only the output, or prevent execution (`--dry-run`); hints leave them out.
const SHOWN: [&str; 6] = ["--json", "--dry-run", "--quiet", "-q", "--verbose", "-v"];

/// Selects the hosts as `--host` and `--except` do, but not every command accepts it.
const SKIP: &str = "--skip-unreachable";

impl Default for Invocation {
    /// A command on no particular fleet.
    fn default() -> Self {
        Self { fleet: "switchback".to_owned(), same: Vec::new() }
    }
}

impl Invocation {
    /// Takes the command line `words`; the first word is the program.
    pub(crate) fn new(global: &Global, hosts: &Hosts, words: impl IntoIterator<Item = String>) -> Self {
        let words = words.into_iter().skip(1).filter(|word| !SHOWN.contains(&word.as_str()));
        Self { fleet: fleet(global, hosts), same: words.collect() }
    }

    /// Returns `switchback WORDS` on the same fleet, in backticks. It skips unreachable hosts if this command does.
    pub(crate) fn command(&self, words: &str) -> String {
        let skips = self.same.iter().any(|word| word == SKIP);
        let accepts = || Cli::try_parse_from(format!("switchback {words} {SKIP}").split(' ')).is_ok();
        let skip = if skips && accepts() { format!(" {SKIP}") } else { String::new() };
        format!("`{} {words}{skip}`", self.fleet)
    }

    /// Returns this command with the flags added, in backticks; only the flags if the command does not accept them.
    ///
    /// What `check` lacks, the deploy has that it asks about.
    pub(crate) fn with(&self, flags: &str) -> String {
        let deploy = || self.is_check().then(|| format!("{} deploy SOURCE {flags}", self.fleet));
        format!("`{}`", self.accepting(flags).or_else(deploy).unwrap_or_else(|| flags.to_owned()))
    }

    fn is_check(&self) -> bool {
        let words = std::iter::once("switchback").chain(self.same.iter().map(String::as_str));
        Cli::try_parse_from(words).is_ok_and(|cli| cli.command.name() == "check")
    }

    /// Returns this command with the flags in place of earlier values; `None` if the command does not accept them.
    fn accepting(&self, flags: &str) -> Option<String> {
        let mut words = vec!["switchback".to_owned()];
        words.extend(self.same.iter().cloned());
        for flag in flags.split(" --") {
            let (name, value) = flag.split_once(' ').map_or((flag, None), |(name, value)| (name, Some(value)));
            let name = format!("--{}", name.trim_start_matches("--"));
            // `--except` is repeatable, and a host that was left out stays out.
            if name != "--except" {
                words = without(words, &name, value.is_some());
            }
            words.extend([Some(name), value.map(ToOwned::to_owned)].into_iter().flatten());
        }
        Cli::try_parse_from(&words).ok()?;
        Some(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
    }
}

/// Returns the words without the flag `name`, and without its value if it has one.
fn without(words: Vec<String>, name: &str, has_value: bool) -> Vec<String> {
    let mut left = Vec::new();
    let mut given = words.into_iter();
    while let Some(word) = given.next() {
        if word == name {
            given.by_ref().take(usize::from(has_value)).for_each(drop);
        } else if !word.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')) {
            left.push(word);
        }
    }
    left
}

/// Returns `switchback` with the flags that select the same fleet.
fn fleet(global: &Global, hosts: &Hosts) -> String {
    let mut words = vec!["switchback".to_owned()];
    let mut add = |flag: &str, value: Option<&str>| {
        words.extend(value.map(|value| format!("{flag} {}", quoted(value))));
    };
    add("--config", global.config.as_ref().map(|file| file.as_str()));
    add("-e", global.environment.as_deref());
    add("--root", global.root.as_ref().map(switchback::HostPath::as_str));
    add("--hosts-from", global.hosts_from.as_deref());
    for host in &hosts.host {
        add("--host", Some(&host.to_string()));
    }
    for host in &hosts.except {
        add("--except", Some(&host.to_string()));
    }
    words.join(" ")
}

/// Quotes a word for a POSIX shell, if it needs quotes.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-@:+,=%".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(line: &[&str]) -> Invocation {
        let cli = Cli::try_parse_from(line).expect("a command line");
        Invocation::new(&cli.global, &cli.hosts, line.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn the_next_command_means_the_same_fleet() {
        let invocation = called(&["switchback", "--root", "/srv/it's", "--host", "u@web1:22", "status"]);
        assert_eq!(invocation.fleet, r"switchback --root '/srv/it'\''s' --host u@web1:22");
        assert_eq!(invocation.command("history"), r"`switchback --root '/srv/it'\''s' --host u@web1:22 history`");
    }

    #[test]
    fn the_next_command_skips_hosts_too_if_it_can() {
        let invocation = called(&["switchback", "deploy", "../b", "--name", "b3", "--skip-unreachable"]);
        assert_eq!(invocation.command("rollback"), "`switchback rollback --skip-unreachable`");
        assert_eq!(invocation.command("activate a"), "`switchback activate a --skip-unreachable`");
        assert_eq!(invocation.command("status"), "`switchback status`");
    }

    #[test]
    fn a_flag_is_given_to_what_was_asked() {
        let invocation = called(&[
            "switchback",
            "-e",
            "live",
            "rollback",
            "--to",
            "a",
            "--verify",
            "full",
            "--json",
            "-m",
            "it is bad",
        ]);
        let verified = "`switchback -e live rollback --to a -m 'it is bad' --verify none`";
        assert_eq!(invocation.with("--verify none"), verified);
        let alone = "`switchback -e live rollback --to a --verify full -m 'it is bad' --no-hooks --keep-data`";
        assert_eq!(invocation.with("--no-hooks --keep-data"), alone);
        assert_eq!(invocation.with("--name NAME"), "`--name NAME`");
        let check = called(&["switchback", "-e", "live", "check"]);
        assert_eq!(check.with("--wait 5m"), "`switchback -e live deploy SOURCE --wait 5m`");
        assert_eq!(check.with("--allow-writable"), "`switchback -e live check --allow-writable`");
    }
}
