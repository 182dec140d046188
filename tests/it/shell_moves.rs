//! Moves onto anything that may stand at the target, under every shell and set of utilities. FAULTS.md L15.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
};

use support::{
    local_shell::LocalShell,
    steps::{inner, kind, reply, root},
};
use switchback::transport::{FailureKind, raw::Op};
use tempfile::TempDir;

#[tokio::test]
async fn moves_are_what_rename_is() {
    for shell in LocalShell::all() {
        let transport = shell.transport();
        for (from, onto, expected) in moves() {
            let dir = TempDir::new().unwrap();
            let at = |path: &str| dir.path().join(path);
            for name in ["p", "q", "q.d"] {
                fs::create_dir(at(name)).unwrap();
            }
            stand(&at("p/x"), from);
            stand(&at("q/x"), onto);
            let before = fs::symlink_metadata(at("p/x")).unwrap().ino();
            let got = reply(&transport, &root(&dir), Op::MoveInto { from: inner("p/x"), into: inner("q") }).await;
            assert_eq!(kind(&got), expected, "{shell}: {from} onto {onto}: {got:?}");
            let (at_target, gone) = (fs::symlink_metadata(at("q/x")).unwrap().ino(), !at("p").join("x").is_symlink());
            assert_eq!(at_target == before, expected.is_none(), "{shell}: {from} onto {onto}");
            assert!(expected.is_some() || gone, "{shell}");
            assert_eq!(fs::read_dir(at("q.d")).unwrap().count(), 0, "{shell}: nothing goes where a link leads");
        }
    }
}

fn moves() -> Vec<(&'static str, &'static str, Option<FailureKind>)> {
    let mut all = Vec::new();
    for from in ["file", "link", "empty"] {
        for onto in ["file", "link", "link to directory", "empty", "full"] {
            let is_directory = |what: &str| what == "empty" || what == "full";
            let expected = match (is_directory(from), is_directory(onto)) {
                (false, false) => None,
                (true, true) => (onto == "full").then_some(FailureKind::Exists),
                _ => Some(FailureKind::WrongType),
            };
            all.push((from, onto, expected));
        }
    }
    all
}

fn stand(path: &Path, what: &str) {
    match what {
        "file" => fs::write(path, "x").unwrap(),
        "link" => symlink("nowhere", path).unwrap(),
        "link to directory" => symlink("../q.d", path).unwrap(),
        "empty" => fs::create_dir(path).unwrap(),
        _ => {
            fs::create_dir(path).unwrap();
            fs::write(path.join("in"), "x").unwrap();
        }
    }
}
