//! The seam to the engine: what is asked, of whom, and the report that comes back.

use std::sync::Arc;

use camino::Utf8Path;
use switchback::{
    Address, DirStore, Error, ErrorKind, Fleet, Host, HostPath, Layout, Observer, ReleaseName, Report, Timestamp,
    Token,
    config::{HostConfig, Place},
    engine::{ActivateOptions, DeployOptions, RollbackOptions, RunOptions},
    plan::RollbackTarget,
    release::NewRelease,
    report::{Command, Outcome},
    transport::LocalTransport,
    tree::Tree,
};
use tokio::sync::watch;

use crate::{
    command::{Request, Why},
    interrupt::Signal,
    target::Target,
};

/// What every run has.
pub(crate) struct Session<'a> {
    pub(crate) target: &'a Target,
    pub(crate) by: String,
    pub(crate) dry_run: bool,
    pub(crate) interrupt: watch::Receiver<Option<Signal>>,
    pub(crate) observer: &'a dyn Observer,
}

/// Does what is asked, and says what came of it.
pub(crate) async fn run(request: &Request, session: &Session<'_>) -> Report {
    match asked(request, session).await {
        Ok(report) => report,
        Err(error) => {
            // What goes wrong before a fleet is there was refused; a wrong word is an error of the command line.
            let wrong = matches!(error.kind(), ErrorKind::Usage | ErrorKind::Config | ErrorKind::Internal);
            let outcome = if wrong { Outcome::Error } else { Outcome::Refused };
            let mut report = Report::new(command(request), outcome);
            report.error = Some(error.into());
            report
        }
    }
}

async fn asked(request: &Request, session: &Session<'_>) -> Result<Report, Error> {
    let fleet = fleet(session.target)?;
    let observer = session.observer;
    let report = match request {
        Request::Deploy { source, name, allow_split, why } => {
            let mut options = DeployOptions::default();
            (options.run, options.allow_split) = (session.options(why), *allow_split);
            fleet.deploy(release(source, name.as_ref())?, &options, observer).await
        }
        Request::Stage { source, name, wait } => {
            let options = session.options(&Why { reason: None, wait: *wait });
            fleet.stage(release(source, name.as_ref())?, &options, observer).await
        }
        Request::Activate { name, allow_split, why } => {
            let mut options = ActivateOptions::default();
            (options.run, options.allow_split) = (session.options(why), *allow_split);
            fleet.activate(name, &options, observer).await
        }
        Request::Rollback { to, steps, from, why } => {
            let mut options = RollbackOptions::default();
            let release = to.clone().map(RollbackTarget::Release);
            options.target = release.unwrap_or(RollbackTarget::Steps(steps.unwrap_or(1)));
            (options.run, options.from) = (session.options(why), from.clone());
            fleet.rollback(&options, observer).await
        }
        Request::Status => fleet.status(observer).await,
        Request::Releases => fleet.releases(observer).await,
        Request::History => fleet.history(observer).await,
        Request::Check => fleet.check(observer).await,
    };
    fleet.close().await;
    Ok(report)
}

impl Session<'_> {
    fn options(&self, why: &Why) -> RunOptions {
        let mut options = RunOptions::by(&self.by);
        options.reason.clone_from(&why.reason);
        options.wait = why.wait.unwrap_or_default();
        options.dry_run = self.dry_run;
        options
    }
}

fn fleet(target: &Target) -> Result<Fleet, Error> {
    let config = &target.config;
    let hosts = config.hosts.iter().map(|host| Ok(Host::new(&host.name, store(target, host)?)));
    Ok(Fleet::new(hosts.collect::<Result<_, Error>>()?)?.parallel(config.parallel))
}

fn store(target: &Target, host: &HostConfig) -> Result<DirStore, Error> {
    let (root, layout) = (host.root.clone(), target.config.layout.clone());
    match &host.place {
        Place::Local => Ok(DirStore::new(LocalTransport::named(&host.name), root, layout)),
        Place::Ssh(address) => over_ssh(address, target, root, layout),
    }
}

#[cfg(feature = "ssh")]
#[expect(clippy::unnecessary_wraps, reason = "a build without ssh refuses here")]
fn over_ssh(address: &Address, target: &Target, root: HostPath, layout: Layout) -> Result<DirStore, Error> {
    let ssh = switchback::transport::SshTransport::over_ssh(address.clone(), target.config.ssh.clone());
    Ok(DirStore::new(ssh, root, layout))
}

#[cfg(not(feature = "ssh"))]
fn over_ssh(address: &Address, _: &Target, _: HostPath, _: Layout) -> Result<DirStore, Error> {
    Err(Error::new(ErrorKind::Config, format!("{address} needs ssh, and this build has none")))
}

/// The release of this source, under this name or a made one.
fn release(source: &Utf8Path, name: Option<&ReleaseName>) -> Result<Arc<NewRelease>, Error> {
    let tree = Tree::open(source)
        .map_err(|error| Error::new(ErrorKind::Source, format!("{source} cannot be a release")).because(error))?;
    let name = name.cloned().unwrap_or_else(|| ReleaseName::made_at(Timestamp::now(), &Token::random()));
    Ok(Arc::new(NewRelease::new(name, tree)))
}

/// The command that a request belongs to.
fn command(request: &Request) -> Command {
    match request {
        Request::Deploy { .. } => Command::Deploy,
        Request::Stage { .. } => Command::Stage,
        Request::Activate { .. } => Command::Activate,
        Request::Rollback { .. } => Command::Rollback,
        Request::Status => Command::Status,
        Request::Releases => Command::Releases,
        Request::History => Command::History,
        Request::Check => Command::Check,
    }
}
