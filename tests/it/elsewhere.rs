//! One root used from two containers of one kernel, where process ids of the one mean nothing in the other.
//!
//! Needs `unshare` and the right to make namespaces; without them the test is skipped in words.
#![cfg(feature = "cli")]

use crate::support;

use std::process::{Command, Output};

use support::{
    cut,
    site::{Site, UNLOCK_FORCE, said},
};

/// Runs the command in a container of its own.
fn in_container(site: &Site, arguments: &[&str]) -> Output {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", env!("CARGO_BIN_EXE_switchback")]);
    command.args(site.words(arguments)).current_dir(site.directory());
    command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV").output().expect("unshare runs")
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]
fn available() -> bool {
    let works = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).output();
    let works = works.is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("skipped: there is no unshare on this machine, or it may make no namespaces");
    }
    works
}

/// The holder is a process out here, which nobody in the container can see.
#[test]
fn who_cannot_be_seen_is_not_gone() {
    if !available() || !cut::available() {
        return;
    }
    let site = Site::local(&UNLOCK_FORCE);
    site.restore();
    let held = site.names(0, ".switchback/lock");
    let output = in_container(&site, &["rollback"]);
    assert_eq!(output.status.code(), Some(6), "{}", said(&output));
    assert_eq!(site.names(0, ".switchback/lock"), held, "{}", said(&output));
    let output = in_container(&site, &["unlock"]);
    assert_eq!(output.status.code(), Some(6), "{}", said(&output));
    let output = in_container(&site, &["unlock", "--force"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(in_container(&site, &["rollback"]).status.success());
    assert_eq!(site.current(0).as_deref(), Some("a"));
}
