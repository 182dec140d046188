//! A fleet of hosts in memory, and short calls of the commands on it.

use std::{future::Future, sync::Arc};

use switchback::{
    DirStore, ExitCode, Fleet, Host, HostPath, Layout, ReleaseName, Report,
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, RollbackOptions, RollbackTarget, RunOptions},
    release::NewRelease,
    testing::WholeReport as _,
    transport::MemoryHost,
    tree::Tree,
};

pub(crate) const ROOT: &str = "/srv/shop";

/// Hosts in memory, called web1, web2, ...
pub(crate) struct Hosts(pub(crate) Vec<MemoryHost>);

pub(crate) fn name(text: &str) -> ReleaseName {
    text.parse().expect("a release name")
}

/// Runs a future of the library to its end.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
}

/// Runs a future to its end on a paused clock, so that waiting for a time takes no time.
pub(crate) fn wait_paused<F: Future>(future: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime").block_on(future)
}

/// A release with a page that contains its name.
pub(crate) fn release(text: &str) -> Arc<NewRelease> {
    let tree = Tree::from_memory([("index.html", text.as_bytes()), ("assets/style.css", b"body {}")]).expect("a tree");
    Arc::new(NewRelease::new(name(text), tree))
}

pub(crate) fn deploying() -> DeployOptions {
    DeployOptions::new().by("jane@laptop")
}

pub(crate) fn going_back(target: RollbackTarget) -> RollbackOptions {
    RollbackOptions::new().by("jane@laptop").target(target)
}

impl Hosts {
    pub(crate) fn new(count: usize) -> Self {
        Self((0..count).map(|_| MemoryHost::new()).collect())
    }

    /// A fleet on new connections, as in a new process of the tool.
    pub(crate) fn fleet(&self) -> Fleet {
        self.fleet_of(&Layout::default())
    }

    pub(crate) fn fleet_of(&self, layout: &Layout) -> Fleet {
        let root: HostPath = ROOT.parse().expect("a path");
        let host = |(at, host): (usize, &MemoryHost)| {
            let name = format!("web{}", at + 1);
            Host::new(&name, DirStore::new(host.connect(&name), root.clone(), layout.clone()))
        };
        Fleet::new(self.0.iter().enumerate().map(host).collect()).expect("a fleet")
    }

    pub(crate) fn deploy(&self, text: &str) -> Report {
        wait(self.fleet().deploy(release(text), &deploying(), Silent).report())
    }

    pub(crate) fn stage(&self, text: &str) -> Report {
        wait(self.fleet().stage(release(text), &RunOptions::new().by("jane@laptop"), Silent).report())
    }

    pub(crate) fn activate(&self, text: &str) -> Report {
        wait(self.fleet().activate(&name(text), &ActivateOptions::default(), Silent).report())
    }

    pub(crate) fn rollback(&self) -> Report {
        self.rollback_to(RollbackTarget::Steps(1))
    }

    pub(crate) fn rollback_to(&self, target: RollbackTarget) -> Report {
        wait(self.fleet().rollback(&going_back(target), Silent).report())
    }

    pub(crate) fn rollback_from(&self, from: &str) -> Report {
        let options = going_back(RollbackTarget::Steps(1)).from(name(from));
        wait(self.fleet().rollback(&options, Silent).report())
    }

    pub(crate) fn status(&self) -> Report {
        wait(self.fleet().status(Silent).report())
    }

    pub(crate) fn history(&self) -> Report {
        wait(self.fleet().history(Silent).report())
    }

    /// Deploys these releases in turn; each deploy must succeed.
    pub(crate) fn deployed(self, names: &[&str]) -> Self {
        for text in names {
            assert_code(&self.deploy(text), ExitCode::DONE);
        }
        self
    }

    /// Returns the target of `current` on each host.
    pub(crate) fn links(&self) -> Vec<Option<String>> {
        self.0.iter().map(|host| host.read_link(&at("current"))).collect()
    }

    /// Checks that `current` points to the release `text` on every host, and that the release is intact there.
    pub(crate) fn all_on(&self, text: &str) {
        for (at_host, host) in self.0.iter().enumerate() {
            assert_eq!(host.read_link(&at("current")), Some(format!("releases/{text}")), "host {at_host}");
            assert_eq!(
                host.read(&at(&format!("releases/{text}/index.html"))).as_deref(),
                Some(text.as_bytes()),
                "host {at_host}"
            );
        }
    }

    /// Returns the record of a release on the first host.
    pub(crate) fn record(&self, text: &str) -> Option<String> {
        let content = self.0[0].read(&at(&format!("releases/{text}/previousVersion")))?;
        String::from_utf8(content).ok()
    }

    /// Checks that no host is locked or has leftovers.
    pub(crate) fn clean(&self) {
        for host in &self.0 {
            assert!(!host.exists(&at(".switchback/lock")), "a lock was left");
            for place in ["live", "tmp", "staging", "journal", "trash"] {
                let left = host.list(&at(&format!(".switchback/{place}"))).unwrap_or_default();
                assert!(left.is_empty(), "{place} holds {left:?}");
            }
        }
    }
}

pub(crate) fn at(inner: &str) -> String {
    format!("{ROOT}/{inner}")
}

#[track_caller]
pub(crate) fn assert_code(report: &Report, code: ExitCode) {
    assert_eq!(report.exit_code(), code, "{}", serde_json::to_string_pretty(report).expect("a report is JSON"));
}
