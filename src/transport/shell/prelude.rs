//! The text that a channel receives before its first batch: helper functions, a clean environment, and the
//! hello.

use std::{sync::LazyLock, time::Duration};

use crate::token::Token;

use super::{functions::Functions, minify::minify};

/// A file of functions, as hosts receive it.
type Part = LazyLock<String>;

macro_rules! part {
    ($name:literal) => {
        LazyLock::new(|| minify(include_str!(concat!($name, ".sh"))))
    };
}

/// The functions that every channel needs.
static COMMON: Part = part!("common");

/// Saves settings that a command must find unchanged, before [`COMMON`] changes them.
static SAVE: Part = part!("save");

/// Restores those settings.
static RESTORE: Part = part!("restore");

/// Identifies a process.
static PROCESS: Part = part!("process");

/// Starts and follows a command.
static HOOK: Part = part!("hook");

/// Runs a command.
static RUNNER: Part = part!("runner");

/// The functions of the operations, one for each, and those that they call.
static STEPS: LazyLock<Functions> = LazyLock::new(|| {
    let parts = [&TOGETHER, &READ, &TREE, &USERS, &ACCESS, &EXPECT, &WRITE, &MOVE, &REMOVE, &COMPARE];
    Functions::of(&[&PROCESS].into_iter().chain(parts).map(|part| part.as_str()).collect::<Vec<_>>())
});
static TOGETHER: Part = part!("together");
static READ: Part = part!("read");
static TREE: Part = part!("tree");
static USERS: Part = part!("users");
static ACCESS: Part = part!("access");
static EXPECT: Part = part!("expect");
static WRITE: Part = part!("write");
static MOVE: Part = part!("move");
static REMOVE: Part = part!("remove");
static COMPARE: Part = part!("compare");

/// Receives an upload.
static UPLOAD: Part = part!("upload/upload");

/// Ends a shell whose client has vanished.
static WATCH: Part = part!("watch");

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
    let Some(beat) = beat else { return prelude(&[&COMMON], nonce, STEP_TOOLS) };
    let mut text = prelude(&[&COMMON, &WATCH], nonce, STEP_TOOLS);
    let start = format!("sb_watched {}\n", beat.as_secs().max(1));
    text.extend_from_slice(start.as_bytes());
    text
}

/// A line that tells the shell that its client is alive.
pub(super) const BEAT: &[u8] = b":\n";

/// Returns the functions that batches call.
pub(super) fn steps() -> &'static Functions {
    &STEPS
}

/// Returns the prelude of a channel for one upload.
pub(super) fn upload(nonce: &Token) -> Vec<u8> {
    prelude(&[&COMMON, &UPLOAD], nonce, UPLOAD_TOOLS)
}

/// Returns the prelude of a channel that starts or follows a command.
pub(super) fn hook(nonce: &Token) -> Vec<u8> {
    prelude(&[&SAVE, &COMMON, &RESTORE, &PROCESS, &HOOK], nonce, HOOK_TOOLS)
}

/// Returns the prelude of the shell that runs a command. Holds no nonce, since a command may inspect that
/// shell.
pub(super) fn runner() -> String {
    [&SAVE, &COMMON, &RESTORE, &PROCESS, &RUNNER].map(|part| part.as_str()).concat()
}

fn prelude(parts: &[&str], nonce: &Token, tools: &str) -> Vec<u8> {
    let mut text = parts.concat();
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
        collections::BTreeSet,
        io::Write,
        os::unix::process::CommandExt,
        process::{Child, Command, Stdio},
        thread,
        time::Duration,
    };

    use super::{
        ACCESS, BEAT, COMMON, COMPARE, EXPECT, HOOK, MOVE, PROCESS, Part, READ, REMOVE, RESTORE, RUNNER, SAVE,
        TOGETHER, TREE, UPLOAD, USERS, WATCH, WRITE, batches,
    };
    use crate::{token::Token, transport::shell::minify::minify};

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

    /// Every file, as it is here and as hosts receive it.
    fn files() -> [(&'static str, &'static Part); 18] {
        [
            (include_str!("access.sh"), &ACCESS),
            (include_str!("common.sh"), &COMMON),
            (include_str!("compare.sh"), &COMPARE),
            (include_str!("expect.sh"), &EXPECT),
            (include_str!("hook.sh"), &HOOK),
            (include_str!("move.sh"), &MOVE),
            (include_str!("process.sh"), &PROCESS),
            (include_str!("read.sh"), &READ),
            (include_str!("remove.sh"), &REMOVE),
            (include_str!("restore.sh"), &RESTORE),
            (include_str!("runner.sh"), &RUNNER),
            (include_str!("save.sh"), &SAVE),
            (include_str!("together.sh"), &TOGETHER),
            (include_str!("tree.sh"), &TREE),
            (include_str!("upload/upload.sh"), &UPLOAD),
            (include_str!("users.sh"), &USERS),
            (include_str!("watch.sh"), &WATCH),
            (include_str!("write.sh"), &WRITE),
        ]
    }

    /// Returns the output of a shell for `script`, and whether it succeeded; `None` where this machine does not have
    /// it.
    fn output(shell: &[&str], script: &str) -> Option<(String, bool)> {
        let mut command = Command::new(shell[0]);
        command.arg0("sh").args(&shell[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().ok()?;
        // A shell that stops at an error reads no more.
        let _ = child.stdin.take().expect("stdin is piped").write_all(script.as_bytes());
        let output = child.wait_with_output().expect("the shell ends");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Some((text, output.status.success()))
    }

    #[test]
    fn every_file_parses_in_every_shell() {
        for (_, sent) in files() {
            for shell in [&["dash", "-n"][..], &["bash", "-n"], &["busybox", "-n"], &["mksh", "-n"], &["zsh", "-n"]] {
                let Some((said, parses)) = output(shell, sent) else { continue };
                assert!(parses && said.is_empty(), "{shell:?}: {said}\n{}", **sent);
            }
        }
    }

    #[test]
    fn hosts_receive_no_comment_and_no_indentation() {
        for (_, sent) in files() {
            assert_eq!(minify(sent), **sent);
            let comment = sent.lines().find(|line| line.trim_start().starts_with('#') || line.contains(" # "));
            assert_eq!(comment, None);
        }
    }

    #[test]
    fn hosts_receive_the_commands_of_the_source() {
        // bash prints functions in a form of its own, in which only a difference in meaning shows. Before version 5.2,
        // it printed substitutions as they were.
        let is_new = "[ $((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1])) -lt 502 ] || ";
        let parsed = |text: &str| output(&["bash"], &format!("f() {{\n{text}\n}}\n{is_new}declare -f f\n"));
        for (source, sent) in files() {
            assert_eq!(parsed(source), parsed(sent));
        }
    }

    #[test]
    fn every_function_that_is_called_exists() {
        let all: String = files().map(|(_, sent)| sent.as_str()).concat();
        let in_name = |char: char| char.is_ascii_lowercase() || char == '_';
        let (mut called, mut known) = (BTreeSet::new(), BTreeSet::from(["sb_script", "sb_program", "sb_environment"]));
        for (at, _) in all.match_indices("sb_").filter(|(at, _)| !all[..*at].ends_with(in_name)) {
            let (before, rest) = all.split_at(at);
            let name = &rest[..rest.chars().take_while(|char| in_name(*char)).count()];
            let is_defined = rest[name.len()..].starts_with(['=', '(']);
            let is_variable = before.ends_with(['$', '{', '#']);
            // A prefix stands for several names.
            if is_defined || is_variable {
                known.insert(name);
            } else if !name.ends_with('_') {
                called.insert(name);
            }
        }
        assert_eq!(called.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new());
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
