//! [`Stderr`]: what `ssh` printed before it ended, reduced to the reason and what to do about it.

use super::failure::SshFailureKind;
use crate::transport::shell::ShellWord;

/// The words of `ssh` before an option that it does not know.
pub(super) const BAD_OPTION: &str = "Bad configuration option: ";

/// Beginnings of lines that never say why `ssh` ended.
const NOISE: &[&str] = &["@", "** ", "Warning: Permanently added", "Authenticated to ", "debug", "OpenSSH_"];

/// The standard error of an `ssh` that ended.
#[derive(Debug)]
pub(super) struct Stderr<'s> {
    /// The lines that may say why.
    pub(super) lines: Vec<&'s str>,
}

impl<'s> Stderr<'s> {
    pub(super) fn new(said: &'s str) -> Self {
        let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
        Self { lines: lines.filter(|line| !NOISE.iter().any(|noise| line.starts_with(noise))).collect() }
    }

    /// Returns the failure of this kind, with the details that belong to it.
    pub(super) fn reason(&self, kind: SshFailureKind) -> String {
        let detail = match kind {
            SshFailureKind::ChangedHostKey => {
                self.find(|line| line.strip_prefix("Offending ")).map(|offending| format!("offending {offending}"))
            }
            SshFailureKind::UnknownHostKey => self.unknown_key().map(|(key, host)| format!("no {key} key of {host}")),
            SshFailureKind::Denied => return escaped(&self.denied(kind)),
            SshFailureKind::Name => self.find(|line| between(line, "resolve hostname ", ":")).map(str::to_owned),
            SshFailureKind::Refused | SshFailureKind::Late | SshFailureKind::NoRoute => {
                self.find(|line| between(line, "connect to host ", ":")).map(str::to_owned)
            }
            SshFailureKind::Dropped => None,
            SshFailureKind::Local => Some(self.lines.join("; ")),
            SshFailureKind::Other => self.lines.last().map(|line| (*line).to_owned()),
        };
        let detail = detail.filter(|detail| !detail.is_empty()).map(|detail| format!(": {detail}"));
        format!("{kind}{}", escaped(&detail.unwrap_or_default()))
    }

    /// Returns the next steps for this kind of failure.
    pub(super) fn advice(&self, kind: SshFailureKind) -> Vec<String> {
        let advice = match kind {
            SshFailureKind::ChangedHostKey => self.changed_key_advice(),
            SshFailureKind::UnknownHostKey => self.unknown_key_advice(),
            SshFailureKind::Denied => vec![
                "load the key into an ssh-agent, or name it as [ssh] identity: nobody is asked for a password or passphrase"
                    .to_owned(),
            ],
            SshFailureKind::Dropped => {
                vec!["try again; sshd closes connections when too many clients connect at once (MaxStartups)".to_owned()]
            }
            _ => Vec::new(),
        };
        advice.iter().map(|advice| escaped(advice)).collect()
    }

    /// Describes a refused login: the methods that the host accepts, and the keys that `ssh` could not use.
    fn denied(&self, kind: SshFailureKind) -> String {
        let methods = self.find(|line| between(line, "Permission denied (", ")"));
        let methods = methods.map(|methods| format!(" ({methods})")).unwrap_or_default();
        let many = self.find(|line| line.ends_with("Too many authentication failures").then_some("too many keys"));
        let unusable = self.lines.iter().filter_map(|line| line.strip_prefix("Load key "));
        let unusable = unusable.map(|key| format!("cannot load the key {key}"));
        let details: Vec<String> = many.map(str::to_owned).into_iter().chain(unusable).collect();
        if details.is_empty() { format!("{kind}{methods}") } else { format!("{kind}{methods}: {}", details.join("; ")) }
    }

    /// Returns the type of an unknown host key, and the host as `known_hosts` spells it.
    fn unknown_key(&self) -> Option<(&'s str, &'s str)> {
        let line = self.find(|line| line.strip_prefix("No "))?;
        let (key, rest) = line.split_once(" host key is known for ")?;
        Some((key, rest.split_once(" and ").map_or(rest, |(host, _)| host)))
    }

    fn changed_key_advice(&self) -> Vec<String> {
        let file = self.find(|line| line.split_once(" key in ")?.1.rsplit_once(':')).map(|(file, _)| file);
        let host = self.find(|line| between(line, "Host key for ", " has changed"));
        let print = self.find(|line| line.starts_with("SHA256:").then(|| line.trim_end_matches('.')));
        let compare = match print {
            Some(print) => format!(
                "compare {print} with the key of the host itself (`ssh-keygen -lf /etc/ssh/ssh_host_*.pub` there)"
            ),
            None => "find out why: it is another host, or was reinstalled".to_owned(),
        };
        let Some(host) = host else { return vec![compare] };
        let file = file.map(|file| format!("-f {} ", quoted(file))).unwrap_or_default();
        vec![compare, format!("if they are the same, `ssh-keygen {file}-R {}` forgets the old key", quoted(host))]
    }

    fn unknown_key_advice(&self) -> Vec<String> {
        let Some((key, host)) = self.unknown_key() else {
            return vec!["compare the fingerprint of its key with the host's own".to_owned()];
        };
        // With a port: `[host]:port`.
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.split_once("]:"));
        let (host, port) =
            bracketed.map_or((host, String::new()), |(host, port)| (host, format!("-p {} ", quoted(port))));
        let scan = format!("ssh-keyscan -t {} {port}{}", quoted(&key.to_lowercase()), quoted(host));
        vec![format!("`{scan} | ssh-keygen -lf -` prints the fingerprint to compare with the host's own")]
    }

    fn find<T>(&self, take: impl Fn(&'s str) -> Option<T>) -> Option<T> {
        self.lines.iter().find_map(|line| take(line))
    }
}

fn between<'s>(line: &'s str, before: &str, after: &str) -> Option<&'s str> {
    let (_, rest) = line.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

/// Quotes a word for a shell, where it needs that. It may come from another machine.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-@=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let quoted = ShellWord::new(word).map(|word| String::from_utf8_lossy(word.as_bytes()).into_owned());
    quoted.unwrap_or_default()
}

/// The most characters of a reason.
const KEPT: usize = 400;

/// Escapes what a terminal would act on, and keeps the end.
pub(super) fn escaped(text: &str) -> String {
    let from = text.char_indices().rev().nth(KEPT - 1).map_or(0, |(at, _)| at);
    text[from..].chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::failure::SshFailure;
    use super::*;

    const CHANGED: &str = "\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r
Someone could be eavesdropping on you right now (man-in-the-middle attack)!\r
It is also possible that a host key has just been changed.\r
The fingerprint for the ED25519 key sent by the remote host is\r
SHA256:2a0Hh0eRZ5nXw9Ygf6sQbQf5oP1mT8YxQ7dKpUOqFoM.\r
Please contact your system administrator.\r
Add correct host key in /home/jane/.ssh/known_hosts to get rid of this message.\r
Offending ED25519 key in /home/jane/.ssh/known_hosts:3\r
  remove with:\r
  ssh-keygen -f \"/home/jane/.ssh/known_hosts\" -R \"[web1]:2222\"\r
Host key for [web1]:2222 has changed and you have requested strict checking.\r
Host key verification failed.\r
";

    const UNUSABLE: &str = "\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\r
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
Permissions 0644 for '/k/id' are too open.\r
It is required that your private key files are NOT accessible by others.\r
This private key will be ignored.\r
Load key \"/k/id\": bad permissions\r
jane@web1: Permission denied (publickey,password).\r
";

    #[test]
    fn what_ssh_prints_is_reduced_to_the_reason() {
        use SshFailureKind::{ChangedHostKey, Denied, Dropped, Late, Name, NoRoute, Other, Refused, UnknownHostKey};
        let warned = "** WARNING: connection is not using a post-quantum key exchange algorithm.\r\n";
        for (said, kind, reason) in [
            (CHANGED, ChangedHostKey, "host key changed: offending ED25519 key in /home/jane/.ssh/known_hosts:3"),
            (
                "No ED25519 host key is known for web1 and you have requested strict checking.\r\nHost key verification failed.",
                UnknownHostKey,
                "unknown host key: no ED25519 key of web1",
            ),
            ("Host key verification failed.", UnknownHostKey, "unknown host key"),
            ("x@h: Permission denied (publickey).", Denied, "permission denied (publickey)"),
            (
                UNUSABLE,
                Denied,
                "permission denied (publickey,password): cannot load the key \"/k/id\": bad permissions",
            ),
            (
                "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\r\nDisconnected from 10.0.0.1 port 22",
                Denied,
                "permission denied: too many keys",
            ),
            ("ssh: connect to host web1 port 22: Connection refused", Refused, "connection refused: web1 port 22"),
            ("ssh: connect to host web1 port 22: Connection timed out", Late, "the connection timed out: web1 port 22"),
            ("Connection timed out during banner exchange", Late, "the connection timed out"),
            (
                "ssh: connect to host 10.0.0.1 port 22: No route to host",
                NoRoute,
                "no route to the host: 10.0.0.1 port 22",
            ),
            (
                "ssh: Could not resolve hostname web1.invalid: Name or service not known",
                Name,
                "the host name does not resolve: web1.invalid",
            ),
            (
                "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 10.0.0.1 port 22",
                Dropped,
                "the host closed the connection before the login",
            ),
            ("Connection reset by 10.0.0.1 port 22", Dropped, "the host closed the connection before the login"),
            (
                "Welcome.\r\nUnable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: ssh-rsa",
                Other,
                "no connection: Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: ssh-rsa",
            ),
            ("\u{1b}[2J", Other, "no connection: \\u{1b}[2J"),
            ("", Other, "no connection"),
        ] {
            let failure = SshFailure::from_words(&format!("{warned}{said}\r\n"));
            assert_eq!((failure.kind(), &*failure.to_string()), (kind, reason));
        }
    }

    /// A fingerprint is compared first, and nothing that a host names acts in a shell.
    #[test]
    fn advice_on_host_keys_can_be_pasted() {
        assert_eq!(
            SshFailure::from_words(CHANGED).advice().join("; "),
            "compare SHA256:2a0Hh0eRZ5nXw9Ygf6sQbQf5oP1mT8YxQ7dKpUOqFoM with the key of the host itself \
             (`ssh-keygen -lf /etc/ssh/ssh_host_*.pub` there); if they are the same, \
             `ssh-keygen -f /home/jane/.ssh/known_hosts -R '[web1]:2222'` forgets the old key"
        );
        let unknown = "No ED25519 host key is known for [web1;id]:2222 and you have requested strict checking.";
        assert_eq!(
            SshFailure::from_words(unknown).advice()[0],
            "`ssh-keyscan -t ed25519 -p 2222 'web1;id' | ssh-keygen -lf -` prints the fingerprint to compare with the host's own"
        );
        assert!(SshFailure::late().advice().is_empty());
    }
}
