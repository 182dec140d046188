//! Tells whether a filesystem may be mounted here, as root of a machine of one's own may.

use std::{process::Command, sync::LazyLock};

/// Whether mounting is allowed; tries it once, and prints that a test is skipped if not.
#[expect(clippy::print_stderr, reason = "what is skipped is said")]
pub(crate) fn are_allowed() -> bool {
    static ALLOWED: LazyLock<bool> = LazyLock::new(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let run = |program: &str, arguments: &[&str]| {
            Command::new(program).args(arguments).arg(dir.path()).output().is_ok_and(|done| done.status.success())
        };
        let allowed = run("mount", &["-t", "tmpfs", "none"]) && run("umount", &[]);
        if !allowed {
            eprintln!("skipped: nothing can be mounted here, so what is mounted in a root is not tried");
        }
        allowed
    });
    *ALLOWED
}
