//! Trees of other tools on a host in memory, and short calls of `adopt`.

use std::{future::Future, sync::Arc};

use switchback::{
    DirStore, ExitCode, Fleet, Host, HostPath, Layout, ReleaseName, Report,
    adoption::Tool,
    event::Silent,
    fleet::{DeployOptions, RollbackOptions, RunOptions},
    release::NewRelease,
    testing::{Cut, Faults, WholeReport as _},
    transport::MemoryHost,
    tree::Tree,
};

pub(crate) const ROOT: &str = "/srv/shop";

pub(crate) fn at(inner: &str) -> String {
    format!("{ROOT}/{inner}")
}

pub(crate) fn name(text: &str) -> ReleaseName {
    text.parse().expect("a release name")
}

/// Runs a future of the library to its end.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

#[track_caller]
pub(crate) fn assert_code(report: &Report, code: ExitCode) {
    assert_eq!(report.exit_code(), code, "{}", serde_json::to_string_pretty(report).expect("a report is JSON"));
}

pub(crate) fn fleet(host: &MemoryHost, cut: &Cut) -> Fleet {
    fleet_of(host, cut, ROOT, Layout::default())
}

pub(crate) fn fleet_of(host: &MemoryHost, cut: &Cut, root: &str, layout: Layout) -> Fleet {
    let root: HostPath = root.parse().expect("a path");
    let store = DirStore::new(Faults::new(host.connect("web1"), cut.clone()), root, layout);
    Fleet::new(vec![Host::new("web1", store)]).expect("a fleet")
}

pub(crate) fn adopt_with(fleet: &Fleet, from: Option<Tool>, dry_run: bool) -> Report {
    let options = RunOptions::new().by("jane@laptop").dry_run(dry_run);
    wait(fleet.adopt(from, &options, Silent).report())
}

pub(crate) fn adopt(host: &MemoryHost) -> Report {
    adopt_with(&fleet(host, &Cut::never()), None, false)
}

pub(crate) fn deploy(fleet: &Fleet, text: &str) -> Report {
    let tree = Tree::from_memory([("index.html", text.as_bytes())]).expect("a tree");
    wait(fleet.deploy(Arc::new(NewRelease::new(name(text), tree)), &DeployOptions::default(), Silent).report())
}

pub(crate) fn rollback(fleet: &Fleet) -> Report {
    wait(fleet.rollback(&RollbackOptions::default(), Silent).report())
}

/// Returns the record of a release: the name in it, or `none`; `None` if there is no record.
pub(crate) fn record(host: &MemoryHost, release: &str) -> Option<String> {
    let text = String::from_utf8(host.read(&at(&format!("releases/{release}/previousVersion")))?).expect("UTF-8");
    Some(text.trim_end().rsplit('/').next().unwrap_or_default().to_owned())
}

/// Checks that the rollback chain consists of these releases, newest first, and ends there.
#[track_caller]
pub(crate) fn chain(host: &MemoryHost, releases: &[&str]) {
    for (at, release) in releases.iter().enumerate() {
        let before = releases.get(at + 1).copied().unwrap_or("none");
        assert_eq!(record(host, release).as_deref(), Some(before), "before {release}");
    }
}

/// Creates these releases, each with a page, in this order.
pub(crate) fn releases(host: &MemoryHost, names: &[&str]) {
    for text in names {
        host.write(&at(&format!("releases/{text}/index.html")), text);
        host.write(&at(&format!("releases/{text}/REVISION")), "3b8a");
    }
}

/// A Capistrano tree: an absolute symlink, a log of deploys and rollbacks, shared symlinks, a mirror.
pub(crate) fn capistrano() -> MemoryHost {
    let host = MemoryHost::new();
    releases(&host, &["20260101120000", "20260102120000", "20260103120000", "20260104120000"]);
    host.link(&at("current"), at("releases/20260104120000"));
    host.make_dir(&at("shared/log"));
    host.make_dir(&at("repo"));
    let log = "Branch main (at 1) deployed as release 20251231120000 by jane\n\
               Branch main (at 2) deployed as release 20260101120000 by jane\n\
               Branch main (at 3) deployed as release 20260102120000 by jane\n\
               jane rolled back to release 20260101120000\n\
               Branch main (at 4) deployed as release 20260104120000 by jane\n";
    host.write(&at("revisions.log"), log);
    host
}
