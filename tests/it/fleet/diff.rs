//! Two releases compared by their manifests, by `diff`.

use std::sync::Arc;

use switchback::{
    ErrorKind, ExitCode, Report,
    event::Silent,
    release::NewRelease,
    report::{EntryChange, HostOutcome, Outcome, ReleaseDiff},
    testing::WholeReport as _,
    tree::Tree,
};

use super::fixture::{Hosts, assert_code, at, deploying, name, wait};

fn diff(hosts: &Hosts, from: &str, to: &str) -> Report {
    wait(hosts.fleet().diff(&name(from), &name(to), Silent).report())
}

/// Three hosts with a release `c` that lacks the style of `a`, and has a page and a script more.
fn hosts() -> Hosts {
    let hosts = Hosts::new(3).deployed(&["a"]);
    let tree = Tree::from_memory([("index.html", &b"longer"[..]), ("run", b"#!"), ("a page", b"x")]).expect("a tree");
    let release = Arc::new(NewRelease::new(name("c"), tree));
    assert_code(&wait(hosts.fleet().deploy(release, &deploying(), Silent).report()), ExitCode::DONE);
    hosts
}

#[track_caller]
fn listed(diff: Option<&ReleaseDiff>) -> Vec<(EntryChange, &str)> {
    let entries = &diff.expect("it was compared").entries;
    entries.iter().map(|entry| (entry.change, entry.path.as_str())).collect()
}

#[test]
fn the_entries_that_differ_are_listed_for_every_host() {
    let hosts = hosts();
    let report = diff(&hosts, "a", "c");
    assert_code(&report, ExitCode::DONE);
    let expected = [
        (EntryChange::Added, "a page"),
        (EntryChange::Removed, "assets/style.css"),
        (EntryChange::Changed, "index.html"),
        (EntryChange::Added, "run"),
    ];
    for host in &report.hosts {
        assert_eq!(listed(host.diff.as_ref()), expected);
    }
    let found = report.hosts[0].diff.as_ref().expect("it was compared");
    assert_eq!((found.added, found.removed, found.changed), (2, 1, 1));
    assert_eq!((found.bytes_before, found.bytes_after), (8, 9));
    let same = diff(&hosts, "c", "c");
    assert_code(&same, ExitCode::DONE);
    assert!(listed(same.hosts[0].diff.as_ref()).is_empty());
    hosts.clean();
}

/// Contents that change later are damage, which `verify` finds; `diff` compares what was deployed.
#[test]
fn only_manifests_are_compared_and_a_root_without_a_lock() {
    let hosts = hosts();
    hosts.0[0].write(&at("releases/c/index.html"), "changed by hand");
    let report = diff(&hosts, "a", "c");
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.hosts[0].diff, report.hosts[1].diff);
    hosts.clean();
}

type Damage = fn(&Hosts, &str);

/// A host whose manifest is damaged or missing, or that lacks a release, is named, and the others are compared.
#[test]
fn a_host_that_cannot_be_compared_is_named() {
    let manifest = at(".switchback/releases/c/manifest");
    let cases: [(Damage, ErrorKind, HostOutcome); 3] = [
        (|hosts, manifest| hosts.0[1].write(manifest, "torn"), ErrorKind::DamagedState, HostOutcome::Failed),
        (|hosts, manifest| hosts.0[1].remove(manifest), ErrorKind::NoManifest, HostOutcome::Refused),
        (
            |hosts, _| hosts.0[1].rename(&at("releases/a"), &at("elsewhere")),
            ErrorKind::NoSuchRelease,
            HostOutcome::Refused,
        ),
    ];
    for (damage, kind, outcome) in cases {
        let hosts = hosts();
        damage(&hosts, &manifest);
        let report = diff(&hosts, "a", "c");
        assert_code(&report, ExitCode::REFUSED);
        assert_eq!(report.outcome, Outcome::Refused);
        let host = &report.hosts[1];
        assert_eq!((host.outcome, host.error.as_ref().map(|error| error.kind)), (outcome, Some(kind)));
        assert!(host.diff.is_none() && report.hosts[0].diff.is_some() && report.hosts[2].diff.is_some());
        let error = report.error.as_ref().expect("why");
        assert!(error.kind == kind && error.message.starts_with("diff failed on some hosts: "), "{error:?}");
        assert!(error.message.contains("web2") && !error.message.contains("web1"), "{error:?}");
    }
}
