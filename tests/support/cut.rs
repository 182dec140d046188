//! Roots on which a command was killed, and which somebody has to settle.

use std::{fs, path::Path, process::Command};

use super::{
    case::Cut,
    site::{Site, said, text},
};

/// Whether `strace` is available. If not, prints that the test is skipped, or fails where `strace` is required.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]
pub(crate) fn available() -> bool {
    let works = Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).output();
    if works.is_ok_and(|output| output.status.success()) {
        return true;
    }
    let required = std::env::var_os("SWITCHBACK_REQUIRE_STRACE").is_some_and(|value| value == "1");
    assert!(!required, "strace is required, and it is missing or may not trace");
    eprintln!("skipped: there is no strace on this machine, or it may not trace");
    false
}

/// Returns the `strace` option that confines all work on a root to one thread, since `strace` counts calls per
/// thread: the kernel refuses all later threads. A rollback of one host runs in the first thread of the program, any
/// other command in a second one.
pub(crate) fn one_thread(arguments: &[&str]) -> &'static str {
    if arguments.contains(&"rollback") {
        "inject=clone3:error=EAGAIN:when=2+"
    } else {
        "inject=clone3:error=EAGAIN:when=3+"
    }
}

/// Kills a command on the root of `host` before each rename in turn, up to the last that leaves the state of
/// `cut`.
pub(crate) fn off(site: &Site, host: usize, cut: &Cut) {
    let left = |place: &str| !site.names(host, &format!(".switchback/{place}")).is_empty();
    let leaves = |nth: usize| {
        site.restore_one(host);
        let died = kill(site, host, cut.arguments, nth);
        (died, left("lock") && site.current(host).as_deref() == Some(cut.on))
    };
    let tried = (1..).map(|nth| (nth, leaves(nth))).take_while(|(_, (died, _))| *died);
    let last = tried.filter(|(_, (_, fits))| *fits).last();
    let (nth, _) = last.unwrap_or_else(|| panic!("{:?} is killed on {}", cut.arguments, cut.on));
    assert_eq!(leaves(nth), (true, true), "{:?}: the same kill leaves the same", cut.arguments);
    if cut.lives {
        revive(&site.root(host).join(".switchback/lock"));
    }
}

/// Kills the command at its `nth` rename. Returns whether it was killed: it may do fewer renames.
fn kill(site: &Site, host: usize, arguments: &[&str], nth: usize) -> bool {
    let fault = format!("inject=renameat,renameat2:signal=SIGKILL:when={nth}");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=clone3,renameat,renameat2", "-e", &fault])
        .args(["-e", one_thread(arguments)])
        .args([env!("CARGO_BIN_EXE_switchback"), "-q", "--root", text(&site.root(host))])
        .args(arguments)
        .current_dir(site.directory())
        .env("TOKIO_WORKER_THREADS", "1")
        .env_remove("SWITCHBACK_CONFIG")
        .env_remove("SWITCHBACK_ENV")
        .output()
        .expect("strace runs");
    assert!(output.status.code().is_none_or(|code| code == 0), "{arguments:?}: {}", said(&output));
    output.status.code().is_none()
}

/// Makes this process, which is alive, the holder of the lock.
fn revive(lock: &Path) {
    let held = fs::read_dir(lock).expect("a lock").next().expect("it is held").expect("readable").path();
    let mark = fs::read_to_string(held.join("process")).expect("a mark");
    let boot = mark.splitn(3, ' ').nth(2).expect("what follows the id and the start");
    let seen = fs::read_to_string("/proc/self/stat").expect("this process");
    let start = seen.rsplit(") ").next().and_then(|fields| fields.split(' ').nth(19)).expect("its start");
    fs::write(held.join("process"), format!("{} {start} {boot}", std::process::id())).expect("ours");
}
