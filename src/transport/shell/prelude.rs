//! What a channel is told before its first batch: the helper functions, a clean environment, and to say hello.

use std::sync::LazyLock;

use crate::token::Token;

use super::functions::Functions;

/// What every channel needs.
const COMMON: &str = include_str!("common.sh");

/// What a command must not find changed, as it was before [`COMMON`] changed it.
const SAVE: &str = "sb_umask=$(umask) sb_had=${LC_ALL+y} sb_locale=${LC_ALL-}\n";

/// Gives that back.
const RESTORE: &str = "sb_restore() {\ntrap - HUP PIPE\numask $sb_umask\n\
     case $sb_had in y) LC_ALL=$sb_locale;; *) unset LC_ALL;; esac\n}\n";

/// Who a process is.
const PROCESS: &str = include_str!("process.sh");

/// The one who starts and follows a command.
const HOOK: &str = include_str!("hook.sh");

/// The one who runs it.
const RUNNER: &str = include_str!("runner.sh");

/// One function for each operation.
const STEPS: &str = include_str!("steps.sh");

/// The receiving end of an upload.
const UPLOAD: &str = include_str!("upload.sh");

/// What the steps run on the host, and what a later upload may run there if it has it.
const STEP_TOOLS: &str = "cat chmod date find id ln mkdir mv od readlink rm rmdir stat sync uname +zstd +gzip +gunzip";

/// What an upload runs on the host.
const UPLOAD_TOOLS: &str = "cat chmod mv od rm stat tail tar";

/// What starting, running and following a command runs on the host.
const HOOK_TOOLS: &str = "cat mkdir mkfifo mv od rm rmdir setsid sh sleep stat sync";

/// The prelude of the channel that carries batches, whose functions come as they are [needed](steps).
pub(super) fn batches(nonce: &Token) -> Vec<u8> {
    prelude(&[COMMON], nonce, STEP_TOOLS)
}

/// What batches call.
pub(super) fn steps() -> &'static Functions {
    static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| Functions::of(&[PROCESS, STEPS]));
    &FUNCTIONS
}

/// The prelude of a channel that carries one upload.
pub(super) fn upload(nonce: &Token) -> Vec<u8> {
    prelude(&[COMMON, UPLOAD], nonce, UPLOAD_TOOLS)
}

/// The prelude of a channel that starts a command, or follows one.
pub(super) fn hook(nonce: &Token) -> Vec<u8> {
    prelude(&[SAVE, COMMON, RESTORE, PROCESS, HOOK], nonce, HOOK_TOOLS)
}

/// What the shell that runs a command is told first. No nonce: a command may look at the one who runs it.
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
