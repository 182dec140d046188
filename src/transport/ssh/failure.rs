//! [`SshFailure`]: the reason why a host could not be reached over SSH, and what to do about it.

use std::{error::Error as StdError, io};

use thiserror::Error;

/// The reason why a host could not be reached over SSH.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}{}{options}", if .said.is_empty() { String::new() } else { format!(" (ssh said: {})", .said) })]
pub struct SshFailure {
    kind: SshFailureKind,
    said: String,
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
    #[error("connection refused: nothing listens there")]
    Refused,
    /// The host did not answer in time.
    #[error("the connection timed out")]
    Late,
    /// There is no route to the host.
    #[error("no route to the host")]
    NoRoute,
    /// The key of the host is not among the known ones.
    #[error(
        "the host key is unknown: connect once with `ssh` and compare its fingerprint, or accept new hosts with `known_hosts = \"accept-new\"`"
    )]
    UnknownHostKey,
    /// The key of the host differs from the known one.
    #[error("the host key has changed: it is another host, or was reinstalled")]
    ChangedHostKey,
    /// The host accepted none of the offered keys.
    #[error("login refused: switchback never asks for a password or passphrase, so load the key into an ssh-agent")]
    Denied,
    /// The host closed the connection before the login, as it does when too many arrive at once.
    #[error("the host closed the connection at once, as sshd does when too many clients connect")]
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
    ("Bad configuration option", SshFailureKind::Local),
];

impl SshFailure {
    fn new(kind: SshFailureKind, said: String) -> Self {
        Self { kind, said, options: String::new() }
    }

    /// Returns the kind of failure, to act on.
    #[must_use]
    pub fn kind(&self) -> SshFailureKind {
        self.kind
    }

    /// Whether a retry soon may well succeed.
    pub(super) fn was_dropped(&self) -> bool {
        self.kind == SshFailureKind::Dropped
    }

    /// Creates the failure of a host that did not answer in time.
    pub(super) fn late() -> Self {
        Self::new(SshFailureKind::Late, String::new())
    }

    /// Returns the options that `ssh` reported as unknown.
    pub(super) fn unknown_options(&self) -> impl Iterator<Item = String> {
        let options = self.said.split("Bad configuration option: ").skip(1);
        options.map(|option| option.chars().take_while(char::is_ascii_alphanumeric).collect())
    }

    /// Adds options of the user's ssh configuration that may be the cause.
    pub(super) fn with_options(mut self, options: &[&str]) -> Self {
        if !options.is_empty() {
            self.options = format!("; your ssh configuration sets {}", options.join(" and "));
        }
        self
    }

    /// Creates the failure of settings that `ssh` does not accept.
    pub(super) fn config(said: String) -> Self {
        Self::new(SshFailureKind::Local, said)
    }

    /// Creates a failure of this machine, before `ssh` ran.
    pub(super) fn local(error: &io::Error) -> Self {
        Self::new(SshFailureKind::Local, one_line(&error.to_string()))
    }

    /// Creates the failure of an `ssh` that could not be started.
    pub(super) fn spawn(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            return Self::new(SshFailureKind::Local, "the command `ssh` was not found".into());
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
        Self::new(known.map_or(SshFailureKind::Other, |(_, kind)| *kind), one_line(said))
    }
}

/// Returns the end of a text, on one line, escaped.
fn one_line(said: &str) -> String {
    let mut tail = crate::transport::shell::OutputTail::default();
    tail.push(said.as_bytes());
    tail.to_string()
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

    #[test]
    fn the_reason_is_found_behind_warnings() {
        let warned = "** WARNING: connection is not using a post-quantum key exchange algorithm.\r\n";
        for (said, kind) in [
            ("connect to host 127.0.0.1 port 1: Connection refused", SshFailureKind::Refused),
            ("x@h: Permission denied (publickey).", SshFailureKind::Denied),
            ("No ED25519 host key is known for h\r\nHost key verification failed.", SshFailureKind::UnknownHostKey),
            ("kex_exchange_identification: Connection closed by remote host", SshFailureKind::Dropped),
            ("Could not resolve hostname x: Name or service not known", SshFailureKind::Name),
            ("what?", SshFailureKind::Other),
        ] {
            let failure = SshFailure::from_words(&format!("{warned}{said}\r\n"));
            assert_eq!(failure.kind(), kind);
            assert!(failure.to_string().contains(said.split("\r\n").next().unwrap()), "{failure}");
        }
    }
}
