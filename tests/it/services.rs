//! The action for GitHub and the pipeline for GitLab: each step runs as the service would run it, with the files and
//! variables that it sets, on roots of this machine.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

mod github;
mod gitlab;
mod workflows;

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::sshd::text;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// Whether this machine has what runners have; says what is missing.
fn has_tools() -> bool {
    let tools = [
        ("bash", "bash --version"),
        ("jq", "jq --version"),
        ("curl", "curl --version"),
        ("ar", "ar --version"),
        ("PyYAML", "python3 -c 'import yaml'"),
    ];
    for (name, test) in tools {
        if !Command::new("sh").args(["-c", test]).output().expect("sh runs").status.success() {
            eprintln!("skipped: there is no {name} on this machine");
            return false;
        }
    }
    true
}

/// Reads a YAML file of this repository.
fn yaml(path: &str) -> Value {
    let file = fs_err::File::open(Path::new(CRATE).join(path)).expect("the file");
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)";
    let output =
        Command::new("python3").args(["-c", script]).stdin(Stdio::from(file.into_parts().0)).output().expect("python3");
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn write_program(path: &Path, script: &str) {
    fs_err::write(path, format!("#!/bin/sh\n{script}\n")).expect("a program");
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
}

/// Packs a small program that runs the real one, and returns the archive.
fn pack(directory: &Path) -> PathBuf {
    let program = directory.join("to-pack");
    write_program(&program, &format!("exec '{}' \"$@\"", env!("CARGO_BIN_EXE_switchback")));
    let out = directory.join("packages");
    let mut build = Command::new(Path::new(CRATE).join("packaging/build"));
    let output = build.arg("--binary").arg(&program).arg("--out").arg(&out).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut paths = fs_err::read_dir(&out).expect("packages").map(|entry| entry.expect("a package").path());
    paths.find(|path| text(path).ends_with(".tar.gz")).expect("an archive")
}

/// Reads lines of the form `NAME=VALUE`, as outputs and dotenv reports have them.
fn variables(path: &Path) -> BTreeMap<String, String> {
    let text = fs_err::read_to_string(path).unwrap_or_default();
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().map(|line| pair(line).unwrap_or_else(|| panic!("no variable: {line}"))).collect()
}

/// A project with a configuration for two environments, and its deploy roots.
struct Project {
    directory: TempDir,
}

impl Project {
    fn new(settings: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        let root = |name: &str| directory.path().join(name);
        let config = format!(
            "{settings}\n[env.production]\nroot = \"{}\"\n[env.integration]\nroot = \"{}\"\n",
            root("production").display(),
            root("integration").display()
        );
        for name in ["project/dist", "home", "temp"] {
            fs_err::create_dir_all(root(name)).expect("a directory");
        }
        fs_err::write(root("project/switchback.toml"), config).expect("a configuration");
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Builds the content of a release.
    fn build(&self, content: &str) {
        fs_err::write(self.path("project/dist/index.html"), content).expect("a page");
    }

    /// The release that production is on.
    fn current(&self) -> String {
        let link = fs_err::read_link(self.path("production/current")).expect("a link");
        text(&link).trim_start_matches("releases/").to_owned()
    }

    /// A shell that runs a script of a job, in the project, with nothing of this machine's environment.
    fn shell(&self, script: &str) -> Command {
        let file = self.path("script");
        fs_err::write(&file, script).expect("a script");
        let mut bash = Command::new("env");
        // Tests that run in the background inherit signals that are ignored, which a shell cannot trap.
        bash.args(["--default-signal=INT,TERM", "bash", "--noprofile", "--norc", "-eo", "pipefail"])
            .arg(file)
            .current_dir(self.path("project"));
        bash.env_clear().env("PATH", std::env::var("PATH").expect("a PATH")).env("HOME", self.path("home"));
        bash.env("CI", "true").env("TMPDIR", self.path("temp"));
        bash
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
