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
