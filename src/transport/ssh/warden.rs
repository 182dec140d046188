//! [`Warden`]: ends an `ssh` that outlives its use.

use std::{
    os::fd::OwnedFd,
    path::Path,
    process::{Command as StdCommand, Stdio},
};

use tokio::process::Command;

use super::failure::SshFailure;

/// Reads a process group from its standard input and waits for the end of that input.
///
/// Then gives the group time to end by itself, and kills it. `$1` is among the arguments of the group's first process:
/// this identifies it, since another process may have got its number since.
///
/// Ignores the signals of a terminal, which are not meant for the warden.
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

/// Ends an `ssh` some seconds after it is dropped, or after this process has ended in any way, `kill -9`
/// included.
///
/// An `ssh` ends by itself with its last channel. But a host whose login shell hangs never ends a channel, and its
/// `ssh` would stay as long as the host likes. This process cannot end it after being killed, so a separate small shell
/// does, which waits for a pipe to close.
#[derive(Debug)]
pub(super) struct Warden {
    // Closed when dropped, and by the kernel when this process ends.
    lifeline: OwnedFd,
}

impl Warden {
    /// Starts a warden for a process group whose first process has `mark` among its arguments.
    ///
    /// Call it before that process starts, since this process may be killed in between.
    pub(super) fn over(mark: &Path) -> Result<Self, SshFailure> {
        let mut warden = StdCommand::new("sh");
        warden.args(["-c", SCRIPT, "sh"]).arg(mark);
        warden.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        let mut warden = Command::from(warden);
        // A signal from the terminal to the whole foreground group is not meant for the warden.
        warden.process_group(0);
        let spawned = warden.spawn().map_err(|error| SshFailure::local(&error));
        let lifeline = spawned?.stdin.take().map(tokio::process::ChildStdin::into_owned_fd);
        let lifeline = lifeline.transpose().map_err(|error| SshFailure::local(&error))?;
        lifeline.map(|lifeline| Self { lifeline }).ok_or_else(SshFailure::late)
    }

    /// Sends the group to end to the warden.
    pub(super) fn watch(&self, group: u32) -> Result<(), SshFailure> {
        // The line fits into a pipe, so the write is complete.
        let line = format!("{group}\n");
        rustix::io::write(&self.lifeline, line.as_bytes()).map_err(|error| SshFailure::local(&error.into()))?;
        Ok(())
    }
}
