//! The configuration that our `ssh` runs with: what must be so, and then the user's own.

use std::fmt::Write;

use camino::Utf8Path;

use crate::{
    address::Address,
    transport::{KnownHosts, SshOptions},
};

use super::failure::SshFailure;

/// For every host, the jump hosts too. The first value that `ssh` reads wins, so these cannot be overridden.
const FIXED: &str = "\
BatchMode yes
ClearAllForwardings yes
ForwardAgent no
ForwardX11 no
PermitLocalCommand no
RemoteCommand none
RequestTTY no
UpdateHostKeys no
LogLevel INFO
ServerAliveInterval 5
ServerAliveCountMax 3
";

/// The configuration file for connecting to `address`.
///
/// # Errors
///
/// [`SshFailure`] when a path in `options` cannot be written in such a file.
pub(super) fn text(address: &Address, options: &SshOptions) -> Result<String, SshFailure> {
    let mut text = String::new();
    // What must not hold for the jump hosts.
    line(&mut text, format_args!("Host {}", address.host()));
    if options.identity.is_some() {
        text.push_str("IdentitiesOnly yes\n");
    }
    text.push_str("Host *\n");
    text.push_str(FIXED);
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
    match &options.config {
        // The usual way to say that there is none; but `ssh` includes nothing that others may write.
        Some(config) if config == "/dev/null" => {}
        Some(config) => line(&mut text, format_args!("Include {}", included(config)?)),
        // `-F` switches these off.
        None => text.push_str("Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n"),
    }
    Ok(text)
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a string takes all");
    text.push('\n');
}

/// A path, quoted, where `ssh` expands `%` and `${...}`.
fn expanded(path: &Utf8Path) -> Result<String, SshFailure> {
    if path.as_str().contains("${") {
        return Err(refused(path));
    }
    quoted(path).map(|quoted| quoted.replace('%', "%%"))
}

/// A path, quoted, where `ssh` expands as a shell expands names of files.
fn included(path: &Utf8Path) -> Result<String, SshFailure> {
    if path.as_str().contains(['*', '?', '[', '%']) || path.as_str().contains("${") {
        return Err(refused(path));
    }
    // A relative path would be looked for in `~/.ssh`; `~` itself is left to `ssh`.
    let absolute = || std::path::absolute(path).ok().and_then(|path| path.try_into().ok());
    let whole = if path.starts_with("~") { None } else { absolute() };
    quoted(&whole.unwrap_or_else(|| path.to_owned()))
}

fn quoted(path: &Utf8Path) -> Result<String, SshFailure> {
    let plain = !path.as_str().contains(|c: char| c == '"' || c == '\\' || c.is_control());
    if plain { Ok(format!("\"{path}\"")) } else { Err(refused(path)) }
}

fn refused(path: &Utf8Path) -> SshFailure {
    SshFailure::config(format!("{path:?} holds characters that no ssh configuration can hold in a path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_comes_before_the_users() {
        let address: Address = "deploy@web1:22".parse().unwrap();
        let options = SshOptions {
            identity: Some("/key".into()),
            known_hosts_file: Some("/a b/100%".into()),
            ..SshOptions::default()
        };
        let text = text(&address, &options).expect("plain paths");
        assert!(text.starts_with("Host web1\nIdentitiesOnly yes\nHost *\nBatchMode yes\n"), "{text}");
        assert!(
            text.contains("\nStrictHostKeyChecking yes\nIdentityFile \"/key\"\nUserKnownHostsFile \"/a b/100%%\"\n"),
            "{text}"
        );
        assert!(text.ends_with("Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n"), "{text}");
    }

    #[test]
    fn paths_that_would_be_read_otherwise_are_refused() {
        let address: Address = "web1".parse().unwrap();
        for bad in ["/a\"b", "/a\nProxyCommand x", "/a\\b", "/a*", "/${HOME}/x"] {
            let options = SshOptions { config: Some(bad.into()), ..SshOptions::default() };
            assert!(text(&address, &options).is_err(), "{bad}");
        }
    }
}
