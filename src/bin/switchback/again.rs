//! Commands in hints, completed so that they can be pasted: with the flags that select the same fleet.

use clap::Parser;
use switchback::{Event, Report, report::Failure};

use crate::args::{Cli, Global, Hosts};

/// The command line of this run, for use in hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Again {
    /// `switchback` with the flags that select the same fleet.
    pub(crate) fleet: String,
    /// The words of this command line, without the program and the flags in `SHOWN`.
    same: Vec<String>,
}

/// Flags that change only the output, or prevent execution (`--dry-run`); hints leave them out.
const SHOWN: [&str; 6] = ["--json", "--dry-run", "--quiet", "-q", "--verbose", "-v"];

impl Again {
    /// Takes the command line `words`; the first word is the program.
    pub(crate) fn new(global: &Global, hosts: &Hosts, words: impl Iterator<Item = String>) -> Self {
        let words = words.skip(1).filter(|word| !SHOWN.contains(&word.as_str()));
        Self { fleet: fleet(global, hosts), same: words.collect() }
    }

    /// Returns `text` with its commands completed: one that begins with `switchback` gets the flags of the same fleet,
    /// and one that is only a flag becomes this command with that flag.
    pub(crate) fn words(&self, text: &str) -> String {
        let text = text.replace("`switchback ", &format!("`{} ", self.fleet));
        let mut rest = text.as_str();
        let mut words = String::new();
        while let Some((before, after)) = rest.split_once("`--") {
            let (flag, behind) = after.split_once('`').unwrap_or((after, ""));
            words.push_str(before);
            let flag = format!("--{flag}");
            words = format!("{words}`{}`", self.with(&flag).unwrap_or(flag));
            rest = behind;
        }
        words + rest
    }

    /// Returns this command with `flag` in place of an earlier value; `None` if the command does not accept the flag.
    fn with(&self, flag: &str) -> Option<String> {
        let (name, value) = flag.split_once(' ').map_or((flag, None), |(name, value)| (name, Some(value)));
        let mut words = vec!["switchback".to_owned()];
        let mut given = self.same.iter();
        while let Some(word) = given.next() {
            if word == name {
                // Drops the old value together with the flag.
                given.by_ref().take(usize::from(value.is_some())).for_each(drop);
            } else if !word.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')) {
                words.push(word.clone());
            }
        }
        words.extend([Some(name), value].into_iter().flatten().map(ToOwned::to_owned));
        Cli::try_parse_from(&words).ok()?;
        Some(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
    }

    /// Completes the commands in the report's hints, warnings and leftovers.
    pub(crate) fn in_report(&self, mut report: Report) -> Report {
        self.in_failure(report.error.as_mut());
        for host in &mut report.hosts {
            self.in_failure(host.error.as_mut());
            host.warnings.iter_mut().for_each(|warning| *warning = self.words(warning));
            let leftovers = host.status.iter_mut().flat_map(|status| &mut status.leftovers);
            leftovers.for_each(|left| *left = self.words(left));
        }
        report
    }

    fn in_failure(&self, failure: Option<&mut Failure>) {
        if let Some(hint) = failure.and_then(|failure| failure.hint.as_mut()) {
            *hint = self.words(hint);
        }
    }

    /// Returns the event with its commands completed; `None` if it contains none.
    pub(crate) fn in_event(&self, event: &Event) -> Option<Event> {
        let mut event = event.clone();
        match &mut event {
            Event::HostFailed { error, .. } if error.hint.is_some() => self.in_failure(Some(error)),
            Event::Warning { message, .. } if message.contains('`') => *message = self.words(message),
            _ => return None,
        }
        Some(event)
    }
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
    for host in &hosts.host {
        add("--host", Some(&host.to_string()));
    }
    for host in &hosts.except {
        add("--except", Some(host));
    }
    words.join(" ")
}

/// Quotes a word for a POSIX shell, if it needs quotes.
fn quoted(word: &str) -> String {
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

    fn again(line: &[&str]) -> Again {
        let cli = Cli::try_parse_from(line).expect("a command line");
        Again::new(&cli.global, &cli.hosts, line.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn the_next_command_means_the_same_fleet() {
        let again = again(&["switchback", "--root", "/srv/it's", "--host", "u@web1:22", "status"]);
        assert_eq!(again.fleet, r"switchback --root '/srv/it'\''s' --host u@web1:22");
        assert_eq!(
            again.words("see `switchback history`, then wait"),
            r"see `switchback --root '/srv/it'\''s' --host u@web1:22 history`, then wait"
        );
    }

    #[test]
    fn a_flag_is_given_to_what_was_asked() {
        let again = again(&[
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
        assert_eq!(
            again.words("or `--verify none`; or `--keep-data` alone"),
            "or `switchback -e live rollback --to a -m 'it is bad' --verify none`; or `switchback -e live rollback --to a \
             --verify full -m 'it is bad' --keep-data` alone"
        );
    }
}
