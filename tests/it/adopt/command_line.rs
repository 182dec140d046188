//! `switchback adopt` as a person types it: exit codes and JSON.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

fn switchback(root: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchback"))
        .env_remove("SWITCHBACK_CONFIG")
        .env_remove("SWITCHBACK_ENV")
        .arg("--root")
        .arg(root)
        .args(arguments)
        .output()
        .expect("it runs")
}

fn made_by_mina() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    for release in ["releases/1", "releases/2", "scm", "shared"] {
        fs::create_dir_all(root.path().join(release)).expect("made");
    }
    symlink(root.path().join("releases/2"), root.path().join("current")).expect("a link");
    root
}

#[test]
fn a_tool_that_is_not_known_is_a_wrong_command_line() {
    let root = made_by_mina();
    let output = switchback(root.path(), &["adopt", "--from", "fabric"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("not one of capistrano, deployer"), "{said}");
}

#[test]
fn a_program_is_told_the_plan_and_the_outcome() {
    let root = made_by_mina();
    let output = switchback(root.path(), &["adopt", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let lines: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON Lines"))
        .collect();
    let planned = lines.iter().find(|line| line["type"] == "planned").expect("a plan");
    assert!(
        planned["plan"]
            .to_string()
            .contains("write the previousVersion of 2 (1), inferred from the order of the names")
    );
    let report = lines.last().expect("a report");
    assert_eq!((&report["command"], &report["outcome"]), (&"adopt".into(), &"done".into()));
    let output = switchback(root.path(), &["releases"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("adopted from mina, from the order of the names"), "{said}");
}

/// A release that the other tool rolled back from is marked, and nobody rolls back in an adoption.
#[test]
fn what_is_marked_bad_is_not_said_to_be_unchanged() {
    let root = tempfile::tempdir().expect("a directory");
    let names = ["20260101120000", "20260102120000", "20260103120000"];
    for release in names {
        fs::create_dir_all(root.path().join("releases").join(release)).expect("made");
    }
    let log = format!(
        "Branch main (at 1) deployed as release {} by jane\nBranch main (at 2) deployed as release {} by jane\n\
         jane rolled back to release {}\n",
        names[0], names[1], names[0]
    );
    fs::write(root.path().join("revisions.log"), log).expect("written");
    symlink(root.path().join("releases").join(names[0]), root.path().join("current")).expect("a link");
    let said = |arguments: &[&str]| {
        let output = switchback(root.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let plan = said(&["adopt", "--dry-run"]);
    assert!(plan.contains("mark 20260102120000 bad"), "{plan}");
    assert!(plan.contains("not on the rollback chain, and not changed: 20260103120000\n"), "{plan}");
    said(&["adopt"]);
    let listed = said(&["releases"]);
    assert!(listed.contains("marked bad by ") && !listed.contains("rolled back by"), "{listed}");
}

#[test]
fn a_root_of_our_own_is_not_said_to_be_made_by_hand() {
    let (root, source) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    fs::write(source.path().join("index.html"), "one").expect("written");
    let deployed = switchback(root.path(), &["deploy", source.path().to_str().expect("UTF-8"), "--name", "v1"]);
    assert_eq!(deployed.status.code(), Some(0), "{deployed:?}");
    let output = switchback(root.path(), &["adopt", "--dry-run"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("on v1, with nothing to adopt") && !said.contains("by hand"), "{said}");
}
