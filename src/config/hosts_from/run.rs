//! Runs the command that lists the hosts.

use std::{
    fmt,
    io::{self, Read},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use camino::Utf8Path;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::without_number;

/// The time limit.
const LIMIT: Duration = Duration::from_secs(120);

/// The maximum size of the output: thousands of hosts, with all that an inventory knows about them.
const MAX_OUTPUT: u64 = 64 << 20;

/// How much to keep of the end of standard error.
const MAX_TOLD: usize = 4096;

/// The variable with the command: it may contain a secret, which would show in an argument list.
const VARIABLE: &str = "SWITCHBACK_HOSTS_FROM";

/// Ends the whole process group when standard input ends: when this process has ended, in whatever way.
const SCRIPT: &str = r#"exec 3<&0 </dev/null
{ read -r line <&3; kill -KILL 0; } >/dev/null 2>&1 &
exec 3<&-
command=$SWITCHBACK_HOSTS_FROM
unset SWITCHBACK_HOSTS_FROM
eval "$command""#;

/// What a command printed.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) output: Vec<u8>,
    stderr: String,
}

impl Listed {
    /// Returns the last line of standard error, to be appended to a message.
    pub(super) fn told(&self) -> String {
        told(&self.stderr)
    }
}

/// The reason why there is no list.
#[derive(Debug)]
pub(super) enum Failure {
    Start(io::Error),
    Read(io::Error),
    Ended { status: ExitStatus, stderr: String },
    TooLong,
    TooMuch,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "the command did not start: {}", without_number(&error.to_string())),
            Self::Read(error) => {
                write!(f, "the output of the command could not be read: {}", without_number(&error.to_string()))
            }
            Self::TooLong => write!(f, "the command did not end within {} seconds, and was killed", LIMIT.as_secs()),
            Self::TooMuch => write!(f, "the command printed more than {} MiB, and was killed", MAX_OUTPUT >> 20),
            Self::Ended { status, stderr } => {
                match (status.code(), status.signal()) {
                    (Some(code), _) => write!(f, "the command exited with {code}")?,
                    (None, Some(signal)) => write!(f, "signal {signal} ended the command")?,
                    (None, None) => write!(f, "the command failed")?,
                }
                f.write_str(&told(stderr))
            }
        }
    }
}

fn told(stderr: &str) -> String {
    stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).map_or_else(String::new, |line| format!(": {line}"))
}

/// Runs `command` in `directory`, and returns what it printed.
pub(super) fn run(command: &str, directory: Option<&Utf8Path>) -> Result<Listed, Failure> {
    run_within(command, directory, LIMIT)
}

fn run_within(command: &str, directory: Option<&Utf8Path>, limit: Duration) -> Result<Listed, Failure> {
    let mut shell = Command::new("sh");
    shell.args(["-c", SCRIPT]).env(VARIABLE, command).process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(directory) = directory {
        shell.current_dir(directory);
    }
    let mut child = shell.spawn().map_err(Failure::Start)?;
    // Kept to the end: the group is killed once it is closed.
    let _alive = child.stdin.take();
    let group = Group(i32::try_from(child.id()).ok().and_then(Pid::from_raw));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (ended, end) = mpsc::channel();
    let (say, said) = mpsc::channel();
    // Threads, and never joined: a process that left the group may keep the pipes open.
    thread::spawn(move || ended.send(wait(child, stdout)));
    thread::spawn(move || say.send(stderr.map(tail).unwrap_or_default()));
    let end = end.recv_timeout(limit).unwrap_or(Err(Failure::TooLong));
    // Also what the command left behind, which may hold standard error open.
    drop(group);
    let (output, status) = end?;
    let stderr = said.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    if status.success() { Ok(Listed { output, stderr }) } else { Err(Failure::Ended { status, stderr }) }
}

/// Reads all output, and waits for the end of the process.
fn wait(mut child: Child, stdout: Option<ChildStdout>) -> Result<(Vec<u8>, ExitStatus), Failure> {
    let mut output = Vec::new();
    if let Some(stdout) = stdout {
        stdout.take(MAX_OUTPUT + 1).read_to_end(&mut output).map_err(Failure::Read)?;
    }
    if output.len() as u64 > MAX_OUTPUT {
        return Err(Failure::TooMuch);
    }
    Ok((output, child.wait().map_err(Failure::Read)?))
}

/// Reads to the end, and returns the last part.
fn tail(mut stderr: ChildStderr) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; MAX_TOLD]);
    while let Ok(read @ 1..) = stderr.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..read]);
        kept.drain(..kept.len().saturating_sub(MAX_TOLD));
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// A process group, killed at the end. A process of the script keeps its id from being reused until then.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Fails only if no process is left.
            let _: rustix::io::Result<()> = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(command: &str) -> String {
        let listed = run(command, None).unwrap_or_else(|failure| panic!("{command}: {failure}"));
        String::from_utf8(listed.output).expect("UTF-8")
    }

    fn failure(command: &str) -> String {
        run(command, None).expect_err(command).to_string()
    }

    #[test]
    fn a_command_has_a_shell_its_directory_and_no_input() {
        assert_eq!(output("cat; echo \"it's\" | tr a-z A-Z; echo $SWITCHBACK_HOSTS_FROM"), "IT'S\n\n");
        let there = run("pwd", Some(Utf8Path::new("/usr"))).expect("it runs");
        assert_eq!(there.output, b"/usr\n");
    }

    /// The failure says how the command ended, with the last line that it printed. FAULTS.md N22.
    #[test]
    fn a_failure_says_why() {
        assert_eq!(failure("echo web1; exit 3"), "the command exited with 3");
        assert_eq!(failure("echo one >&2; echo two >&2; echo >&2; exit 1"), "the command exited with 1: two");
        assert_eq!(failure("kill -TERM $$"), "signal 15 ended the command");
        assert!(failure("nowhere-such-a-command").contains("exited with 127: "));
        assert!(failure("yes").contains("printed more than 64 MiB"));
        assert!(run("true", Some(Utf8Path::new("/nowhere"))).is_err_and(|it| it.to_string().contains("did not start")));
        let noisy = failure("yes noise | head -c 100000 >&2; echo >&2; echo end >&2; exit 1");
        assert_eq!(noisy, "the command exited with 1: end");
    }

    /// At the time limit, and at the end, the whole process group is killed. FAULTS.md N22.
    #[test]
    fn nothing_is_left_running() {
        let directory = tempfile::tempdir().expect("a directory");
        let fifo = directory.path().join("fifo");
        let path = fifo.to_str().expect("UTF-8");
        let made = Command::new("mkfifo").arg(path).status().expect("it runs");
        assert!(made.success());
        // The reading end is open as long as a process of the command lives. Opening it for writing waits for it.
        let held = format!("sleep 1000 <>{path} >/dev/null 2>&1");
        let is_closed = || {
            use std::os::unix::fs::OpenOptionsExt;
            let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).expect("a flag");
            std::fs::OpenOptions::new().write(true).custom_flags(flags).open(path).is_err()
        };
        let killed = |what: &str| {
            let closed = (0..3000).any(|_| {
                is_closed() || {
                    thread::sleep(Duration::from_millis(10));
                    false
                }
            });
            assert!(closed, "{what}: a process is left");
        };
        assert_eq!(output(&format!("{held} & echo web1")), "web1\n");
        killed("after the end");
        let late = run_within(&held, None, Duration::from_millis(200)).expect_err("it hangs");
        assert!(late.to_string().contains("did not end within"), "{late}");
        killed("after the time limit");
    }
}
