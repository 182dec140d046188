//! What a channel is told before its first batch: the helper functions, a clean environment, and to say hello.

use crate::token::Token;

/// What every channel needs.
const COMMON: &str = include_str!("common.sh");

/// One function for each operation.
const STEPS: &str = include_str!("steps.sh");

/// The receiving end of an upload.
const UPLOAD: &str = include_str!("upload.sh");

/// What the steps run on the host.
const STEP_TOOLS: &str = "cat chmod date find id ln mkdir mv od readlink rm rmdir stat sync uname";

/// What an upload runs on the host.
const UPLOAD_TOOLS: &str = "chmod od rm stat tail tar";

/// The prelude of the channel that carries batches.
pub(super) fn batches(nonce: &Token) -> Vec<u8> {
    prelude(STEPS, nonce, STEP_TOOLS)
}

/// The prelude of a channel that carries one upload.
pub(super) fn upload(nonce: &Token) -> Vec<u8> {
    prelude(UPLOAD, nonce, UPLOAD_TOOLS)
}

fn prelude(functions: &str, nonce: &Token, tools: &str) -> Vec<u8> {
    let kept = COMMON.lines().chain(functions.lines()).filter(|line| !line.starts_with('#'));
    let mut text: String = kept.flat_map(|line| [line, "\n"]).collect();
    text.push_str("sb_nonce=");
    text.push_str(nonce.as_str());
    text.push_str("\nsb_hello ");
    text.push_str(tools);
    text.push('\n');
    text.into_bytes()
}
