//! Completions in the real shells: flags, and values from the configuration and from what the last commands listed.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// Calls the function that bash calls, and prints what it offers.
const BASH: &str = r#"
source "$0"
COMP_WORDS=("$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_TYPE=9
_clap_complete_switchback switchback "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// The same for zsh: `_describe` of its completion system gets the values, with their descriptions.
const ZSH: &str = r#"
compdef() { [ "$2" = switchback ] || exit 3; }
_describe() { print -rl -- "${(@)${(P)3}%%:*}"; }
source "$0"
words=("$@") CURRENT=$#
_clap_dynamic_completer_switchback || true
"#;

const FISH: &str = r"
source $argv[1]
complete -C (string join -- ' ' $argv[2..]) | string replace -r '\t.*' ''
true
";

/// Two roots on this machine, and a configuration of them.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(TempDir::new().unwrap());
        let host = |host: &str| format!("[[host]]\nname = '{host}'\nroot = '{}'\n", site.at(host).display());
        let text = format!("root = '/srv/none'\n{}{}", host("web1"), host("web2"));
        let hooks = "[hooks]\nafter_switch = 'true'\n[env.staging]\nkeep = 3\n[env.production]\nkeep = 5\n";
        fs::write(site.at("switchback.toml"), text + hooks).unwrap();
        fs::create_dir_all(site.at("dist")).unwrap();
        fs::write(site.at("dist/index.html"), "x").unwrap();
        site
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn command(&self, program: &str) -> Command {
        let binary = assert_cmd::cargo::cargo_bin("switchback");
        let (before, path) = (self.at("bin"), std::env::var("PATH").unwrap());
        let path = format!("{}:{}:{path}", before.display(), binary.parent().unwrap().display());
        let mut command = Command::new(program);
        command.current_dir(self.0.path()).env("PATH", path).env("XDG_CACHE_HOME", self.at("cache"));
        command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV").env_remove("SWITCHBACK_ROOT");
        command.env("HOME", self.0.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &str) -> Output {
        let output = self.command("switchback").args(words.split(' ')).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Returns what a shell offers for a line, whose last word is being typed.
    fn offered(&self, shell: &str, line: &[&str]) -> Vec<String> {
        let script = self.at(&format!("completion.{shell}"));
        if !script.exists() {
            fs::write(&script, self.run(&format!("completions {shell}")).stdout).unwrap();
        }
        let mut command = self.command(shell);
        match shell {
            "bash" => command.args(["--norc", "-c", BASH]),
            "zsh" => command.args(["-f", "-c", ZSH]),
            _ => command.args(["--no-config", "-c", FISH]),
        };
        let output = command.arg(script).arg("switchback").args(line).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{shell} {line:?}: {told}");
        let mut offered: Vec<String> =
            String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().to_owned()).collect();
        offered.retain(|line| !line.is_empty());
        offered.sort();
        offered
    }
}

/// Returns the shells of this machine, and says which are missing.
fn shells() -> Vec<&'static str> {
    let is_here = |shell: &&str| {
        let found = Command::new(shell).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        if !found {
            eprintln!("skipped: there is no {shell}");
        }
        found
    };
    ["bash", "zsh", "fish"].into_iter().filter(is_here).collect()
}

#[test]
fn each_shell_completes_values() {
    let site = Site::new();
    for name in ["build-1", "build-2"] {
        site.run(&format!("deploy dist --name {name}"));
    }
    let listed = String::from_utf8(site.run("history --json").stdout).unwrap();
    let report: serde_json::Value = serde_json::from_str(listed.lines().last().unwrap()).unwrap();
    let history = report["hosts"][0]["history"].as_array().unwrap();
    let mut operations: Vec<String> =
        history.iter().map(|entry| entry["operation"].as_str().unwrap()[..8].to_owned()).collect();
    operations.sort();
    for shell in shells() {
        let offers =
            |line: &[&str], expected: &[&str]| assert_eq!(site.offered(shell, line), expected, "{shell} {line:?}");
        offers(&["roll"], &["rollback"]);
        offers(&["rollback", "--to", "build-"], &["build-1", "build-2"]);
        offers(&["rollback", "--to", "build-2"], &["build-2"]);
        offers(&["activate", "b"], &["build-1", "build-2"]);
        offers(&["diff", "build-1", "build-"], &["build-1", "build-2"]);
        offers(&["status", "--host", ""], &["web1", "web2"]);
        offers(&["rollback", "--except", "web2"], &["web2"]);
        offers(&["-e", ""], &["production", "staging"]);
        offers(&["-e", "st"], &["staging"]);
        let digits = &operations[0][..1];
        let begun: Vec<&str> = operations.iter().map(String::as_str).filter(|text| text.starts_with(digits)).collect();
        offers(&["log", digits], &begun);
        offers(&["--config", "switchback.t"], &["switchback.toml"]);
        offers(&["verify", "--host", "web1", "build-2"], &["build-2"]);
        offers(&["deploy", "dist", "--name", "build-"], &[]);
        offers(&["rollback", "--verify", "f"], &["full"]);
        let files = site.offered(shell, &["deploy", "di"]);
        assert!(files.len() == 1 && files[0].trim_end_matches('/') == "dist", "{shell}: {files:?}");
    }
}

/// What the hosts have is asked of no host: only the last answer counts, and another fleet's never does.
#[test]
fn no_completion_connects_to_a_host() {
    let site = Site::new();
    fs::create_dir(site.at("bin")).unwrap();
    let marker = site.at("connected");
    fs::write(site.at("bin/ssh"), format!("#!/bin/sh\ntouch {}\n", marker.display())).unwrap();
    fs::set_permissions(site.at("bin/ssh"), fs::Permissions::from_mode(0o755)).unwrap();
    site.run("deploy dist --name build-1");
    fs::write(site.at("remote.toml"), "root = '/srv/shop'\n[[host]]\naddress = 'web9'\n").unwrap();
    fs::write(site.at("listed.toml"), "root = '/srv/shop'\nhosts_from = \"touch $PWD/connected; echo 'web[1-2]'\"\n")
        .unwrap();
    site.command("switchback").args(["--config", "listed.toml", "status"]).output().unwrap();
    fs::remove_file(&marker).unwrap();
    for shell in shells() {
        let offered = |line: &[&str]| site.offered(shell, line);
        assert_eq!(offered(&["--config", "listed.toml", "status", "--host", "web"]), ["web1", "web2"]);
        assert_eq!(offered(&["--config", "remote.toml", "status", "--host", "w"]), ["web9"]);
        assert_eq!(offered(&["--config", "remote.toml", "rollback", "--to", "build"]), [""; 0]);
        assert_eq!(offered(&["rollback", "--to", "build"]), ["build-1"]);
    }
    assert!(!marker.exists());
}

/// The cache is a convenience: where it cannot be written, or holds anything else, commands work and nothing is offered.
#[test]
fn a_cache_that_cannot_be_used_is_no_error() {
    let site = Site::new();
    fs::write(site.at("cache"), "a file").unwrap();
    site.run("deploy dist --name build-1");
    for shell in shells() {
        assert_eq!(site.offered(shell, &["rollback", "--to", "b"]), [""; 0]);
    }
    fs::remove_file(site.at("cache")).unwrap();
    site.run("releases");
    let files =
        |directory: &Path| fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let found = files(&site.at("cache/switchback/completions"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(fs::metadata(&found[0]).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&found[0], r#"{"releases":["$(touch pwned)","b\u001b[2J"],"operations":[]}"#).unwrap();
    for shell in shells() {
        assert_eq!(site.offered(shell, &["rollback", "--to", "b"]), [""; 0]);
    }
    site.run("status");
    for shell in shells() {
        assert_eq!(site.offered(shell, &["rollback", "--to", "b"]), ["build-1"]);
    }
}
