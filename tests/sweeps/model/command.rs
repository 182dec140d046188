//! The commands of the model's controllers, and deliberate bugs in them.

use std::{collections::BTreeMap, sync::Arc};

use switchback::{
    Fleet, Report,
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, RollbackOptions, RunOptions},
    release::NewRelease,
    testing::WholeReport as _,
    transport::raw::{Op, Reply},
    tree::Tree,
};

use crate::model::{
    HOSTS,
    ground::record_line,
    names::{Names, paths_mut},
    puppet::{Answer, Call, Controller, Desk, Twist},
};

/// A command on both hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Deploy(&'static str),
    Activate(&'static str),
    Rollback,
}

/// A deliberate bug in the tool, which the checker must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    Nothing,
    /// The switch does not compare `current` first.
    NoCompare,
    /// The link is prepared without holding the lock.
    NoFence,
    /// Each host is a fleet of its own.
    NoBarrier,
    /// The record names the release that was current before the lock was taken.
    EarlyRecord,
}

impl Command {
    /// Returns the release that it stages or switches to, if it names one.
    pub(crate) fn target(self) -> Option<&'static str> {
        match self {
            Self::Deploy(name) | Self::Activate(name) => Some(name),
            Self::Rollback => None,
        }
    }

    /// Starts the command as the controller `id`.
    pub(crate) fn begin(self, id: usize, planted: Planted) -> Controller {
        let mut drawn = [0_u64; HOSTS];
        let draw = move |host: usize| {
            drawn[host] += 1;
            format!("{id:08x}{host:08x}{:016x}", drawn[host])
        };
        let names = Names::new(draw, || "2026-11-23T10:15:00.000000Z".to_owned());
        let desk = match planted {
            Planted::NoCompare => Desk::new(names, NoCompare),
            Planted::NoFence => Desk::new(names, NoFence),
            Planted::EarlyRecord => Desk::new(names, EarlyRecord(BTreeMap::new())),
            Planted::Nothing | Planted::NoBarrier => Desk::new(names, ()),
        };
        if planted == Planted::NoBarrier {
            let fleets: Vec<Fleet> = (0..HOSTS).map(|host| desk.fleet([host])).collect();
            let each = async move {
                let runs = fleets.iter().map(|fleet| self.run(fleet));
                futures_util::future::join_all(runs).await
            };
            return Controller::begin(&desk, each);
        }
        let fleet = desk.fleet(0..HOSTS);
        Controller::begin(&desk, async move { vec![self.run(&fleet).await] })
    }

    /// Executes the command.
    pub(crate) async fn run(self, fleet: &Fleet) -> Report {
        match self {
            Self::Deploy(name) => {
                let options = DeployOptions::default().allow_split(true);
                fleet.deploy(release(name), &options, Silent).report().await
            }
            Self::Activate(name) => {
                let name = name.parse().expect("a name");
                fleet.activate(&name, &ActivateOptions::default(), Silent).report().await
            }
            Self::Rollback => fleet.rollback(&RollbackOptions::default(), Silent).report().await,
        }
    }
}

/// Stages a release on the hosts of `fleet`.
pub(crate) async fn stage(fleet: &Fleet, name: &str) -> Report {
    fleet.stage(release(name), &RunOptions::default(), Silent).report().await
}

fn release(name: &str) -> Arc<NewRelease> {
    let tree = Tree::from_memory([("index.html", name.as_bytes()), ("assets/style.css", b"body {}")]).expect("a tree");
    Arc::new(NewRelease::new(name.parse().expect("a name"), tree))
}

/// Returns the operations of a batch; none for an upload.
fn ops(call: &mut Call) -> impl Iterator<Item = &mut Op> {
    let steps = if let Call::Execute(batch) = call { &mut batch.steps[..] } else { &mut [] };
    steps.iter_mut().map(|step| &mut step.op)
}

struct NoCompare;

impl Twist for NoCompare {
    fn call(&mut self, _: usize, call: &mut Call) {
        for op in ops(call) {
            if matches!(op, Op::ExpectLink { path, .. } | Op::ExpectAbsent { path } if path.as_str() == "current") {
                // This expectation always holds, and has the same reply.
                *op = Op::ExpectDirectory { path: "releases".parse().expect("a path") };
            }
        }
    }
}

struct NoFence;

impl Twist for NoFence {
    fn call(&mut self, _: usize, call: &mut Call) {
        for op in ops(call) {
            for path in paths_mut(op) {
                if path.as_str().starts_with(".switchback/lock/") && path.as_str().ends_with("/current") {
                    *path = ".switchback/trash/current".parse().expect("a path");
                }
            }
        }
    }
}

/// The release that was current on each host at the first read.
struct EarlyRecord(BTreeMap<usize, Option<String>>);

impl Twist for EarlyRecord {
    fn call(&mut self, host: usize, call: &mut Call) {
        for op in ops(call) {
            if let Op::WriteNew { path, content, .. } = op
                && path.as_str().ends_with("/previousVersion")
                && let Some(on) = self.0.get(&host)
            {
                *content = record_line(on.as_deref());
            }
        }
    }

    fn answer(&mut self, host: usize, answer: &Answer) {
        let Answer::Replies(replies) = answer else { return };
        for reply in replies {
            if let Reply::Link(link) = reply {
                let text = link.as_deref().map(|text| String::from_utf8_lossy(text).into_owned());
                let on = text.and_then(|text| text.strip_prefix("releases/").map(ToOwned::to_owned));
                self.0.entry(host).or_insert(on);
            }
        }
    }
}
