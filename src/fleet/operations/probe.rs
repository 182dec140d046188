//! Reads the version and the fingerprint of the data between the legs of a drill.

use std::time::Duration;

use crate::{
    adoption::Traces,
    commands::{Commands, DataPlace},
    data::DataVersion,
    error::{Error, ErrorKind},
    future::BoxFuture,
    hook::{HookDirection, HookKind, HookShell, ShellHook},
    name::ReleaseName,
    plan::{Plan, Refusal, Seen},
    report::{Command, Failure, Outcome, Report},
    store::HookDirectory,
};

use crate::fleet::{
    Call, Fleet, RunOptions,
    execution::Execution,
    locked_host::LockedHost,
    observe::untouched,
    phases::migrate::MigrationContext,
    run::Run,
    shell::{CONTROLLER, ControllerShell, HostShell},
    with_locks::{Needs, Operation},
};

/// The data at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::fleet) struct Probed {
    /// The data version, if there is data.
    pub(in crate::fleet) version: Option<DataVersion>,
    /// The same version without secrets, to be shown.
    pub(in crate::fleet) shown: Option<DataVersion>,
    /// The output of `fingerprint`, if it is configured.
    pub(in crate::fleet) fingerprint: Option<String>,
}

/// Reads the data version and the fingerprint under the locks, in the release that is current where the
/// data is.
pub(in crate::fleet) async fn probe(fleet: &Fleet, options: &RunOptions, call: &Call) -> Result<Probed, Box<Report>> {
    let run = Run::new(fleet, Command::Drill, options, call);
    // Not those of `options`, which may leave them to the configuration.
    let commands = run.options.commands.clone().unwrap_or_default();
    if run.options.data_place().is_none() && commands.fingerprint.is_none() {
        return Ok(Probed::default());
    }
    let mut probe = Probe { commands, probed: Probed::default() };
    let report = run.with_locks(None, &mut probe).await;
    if report.error.is_some() { Err(Box::new(report)) } else { Ok(probe.probed) }
}

/// A reading of the data in the release that is current where the data is.
struct Probe {
    commands: Commands,
    probed: Probed,
}

impl<'r> Operation<'r> for Probe {
    type Plan = Plan;

    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn plan(&mut self, seen: &[Seen<'_>], _traces: &[Traces]) -> Result<Option<Plan>, Refusal> {
        let current = seen.iter().find_map(|seen| seen.state.current.release());
        Ok(current.map(|current| Plan::staying(Command::Drill, current, seen)))
    }

    fn release(&self, plan: &Plan) -> Option<ReleaseName> {
        Some(plan.release.clone())
    }

    /// Emits nothing: the drill reports the data.
    fn emit_plan(&self, _run: &Run<'r>, _plan: &Plan) {}

    fn act<'a>(&'a mut self, run: &'a Run<'r>, plan: Plan, locked: Vec<LockedHost<'r>>) -> BoxFuture<'a, Report> {
        Box::pin(async move {
            let mut execution = Execution::new(run, &plan, locked);
            execution.secrets = run.secrets().clone();
            let probed = run.read_data(&mut execution, &self.commands, &plan.release).await;
            let hosts = execution.locked.iter().map(|host| untouched(host.name(), host.guard.state())).collect();
            run.release_locks(std::mem::take(&mut execution.locked)).await;
            match probed {
                Ok(probed) => {
                    self.probed = probed;
                    run.report(Outcome::Unchanged, None, hosts, None)
                }
                Err(why) => run.report(Outcome::Failed, None, hosts, Some(why)),
            }
        })
    }
}

impl<'r> Run<'r> {
    async fn read_data(
        &self,
        execution: &mut Execution<'r, '_>,
        commands: &Commands,
        current: &ReleaseName,
    ) -> Result<Probed, Failure> {
        let mut probed = Probed::default();
        let place = self.options.data_place();
        if let (Some(place), Some(migration)) = (&place, self.migration(commands.data.as_ref())) {
            let (directory, direction) = (HookDirectory::Release, HookDirection::Rollback);
            let context =
                MigrationContext { place, release: current, directory, direction, migration: migration.as_ref() };
            let version = self.version(execution, &context).await?;
            probed.shown = Some(self.redacted_version(&version));
            probed.version = Some(version);
        }
        if let Some(script) = &commands.fingerprint {
            let first = DataPlace::Host(execution.locked[0].name().to_owned());
            let (place, at) = (place.unwrap_or(first), (current, HookDirectory::Release));
            let printed = self.fingerprint(execution, &place, at, (script, commands.timeout)).await?;
            probed.fingerprint = Some(printed);
        }
        Ok(probed)
    }

    /// Returns the output of `fingerprint`, run in `release`.
    pub(in crate::fleet) async fn fingerprint(
        &self,
        execution: &mut Execution<'r, '_>,
        place: &DataPlace,
        (release, directory): (&ReleaseName, HookDirectory),
        (script, timeout): (&str, Duration),
    ) -> Result<String, Failure> {
        let hook = ShellHook { timeout: Some(timeout), ..ShellHook::new(HookKind::Fingerprint, script) };
        let secrets = execution.secrets.clone();
        let index = match place {
            DataPlace::Host(name) => execution.locked.iter().position(|host| host.member.name == *name),
            DataPlace::Controller => None,
        };
        let at = self.occasion(&execution.locked[index.unwrap_or_default()], release, execution.direction());
        let (host, exit) = match index {
            Some(index) => {
                let guard = execution.locked[index].guard.as_mut();
                let host = at.host.clone();
                (host, HostShell { run: self, guard, at, directory, secrets: &secrets }.sh(&hook).await)
            }
            None => (CONTROLLER.to_owned(), ControllerShell { run: self, at, secrets: &secrets }.sh(&hook).await),
        };
        let exit = exit.map_err(Failure::from)?;
        if !exit.success() {
            return Err(crate::hook::failed(ErrorKind::DataFailed, &host, HookKind::Fingerprint, &exit).into());
        }
        String::from_utf8(exit.stdout).map_err(|error| {
            Error::new(ErrorKind::DataFailed, format!("the fingerprint on {host} is not UTF-8")).because(error).into()
        })
    }
}
