//! Every command, cut after each of its steps and with each of its answers lost. FAULTS.md K11, K15, S05.
//!
//! At once `current` must be absent or lead to a complete release, and names must belong to complete ones; the next run
//! must end in a good state and leave nothing of the dead one.

use switchback::{
    ErrorKind, ExitCode, Fleet, Report,
    commands::Commands,
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, Direction, RecoverOptions, RollbackTarget, RunOptions},
    report::{HostOutcome, Outcome},
    testing::{AfterLoss, Cut, WholeReport as _},
};

use super::{
    fixture::{deploying, going_back, name, release, wait},
    world::{Local, Memory, World},
};

/// A command, the releases deployed before it, and its target.
struct Case {
    what: &'static str,
    before: &'static [&'static str],
    staged: &'static [&'static str],
    run: fn(&Fleet) -> Report,
    /// The current release when it is done; `None` if it does not switch.
    to: Option<&'static str>,
}

const CASES: &[Case] = &[
    Case { what: "first deploy", before: &[], staged: &[], run: |fleet| deploy(fleet, "new"), to: Some("new") },
    Case { what: "deploy", before: &["o", "a"], staged: &[], run: |fleet| deploy(fleet, "new"), to: Some("new") },
    Case { what: "stage", before: &["o", "a"], staged: &[], run: stage, to: None },
    Case { what: "activate", before: &["o", "a"], staged: &["new"], run: activate, to: Some("new") },
    Case { what: "rollback", before: &["o", "a", "b"], staged: &[], run: rollback, to: Some("a") },
];

fn deploy(fleet: &Fleet, text: &str) -> Report {
    wait(fleet.deploy(release(text), &deploying(), Silent).report())
}

fn stage(fleet: &Fleet) -> Report {
    wait(fleet.stage(release("new"), &RunOptions::default(), Silent).report())
}

fn activate(fleet: &Fleet) -> Report {
    wait(fleet.activate(&name("new"), &ActivateOptions::default(), Silent).report())
}

fn rollback(fleet: &Fleet) -> Report {
    wait(fleet.rollback(&going_back(RollbackTarget::Steps(1)), Silent).report())
}

impl Case {
    fn prepared<W: World>(&self, hosts: usize) -> W {
        let world = W::new(hosts);
        for text in self.before {
            assert_eq!(deploy(&world.fleet(&Cut::never()), text).exit_code(), ExitCode::DONE);
        }
        for text in self.staged {
            let report = wait(world.fleet(&Cut::never()).stage(release(text), &RunOptions::default(), Silent).report());
            assert_eq!(report.exit_code(), ExitCode::DONE);
        }
        world
    }

    fn is_from(&self) -> Option<&'static str> {
        self.before.last().copied()
    }
}

/// Checks what must hold at every instant: `current` points to a complete release, or is absent before the first
/// deploy, and every name in the releases directory belongs to a complete release, or is not a release name and its
/// directory is empty.
fn holds<W: World>(world: &W, case: &Case, at: &str) {
    for host in 0..world.hosts() {
        let link = world.link(host, "current");
        let allowed = [case.is_from(), case.to];
        let leads = link.as_deref().map(|text| text.strip_prefix("releases/").expect("a relative link"));
        assert!(
            leads.is_none() && case.before.is_empty() || allowed.contains(&leads),
            "{at}: host {host} is on {leads:?}"
        );
        for text in world.names(host, "releases") {
            if text.starts_with('.') {
                let held = world.names(host, &format!("releases/{text}"));
                assert!(held.is_empty(), "{at}: host {host} has {held:?} in {text}");
                continue;
            }
            let page = world.file(host, &format!("releases/{text}/index.html"));
            assert_eq!(page.as_deref(), Some(text.as_bytes()), "{at}: host {host} has half of {text}");
            assert!(
                world.file(host, &format!("releases/{text}/assets/style.css")).is_some(),
                "{at}: host {host}, {text}"
            );
        }
    }
}

/// Checks that every host is on `text`, and that no run left anything.
fn settled<W: World>(world: &W, text: &str, at: &str) {
    for host in 0..world.hosts() {
        assert_eq!(world.link(host, "current"), Some(format!("releases/{text}")), "{at}: host {host}");
        assert!(!world.names(host, ".switchback").contains(&"lock".to_owned()), "{at}: host {host} is locked");
        for place in ["live", "tmp", "staging", "journal", "trash"] {
            let left = world.names(host, &format!(".switchback/{place}"));
            assert!(left.is_empty(), "{at}: host {host} has {left:?} in {place}");
        }
        let left = world.names(host, "releases").into_iter().find(|name| name.starts_with('.'));
        assert_eq!(left, None, "{at}: host {host}");
    }
}

/// A check of hosts on which a run was cut off; its second argument says where.
type Next<'n, W> = &'n dyn Fn(&W, &str);

/// Cuts `case` off after each of its steps, and calls each of `next` on a copy of the rest. Returns the number of calls.
fn cut_everywhere<W: World>(case: &Case, hosts: usize, next: &[Next<'_, W>]) -> usize {
    let counting = Cut::never();
    let prepared: W = case.prepared(hosts);
    let fresh = || prepared.copy_or(|| case.prepared(hosts));
    assert_eq!((case.run)(&fresh().fleet(&counting)).exit_code(), ExitCode::DONE, "{}", case.what);
    for steps in 0..counting.steps() {
        let at = format!("{} on {hosts} hosts, cut after step {steps}", case.what);
        let broken = || {
            let world = fresh();
            let report = (case.run)(&world.fleet(&Cut::after(steps)));
            assert_ne!(report.exit_code(), ExitCode::DONE.max(ExitCode::UNEXPECTED), "{at}: a bug");
            world.controller_is_gone();
            holds(&world, case, &at);
            world
        };
        let first = broken();
        let (last, others) = next.split_last().expect("something follows");
        for next in others {
            let world = first.copy_or(broken);
            next(&world, &at);
            holds_after(&world, &at);
        }
        last(&first, &at);
        holds_after(&first, &at);
    }
    counting.steps() * next.len()
}

fn holds_after<W: World>(world: &W, at: &str) {
    for host in 0..world.hosts() {
        let link = world.link(host, "current").expect("something is current by now");
        let page = world.file(host, &format!("{link}/index.html"));
        assert!(page.is_some_and(|page| link.ends_with(std::str::from_utf8(&page).expect("a name"))), "{at}");
    }
}

/// Checks that the next deploy, from another machine, succeeds and cleans up.
fn deploy_next<W: World>(world: &W, at: &str) {
    let options = DeployOptions::default().allow_split(true);
    let report = wait(world.fleet(&Cut::never()).deploy(release("next"), &options, Silent).report());
    assert_eq!(report.exit_code(), ExitCode::DONE, "{at}: {:?}", report.error);
    settled(world, "next", at);
}

/// Checks that the next rollback goes to the target that the interrupted run leaves, and never further back.
fn roll_back_next<W: World>(world: &W, case: &Case, at: &str) {
    let on_new = (0..world.hosts()).any(|host| world.link(host, "current").as_deref() == Some("releases/new"));
    let held = (0..world.hosts()).any(|host| !world.names(host, ".switchback/lock").is_empty());
    // An upload without an owner has begun nothing; the next upload removes it.
    let has_upload = |host: usize| {
        let uploads = world.names(host, ".switchback/staging");
        uploads.iter().any(|upload| world.file(host, &format!(".switchback/staging/{upload}/owner")).is_some())
    };
    let uploading = (0..world.hosts()).any(has_upload);
    let left = (0..world.hosts()).any(|host| world.link(host, "current").as_deref() == Some("releases/b"));
    let goal = match case.what {
        // The next rollback finishes it, and goes no further back; one that had ended everywhere is followed by a new
        // one.
        "rollback" if held || left => "a",
        // A begun deploy is undone, and nothing more.
        "deploy" | "activate" if on_new || held || uploading => "a",
        _ => "o",
    };
    let report = rollback(&world.fleet(&Cut::never()));
    assert_eq!(report.exit_code(), ExitCode::DONE, "{at}: {:?}", report.error);
    for host in 0..world.hosts() {
        assert_eq!(world.link(host, "current"), Some(format!("releases/{goal}")), "{at}: host {host}");
        assert!(!world.names(host, ".switchback").contains(&"lock".to_owned()), "{at}: host {host} is locked");
        assert!(world.names(host, ".switchback/journal").is_empty(), "{at}: host {host}");
        assert!(!has_upload(host), "{at}: host {host} has a dead upload");
    }
}

fn recover<W: World>(world: &W, cut: &Cut, direction: Direction) -> Report {
    wait(
        world
            .fleet(cut)
            .recover(&RecoverOptions::new().direction(direction).run(RunOptions::default()), Silent)
            .report(),
    )
}

/// Returns the release that every host is on; `None` if no host has a `current`.
fn on_one<W: World>(world: &W, at: &str) -> Option<String> {
    let links: Vec<Option<String>> = (0..world.hosts()).map(|host| world.link(host, "current")).collect();
    assert!(links.windows(2).all(|pair| pair[0] == pair[1]), "{at}: {links:?}");
    links[0].as_deref().map(|link| link.trim_start_matches("releases/").to_owned())
}

/// Checks that `recover` brings every host to one release, and leaves nothing to recover.
fn recover_next<W: World>(world: &W, case: &Case, direction: Direction, at: &str) {
    let on_new = |host| {
        world.link(host, "current").map(|link| link.trim_start_matches("releases/").to_owned())
            == case.to.map(Into::into)
    };
    let arrived = (0..world.hosts()).all(on_new);
    let lacks =
        (0..world.hosts()).any(|host| !world.names(host, "releases").iter().any(|name| Some(&**name) == case.to));
    let report = recover(world, &Cut::never(), direction);
    if direction != Direction::Safest && report.outcome == Outcome::Refused {
        // A run that did not begin on some host cannot go forward, and one that has ended there cannot be undone: that
        // is reported, and the other direction works.
        let kind = report.error.as_ref().map(|error| error.kind);
        let expected =
            if direction == Direction::Forward && lacks { ErrorKind::NoSuchRelease } else { ErrorKind::HostsDiffer };
        assert_eq!(kind, Some(expected), "{at}");
        return recover_next(world, case, Direction::Safest, at);
    }
    assert_eq!(report.exit_code(), ExitCode::DONE, "{at}, recover {direction:?}: {:?}", report.error);
    let goal = match direction {
        _ if report.outcome == Outcome::Unchanged || case.to.is_none() => on_one(world, at),
        Direction::Safest if arrived || case.what == "rollback" => {
            on_one(world, at).filter(|on| Some(&**on) == case.to)
        }
        Direction::Forward => on_one(world, at).filter(|on| Some(&**on) == case.to || Some(&**on) == case.is_from()),
        Direction::Safest | Direction::Back => on_one(world, at).filter(|on| Some(&**on) == case.is_from()),
    };
    // A run that had only its lock has no target: it is only forgotten.
    assert!(
        goal.is_some() || on_one(world, at).as_deref() == case.is_from(),
        "{at}, recover {direction:?}: on {:?}",
        on_one(world, at)
    );
    for host in 0..world.hosts() {
        assert!(world.names(host, ".switchback/lock").is_empty(), "{at}: host {host} is locked");
        assert!(world.names(host, ".switchback/journal").is_empty(), "{at}: host {host}");
    }
    let again = recover(world, &Cut::never(), direction);
    assert_eq!((again.exit_code(), again.outcome), (ExitCode::DONE, Outcome::Unchanged), "{at}: recovered twice");
}

#[test]
fn every_crash_point_is_recovered() {
    for case in CASES {
        let recover_and_deploy = |direction| {
            move |world: &Memory, at: &str| {
                recover_next(world, case, direction, at);
                deploy_next(world, at);
            }
        };
        let [safest, forward, back] = [Direction::Safest, Direction::Forward, Direction::Back].map(recover_and_deploy);
        cut_everywhere::<Memory>(case, 2, &[&safest, &forward, &back]);
    }
}

/// A recovery that is cut off, at each of its steps, is recovered again.
#[test]
fn every_crash_point_of_a_recovery_is_recovered() {
    for case in CASES.iter().filter(|case| case.to.is_some()) {
        let counting = Cut::never();
        let prepared: Memory = case.prepared(2);
        let copy = |world: &Memory| world.copy().expect("hosts in memory");
        (case.run)(&copy(&prepared).fleet(&counting));
        // The points around those where one host has switched and the other has not.
        for first in (counting.steps() / 2..counting.steps()).step_by(37) {
            let broken = copy(&prepared);
            (case.run)(&broken.fleet(&Cut::after(first)));
            let counting = Cut::never();
            recover(&copy(&broken), &counting, Direction::Safest);
            for second in 0..counting.steps() {
                let world = copy(&broken);
                let at = format!("{}, cut after step {first}, its recovery after step {second}", case.what);
                recover(&world, &Cut::after(second), Direction::Safest);
                holds(&world, case, &at);
                recover_next(&world, case, Direction::Safest, &at);
            }
        }
    }
}

fn every_cut<W: World>(hosts: usize) {
    let mut points = 0;
    for case in CASES {
        let roll_back_next = |world: &W, at: &str| roll_back_next(world, case, at);
        let next: [Next<'_, W>; 2] = [&deploy_next, &roll_back_next];
        points += cut_everywhere::<W>(case, hosts, if case.before.len() > 1 { &next } else { &next[..1] });
    }
    #[expect(clippy::print_stderr, reason = "how many points were tried is part of the result")]
    {
        eprintln!("{points} crash points on {hosts} hosts");
    }
    assert!(points > 300 * hosts, "only {points} crash points were tried");
}

#[test]
fn every_crash_point_in_memory_is_mended_by_the_next_run() {
    every_cut::<Memory>(1);
    every_cut::<Memory>(2);
}

#[test]
fn every_crash_point_on_disk_is_mended_by_the_next_run() {
    every_cut::<Local>(1);
}

/// Checks the report of each host against its actual state.
fn is_true<W: World>(world: &W, case: &Case, report: &Report, at: &str) {
    for (place, host) in report.hosts.iter().enumerate() {
        let link = world.link(place, "current");
        if host.outcome != HostOutcome::Unknown && host.after.is_some() {
            assert_eq!(link, host.after.as_ref().map(|after| format!("releases/{after}")), "{at}: host {place}");
        }
    }
    let all_on = |text: Option<&str>| {
        (0..world.hosts()).all(|host| world.link(host, "current") == text.map(|text| format!("releases/{text}")))
    };
    match report.exit_code() {
        ExitCode::DONE => assert!(all_on(case.to.or(case.is_from())), "{at}: it says done"),
        ExitCode::REFUSED | ExitCode::PUT_BACK => assert!(all_on(case.is_from()), "{at}: it says that nothing changed"),
        _ => {}
    }
}

fn every_loss<W: World>(hosts: usize, then: AfterLoss) {
    for case in CASES {
        let counting = Cut::never();
        let prepared: W = case.prepared(hosts);
        let fresh = || prepared.copy_or(|| case.prepared(hosts));
        (case.run)(&fresh().fleet(&counting));
        for exchange in 1..=counting.exchanges() {
            let world = fresh();
            let at = format!("{} on {hosts} hosts, answer {exchange} lost, then {then:?}", case.what);
            let report = (case.run)(&world.fleet(&Cut::losing_answer(exchange, then)));
            world.controller_is_gone();
            holds(&world, case, &at);
            is_true(&world, case, &report, &at);
            deploy_next(&world, &at);
        }
    }
}

#[test]
fn every_lost_answer_is_read_again_or_called_unknown() {
    for then in [AfterLoss::Answers, AfterLoss::Dead] {
        every_loss::<Memory>(1, then);
        every_loss::<Memory>(2, then);
        every_loss::<Local>(1, then);
    }
}

/// A lost answer of the switch, with the host still reachable, does not even fail the deploy: the state is read
/// again.
#[test]
fn a_lost_answer_of_the_switch_is_found_out() {
    let case = &CASES[4];
    let counting = Cut::never();
    let world: Memory = case.prepared(1);
    rollback(&world.fleet(&counting));
    // Lock and read; switch; unlock.
    assert_eq!(counting.exchanges(), 3);
    let world: Memory = case.prepared(1);
    let report = rollback(&world.fleet(&Cut::losing_answer(2, AfterLoss::Answers)));
    assert_eq!(report.exit_code(), ExitCode::DONE, "{:?}", report.error);
    settled(&world, "a", "after the lost answer");
}

/// A pin is written in the exchange that releases the lock: without its answer, nobody knows whether it is there.
#[test]
fn a_pin_whose_answer_is_lost_is_not_reported_as_done() {
    let world = Memory::new(1);
    for text in ["a", "b"] {
        assert_eq!(deploy(&world.fleet(&Cut::never()), text).exit_code(), ExitCode::DONE);
    }
    // The state, the lock, the mark.
    let cut = Cut::losing_answer(3, AfterLoss::Dead);
    let report = wait(world.fleet(&cut).pin(&name("a"), &RunOptions::default(), Silent).report());
    let outcomes = (report.outcome, report.hosts[0].outcome);
    assert_eq!(outcomes, (Outcome::Failed, HostOutcome::Failed), "{:?}", report.error);
}

/// A stage between a killed deploy and its recovery changes nothing about the recovery. FAULTS.md K21.
#[test]
fn a_stage_settles_nothing_that_another_run_left() {
    let counting = Cut::never();
    let prepared = Memory::new(2);
    assert_eq!(deploy(&prepared.fleet(&Cut::never()), "a").exit_code(), ExitCode::DONE);
    let copy = || prepared.copy().expect("hosts in memory");
    let hooked = |fleet: &Fleet| {
        let mut options = deploying();
        let mut commands = Commands::default();
        commands.after_switch = Some("reload".to_owned());
        options = options.commands(commands);
        wait(fleet.deploy(release("b"), &options, Silent).report())
    };
    assert_eq!(hooked(&copy().fleet(&counting)).exit_code(), ExitCode::DONE);
    let recovered = |k: usize, stages: bool| {
        let world = copy();
        let _ = hooked(&world.fleet(&Cut::after(k)));
        if stages {
            assert_eq!(stage(&world.fleet(&Cut::never())).exit_code(), ExitCode::DONE, "{k}");
        }
        let report = wait(world.fleet(&Cut::never()).recover(&RecoverOptions::default(), Silent).report());
        let bad = world.names(0, ".switchback/releases/b").contains(&"bad".to_owned());
        (report.outcome, world.link(0, "current"), world.link(1, "current"), bad)
    };
    let mut compared = 0;
    for k in 0..counting.steps() {
        let world = copy();
        let _ = hooked(&world.fleet(&Cut::after(k)));
        // Before that there is only the upload, which a stage may remove.
        if world.names(0, "releases").contains(&"b".to_owned()) {
            assert_eq!(recovered(k, true), recovered(k, false), "{k}");
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared}");
}
