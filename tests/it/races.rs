//! Real commands that run into each other on one fleet. FAULTS.md X01, X02.
#![cfg(feature = "cli")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

const ROUNDS: usize = 4;
const AT_ONCE: usize = 6;

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.args(["-q", "--config", "switchback.toml"]).args(arguments).current_dir(directory);
    command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs all of them at the same time.
fn at_once(directory: &Path, commands: &[Vec<String>]) -> Vec<Output> {
    let started: Vec<_> = commands
        .iter()
        .map(|words| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            command(directory, &words).spawn().expect("it runs")
        })
        .collect();
    started.into_iter().map(|child| child.wait_with_output().expect("it ends")).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn currents(directory: &Path) -> Vec<String> {
    let current = |host: &str| fs::read_link(directory.join(host).join("current")).expect("a link");
    ["one", "two", "three"].iter().map(|host| current(host).to_string_lossy().into_owned()).collect()
}

/// A run that gets the locks gets them on all hosts, and the others get none: no deadlock, and no host apart.
#[test]
fn of_many_at_once_each_has_all_hosts_or_none() {
    let directory = TempDir::new().expect("a directory");
    let at = directory.path();
    let host = |name: &str| format!("[[host]]\nname = \"{name}\"\nroot = {:?}\n", at.join(name));
    fs::write(at.join("switchback.toml"), ["one", "two", "three"].map(host).concat()).expect("a configuration");
    fs::create_dir(at.join("site")).expect("a directory");
    fs::write(at.join("site/index.html"), "hello\n").expect("a file");
    let first = at_once(at, &[words(&["deploy", "site", "--name", "first"])]);
    assert!(first[0].status.success(), "{first:?}");
    for round in 0..ROUNDS {
        let names: Vec<String> = (0..AT_ONCE).map(|run| format!("r{round}-{run}")).collect();
        let mut commands: Vec<Vec<String>> =
            names.iter().map(|name| words(&["deploy", "site", "--name", name])).collect();
        commands.push(words(&["rollback"]));
        let outputs = at_once(at, &commands);
        for output in &outputs {
            // Locked by another run, or refused because the hosts have moved on meanwhile.
            assert!(matches!(output.status.code(), Some(0 | 3 | 6 | 7)), "round {round}: {output:?}");
        }
        let currents = currents(at);
        assert!(currents.iter().all(|current| *current == currents[0]), "round {round}: {currents:?} {outputs:?}");
        let left = at_once(at, &[words(&["status", "--check"])]);
        assert!(left[0].status.success(), "round {round}: {left:?}");
    }
}

/// Nobody removed `current` where the first deploy has not made it yet.
#[test]
fn commands_during_the_first_deploy_find_it_locked() {
    let directory = TempDir::new().expect("a directory");
    let at = directory.path();
    fs::create_dir(at.join("site")).expect("a directory");
    fs::write(at.join("site/index.html"), "hello\n").expect("a file");
    let binary = env!("CARGO_BIN_EXE_switchback");
    let hook = format!(
        "cd '{}' && for words in 'deploy site --name other' check 'status --check'; do \
         code=0; '{binary}' -q $words >>told 2>&1 || code=$?; echo $code >>codes; done",
        at.display()
    );
    fs::write(at.join("switchback.toml"), format!("root = {:?}\n[hooks]\nprepare = {hook:?}\n", at.join("root")))
        .expect("a configuration");
    let first = at_once(at, &[words(&["deploy", "site", "--name", "first"])]);
    assert!(first[0].status.success(), "{first:?}");
    let read = |name: &str| fs::read_to_string(at.join(name)).expect("a file");
    assert_eq!(read("codes"), "6\n6\n0\n", "{}", read("told"));
    assert!(!read("told").contains("removed"), "{}", read("told"));
}
