//! The text that a channel receives before its first batch: helper functions, a clean environment, and the
//! hello.

use std::{sync::LazyLock, time::Duration};

use crate::token::Token;

use super::functions::Functions;

/// The functions that every channel needs.
const COMMON: &str = include_str!("common.sh");

/// Saves settings that a command must find unchanged, before [`COMMON`] changes them.
const SAVE: &str = "sb_umask=$(umask) sb_had=${LC_ALL+y} sb_locale=${LC_ALL-}\n";

/// Restores those settings.
const RESTORE: &str = "sb_restore() {\ntrap - HUP PIPE\numask $sb_umask\n\
     case $sb_had in y) LC_ALL=$sb_locale;; *) unset LC_ALL;; esac\n}\n";

/// Identifies a process.
const PROCESS: &str = include_str!("process.sh");

/// Starts and follows a command.
const HOOK: &str = include_str!("hook.sh");

/// Runs a command.
const RUNNER: &str = include_str!("runner.sh");

/// The functions of the operations, one for each.
const STEPS: &str = include_str!("steps.sh");

/// Compares a tree with its manifest.
const COMPARE: &str = include_str!("compare.sh");

/// Receives an upload.
const UPLOAD: &str = include_str!("upload.sh");

/// Ends a shell whose client has vanished.
const WATCH: &str = include_str!("watch.sh");

/// The programs that steps run on the host, and, with `+`, those that a later upload may use.
const STEP_TOOLS: &str = "cat chmod date find id ln mkdir mv od readlink rm rmdir stat sync uname +zstd +gzip +gunzip";

/// The programs that an upload runs on the host.
const UPLOAD_TOOLS: &str = "cat chmod mv od rm stat tail tar";

/// The programs that starting, running and following a command runs on the host.
const HOOK_TOOLS: &str = "cat mkdir mkfifo mv od rm rmdir setsid sh sleep stat sync";

/// Returns the prelude of the channel for batches, whose functions follow as they are [needed](steps).
///
/// With a `beat`, the shell ends itself after four such intervals of silence.
pub(super) fn batches(nonce: &Token, beat: Option<Duration>) -> Vec<u8> {
    let Some(beat) = beat else { return prelude(&[COMMON], nonce, STEP_TOOLS) };
    let mut text = prelude(&[COMMON, WATCH], nonce, STEP_TOOLS);
    let start = format!("sb_watched {}\n", beat.as_secs().max(1));
    text.extend_from_slice(start.as_bytes());
    text
}

/// A line that tells the shell that its client is alive.
pub(super) const BEAT: &[u8] = b":\n";

/// Returns the functions that batches call.
pub(super) fn steps() -> &'static Functions {
    static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| Functions::of(&[PROCESS, STEPS, COMPARE]));
    &FUNCTIONS
}

/// Returns the prelude of a channel for one upload.
pub(super) fn upload(nonce: &Token) -> Vec<u8> {
    prelude(&[COMMON, UPLOAD], nonce, UPLOAD_TOOLS)
}

/// Returns the prelude of a channel that starts or follows a command.
pub(super) fn hook(nonce: &Token) -> Vec<u8> {
    prelude(&[SAVE, COMMON, RESTORE, PROCESS, HOOK], nonce, HOOK_TOOLS)
}

/// Returns the prelude of the shell that runs a command. Holds no nonce, since a command may inspect that
/// shell.
pub(super) fn runner() -> String {
    functions(&[SAVE, COMMON, RESTORE, PROCESS, RUNNER])
}

fn functions(parts: &[&str]) -> String {
    let kept = parts.iter().flat_map(|part| part.lines()).filter(|line| !line.starts_with('#'));
    kept.flat_map(|line| [line, "\n"]).collect()
}

fn prelude(parts: &[&str], nonce: &Token, tools: &str) -> Vec<u8> {
    let mut text = functions(parts);
    text.push_str("sb_nonce=");
    text.push_str(nonce.as_str());
    text.push_str("\nsb_hello ");
    text.push_str(tools);
    text.push('\n');
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        os::unix::process::CommandExt,
        process::{Child, Command, Stdio},
        thread,
        time::Duration,
    };

    use super::{BEAT, batches};
    use crate::token::Token;

    /// Starts a shell that has read the prelude; `None` where this machine does not have it.
    fn started(shell: &[&str]) -> Option<Child> {
        let mut command = Command::new(shell[0]);
        // bash, mksh and zsh follow POSIX under this name.
        command
            .arg0("sh")
            .args(&shell[1..])
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().ok()?;
        write(&mut child, &batches(&Token::random(), Some(Duration::from_secs(1))));
        Some(child)
    }

    fn write(child: &mut Child, text: &[u8]) {
        child.stdin.as_mut().expect("stdin is piped").write_all(text).expect("the shell reads");
    }

    fn is_running(child: &mut Child) -> bool {
        child.try_wait().expect("the child can be waited for").is_none()
    }

    #[test]
    fn a_shell_whose_client_vanished_ends() {
        let shells: [&[&str]; 5] = [&["dash"], &["bash"], &["busybox"], &["mksh"], &["zsh"]];
        let all = || shells.iter().filter_map(|shell| started(shell)).collect::<Vec<_>>();
        let (mut silent, mut heard, mut at_work) = (all(), all(), all());
        for child in &mut at_work {
            write(child, b"cat\n");
        }
        while silent.iter_mut().any(is_running) {
            for child in &mut heard {
                write(child, BEAT);
            }
            thread::sleep(Duration::from_millis(200));
        }
        assert!(heard.iter_mut().all(is_running), "a live client was taken for a vanished one");
        assert!(at_work.iter_mut().all(is_running), "a shell at work was ended");
        for mut child in heard.into_iter().chain(at_work) {
            drop(child.stdin.take());
            child.wait().expect("the shell ends with its input");
        }
    }
}
