//! `adopt` of a plain directory named `current`: it becomes a release, and a link takes its place.

use std::{fs, path::Path};

use switchback::{
    DirStore, ErrorKind, ExitCode, Fleet, Host, HostPath, Layout, Transport,
    adoption::Tool,
    testing::Cut,
    transport::{LocalTransport, MemoryHost},
};

use crate::support::local_shell::LocalShell;

use super::fixture::{adopt, adopt_with, assert_code, at, capistrano, deploy, fleet, rollback};

/// Returns the release that `current` points to.
fn current(root: &Path) -> String {
    let link = fs::read_link(root.join("current")).expect("a link");
    link.strip_prefix("releases").expect("a relative link").to_str().expect("UTF-8").to_owned()
}

fn on_disk(transport: impl Transport) {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    fs::create_dir_all(root.join("current/assets")).expect("made");
    fs::write(root.join("current/index.html"), "by hand").expect("written");
    let path: HostPath = root.to_str().expect("UTF-8").parse().expect("a path");
    let fleet =
        Fleet::new(vec![Host::new("web1", DirStore::new(transport, path, Layout::default()))]).expect("a fleet");
    let report = adopt_with(&fleet, None, true);
    assert_code(&report, ExitCode::DONE);
    assert!(!root.join(".switchback").exists() && root.join("current").is_dir(), "a dry run changes nothing");
    assert_code(&adopt_with(&fleet, None, false), ExitCode::DONE);
    let first = current(root);
    assert_eq!(fs::read_to_string(root.join("current/index.html")).expect("read"), "by hand");
    assert_eq!(fs::read_to_string(root.join("current/previousVersion")).expect("read"), "none\n");
    assert!(root.join("releases").join(&first).join("assets").is_dir());
    assert_code(&deploy(&fleet, "next"), ExitCode::DONE);
    assert_eq!(current(root), "next");
    assert_code(&rollback(&fleet), ExitCode::DONE);
    assert_eq!(current(root), first);
    let names: Vec<_> =
        fs::read_dir(root.join("releases")).expect("read").map(|entry| entry.expect("read").file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn it_is_exchanged_where_the_host_can() {
    on_disk(LocalTransport::named("web1"));
}

#[test]
fn it_is_renamed_where_the_host_cannot() {
    for shell in LocalShell::all() {
        on_disk(shell.transport());
    }
}

#[test]
fn a_directory_is_no_tree_of_any_tool() {
    let host = capistrano();
    host.remove(&at("current"));
    host.write(&at("current/index.html"), "by hand");
    let report = adopt_with(&fleet(&host, &Cut::never()), Some(Tool::Capistrano), false);
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::UnknownTree));
    assert_code(&adopt(&host), ExitCode::DONE);
    assert_eq!(host.read(&at("current/index.html")).as_deref(), Some(&b"by hand"[..]));
    let link = MemoryHost::new();
    link.write(&at("releases/1/index.html"), "x");
    link.link(&at("current"), "releases/1");
    let report = adopt_with(&fleet(&link, &Cut::never()), Some(Tool::Directory), false);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::UnknownTree));
}
