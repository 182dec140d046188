//! Panics, reported as errors: bugs, or a system that refuses threads or memory.

use std::{
    panic::{PanicHookInfo, UnwindSafe, catch_unwind, set_hook, take_hook},
    process::ExitCode,
};

use switchback::{ErrorKind, ExitCode as Code, report::Outcome};

use crate::render;

/// Prints a panic as one error message instead of a backtrace, unless `RUST_BACKTRACE` asks for one.
pub(crate) fn in_words() {
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|asked| asked == "0") {
        set_hook(Box::new(|panic| {
            render::end();
            render::message(&sentence(panic));
        }));
    } else {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            render::end();
            usual(panic);
        }));
    }
}

fn sentence(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(|place| format!(" ({}:{})", place.file(), place.line())).unwrap_or_default();
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let said = text.unwrap_or("for an unknown reason");
    format!(
        "error: the program failed: {said}{place}\nnext: `switchback status` shows where each host is; if memory, threads or files ran out, raise the limit and try again\n"
    )
}

/// Returns the exit code of `work`, or the one for an internal error if `work` panics.
pub(crate) fn caught(work: impl FnOnce() -> ExitCode + UnwindSafe) -> ExitCode {
    catch_unwind(work).unwrap_or_else(|_| Code::of(Outcome::Error, Some(ErrorKind::Internal)).into())
}
