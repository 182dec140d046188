//! The output of an operation's commands, by `log`.

use std::time::Duration;

use switchback::{
    DirStore, ErrorKind, ExitCode, Fleet, Hint, Host, HostPath, Layout, Report,
    commands::{Commands, Validation},
    event::Silent,
    fleet::{DeployOptions, RunOptions},
    hook::HookKind,
    report::{Command, CommandLog, HostOutcome},
    testing::{AfterLoss, Cut, Faults, WholeReport as _},
    transport::{HookEnd, HookExit},
};

use super::fixture::{Hosts, ROOT, assert_code, at, deploying, name, release, wait, wait_paused};

fn log(hosts: &Hosts, operation: Option<&str>) -> Report {
    wait(hosts.fleet().log(operation, Silent).report())
}

fn with_hooks() -> DeployOptions {
    deploying().commands(commands())
}

fn commands() -> Commands {
    let mut commands = Commands::default();
    commands.prepare = Some("make".to_owned());
    commands.after_switch = Some("reload".to_owned());
    commands
}

/// Hosts whose commands print the host's number and the command.
fn hosts(count: usize) -> Hosts {
    let hosts = Hosts::new(count);
    for (place, host) in hosts.0.iter().enumerate() {
        host.on_hook(move |call| {
            let end = HookEnd::Exited(u8::from(call.script == "fails"));
            HookExit::new(end, format!("{} of web{}\n", call.script, place + 1), "\x1b[2J")
        });
    }
    hosts
}

fn deploy(hosts: &Hosts, text: &str, options: &DeployOptions) -> Report {
    wait(hosts.fleet().deploy(release(text), options, Silent).report())
}

#[track_caller]
fn ran(report: &Report, host: usize) -> &[CommandLog] {
    &report.hosts[host].log.as_ref().expect("it knows the operation").commands
}

#[track_caller]
fn printed(report: &Report, host: usize) -> Vec<(HookKind, &str)> {
    ran(report, host).iter().map(|command| (command.hook, command.stdout.as_str())).collect()
}

#[test]
fn each_host_shows_what_its_commands_printed() {
    let hosts = hosts(2);
    assert_code(&deploy(&hosts, "a", &with_hooks()), ExitCode::DONE);
    let first = hosts.history().hosts[0].status.as_ref().expect("it was read").history.as_ref().expect("it is there")
        [0]
    .operation
    .clone();
    let mut failing = commands();
    failing.after_switch = Some("fails".to_owned());
    assert_code(&deploy(&hosts, "b", &deploying().commands(failing)), ExitCode::PUT_BACK);
    // A command without hooks does not hide it.
    let by = RunOptions::new().by("jane@laptop");
    assert_code(&wait(hosts.fleet().pin(&name("a"), &by, Silent).report()), ExitCode::DONE);

    let report = log(&hosts, None);
    assert_code(&report, ExitCode::DONE);
    let of = |host: &str| {
        [(HookKind::Prepare, format!("make of {host}\n")), (HookKind::AfterSwitch, format!("fails of {host}\n"))]
    };
    for (at, host) in ["web1", "web2"].into_iter().enumerate() {
        let expected = of(host);
        let expected: Vec<_> = expected.iter().map(|(hook, text)| (*hook, text.as_str())).collect();
        assert_eq!(printed(&report, at)[..2], expected);
        assert_eq!(ran(&report, at)[1].stderr, "\x1b[2J");
        assert_eq!(ran(&report, at)[1].end.as_deref(), Some("exited with 1"));
        assert!(ran(&report, at)[0].ok && !ran(&report, at)[1].ok);
        let entry = report.hosts[at].log.as_ref().and_then(|log| log.entry.as_ref()).expect("it has ended");
        assert_eq!((entry.command, entry.to.clone()), (Command::Deploy, Some(name("b"))));
    }
    let report = log(&hosts, Some(&first.as_str()[..8]));
    assert_code(&report, ExitCode::DONE);
    assert_eq!(printed(&report, 1)[1], (HookKind::AfterSwitch, "reload of web2\n"));
    hosts.clean();
}

#[test]
fn an_operation_that_no_host_knows_is_refused_with_the_nearest() {
    let hosts = hosts(2);
    assert_code(&log(&hosts, None), ExitCode::DONE);
    assert_code(&deploy(&hosts, "a", &with_hooks()), ExitCode::DONE);
    let known = log(&hosts, None).hosts[0].log.as_ref().expect("it is there").operation.clone();
    let digits = &known.as_str()[..8];
    let wrong = format!("{}{}", &digits[..7], if digits.ends_with('0') { '1' } else { '0' });
    let report = log(&hosts, Some(&wrong));
    assert_code(&report, ExitCode::REFUSED);
    let error = report.error.as_ref().expect("why");
    assert_eq!(error.kind, ErrorKind::NoSuchOperation);
    assert_eq!(error.hints[0], Hint::Advice(format!("did you mean {digits}?")));
}

/// What cannot be read on one host is named, and the others show theirs.
#[test]
fn output_that_cannot_be_read_is_named() {
    let hosts = hosts(3);
    assert_code(&deploy(&hosts, "a", &with_hooks()), ExitCode::DONE);
    let operation = log(&hosts, None).hosts[0].log.as_ref().expect("it is there").operation.clone();
    let record = at(&format!(".switchback/log/{operation}/001-prepare"));
    hosts.0[1].remove(&format!("{record}/out"));
    hosts.0[1].make_dir(&format!("{record}/out"));
    let report = log(&hosts, None);
    assert_code(&report, ExitCode::REFUSED);
    let error = report.error.as_ref().expect("why");
    assert!(error.kind == ErrorKind::DamagedState && error.message.contains("web2"), "{error:?}");
    assert!(error.message.starts_with("log failed on some hosts: web2: "), "{}", error.message);
    assert_eq!(report.hosts[1].outcome, HostOutcome::Failed);
    assert!(ran(&report, 1)[0].unreadable.is_some());
    for host in 0..3 {
        assert_eq!(ran(&report, host)[1].stdout, format!("reload of web{}\n", host + 1));
    }
}

/// A host whose answer to the switch was lost keeps the output of the commands before and after it.
#[test]
fn a_lost_answer_loses_no_output() {
    let root: HostPath = ROOT.parse().expect("a path");
    let fleet = |hosts: &Hosts, cut: &Cut| {
        let transport = Faults::new(hosts.0[0].connect("web1"), cut.clone());
        Fleet::new(vec![Host::new("web1", DirStore::new(transport, root.clone(), Layout::default()))]).expect("a fleet")
    };
    let counting = Cut::never();
    wait(fleet(&hosts(1), &counting).deploy(release("a"), &with_hooks(), Silent).report());
    for exchange in 1..=counting.exchanges() {
        let hosts = hosts(1);
        let cut = Cut::losing_answer(exchange, AfterLoss::Answers);
        let report = wait(fleet(&hosts, &cut).deploy(release("a"), &with_hooks(), Silent).report());
        if report.exit_code() != ExitCode::DONE {
            continue;
        }
        let report = log(&hosts, None);
        let expected = [(HookKind::Prepare, "make of web1\n"), (HookKind::AfterSwitch, "reload of web1\n")];
        assert_eq!(printed(&report, 0), expected, "answer {exchange} lost");
    }
}

/// The output that a host keeps is bounded, of an operation and of all of them.
#[test]
fn a_host_keeps_so_much_output_and_no_more() {
    let hosts = Hosts::new(1);
    let long = format!("{}\n", "x".repeat((4 << 10) - 1)).repeat(300);
    hosts.0[0].on_hook(move |_| HookExit::new(HookEnd::Exited(0), long.clone(), long.clone()));
    let mut rules = Validation::new("probe");
    (rules.hold_for, rules.every) = (Duration::from_secs(60), Duration::from_secs(5));
    let mut validated = commands();
    validated.validation = Some(rules);
    let options = deploying().commands(validated);
    assert_code(&wait_paused(hosts.fleet().deploy(release("a"), &options, Silent).report()), ExitCode::DONE);
    let report = log(&hosts, None);
    let commands = ran(&report, 0);
    let sizes: Vec<usize> = commands.iter().map(|command| command.stdout.len() + command.stderr.len()).collect();
    assert!(sizes.len() > 12 && sizes.iter().all(|size| *size >= 2 * (64 << 10)), "{sizes:?}");
    assert!(sizes.iter().sum::<usize>() <= (8 << 20) + sizes.len() * 2 * (64 << 10), "{sizes:?}");
    assert!(commands.iter().all(|command| command.cut));

    // Another host: the model copies all that a host has, again and again.
    let hosts = Hosts::new(1);
    let operations = || hosts.0[0].list(&at(".switchback/log")).expect("it is there");
    for number in 0..53 {
        assert_code(&deploy(&hosts, &format!("b{number}"), &with_hooks()), ExitCode::DONE);
    }
    assert!(operations().len() <= 51, "{:?}", operations());
    assert_code(&log(&hosts, None), ExitCode::DONE);
}
