//! Random commands of the simulated controllers, and their futures.

use std::sync::Arc;

use switchback::{
    Fleet, ReleaseName, Report,
    fleet::{ActivateOptions, Call, Cancel, DeployOptions, RollbackOptions, RollbackTarget, RunOptions},
    release::NewRelease,
    testing::WholeReport as _,
    tree::Tree,
};

use crate::simulation::rng::Rng;

#[derive(Debug, Clone)]
pub(crate) enum Command {
    Deploy { name: String, serial: usize, split: bool },
    Stage { name: String, serial: usize },
    Activate { name: String, split: bool },
    Rollback { target: RollbackTarget, from: Option<String> },
    Prune { keep: u32 },
    Pin { name: String, pins: bool },
    Status,
}

impl Command {
    /// Draws a command; releases in `known` were used before.
    pub(crate) fn draw(rng: &mut Rng, known: &[String], serial: usize) -> Self {
        let (fresh, split) = (format!("r{serial}"), rng.happens(300));
        let spoken_of = |rng: &mut Rng| rng.one_of(known).cloned().unwrap_or_else(|| "r0".to_owned());
        // Most names are new.
        let name = if rng.happens(100) { spoken_of(rng) } else { fresh };
        match rng.below(100) {
            0..36 => Self::Deploy { name, serial, split },
            36..45 => Self::Stage { name, serial },
            45..56 => Self::Activate { name: spoken_of(rng), split },
            56..82 => {
                let target = match rng.below(10) {
                    0..6 => RollbackTarget::Steps(1),
                    6..8 => RollbackTarget::Steps(u32::try_from(1 + rng.below(3)).expect("a small number")),
                    _ => RollbackTarget::Release(release_name(&spoken_of(rng))),
                };
                let from = rng.happens(150).then(|| spoken_of(rng));
                Self::Rollback { target, from }
            }
            82..92 => Self::Prune { keep: u32::try_from(rng.below(4)).expect("a small number") },
            92..95 => Self::Pin { name: spoken_of(rng), pins: rng.happens(700) },
            _ => Self::Status,
        }
    }

    /// Returns the release that it stages or goes to, if it names one.
    pub(crate) fn names(&self) -> Option<&str> {
        match self {
            Self::Deploy { name, .. } | Self::Stage { name, .. } | Self::Activate { name, .. } => Some(name),
            Self::Rollback { target: RollbackTarget::Release(name), .. } => Some(name.as_str()),
            Self::Rollback { .. } | Self::Prune { .. } | Self::Pin { .. } | Self::Status => None,
        }
    }

    /// Whether it writes the record of the release that it switches to.
    pub(crate) fn records(&self) -> bool {
        matches!(self, Self::Deploy { .. } | Self::Activate { .. })
    }

    /// Executes the command on `fleet`.
    pub(crate) async fn run(self, fleet: Fleet, cancel: Cancel) -> Vec<Report> {
        let (run, call) = (RunOptions::new().by("somebody@somewhere"), Call::new().cancel(&cancel));
        let report = match self {
            Self::Deploy { name, serial, split } => {
                let options = DeployOptions::new().run(run).allow_split(split);
                fleet.deploy(release(&name, serial), &options, call).report().await
            }
            Self::Stage { name, serial } => fleet.stage(release(&name, serial), &run, call).report().await,
            Self::Activate { name, split } => {
                let options = ActivateOptions::new().run(run).allow_split(split);
                fleet.activate(&release_name(&name), &options, call).report().await
            }
            Self::Rollback { target, from } => {
                let options = RollbackOptions::new().run(run).target(target).from(from.as_deref().map(release_name));
                fleet.rollback(&options, call).report().await
            }
            Self::Prune { keep } => fleet.prune(keep, &run, call).report().await,
            Self::Pin { name, pins: true } => fleet.pin(&release_name(&name), &run, call).report().await,
            Self::Pin { name, pins: false } => fleet.unpin(&release_name(&name), &run, call).report().await,
            Self::Status => fleet.status(call).report().await,
        };
        vec![report]
    }
}

fn release_name(text: &str) -> ReleaseName {
    text.parse().expect("a release name")
}

/// Returns a release whose page contains its name and the number of the upload.
fn release(name: &str, serial: usize) -> Arc<NewRelease> {
    let page = format!("{name} {serial}");
    let tree = Tree::from_memory([("index.html", page.as_bytes()), ("assets/style.css", b"body {}")]).expect("a tree");
    Arc::new(NewRelease::new(release_name(name), tree))
}
