//! [`Warden`]: ends an `ssh` that goes on when nobody needs it any more.

use std::{
    os::fd::OwnedFd,
    path::Path,
    process::{Command as StdCommand, Stdio},
};

use tokio::process::Command;

use super::failure::SshFailure;

/// Reads a process group from its standard input and waits for the end of that input. Then gives the group time to end by itself, and
/// kills it. `$1` stands in the arguments of its first process: by that it is known to be the one that was meant, and not
/// another that has got its number since.
///
/// Whoever types Ctrl-C, or hangs up, does not mean the warden.
const SCRIPT: &str = r#"
trap '' HUP INT TERM QUIT PIPE
read -r group || exit 0
set -- "$group" "$1"
read -r line
ours() {
	kill -0 "-$1" 2>/dev/null || return
	set -- "$1" "$2" "$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" || ps -o args= -p "$1" 2>/dev/null)"
	case $3 in *"$2"*) return 0;; '') return 0;; esac
	return 1
}
n=0
while [ $n -lt 5 ] && ours "$1" "$2"; do sleep 1 || break; n=$((n + 1)); done
ours "$1" "$2" && kill -TERM "-$1" 2>/dev/null
n=0
while [ $n -lt 5 ] && ours "$1" "$2"; do sleep 1 || break; n=$((n + 1)); done
ours "$1" "$2" && kill -KILL "-$1" 2>/dev/null
"#;

/// Ends an `ssh` some seconds after it is dropped, or after this process has ended in whatever way, `kill -9` too.
///
/// An `ssh` ends by itself with its last channel. But a host whose login shell hangs never ends a channel, and then `ssh`
/// stays for as long as the host likes. Nothing within this process could end it once that was killed, so that it is the
/// task of another, a small shell, that waits for a pipe to be closed.
#[derive(Debug)]
pub(super) struct Warden {
    // Closed when dropped, and by the kernel when this process is gone.
    lifeline: OwnedFd,
}

impl Warden {
    /// Starts a warden for a process group whose first process has `mark` among its arguments. Start it before that process: this one may
    /// be killed in between.
    pub(super) fn over(mark: &Path) -> Result<Self, SshFailure> {
        let mut warden = StdCommand::new("sh");
        warden.args(["-c", SCRIPT, "sh"]).arg(mark);
        warden.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        let mut warden = Command::from(warden);
        // A signal that a terminal sends to all of us is not for it.
        warden.process_group(0);
        let spawned = warden.spawn().map_err(|error| SshFailure::local(&error));
        let lifeline = spawned?.stdin.take().map(tokio::process::ChildStdin::into_owned_fd);
        let lifeline = lifeline.transpose().map_err(|error| SshFailure::local(&error))?;
        lifeline.map(|lifeline| Self { lifeline }).ok_or_else(SshFailure::late)
    }

    /// Names the group to end.
    pub(super) fn watch(&self, group: u32) -> Result<(), SshFailure> {
        // A line is shorter than what a pipe takes at once.
        let line = format!("{group}\n");
        rustix::io::write(&self.lifeline, line.as_bytes()).map_err(|error| SshFailure::local(&error.into()))?;
        Ok(())
    }
}
