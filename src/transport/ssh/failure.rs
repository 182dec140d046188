//! [`SshFailure`]: the reason why a host could not be reached over SSH, and what to do about it.

use std::{error::Error as StdError, io};

use thiserror::Error;

use crate::error::without_number;

use super::stderr::{BAD_OPTION, Stderr, escaped};

/// The reason why a host could not be reached over SSH.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}{options}")]
pub struct SshFailure {
    kind: SshFailureKind,
    /// The kind with its details, in words.
    reason: String,
    /// What to do about it, in words.
    advice: Vec<String>,
    /// The options that `ssh` does not know.
    unknown: Vec<String>,
    /// Options of the user that may be the cause, in words.
    options: String,
}

/// The kind of an SSH failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SshFailureKind {
    /// The name of the host, or of a jump host, does not resolve.
    #[error("the host name does not resolve")]
    Name,
    /// Nothing listens at the address.
    #[error("connection refused")]
    Refused,
    /// The host did not answer in time.
    #[error("the connection timed out")]
    Late,
    /// There is no route to the host.
    #[error("no route to the host")]
    NoRoute,
    /// The key of the host is not among the known ones.
    #[error("unknown host key")]
    UnknownHostKey,
    /// The key of the host differs from the known one.
    #[error("host key changed")]
    ChangedHostKey,
    /// The host accepted none of the offered keys.
    #[error("permission denied")]
    Denied,
    /// The host closed the connection before the login, as it does when too many arrive at once.
    #[error("the host closed the connection before the login")]
    Dropped,
    /// `ssh` cannot run, or not with these settings.
    #[error("cannot run ssh")]
    Local,
    /// Any other failure.
    #[error("no connection")]
    Other,
}

/// Messages of `ssh`, in the order in which they decide, since warnings may precede the reason.
const WORDS: &[(&str, SshFailureKind)] = &[
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", SshFailureKind::ChangedHostKey),
    ("host key is known for", SshFailureKind::UnknownHostKey),
    ("Host key verification failed", SshFailureKind::UnknownHostKey),
    ("Could not resolve hostname", SshFailureKind::Name),
    ("Permission denied (", SshFailureKind::Denied),
    ("Too many authentication failures", SshFailureKind::Denied),
    ("Connection refused", SshFailureKind::Refused),
    ("timed out", SshFailureKind::Late),
    ("Network is unreachable", SshFailureKind::NoRoute),
    ("No route to host", SshFailureKind::NoRoute),
    ("kex_exchange_identification", SshFailureKind::Dropped),
    ("ssh_exchange_identification", SshFailureKind::Dropped),
    ("Connection closed by", SshFailureKind::Dropped),
    ("Connection reset by", SshFailureKind::Dropped),
    (BAD_OPTION, SshFailureKind::Local),
];

impl SshFailure {
    fn of(kind: SshFailureKind, detail: &str) -> Self {
        Self::new(kind, format!("{kind}: {detail}"))
    }

    fn new(kind: SshFailureKind, reason: String) -> Self {
        Self { kind, reason, advice: Vec::new(), unknown: Vec::new(), options: String::new() }
    }

    /// Returns the kind of failure, to act on.
    #[must_use]
    pub fn kind(&self) -> SshFailureKind {
        self.kind
    }

    /// Returns the next steps in words, the best first; none if there is nothing better than to try `ssh` by hand.
    #[must_use]
    pub fn advice(&self) -> &[String] {
        &self.advice
    }

    /// Whether a retry soon may well succeed.
    pub(super) fn was_dropped(&self) -> bool {
        self.kind == SshFailureKind::Dropped
    }

    /// Creates the failure of a host that did not answer in time.
    pub(super) fn late() -> Self {
        Self::new(SshFailureKind::Late, SshFailureKind::Late.to_string())
    }

    /// Returns the options that `ssh` reported as unknown.
    pub(super) fn unknown_options(&self) -> impl Iterator<Item = String> {
        self.unknown.iter().cloned()
    }

    /// Adds options of the user's ssh configuration that may be the cause.
    pub(super) fn with_options(mut self, options: &[&str]) -> Self {
        if !options.is_empty() {
            self.options = format!("; your ssh configuration sets {}", options.join(" and "));
        }
        self
    }

    /// Adds the next step `advice`, after those that it has.
    pub(super) fn advise(mut self, advice: String) -> Self {
        self.advice.push(advice);
        self
    }

    /// Creates the failure of settings that `ssh` does not accept.
    pub(super) fn config(why: &str) -> Self {
        Self::of(SshFailureKind::Local, why)
    }

    /// Creates a failure of this machine, before `ssh` ran.
    pub(super) fn local(error: &io::Error) -> Self {
        Self::of(SshFailureKind::Local, &escaped(without_number(&error.to_string())))
    }

    /// Creates the failure of an `ssh` that could not be started.
    pub(super) fn spawn(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            return Self::of(SshFailureKind::Local, "the command `ssh` was not found");
        }
        Self::local(error)
    }

    /// Creates a failure from an error of the `openssh` crate, from its innermost cause, since the outer messages
    /// say little.
    pub(super) fn from_error(error: &openssh::Error) -> Self {
        let mut reason: &dyn StdError = error;
        while let Some(below) = reason.source() {
            reason = below;
        }
        Self::from_words(&reason.to_string())
    }

    /// Creates a failure from the output of an `ssh` that ended.
    pub(super) fn from_words(said: &str) -> Self {
        let known = WORDS.iter().find(|(words, _)| said.contains(words));
        let kind = known.map_or(SshFailureKind::Other, |(_, kind)| *kind);
        let said = Stderr::new(said);
        let unknown = said.lines.iter().filter_map(|line| line.split_once(BAD_OPTION));
        let unknown = unknown.map(|(_, option)| option.chars().take_while(char::is_ascii_alphanumeric).collect());
        Self { advice: said.advice(kind), unknown: unknown.collect(), ..Self::new(kind, said.reason(kind)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_named() {
        let said = "/x/config: line 3: Bad configuration option: logverbose\r\n/x/config: line 9: Bad configuration \
                    option: sessiontype\r\n/x/config: terminating, 2 bad configuration options\r\n";
        let unknown: Vec<_> = SshFailure::from_words(said).unknown_options().collect();
        assert_eq!(unknown, ["logverbose", "sessiontype"]);
        let late = SshFailure::late().with_options(&["ProxyCommand"]).to_string();
        assert_eq!(late, "the connection timed out; your ssh configuration sets ProxyCommand");
        assert_eq!(SshFailure::late().with_options(&[]), SshFailure::late());
    }
}
