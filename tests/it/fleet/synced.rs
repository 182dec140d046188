//! What a power failure can take: only what no name leads to yet. FAULTS.md K26.

use std::sync::Arc;

use switchback::{
    DirStore, ExitCode, Fleet, Host, Layout,
    event::Silent,
    fleet::{ActivateOptions, RollbackTarget, RunOptions},
    testing::{Recording, WholeReport as _},
    transport::raw::{Batch, Op, Step},
};

use super::fixture::{Hosts, ROOT, assert_code, at, deploying, going_back, name, release, wait};

/// Whether a step makes the file or directory itself durable.
fn syncs(step: &Step, path: &str) -> bool {
    matches!(&step.op, Op::Sync { paths, .. } if paths.iter().any(|synced| synced.as_str() == path))
}

/// Counts the new files of a batch that get their name by a move; each must be synced before that.
fn named(batch: &Batch) -> usize {
    let mut count = 0;
    for (moved, step) in batch.steps.iter().enumerate() {
        let (Op::MoveInto { from, .. } | Op::Rename { from, .. }) = &step.op else { continue };
        let (from, below) = (from.as_str(), format!("{}/", from.as_str()));
        for (wrote, step) in batch.steps[..moved].iter().enumerate() {
            let Op::WriteNew { path, .. } = &step.op else { continue };
            if path.as_str() == from || path.as_str().starts_with(&below) {
                let synced = batch.steps[wrote..moved].iter().any(|step| syncs(step, path.as_str()));
                assert!(synced, "{} is not synced before {from} is moved", path.as_str());
                count += 1;
            }
        }
    }
    count
}

/// Counts the switches of a batch; the root must be synced after each.
fn switches(batch: &Batch) -> usize {
    let is_switch = |step: &Step| matches!(&step.op, Op::MoveInto { from, into } if into.is_root() && from.as_str().ends_with("/current"));
    let switches = batch.steps.iter().enumerate().filter(|(_, step)| is_switch(step));
    let synced = switches.map(|(at, _)| batch.steps[at..].iter().any(|step| syncs(step, ".")));
    synced.inspect(|synced| assert!(synced, "the root is not synced after the switch")).count()
}

#[test]
fn nothing_gets_its_name_before_it_is_on_the_disk() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    let recorded = Arc::new(Recording::new(hosts.0[0].connect("web1")));
    let store = DirStore::new(Arc::clone(&recorded), ROOT.parse().expect("a path"), Layout::default());
    let fleet = Fleet::new(vec![Host::new("web1", store)]).expect("a fleet");
    assert_code(&wait(fleet.deploy(release("c"), &deploying(), Silent).report()), ExitCode::DONE);
    assert_code(&wait(fleet.rollback(&going_back(RollbackTarget::Steps(1)), Silent).report()), ExitCode::DONE);
    assert_code(&wait(fleet.pin(&name("a"), &RunOptions::new().by("jane@laptop"), Silent).report()), ExitCode::DONE);
    assert_code(&wait(fleet.activate(&name("c"), &ActivateOptions::default(), Silent).report()), ExitCode::DONE);
    hosts.all_on("c");
    assert!(hosts.0[0].exists(&at(".switchback/releases/a/pin")));
    let batches = recorded.batches();
    assert_eq!(batches.iter().map(switches).sum::<usize>(), 3, "a deploy, a rollback, an activation");
    // Two files of each lock, two records, a bad mark and a pin.
    assert_eq!(batches.iter().map(named).sum::<usize>(), 4 * 2 + 2 + 1 + 1);
}
