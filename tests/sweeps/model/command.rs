//! The commands of the model's controllers, and the faults planted in them.

use std::{collections::BTreeMap, sync::Arc};

use switchback::{
    Fleet, Report,
    engine::{ActivateOptions, DeployOptions, RollbackOptions, RunOptions},
    event::Silent,
    release::NewRelease,
    transport::{Op, Reply},
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

/// A fault in the tool, that the checker must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    Nothing,
    /// `current` is not compared before it is swapped.
    NoCompare,
    /// The link is prepared outside of the lock.
    NoFence,
    /// Each host is a fleet of its own.
    NoBarrier,
    /// The record says what was current before the lock was taken.
    EarlyRecord,
}

impl Command {
    /// The release that it brings or goes to, where it says so.
    pub(crate) fn target(self) -> Option<&'static str> {
        match self {
            Self::Deploy(name) | Self::Activate(name) => Some(name),
            Self::Rollback => None,
        }
    }

    /// Begins it, as the controller `id`.
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

    /// Carries it out.
    pub(crate) async fn run(self, fleet: &Fleet) -> Report {
        match self {
            Self::Deploy(name) => {
                let mut options = DeployOptions::default();
                options.allow_split = true;
                fleet.deploy(release(name), &options, &Silent).await
            }
            Self::Activate(name) => {
                let name = name.parse().expect("a name");
                fleet.activate(&name, &ActivateOptions::default(), &Silent).await
            }
            Self::Rollback => fleet.rollback(&RollbackOptions::default(), &Silent).await,
        }
    }
}

/// Brings a release to the hosts of `fleet` without switching to it.
pub(crate) async fn stage(fleet: &Fleet, name: &str) -> Report {
    fleet.stage(release(name), &RunOptions::default(), &Silent).await
}

fn release(name: &str) -> Arc<NewRelease> {
    let tree = Tree::from_memory([("index.html", name.as_bytes()), ("assets/style.css", b"body {}")]).expect("a tree");
    Arc::new(NewRelease::new(name.parse().expect("a name"), tree))
}

/// The steps of a batch.
fn ops(call: &mut Call) -> impl Iterator<Item = &mut Op> {
    let steps = if let Call::Execute(batch) = call { &mut batch.steps[..] } else { &mut [] };
    steps.iter_mut().map(|step| &mut step.op)
}

struct NoCompare;

impl Twist for NoCompare {
    fn call(&mut self, _: usize, call: &mut Call) {
        for op in ops(call) {
            if matches!(op, Op::ExpectLink { path, .. } | Op::ExpectAbsent { path } if path.as_str() == "current") {
                // It holds always, and answers alike.
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

/// What each host was on when it was asked first.
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
