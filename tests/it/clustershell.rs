//! The rollout over `clush` in `examples/clustershell`, with the real program on hosts of a private sshd.
#![cfg(all(feature = "ssh", feature = "cli"))]

use crate::support;

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use support::{
    nodes::{Nodes, is_here},
    sshd::text,
    wait::until,
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/clustershell/rollout.sh");

/// Returns so many hosts, with the `ssh` configuration that leads to them; `None` if the test is skipped.
fn nodes(count: usize) -> Option<Nodes> {
    let nodes = is_here("clush").then(|| Nodes::start(count)).flatten()?;
    let roots = nodes.names();
    let roots = roots.iter().map(|node| format!("Host {node}\nSetEnv NODE_ROOT={}\n", text(&nodes.path(node))));
    let ssh = format!(
        "{}Host *\nHostName 127.0.0.1\nPort {}\nUser root\nIdentityFile {}\nIdentitiesOnly yes\n\
         UserKnownHostsFile \"{}\"\n",
        roots.collect::<String>(),
        nodes.sshd.port(),
        text(&nodes.sshd.path("user")),
        text(&nodes.sshd.path("known hosts"))
    );
    nodes.write("ssh", &ssh);
    Some(nodes)
}

/// Starts the script in a process group of its own. Its directory on the hosts is that of the roots.
fn start(nodes: &Nodes, words: &[&str]) -> Child {
    let directory = nodes.path("stand-in");
    let directory = text(directory.parent().expect("a directory"));
    // A runner may ignore the signal, and a shell cannot undo that.
    Command::new("env")
        .args(["--default-signal=INT", "sh", SCRIPT, &format!("web[01-{:02}]", nodes.names().len())])
        .args(words)
        .env(
            "SWITCHBACK",
            format!("cd {directory} && {directory}/stand-in --root=\"$NODE_ROOT\" --config={directory}/host.toml"),
        )
        .env("CLUSH", format!("clush -R ssh -o -F{directory}/ssh"))
        // `clush` obeys it, in a list that a program reads too.
        .env("CLICOLOR_FORCE", "1")
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh runs")
}

/// Returns the exit code of the script and all that it said.
fn end(script: Child) -> (Option<i32>, String) {
    let output = script.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn rollout(nodes: &Nodes, words: &[&str]) -> (Option<i32>, String) {
    end(start(nodes, words))
}

/// Sends the script and what it waits for what a terminal sends at Ctrl-C.
fn interrupt(script: &Child) {
    let told = Command::new("kill").args(["-s", "INT", "--", &format!("-{}", script.id())]).status();
    assert!(told.expect("kill runs").success());
}

/// Deploys, again without a change, refuses an older rollout, and rolls back everywhere if a host fails or is lost.
/// FAULTS.md F09.
#[test]
fn clush_deploys_and_rolls_back_twenty_hosts() {
    let Some(nodes) = nodes(20) else { return };
    let (v2, v3) = (nodes.path("v2"), nodes.path("v3"));
    let (code, said) = rollout(&nodes, &[text(&v2), "v2", "v1"]);
    assert_eq!(code, Some(0), "{said}");
    nodes.all_on("v2", &said);
    let (code, said) = rollout(&nodes, &[text(&v3), "v3", "v1"]);
    assert_eq!(code, Some(3), "{said}");
    nodes.all_on("v2", &said);

    // One host has the release already: this rollout did not bring it there, and does not take it away.
    nodes.switchback("web05", &["deploy", text(&v3), "--name", "v3"]);
    nodes.write("web07.fail-validate", "");
    nodes.write("web09.lose-activate", "");
    let (code, said) = rollout(&nodes, &[text(&v3), "v3", "v2"]);
    assert_eq!(code, Some(4), "{said}");
    nodes.switchback("web05", &["rollback"]);
    nodes.all_on("v2", &said);
}

/// A host that fails before any switch ends the rollout; one that cannot be rolled back is named. FAULTS.md F09.
#[test]
fn clush_stops_where_staging_fails_and_names_what_stays() {
    let Some(nodes) = nodes(4) else { return };
    let v2 = nodes.path("v2");
    nodes.write("web03.fail-stage", "");
    let (code, said) = rollout(&nodes, &[text(&v2), "v2", "v1"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("web03: no stage today"), "{said}");
    nodes.all_on("v1", &said);
    fs_err::remove_file(nodes.path("web03.fail-stage")).expect("it was there");

    nodes.write("web03.fail-rollback", "");
    nodes.write("web04.fail-after", "");
    let (code, said) = rollout(&nodes, &[text(&v2), "v2", "v1"]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("clush: web03: exited with exit code 1"), "{said}");
    let on: Vec<String> = nodes.names().iter().map(|node| nodes.current(node)).collect();
    assert_eq!(on.iter().filter(|release| *release == "v2").count(), 1, "{on:?}");
    assert_eq!(on[2], "v2");
}

/// Ctrl-C rolls back a host that begins its activation only after its rollback found nothing to do; a second one names
/// the hosts that did not answer. FAULTS.md F09.
#[test]
fn clush_rolls_back_what_activates_at_ctrl_c() {
    let Some(nodes) = nodes(2) else { return };
    let release = |file: &str| fs_err::remove_file(nodes.path(file)).expect("it was there");
    nodes.write("web02.hold-activate", "");
    let script = start(&nodes, &["v2", "v2", "v1"]);
    until("web01 is on v2, and web02 is held", || {
        nodes.current("web01") == "v2" && nodes.path("web02.held-activate").exists()
    });
    interrupt(&script);
    until("web01 is rolled back", || nodes.current("web01") == "v1");
    release("web02.hold-activate");
    let (code, said) = end(script);
    assert_eq!(code, Some(4), "{said}");
    nodes.all_on("v1", &said);
    let releases = nodes.switchback("web02", &["releases", "--json"]).stdout;
    assert!(String::from_utf8_lossy(&releases).contains(r#""state":"bad""#), "web02 was on v2: {said}");

    nodes.write("web02.hold-activate", "");
    nodes.write("web02.hold-rollback", "");
    let script = start(&nodes, &["v3", "v3", "v1"]);
    release("web02.held-activate");
    until("web02 is held", || nodes.path("web02.held-activate").exists());
    interrupt(&script);
    until("web02 is held again", || nodes.path("web02.held-rollback").exists());
    interrupt(&script);
    let (code, said) = end(script);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("web02\nnext: clush "), "{said}");
}

/// What a host would refuse later, or an argument that a pipeline left empty, ends the rollout before anything is
/// touched.
#[test]
fn clush_refuses_before_anything_is_touched() {
    let Some(nodes) = nodes(2) else { return };
    let (code, said) = rollout(&nodes, &["v2", "v2", ""]);
    assert_eq!(code, Some(2), "{said}");
    fs_err::rename(nodes.path("v2"), nodes.path("-v2")).expect("it is ours");
    let (code, said) = rollout(&nodes, &["-v2", "v2", "v1"]);
    assert_eq!(code, Some(0), "{said}");

    // On web02 v1 is new, elsewhere it is the release to roll back to.
    fs_err::remove_dir_all(nodes.path("web02")).expect("it was there");
    nodes.switchback("web02", &["deploy", text(&nodes.path("-v2")), "--name", "v2"]);
    let (code, said) = rollout(&nodes, &["v1", "v1", "v2"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("v1 is a previous release on web01\n"), "{said}");
    nodes.all_on("v2", &said);
    assert!(!nodes.path("web02").join("releases/v1").exists());
}
