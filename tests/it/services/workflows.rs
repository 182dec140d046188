//! The workflows of this repository, and the examples for GitHub, which call the action.

use std::{path::Path, process::Command};

use serde_json::Value;

use super::{CRATE, has_tools, said, yaml};

const WORKFLOWS: [&str; 4] = [
    ".github/workflows/ci.yml",
    ".github/workflows/release.yml",
    "examples/github/deploy.yml",
    "examples/github/rollback.yml",
];

fn jobs(workflow: &Value) -> impl Iterator<Item = (&String, &Value)> {
    workflow["jobs"].as_object().expect("jobs").iter()
}

fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job["steps"].as_array().expect("steps").iter()
}

/// Nothing more than reading unless a job says so, pinned actions, and no expression in a script.
#[test]
fn workflows_have_few_rights_and_no_code_from_outside() {
    if !has_tools() {
        return;
    }
    let action = yaml("action.yml");
    for path in WORKFLOWS {
        let workflow = yaml(path);
        assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}), "{path}");
        for (name, job) in jobs(&workflow) {
            let writes = job["permissions"].as_object().into_iter().flatten().any(|(_, right)| right == "write");
            assert!(!writes || (path.ends_with("release.yml") && name == "release"), "{path}: {name}");
            for step in steps(job) {
                let script = step["run"].as_str().unwrap_or_default();
                assert!(!script.contains("${{"), "{path}: {script}");
                let Some(uses) = step["uses"].as_str() else { continue };
                let version = uses.split_once("@v").unwrap_or_else(|| panic!("{path}: {uses} has no version")).1;
                if uses.starts_with("actions/checkout@") {
                    assert_eq!(step["with"]["persist-credentials"], false, "{path}: {name}");
                }
                if uses.contains("/switchback@") {
                    assert_eq!(version, env!("CARGO_PKG_VERSION"), "{path}");
                    for input in step["with"].as_object().expect("inputs").keys() {
                        assert!(action["inputs"].get(input).is_some(), "{path}: the action has no input {input}");
                    }
                }
            }
        }
    }
}

/// Each step of a script is what a shell reads, and each program that a step of ours calls exists.
#[test]
fn scripts_of_workflows_are_read_by_bash() {
    if !has_tools() {
        return;
    }
    for path in WORKFLOWS {
        let workflow = yaml(path);
        for script in jobs(&workflow).flat_map(|(_, job)| steps(job)).filter_map(|step| step["run"].as_str()) {
            let output = Command::new("bash").args(["-n", "-c", script]).output().expect("bash runs");
            assert!(output.status.success(), "{path}: {}", said(&output));
            for word in
                script.split_whitespace().filter(|word| word.starts_with("packaging/") || word.starts_with(".ci/"))
            {
                assert!(Path::new(CRATE).join(word).is_file(), "{path}: {word}");
            }
        }
    }
}

/// The table of the example's inputs and outputs is the action's.
#[test]
fn the_readme_names_every_input_and_output() {
    if !has_tools() {
        return;
    }
    let action = yaml("action.yml");
    let readme = fs_err::read_to_string(Path::new(CRATE).join("examples/github/README.md")).expect("the README");
    for part in ["inputs", "outputs"] {
        for name in action[part].as_object().expect("names").keys() {
            assert!(readme.contains(&format!("`{name}`")), "{name}");
        }
    }
}
