//! From the parsed command line to the exit code.

use std::{io, process::ExitCode, sync::Arc};

use switchback::{
    Error, ErrorKind, Event, ExitCode as Code, Fleet, Observer, Report, RunError,
    report::{Command as Reported, HostOutcome, HostReport, Outcome},
};

use crate::{
    args::{Cli, Global, Hosts},
    ask,
    call::{self, Call},
    command::{OnFleet, Place},
    complete, exit,
    interrupt::{self, EndsAtOnce, Signal},
    invocation::Invocation,
    render, target,
    target::Target,
    under_way::UnderWay,
    who,
};

/// Runs the command that `words` were parsed to, prints its result and returns the exit code. The first word is the
/// program.
pub(crate) fn run(cli: Cli, words: Vec<String>) -> ExitCode {
    let (name, json) = (cli.command.name(), cli.global.json);
    dispatch(cli, words).unwrap_or_else(|error| {
        render::error(Some(name), &error, json);
        Code::of(Outcome::Error, Some(error.kind())).into()
    })
}

fn dispatch(cli: Cli, words: Vec<String>) -> Result<ExitCode, Error> {
    let Cli { mut global, hosts, command } = cli;
    global.expect_consistent()?;
    target::take_root_of_environment(&mut global)?;
    match command.place() {
        Place::Fleet(on) => on_fleet(&global, &hosts.clone().and(on.hosts()), on, words),
        Place::Machine(on) => on.run(command.name(), &global, &hosts),
    }
}

/// Converts a failed write to standard output. A closed pipe is not an error; a full disk, for instance, is.
pub(crate) fn printed(result: io::Result<()>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Internal, "cannot write to standard output").because(error))
        }
        _ => Ok(()),
    }
}

fn on_fleet(global: &Global, hosts: &Hosts, command: &dyn OnFleet, words: Vec<String>) -> Result<ExitCode, Error> {
    command.check_files()?;
    let invocation = Arc::new(Invocation::new(global, hosts, words));
    let ended = match target::find(global, hosts) {
        Err(error) if error.kind() == ErrorKind::Inventory => Some((Report::refused(command.reported(), error), None)),
        target => on_target(global, &invocation, &target?, command)?,
    };
    let Some((mut report, signal)) = ended else {
        return render::done(command.reported().as_str(), global, Some("Nothing was changed."));
    };
    report.word_hints(&|hints| render::hint::words(hints, &invocation));
    let shown = printed(render::report(&report, global, &invocation));
    if let Err(error) = &shown {
        render::report_elsewhere(&report, global, &invocation, error);
    }
    complete::remember(&report, global, hosts);
    let written = if global.dry_run { Ok(()) } else { command.write_files(&report) };
    if let Err(error) = &written {
        // The report is out already, and there is one.
        render::error(None, error, false);
    }
    // The outcome of the hosts comes first. A file that was asked for is part of the result, and so is what a command
    // prints that changes nothing.
    let is_lost = written.is_err() || shown.is_err() && !changes(global, command);
    if is_lost && report.exit_code() == Code::DONE {
        return Ok(Code::of(Outcome::Error, Some(ErrorKind::Internal)).into());
    }
    Ok(exit::of(&report, signal))
}

/// Whether this run changes the hosts.
fn changes(global: &Global, command: &dyn OnFleet) -> bool {
    command.changes() && !global.dry_run
}

/// Runs the command on its hosts; `None` if the person says no.
fn on_target(
    global: &Global,
    invocation: &Arc<Invocation>,
    target: &Target,
    command: &dyn OnFleet,
) -> Result<Option<Ended>, Error> {
    let runtime = runtime(target, command)
        .map_err(|error| Error::new(ErrorKind::Internal, "the program could not start").because(error))?;
    let ended = runtime.block_on(connected(global, invocation, target, command));
    // The work has ended: waiting for the runtime's threads would only delay the exit.
    runtime.shutdown_background();
    Ok(ended?.map(|(report, signal)| (with_those_left(command.settle(report), target), signal)))
}

/// Builds the runtime. A rollback of one host runs on this very thread: it never blocks, and waking another thread
/// takes time.
fn runtime(target: &Target, command: &dyn OnFleet) -> io::Result<tokio::runtime::Runtime> {
    use tokio::runtime::Builder;
    let alone = target.config.hosts.len() == 1 && command.reported() == Reported::Rollback;
    let mut builder = if alone { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.enable_all().build()
}

/// A report, and the first signal received meanwhile.
type Ended = (Report, Option<Signal>);

/// Connects the hosts, asks the person what the command asks, and calls the library; `None` if the person says no.
async fn connected(
    global: &Global,
    invocation: &Arc<Invocation>,
    target: &Target,
    command: &dyn OnFleet,
) -> Result<Option<Ended>, Error> {
    let fleet = match call::connect(target, global) {
        Ok(fleet) => fleet,
        Err(error) => return Ok(Some((Report::refused(command.reported(), error), None))),
    };
    let ended = if is_unwanted(&fleet, global, target, command).await {
        None
    } else {
        Some(called(&fleet, global, invocation, target, command).await?)
    };
    fleet.close().await;
    Ok(ended)
}

async fn called(
    fleet: &Fleet,
    global: &Global,
    invocation: &Arc<Invocation>,
    target: &Target,
    command: &dyn OnFleet,
) -> Result<Ended, Error> {
    let under_way = UnderWay::default();
    let _at_once;
    // Not earlier: at a question, Ctrl-C ends the program at once.
    let interrupt = if changes(global, command) {
        interrupt::listen(&under_way, &invocation.fleet)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot set up the signal handlers").because(error))?
    } else {
        _at_once = EndsAtOnce::begin();
        interrupt::never()
    };
    let source = matches!(command.reported(), Reported::Deploy | Reported::Stage | Reported::Drill);
    render::begin(global, names(target), source.then_some("reading the source"));
    let watcher = Arc::new(render::observer(global));
    let observer = {
        let (watcher, invocation) = (Arc::clone(&watcher), Arc::clone(invocation));
        Arc::new(move |event: &Event| {
            under_way.note(event);
            let mut event = event.clone();
            event.word_hints(&|hints| render::hint::words(hints, &invocation));
            watcher.event(&event);
        })
    };
    let by = who::runs_this();
    let call = Call { fleet, target, global, by: &by, interrupt: interrupt.clone(), observer };
    let called = command.call(&call).await;
    let mut report = match called {
        Ok(ended) => ended.unwrap_or_else(RunError::into_report),
        Err(error) => Report::refused(command.reported(), error),
    };
    render::end();
    watcher.drop_told(&mut report);
    let signal = *interrupt.borrow();
    Ok((report, signal))
}

/// Whether the person says no to the command's question. Asks only where somebody can answer.
async fn is_unwanted(fleet: &Fleet, global: &Global, target: &Target, command: &dyn OnFleet) -> bool {
    let Some(question) = command.question() else { return false };
    if global.yes || global.dry_run || global.json || !ask::somebody_is_there() {
        return false;
    }
    let _at_once = EndsAtOnce::begin();
    render::begin(global, names(target), None);
    let status = fleet.status(|event: &Event| render::note(event)).await.unwrap_or_else(RunError::into_report);
    render::end();
    match question(&status) {
        // On a thread of its own, so that a signal is received meanwhile.
        Some(question) => !call::apart(move || ask::confirm(&question)).await,
        None => false,
    }
}

/// Returns the names of the hosts.
fn names(target: &Target) -> Vec<String> {
    target.config.hosts.iter().map(|host| host.name.clone()).collect()
}

/// Adds the hosts left out with `--except` to the report, in the configuration's order.
fn with_those_left(mut report: Report, target: &Target) -> Report {
    for (at, host) in &target.left {
        let at = (*at).min(report.hosts.len());
        report.hosts.insert(at, HostReport::new(&host.name, HostOutcome::Left));
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_no_error() {
        assert!(printed(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(printed(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
