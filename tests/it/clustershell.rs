//! The rollout over `clush` in `examples/clustershell`, with the real program on hosts of a private sshd.
#![cfg(all(feature = "ssh", feature = "cli"))]

use crate::support;

use std::process::Command;

use support::{
    nodes::{Nodes, is_here},
    sshd::text,
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

/// Runs the script; returns its exit code and all that it said.
fn rollout(nodes: &Nodes, words: &[&str]) -> (Option<i32>, String) {
    let program =
        format!("{} --root=\"$NODE_ROOT\" --config={}", text(&nodes.path("stand-in")), text(&nodes.path("host.toml")));
    let output = Command::new("sh")
        .args([SCRIPT, &format!("web[01-{:02}]", nodes.names().len())])
        .args(words)
        .env("SWITCHBACK", program)
        .env("CLUSH", format!("clush -R ssh -o -F{}", text(&nodes.path("ssh"))))
        .output()
        .expect("sh runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
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
