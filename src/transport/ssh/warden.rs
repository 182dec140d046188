//! [`Watch`]: ends an `ssh` that outlives its use.

use std::{
    io::Error,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    process::{Command as StdCommand, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::process::Command;

use super::failure::SshFailure;

/// Reads lines from its standard input: `expect`, `watch`, `forget` and `end`, each with a process group and its mark.
///
/// Gives a group to end, and at the end of the input each group that is left, time to end by itself, and kills it. The
/// mark is among the arguments of the group's first process: this identifies it, since another process may have got its
/// number since. It also finds the process of a mark that was expected and is not watched: this process was killed
/// between the two, a moment after it had started that `ssh`. It is looked for in `/proc`, which only Linux has.
///
/// Ignores the signals of a terminal, which are not meant for the warden.
const SCRIPT: &str = r#"
trap '' HUP INT TERM QUIT PIPE
ours() {
	kill -0 "-$1" 2>/dev/null || return
	set -- "$1" "$2" "$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" || ps -o args= -p "$1" 2>/dev/null)"
	case $3 in *"$2"*) return 0;; '') return 0;; esac
	return 1
}
finish() {
	n=0
	while [ $n -lt 5 ] && ours "$1" "$2"; do sleep 1 || break; n=$((n + 1)); done
	ours "$1" "$2" && kill -TERM "-$1" 2>/dev/null
	n=0
	while [ $n -lt 5 ] && ours "$1" "$2"; do sleep 1 || break; n=$((n + 1)); done
	ours "$1" "$2" && kill -KILL "-$1" 2>/dev/null
}
late() {
	# It may have been forked, and not run yet.
	sleep 1
	for place in /proc/[0-9]*; do
		group=${place#/proc/}
		kill -0 "-$group" 2>/dev/null || continue
		case $(tr '\0' ' ' 2>/dev/null <"$place/cmdline") in
		*"$1"*) kill -TERM "-$group" 2>/dev/null; finish "$group" "$1";;
		esac
	done
}
line='
'
expected=
forget() {
	case $expected in
	*"$1$line"*) expected=${expected%%"$1$line"*}${expected#*"$1$line"};;
	esac
}
while read -r verb group mark; do
	case $verb in
	expect) expected=$expected$mark$line;;
	watch) forget "$mark"; set -- "$@" "$group" "$mark";;
	forget) forget "$mark";;
	end) finish "$group" "$mark" & ;;
	esac
done
[ -z "$expected" ] || printf %s "$expected" | while read -r mark; do late "$mark"; done &
while [ $# -gt 1 ]; do finish "$1" "$2" & shift 2; done
wait
"#;

/// Ends an `ssh` some seconds after it is dropped, or after this process has ended in any way, `kill -9`
/// included.
///
/// An `ssh` ends by itself with its last channel. But a host whose login shell hangs never ends a channel, and its
/// `ssh` would stay as long as the host likes. This process cannot end it after being killed, so a separate small shell
/// does, which waits for a pipe to close.
#[derive(Debug)]
pub(super) struct Watch {
    warden: Arc<Warden>,
    mark: PathBuf,
    group: Option<u32>,
}

impl Watch {
    /// Prepares to watch a process group whose first process has `mark` among its arguments.
    ///
    /// Call it before that process starts, since this process may be killed in between.
    pub(super) fn prepare(mark: &Path) -> Result<Self, SshFailure> {
        let mut watch = Self { warden: Warden::other_than(None)?, mark: mark.to_owned(), group: None };
        watch.tell_anew("expect")?;
        Ok(watch)
    }

    /// Begins to watch the group.
    pub(super) fn begin(&mut self, group: u32) -> Result<(), SshFailure> {
        self.group = Some(group);
        self.tell_anew("watch")
    }

    /// Tells the warden, or a new one if somebody killed it.
    fn tell_anew(&mut self, verb: &str) -> Result<(), SshFailure> {
        if self.tell(verb).is_err() {
            self.warden = Warden::other_than(Some(&self.warden))?;
            self.tell(verb).map_err(|error| SshFailure::local(&error))?;
        }
        Ok(())
    }

    fn tell(&self, verb: &str) -> Result<(), Error> {
        // There is no group before it is watched.
        let group = self.group.unwrap_or(0);
        // The line fits into a pipe, so the write is complete.
        let line = [format!("{verb} {group} ").as_bytes(), self.mark.as_os_str().as_bytes(), b"\n"].concat();
        rustix::io::write(&self.warden.lifeline, &line)?;
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A warden that was killed ends nothing; the `ssh` ends with its last channel.
        let verb = if self.group.is_some() { "end" } else { "forget" };
        let _: Result<(), Error> = self.tell(verb);
    }
}

/// The shell that ends them, one for all connections of this process.
#[derive(Debug)]
struct Warden {
    // Closed when dropped, and by the kernel when this process ends.
    lifeline: OwnedFd,
}

/// The warden that is in use.
static SHARED: Mutex<Weak<Warden>> = Mutex::new(Weak::new());

impl Warden {
    /// Returns the warden that is in use, or starts one where that is `gone`.
    fn other_than(gone: Option<&Arc<Self>>) -> Result<Arc<Self>, SshFailure> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(warden) = shared.upgrade().filter(|warden| gone.is_none_or(|gone| !Arc::ptr_eq(warden, gone))) {
            return Ok(warden);
        }
        let warden = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&warden);
        Ok(warden)
    }

    fn start() -> Result<Self, SshFailure> {
        let mut warden = StdCommand::new("sh");
        warden.args(["-c", SCRIPT, "sh"]);
        warden.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        let mut warden = Command::from(warden);
        // A signal from the terminal to the whole foreground group is not meant for the warden.
        warden.process_group(0);
        let spawned = warden.spawn().map_err(|error| SshFailure::local(&error));
        let lifeline = spawned?.stdin.take().map(tokio::process::ChildStdin::into_owned_fd);
        let lifeline = lifeline.transpose().map_err(|error| SshFailure::local(&error))?;
        lifeline.map(|lifeline| Self { lifeline }).ok_or_else(SshFailure::late)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_expected_and_never_watched_is_ended() {
        let mark = format!("/tmp/switchback-expected-{}", std::process::id());
        let mut watch = Watch { warden: Arc::new(Warden::start().expect("a shell")), mark: mark.into(), group: None };
        watch.tell_anew("expect").expect("a warden");
        let mut ssh = Command::new("sh");
        ssh.args(["-c", "while :; do sleep 1; done"]).arg(&watch.mark).process_group(0);
        let mut ssh = ssh.spawn().expect("a shell");
        // As if this process were killed now.
        watch.warden = Arc::new(Warden::start().expect("a shell"));
        let ended = ssh.wait().await.expect("its end");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(15));
    }
}
