//! The configuration for `ssh`: fixed options first, then the user's own configuration.

use std::{collections::BTreeSet, fmt::Write, path::Path};

use camino::Utf8Path;

use crate::{
    address::Address,
    transport::{KnownHosts, SshOptions},
};

use super::{
    failure::SshFailure,
    keyless::{Keyless, home},
    stderr::quoted as shell_quoted,
};

/// The fixed options for every host, jump hosts included. `ssh` uses the first value of an option, so these
/// cannot be overridden.
const FIXED: &str = "\
BatchMode yes
ClearAllForwardings yes
ForwardAgent no
ForwardX11 no
Tunnel no
PermitLocalCommand no
RemoteCommand none
RequestTTY no
EscapeChar none
UpdateHostKeys no
LogLevel INFO
ServerAliveInterval 5
ServerAliveCountMax 3
";

/// Fixed options that not every `ssh` knows: OpenSSH 8.5 introduced the first, and 8.7 the others.
///
/// Without them the user's values could make `ssh` run no command, read no input, move to the background, or prefix
/// each line that is read here.
const FIXED_IF_KNOWN: [(&str, &str); 4] =
    [("LogVerbose", "none"), ("SessionType", "default"), ("StdinNull", "no"), ("ForkAfterAuthentication", "no")];

/// Returns the `ssh` that a person would type for the same host, with the same known keys.
pub(super) fn by_hand(address: &Address, options: &SshOptions) -> String {
    let mut words = vec!["ssh".to_owned()];
    let mut add = |flag: &str, value: Option<String>| {
        words.extend(value.map(|value| format!("{flag} {}", shell_quoted(&value))));
    };
    add("-F", options.config.as_ref().map(ToString::to_string));
    let known = options.known_hosts_file.as_ref().and_then(|file| expanded(file).ok());
    // `ssh` takes a space for the end of a name.
    let known = known.map(|file| if file.contains(' ') { file } else { file.replace('"', "") });
    add("-o", known.map(|file| format!("UserKnownHostsFile={file}")));
    let jump: Vec<String> = options.jump.iter().map(ToString::to_string).collect();
    add("-J", Some(jump.join(",")).filter(|jump| !jump.is_empty()));
    add("-p", address.port().map(|port| port.to_string()));
    let user = address.user().map(|user| format!("{user}@")).unwrap_or_default();
    words.push(shell_quoted(&format!("{user}{}", address.host())));
    words.join(" ")
}

/// Whether `option` is one of ours that an `ssh` may not know.
pub(super) fn may_be_unknown(option: &str) -> bool {
    FIXED_IF_KNOWN.iter().any(|(ours, _)| ours.eq_ignore_ascii_case(option))
}

/// Returns the configuration file for a connection to `address`.
///
/// Leaves out the options `unknown`, which this `ssh` does not know. Writes files that belong to it to `directory`.
///
/// # Errors
///
/// [`SshFailure`] when a path in `options` cannot be written in such a file, or when the user's own configuration
/// cannot be used.
pub(super) fn text(
    address: &Address,
    options: &SshOptions,
    unknown: &BTreeSet<String>,
    directory: &Path,
) -> Result<String, SshFailure> {
    let mut text = String::new();
    if options.identity.is_some() {
        // These options must not apply to the jump hosts.
        line(&mut text, format_args!("Match originalhost {}", address.host()));
        text.push_str("IdentitiesOnly yes\nPKCS11Provider none\n");
    }
    text.push_str("Host *\n");
    text.push_str(FIXED);
    for (option, value) in FIXED_IF_KNOWN {
        if !unknown.iter().any(|unknown| unknown.eq_ignore_ascii_case(option)) {
            line(&mut text, format_args!("{option} {value}"));
        }
    }
    line(&mut text, format_args!("ConnectTimeout {}", options.connect_timeout.as_secs().max(1)));
    line(
        &mut text,
        format_args!(
            "StrictHostKeyChecking {}",
            match options.known_hosts {
                KnownHosts::Strict => "yes",
                KnownHosts::AcceptNew => "accept-new",
            }
        ),
    );
    if let Some(identity) = &options.identity {
        line(&mut text, format_args!("IdentityFile {}", expanded(identity)?));
    }
    if let Some(known_hosts) = &options.known_hosts_file {
        line(&mut text, format_args!("UserKnownHostsFile {}", expanded(known_hosts)?));
    }
    let includes = match &options.config {
        // `/dev/null` is the usual way to say that there is none. `ssh` would refuse to include it, since others may
        // write to it.
        Some(config) if config == "/dev/null" => Vec::new(),
        Some(config) => vec![included(config)?],
        // `-F` disables the user's and the system's files, so include them.
        None => vec!["~/.ssh/config".to_owned(), "/etc/ssh/ssh_config".to_owned()],
    };
    if options.identity.is_some() && !includes.is_empty() {
        line(&mut text, format_args!("Match originalhost {}", address.host()));
        let mut keyless = Keyless::new(directory, home()?);
        for include in &includes {
            for copy in keyless.included(include.trim_matches('"'))? {
                line(&mut text, format_args!("Include \"{}\"", copy.display()));
            }
        }
        line(&mut text, format_args!("Match !originalhost {}", address.host()));
    }
    for include in includes {
        line(&mut text, format_args!("Include {include}"));
    }
    Ok(text)
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a string takes all");
    text.push('\n');
}

/// Quotes a path where `ssh` expands `%` and `${...}`.
fn expanded(path: &Utf8Path) -> Result<String, SshFailure> {
    if path.as_str().contains("${") {
        return Err(refused(path));
    }
    quoted(path).map(|quoted| quoted.replace('%', "%%"))
}

/// Quotes a path where `ssh` expands file name patterns.
fn included(path: &Utf8Path) -> Result<String, SshFailure> {
    if path.as_str().contains(['*', '?', '[', '%']) || path.as_str().contains("${") {
        return Err(refused(path));
    }
    // `ssh` would look for a relative path in `~/.ssh`. Leave `~` itself to `ssh`.
    let absolute = || std::path::absolute(path).ok().and_then(|path| path.try_into().ok());
    let whole = if path.starts_with("~") { None } else { absolute() };
    quoted(&whole.unwrap_or_else(|| path.to_owned()))
}

fn quoted(path: &Utf8Path) -> Result<String, SshFailure> {
    let plain = !path.as_str().contains(|c: char| c == '"' || c == '\\' || c.is_control());
    if plain { Ok(format!("\"{path}\"")) } else { Err(refused(path)) }
}

fn refused(path: &Utf8Path) -> SshFailure {
    SshFailure::config(&format!("{path:?} has characters that a path in an ssh configuration cannot have"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_comes_before_the_users() {
        let address: Address = "deploy@web1:22".parse().unwrap();
        let options = SshOptions { known_hosts_file: Some("/a b/100%".into()), ..SshOptions::default() };
        let text = text(&address, &options, &BTreeSet::new(), Path::new("/none")).expect("plain paths");
        assert!(text.starts_with("Host *\nBatchMode yes\n"), "{text}");
        assert!(text.contains("\nStdinNull no\n") && text.contains("\nLogVerbose none\n"), "{text}");
        assert!(text.contains("\nStrictHostKeyChecking yes\nUserKnownHostsFile \"/a b/100%%\"\n"), "{text}");
        let address = "deploy@web1:2222".parse().expect("an address");
        assert_eq!(by_hand(&address, &options), "ssh -o 'UserKnownHostsFile=\"/a b/100%%\"' -p 2222 deploy@web1");
        let options =
            SshOptions { known_hosts_file: Some("/etc/keys".into()), config: Some("ssh.conf".into()), ..options };
        assert_eq!(by_hand(&address, &options), "ssh -F ssh.conf -o UserKnownHostsFile=/etc/keys -p 2222 deploy@web1");
        assert!(text.ends_with("Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n"), "{text}");
    }

    #[test]
    fn an_identity_is_the_only_one_of_the_target_alone() {
        let (address, dir): (Address, _) = ("web1".parse().unwrap(), tempfile::TempDir::new().unwrap());
        let config = dir.path().join("mine");
        std::fs::write(&config, "IdentityFile /other\nUser me\n").unwrap();
        let config = camino::Utf8PathBuf::from_path_buf(config).expect("UTF-8");
        let options =
            SshOptions { identity: Some("/key".into()), config: Some(config.clone()), ..SshOptions::default() };
        let text = text(&address, &options, &BTreeSet::new(), dir.path()).expect("plain paths");
        let copy = dir.path().join("keyless-1");
        assert!(text.starts_with("Match originalhost web1\nIdentitiesOnly yes\n"), "{text}");
        assert!(
            text.ends_with(&format!(
                "IdentityFile \"/key\"\nMatch originalhost web1\nInclude \"{}\"\nMatch !originalhost web1\nInclude \"{config}\"\n",
                copy.display()
            )),
            "{text}"
        );
        assert_eq!(std::fs::read_to_string(copy).unwrap(), "User me\n\n");
    }

    #[test]
    fn what_an_ssh_does_not_know_is_left_out() {
        let unknown = BTreeSet::from(["sessiontype".to_owned()]);
        let text = text(&"web1".parse().unwrap(), &SshOptions::default(), &unknown, Path::new("/none")).expect("plain");
        assert!(!text.contains("SessionType") && text.contains("StdinNull no"), "{text}");
        assert!(may_be_unknown("sessiontype") && !may_be_unknown("usekeychain"));
    }

    #[test]
    fn paths_that_would_be_read_otherwise_are_refused() {
        let address: Address = "web1".parse().unwrap();
        for bad in ["/a\"b", "/a\nProxyCommand x", "/a\\b", "/a*", "/${HOME}/x"] {
            let options = SshOptions { config: Some(bad.into()), ..SshOptions::default() };
            assert!(text(&address, &options, &BTreeSet::new(), Path::new("/none")).is_err(), "{bad}");
        }
    }
}
