//! The shells in which hooks run: on a host under its lock, and on the controller.

use std::{sync::Mutex, time::Duration};

use camino::Utf8PathBuf;
use tempfile::TempDir;

use crate::{
    error::{Error, ErrorKind},
    event::Event,
    future::BoxFuture,
    hook::{self, HookKind, HookShell, Occasion, ShellHook},
    limits,
    path::{HostPath, InnerPath},
    store::{HookDirectory, HookRun, StoreGuard},
    transport::{HookCall, HookExit, Secrets, Stream, shell::CommandShell},
};

use super::{Host, run::Run, secrets::redact};

pub(super) use crate::hook::CONTROLLER;

/// Runs commands on a host, in the directory of a release.
pub(super) struct HostShell<'s, 'r> {
    pub(super) run: &'s Run<'r>,
    pub(super) guard: &'s mut dyn StoreGuard,
    pub(super) at: Occasion,
    pub(super) directory: HookDirectory,
    pub(super) secrets: &'s Secrets,
}

impl HookShell for HostShell<'_, '_> {
    fn sh<'a>(&'a mut self, hook: &'a ShellHook) -> BoxFuture<'a, Result<HookExit, Error>> {
        Box::pin(async move {
            let call = HookRun {
                kind: hook.kind,
                release: self.at.release.clone(),
                directory: self.directory,
                script: hook.script.clone(),
                environment: environment(&self.at, hook),
                secrets: self.secrets.clone(),
                timeout: hook.timeout,
            };
            let events = HookEvents { run: self.run, host: &self.at.host, hook: hook.kind, secrets: self.secrets };
            events.began();
            let exit = self.guard.run(&call, &|stream, line: &[u8]| events.line(stream, line)).await;
            exit.map(|exit| events.ended(exit)).map_err(Error::from)
        })
    }
}

/// Runs read-only commands on a host, in its current release and without its lock.
pub(super) struct QuestionShell<'s> {
    pub(super) run: &'s Run<'s>,
    pub(super) host: &'s Host,
    pub(super) at: Occasion,
    pub(super) secrets: &'s Secrets,
    /// The timeout for commands without one of their own, so that no answer is awaited for ever.
    pub(super) timeout: Duration,
}

impl HookShell for QuestionShell<'_> {
    fn sh<'a>(&'a mut self, hook: &'a ShellHook) -> BoxFuture<'a, Result<HookExit, Error>> {
        Box::pin(async move {
            let question = HookRun {
                kind: hook.kind,
                release: self.at.release.clone(),
                directory: HookDirectory::Release,
                script: hook.script.clone(),
                environment: environment(&self.at, hook),
                secrets: self.secrets.clone(),
                timeout: Some(hook.timeout.unwrap_or(self.timeout)),
            };
            let events = HookEvents { run: self.run, host: &self.at.host, hook: hook.kind, secrets: self.secrets };
            events.began();
            let exit = self.host.store.ask(&question, &|stream, line: &[u8]| events.line(stream, line)).await;
            exit.map(|exit| events.ended(exit)).map_err(Error::from)
        })
    }
}

/// Runs commands on the controller, in the directory of the configuration.
pub(super) struct ControllerShell<'s, 'r> {
    pub(super) run: &'s Run<'r>,
    pub(super) at: Occasion,
    pub(super) secrets: &'s Secrets,
}

impl HookShell for ControllerShell<'_, '_> {
    fn sh<'a>(&'a mut self, hook: &'a ShellHook) -> BoxFuture<'a, Result<HookExit, Error>> {
        Box::pin(async move {
            let (directory, record) = self.run.controller.place(hook.kind)?;
            let call = HookCall {
                root: directory,
                record,
                directory: self.run.directory()?,
                script: hook.script.clone(),
                environment: environment_here(&self.at, hook),
                secrets: self.secrets.clone(),
                timeout: hook.timeout,
                output_limit: limits::OUTPUT,
                ends: false,
            };
            let events = HookEvents { run: self.run, host: CONTROLLER, hook: hook.kind, secrets: self.secrets };
            events.began();
            let local = CommandShell::local(CONTROLLER);
            let exit = local.run(&call, &|stream, line: &[u8]| events.line(stream, line)).await;
            exit.map(|exit| events.ended(exit)).map_err(|error| {
                let what = format!("`{}` cannot run on the controller", hook.kind);
                Error::new(ErrorKind::Internal, what).because(error)
            })
        })
    }
}

/// Returns the variables of every hook, without those that the store adds.
fn environment(at: &Occasion, hook: &ShellHook) -> Vec<(String, String)> {
    let mut variables = vec![
        ("SWITCHBACK_HOST".to_owned(), at.host.clone()),
        ("SWITCHBACK_DIRECTION".to_owned(), at.direction.as_str().to_owned()),
        ("SWITCHBACK_PREVIOUS".to_owned(), at.previous.as_ref().map(ToString::to_string).unwrap_or_default()),
    ];
    variables
        .extend(hook.target.as_ref().map(|target| ("SWITCHBACK_DATA_TARGET".to_owned(), target.as_str().to_owned())));
    variables
}

/// Returns all variables of a command on the controller.
fn environment_here(at: &Occasion, hook: &ShellHook) -> Vec<(String, String)> {
    let mut variables = environment(at, hook);
    variables.push(("SWITCHBACK_RELEASE".to_owned(), at.release.to_string()));
    variables.push(("SWITCHBACK_RELEASE_PATH".to_owned(), at.directory.as_str().to_owned()));
    variables.push(("SWITCHBACK_ROOT".to_owned(), at.root.as_str().to_owned()));
    variables
}

/// Emits the output of a hook, without its secrets.
struct HookEvents<'t, 'r> {
    run: &'t Run<'r>,
    host: &'t str,
    hook: HookKind,
    secrets: &'t Secrets,
}

impl HookEvents<'_, '_> {
    fn began(&self) {
        self.run.emit(&Event::HookStarted { host: self.host.to_owned(), hook: self.hook });
    }

    fn line(&self, stream: Stream, line: &[u8]) {
        let line = redact(self.secrets, &String::from_utf8_lossy(line));
        self.run.emit(&Event::HookOutput { host: self.host.to_owned(), hook: self.hook, stream, line });
    }

    fn ended(&self, exit: HookExit) -> HookExit {
        self.run.emit(&Event::HookEnded { host: self.host.to_owned(), hook: self.hook, end: hook::how(&exit.end) });
        let clean = |text: &[u8]| redact(self.secrets, &String::from_utf8_lossy(text)).into_bytes();
        // The output of `version` is the data version and stays as it is, byte for byte: a value that happens to be
        // part of it must not send a revert elsewhere. It is redacted where it is shown.
        HookExit {
            stdout: if self.secrets.is_empty() || self.hook == HookKind::Version {
                exit.stdout
            } else {
                clean(&exit.stdout)
            },
            stderr: clean(&exit.stderr),
            ..exit
        }
    }
}

/// The records of commands on the controller: in a private directory, removed at the end.
#[derive(Debug, Default)]
pub(super) struct Controller(Mutex<Option<(TempDir, usize)>>);

impl Controller {
    /// Returns the directory of the records, and the path of the next one.
    fn place(&self, kind: HookKind) -> Result<(HostPath, InnerPath), Error> {
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let trouble = |error: std::io::Error| {
            Error::new(ErrorKind::Internal, "cannot create a private directory on the controller").because(error)
        };
        if kept.is_none() {
            *kept = Some((tempfile::Builder::new().prefix("switchback-").tempdir().map_err(trouble)?, 0));
        }
        let (directory, count) = kept.as_mut().expect("it was just made");
        *count += 1;
        let path = directory.path().to_str().and_then(|path| HostPath::new(path).ok());
        let root =
            path.ok_or_else(|| Error::new(ErrorKind::Internal, "the temporary directory's path is not UTF-8"))?;
        let record = InnerPath::new(&format!("{count:03}-{kind}")).expect("a number and a word make a name");
        Ok((root, record))
    }
}

impl Run<'_> {
    /// Returns the working directory of commands on the controller: that of the configuration, else the
    /// current one.
    fn directory(&self) -> Result<HostPath, Error> {
        let here = || std::env::current_dir().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
        let directory = self.options.directory.clone().or_else(here);
        let path = directory.and_then(|path| HostPath::new(path.as_str()).ok());
        path.ok_or_else(|| Error::new(ErrorKind::Internal, "the current directory has no absolute UTF-8 path"))
    }
}
