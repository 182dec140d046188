//! From the parsed command line to the exit code.

use std::{io, process::ExitCode};

use switchback::{
    Error, ErrorKind, Event, ExitCode as Code, Observer, Report,
    report::{HostOutcome, HostReport, Outcome},
};

use crate::{
    args::{Cli, Command, Global, Hosts},
    ask,
    command::{self, Request},
    exit, fleet, interrupt,
    invocation::Invocation,
    render, target,
    target::Target,
    under_way::UnderWay,
    who,
};

/// Runs the command, prints its result and returns the exit code.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let (name, json) = (cli.command.name(), cli.global.json);
    dispatch(cli).unwrap_or_else(|error| {
        render::error(name, &error, json);
        Code::of(Outcome::Error, Some(error.kind())).into()
    })
}

fn dispatch(cli: Cli) -> Result<ExitCode, Error> {
    let Cli { global, hosts, command } = cli;
    let on = |after: &Hosts, request: Request| on_fleet(&global, &hosts.clone().and(after), &command, &request);
    match &command {
        Command::Deploy(deploy) => on(&deploy.hosts, deploy.request()),
        Command::Stage(stage) => on(&stage.hosts, stage.request()),
        Command::Drill(drill) => on(&drill.hosts, drill.request()),
        Command::Activate(activate) => on(&activate.hosts, activate.request()),
        Command::Rollback(rollback) => on(&rollback.hosts, rollback.request()),
        Command::Adopt(adopt) => on(&adopt.hosts, adopt.request()),
        Command::Recover(recover) => on(&recover.hosts, recover.request()),
        Command::Unlock(unlock) => on(&unlock.hosts, unlock.request()),
        Command::Prune(prune) => on(&prune.hosts, prune.request()),
        Command::Pin(pin) => on(&pin.hosts, pin.request()),
        Command::Unpin(unpin) => on(&unpin.hosts, unpin.request()),
        Command::Status(status) => on(&status.hosts, Request::Status),
        Command::Releases(releases) => on(&releases.hosts, Request::Releases),
        Command::History(history) => on(&history.hosts, history.request()),
        Command::Check(check) => on(&check.hosts, Request::Check),
        Command::Verify(verify) => on(&verify.hosts, verify.request()),
        Command::Config(config) => {
            let target = target::find(&global, &hosts.clone().and(&config.hosts))?;
            printed(command::config::print(&target, global.json))?;
            render::done(&command, &global, None)
        }
        Command::Init(_) => {
            let file = command::init::write(&global)?;
            let next = format!("Wrote {file}. Next: set the root and the hosts in it, then `switchback check`.");
            render::done(&command, &global, Some(&next))
        }
        Command::Completions(completions) => {
            printed(command::completions::print(completions)).map(|()| ExitCode::SUCCESS)
        }
        Command::Man(man) => printed(render::result(&command::man::page(man)?)).map(|()| ExitCode::SUCCESS),
    }
}

/// Converts a failed write to standard output. A closed pipe is not an error; a full disk, for instance, is.
pub(crate) fn printed(result: io::Result<()>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Internal, "standard output could not be written").because(error))
        }
        _ => Ok(()),
    }
}

fn on_fleet(global: &Global, hosts: &Hosts, command: &Command, request: &Request) -> Result<ExitCode, Error> {
    let target = target::find(global, hosts)?;
    let invocation =
        Invocation::new(global, hosts, std::env::args_os().map(|word| word.to_string_lossy().into_owned()));
    let runtime = runtime(&target, command)
        .map_err(|error| Error::new(ErrorKind::Internal, "the program could not start").because(error))?;
    let asked = runtime.block_on(asked(global, &invocation, &target, command, request));
    // The work has ended: waiting for the runtime's threads would only delay the exit.
    runtime.shutdown_background();
    let (report, signal) = asked?;
    let Some(report) = report else {
        return render::done(command, global, Some("Nothing was changed."));
    };
    let report = match command {
        Command::Status(status) => command::status::settled(report, status.check),
        Command::Releases(_) | Command::History(_) => command::status::settled(report, false),
        _ => report,
    };
    let mut report = with_those_left(report, &target);
    report.word_hints(&|hints| render::hint::words(hints, &invocation));
    let shown = printed(render::report(&report, global, &invocation));
    if let Err(error) = &shown {
        render::report_elsewhere(&report, global, &invocation, error);
    }
    if let Command::Drill(drill) = command {
        drill.write_reports(&report)?;
    }
    // The fleet's outcome comes before a failure to print it; but a command that only reads has failed then.
    if shown.is_err() && !request.changes() && report.exit_code() == Code::DONE {
        return Ok(Code::of(Outcome::Error, Some(ErrorKind::Internal)).into());
    }
    Ok(exit::of(&report, signal))
}

/// Builds the runtime. A rollback of one host runs on this very thread: it never blocks, and waking another thread
/// takes time.
fn runtime(target: &Target, command: &Command) -> io::Result<tokio::runtime::Runtime> {
    use tokio::runtime::Builder;
    let alone = target.config.hosts.len() == 1 && matches!(command, Command::Rollback(_));
    let mut builder = if alone { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.enable_all().build()
}

/// Returns the report, and the first signal received meanwhile; no report if the person says no.
async fn asked(
    global: &Global,
    invocation: &Invocation,
    target: &Target,
    command: &Command,
    request: &Request,
) -> Result<(Option<Report>, Option<interrupt::Signal>), Error> {
    let by = who::runs_this();
    if is_unwanted(global, target, command, &by).await {
        return Ok((None, None));
    }
    let under_way = UnderWay::default();
    // Not earlier: at a question, Ctrl-C ends the program as usual.
    let interrupt = if request.changes() && !global.dry_run {
        interrupt::listen(&under_way, &invocation.fleet)
            .map_err(|error| Error::new(ErrorKind::Internal, "signals could not be listened for").because(error))?
    } else {
        interrupt::never()
    };
    let watcher = render::observer(global);
    let observer = |event: &Event| {
        under_way.note(event);
        let mut event = event.clone();
        event.word_hints(&|hints| render::hint::words(hints, invocation));
        watcher.event(&event);
    };
    let session = fleet::Session {
        target,
        by,
        dry_run: global.dry_run,
        allow_writable: global.allow_writable,
        interrupt: interrupt.clone(),
        observer: &observer,
    };
    let report = fleet::run(request, &session).await;
    watcher.end();
    let signal = *interrupt.borrow();
    Ok((Some(report), signal))
}

/// Whether the person says no to a question. Asks before a plain rollback if a rollback led to the current release, and
/// before an adoption that moves a directory.
async fn is_unwanted(global: &Global, target: &Target, command: &Command, by: &str) -> bool {
    let question: fn(&Report) -> Option<String> = match command {
        Command::Rollback(rollback) if rollback.is_plain() => command::rollback::question,
        Command::Adopt(_) => command::adopt::question,
        _ => return false,
    };
    if global.yes || global.dry_run || global.json || !ask::somebody_is_there() {
        return false;
    }
    let session = fleet::Session {
        target,
        by: by.to_owned(),
        dry_run: false,
        allow_writable: global.allow_writable,
        interrupt: interrupt::never(),
        observer: &switchback::event::Silent,
    };
    let status = fleet::run(&Request::Status, &session).await;
    question(&status).is_some_and(|question| !ask::confirm(&question))
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
