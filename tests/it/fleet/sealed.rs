//! Seals of releases: changes by a release's own commands are sealed when the operation ends, changes by anybody
//! else are damage.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use switchback::{
    DirStore, ErrorKind, ExitCode, Fleet, Host, Layout, Report,
    commands::{Commands, DataCommands, DataPlace},
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, Direction, RecoverOptions, RollbackOptions, RollbackTarget, RunOptions},
    report::Verification,
    testing::{AfterLoss, Cut, Faults, Recording, Unreadable, WholeReport as _},
    transport::{FailureKind, HookEnd, HookExit, raw::HookCall},
};

use super::fixture::{Hosts, ROOT, assert_code, at, going_back, name, release, wait};

const STYLE: &str = "assets/style.css";

fn ended(code: u8) -> HookExit {
    HookExit::new(HookEnd::Exited(code), "", "")
}

/// One host, each of whose commands stamps the page of the release that it runs in, and creates a file beside
/// it.
fn host() -> Hosts {
    let hosts = Hosts::new(1);
    stamping(&hosts, |_| ended(0));
    hosts
}

/// Sets up such a host, where a command ends as `end` returns.
fn stamping(hosts: &Hosts, end: impl Fn(&HookCall) -> HookExit + Send + Sync + 'static) {
    let host = hosts.0[0].clone();
    hosts.0[0].on_hook(move |call| {
        let page = format!("{}/index.html", call.directory.as_str());
        let was = host.read(&page).unwrap_or_default();
        host.write(&page, [&was[..], b" stamped"].concat());
        host.write(&format!("{}/cache", call.directory.as_str()), "made");
        end(call)
    });
}

fn commands() -> Commands {
    let mut commands = Commands::default();
    commands.after_switch = Some("stamp".to_owned());
    commands
}

fn run() -> RunOptions {
    RunOptions::new().by("jane@laptop").commands(commands())
}

fn fleet(hosts: &Hosts, cut: &Cut) -> Fleet {
    let root = ROOT.parse().expect("a path");
    let store = DirStore::new(Faults::new(hosts.0[0].connect("web1"), cut.clone()), root, Layout::default());
    Fleet::new(vec![Host::new("web1", store)]).expect("a fleet")
}

fn deploy(hosts: &Hosts, text: &str, cut: &Cut) -> Report {
    let options = DeployOptions::default().run(run());
    wait(fleet(hosts, cut).deploy(release(text), &options, Silent).report())
}

fn deployed(names: &[&str]) -> Hosts {
    let hosts = host();
    for text in names {
        assert_code(&deploy(&hosts, text, &Cut::never()), ExitCode::DONE);
    }
    hosts
}

fn back() -> RollbackOptions {
    going_back(RollbackTarget::Steps(1)).run(run())
}

fn activate(hosts: &Hosts, text: &str) -> Report {
    let options = ActivateOptions::default().run(run()).verify(switchback::TargetCheck::None);
    wait(hosts.fleet().activate(&name(text), &options, Silent).report())
}

fn recover(hosts: &Hosts) -> Report {
    wait(hosts.fleet().recover(&RecoverOptions::new().direction(Direction::Safest).run(run()), Silent).report())
}

/// Returns the result of a full verification of a release.
fn verified(hosts: &Hosts, text: &str) -> Verification {
    let report = wait(hosts.fleet().verify(Some(&name(text)), true, Silent).report());
    report.hosts[0].verification.clone().expect("it was verified")
}

fn damage(hosts: &Hosts, text: &str) -> Vec<String> {
    verified(hosts, text).damage.iter().map(ToString::to_string).collect()
}

fn mark(text: &str) -> String {
    at(&format!(".switchback/releases/{text}/touched"))
}

fn is_marked(hosts: &Hosts, text: &str) -> bool {
    hosts.0[0].exists(&mark(text))
}

fn page(hosts: &Hosts, text: &str) -> String {
    let page = hosts.0[0].read(&at(&format!("releases/{text}/index.html"))).expect("a page");
    String::from_utf8_lossy(&page).into_owned()
}

/// Writes the snapshot of a release as it was staged, as a killed run leaves it.
fn leave_mark(hosts: &Hosts, text: &str) {
    let digest = |content: &str| switchback::manifest::Digest::of(content.as_bytes());
    let line = |content: &str, path: &str| format!("81a4 1000 {} {} .//./{path}\n", content.len(), digest(content));
    hosts.0[0].write(&mark(text), [line(text, "index.html"), line("body {}", STYLE), "-0\n".to_owned()].concat());
}

#[test]
fn what_after_switch_changes_is_sealed_in_either_direction() {
    let hosts = deployed(&["a", "b", "c"]);
    for text in ["a", "b", "c"] {
        let found = verified(&hosts, text);
        assert_eq!((found.damaged, found.added), (0, 1), "what a command adds is no part of the release");
        assert!(!is_marked(&hosts, text));
    }
    assert!(hosts.status().hosts[0].status.as_ref().expect("it was read").damaged.is_empty());
    for text in ["b", "a"] {
        let report = wait(hosts.fleet().rollback(&back(), Silent).report());
        assert_code(&report, ExitCode::DONE);
        assert!(damage(&hosts, text).is_empty() && !is_marked(&hosts, text));
        assert_eq!(page(&hosts, text), format!("{text} stamped stamped"));
    }
    hosts.clean();
}

/// A host with data, whose migrations rewrite a file of the release that they run in.
struct Migrating {
    hosts: Hosts,
    commands: Commands,
    /// The numbers of the calls that run commands.
    ran: Arc<Mutex<BTreeSet<usize>>>,
}

impl Migrating {
    /// A host with two releases; `cut` counts the calls.
    fn new(cut: &Cut) -> Self {
        let (hosts, ran, cut) = (Hosts::new(1), Arc::new(Mutex::new(BTreeSet::new())), cut.clone());
        let (data, host, runs) = (Mutex::new(String::from("0")), hosts.0[0].clone(), Arc::clone(&ran));
        hosts.0[0].on_hook(move |call| {
            runs.lock().expect("nobody panicked").insert(cut.exchanges());
            let mut data = data.lock().expect("nobody panicked");
            let target = call.environment.iter().find(|(name, _)| name == "SWITCHBACK_DATA_TARGET");
            match (&call.script[..], target) {
                ("apply", _) => data.push('1'),
                ("revert", Some((_, target))) => data.clone_from(target),
                _ => return HookExit::new(HookEnd::Exited(0), data.clone(), ""),
            }
            host.write(&format!("{}/{STYLE}", call.directory.as_str()), format!("{} {data}", call.script));
            ended(0)
        });
        let mut data = DataCommands::new(DataPlace::Host("web1".to_owned()), "version", "apply");
        data.revert = Some("revert".to_owned());
        let mut commands = Commands::default();
        commands.data = Some(data);
        let migrating = Self { hosts, commands, ran };
        for text in ["a", "b"] {
            let options = DeployOptions::default().run(migrating.run());
            let fleet = migrating.fleet(&Cut::never());
            assert_code(&wait(fleet.deploy(release(text), &options, Silent).report()), ExitCode::DONE);
            assert!(damage(&migrating.hosts, text).is_empty(), "{text}");
        }
        migrating
    }

    fn fleet(&self, cut: &Cut) -> Fleet {
        fleet(&self.hosts, cut).version_pause(Duration::ZERO)
    }

    fn run(&self) -> RunOptions {
        RunOptions::new().by("jane@laptop").commands(self.commands.clone())
    }

    fn rollback(&self, cut: &Cut) -> Report {
        let options = going_back(RollbackTarget::Steps(1)).run(self.run());
        wait(self.fleet(cut).rollback(&options, Silent).report())
    }

    #[track_caller]
    fn all_sealed(&self, case: &str) {
        for text in ["a", "b"] {
            assert!(!is_marked(&self.hosts, text), "{case}: {text} is marked");
            assert_eq!(damage(&self.hosts, text), Vec::<String>::new(), "{case}: {text}");
        }
    }
}

/// A migration changes the release that it belongs to, in either direction.
#[test]
fn what_apply_and_revert_change_is_sealed() {
    let migrating = Migrating::new(&Cut::never());
    assert_code(&migrating.rollback(&Cut::never()), ExitCode::DONE);
    // It ran in the release that was rolled back from.
    let style = migrating.hosts.0[0].read(&at(&format!("releases/b/{STYLE}"))).expect("a file");
    assert_eq!(String::from_utf8_lossy(&style), "revert 01");
    migrating.all_sealed("a rollback");
}

/// A rollback to a release in which a command was interrupted seals the release before it verifies it.
#[test]
fn a_rollback_that_was_cut_off_is_undone_all_the_same() {
    let counting = Cut::never();
    let counted = Migrating::new(&counting);
    counted.ran.lock().expect("nobody panicked").clear();
    assert_code(&counted.rollback(&counting), ExitCode::DONE);
    let ran = counted.ran.lock().expect("nobody panicked").clone();
    let mut marked = 0;
    for answer in (1..=counting.exchanges()).filter(|answer| !ran.contains(answer)) {
        let migrating = Migrating::new(&Cut::never());
        migrating.rollback(&Cut::losing_answer(answer, AfterLoss::Dead));
        migrating.hosts.0[0].reboot();
        marked += usize::from(is_marked(&migrating.hosts, "b"));
        let options = RecoverOptions::new().direction(Direction::Back).run(migrating.run());
        let report = wait(migrating.fleet(&Cut::never()).recover(&options, Silent).report());
        assert_code(&report, ExitCode::DONE);
        migrating.all_sealed(&format!("answer {answer} lost"));
    }
    assert!(marked > 0, "it was never cut off there");
}

/// A command that rewrites a damaged file does not repair it, nor does one that does not touch it.
#[test]
fn damage_that_was_there_before_stays_damage() {
    let hosts = deployed(&["a", "b"]);
    // Of the same size: a quick check does not detect it.
    hosts.0[0].write(&at(&format!("releases/a/{STYLE}")), "BODY {}");
    assert_code(&wait(hosts.fleet().rollback(&back(), Silent).report()), ExitCode::DONE);
    assert_eq!(damage(&hosts, "a"), ["assets/style.css has different content"]);
    hosts.0[0].write(&at("releases/b/index.html"), "somebody's");
    assert_code(&activate(&hosts, "b"), ExitCode::DONE);
    assert_eq!(damage(&hosts, "b"), ["index.html has 18 bytes, not 9"]);
    hosts.0[0].remove(&at(&format!("releases/a/{STYLE}")));
    let options = back().verify(switchback::TargetCheck::None);
    assert_code(&wait(hosts.fleet().rollback(&options, Silent).report()), ExitCode::DONE);
    assert_eq!(damage(&hosts, "a"), ["assets/style.css is missing"]);
}

#[test]
fn what_a_failed_command_changed_is_sealed() {
    let hosts = deployed(&["a"]);
    let script = |call: &HookCall| ended(u8::from(call.directory.as_str().ends_with("/b")));
    stamping(&hosts, script);
    assert_code(&deploy(&hosts, "b", &Cut::never()), ExitCode::PUT_BACK);
    for text in ["a", "b"] {
        assert!(page(&hosts, text).ends_with(" stamped"));
        assert!(damage(&hosts, text).is_empty() && !is_marked(&hosts, text), "{text}");
    }
}

#[test]
fn what_changes_after_prepare_is_told_too() {
    let hosts = host();
    let mut commands = commands();
    commands.prepare = Some("build".to_owned());
    let options = DeployOptions::new().run(run()).commands(commands.clone());
    for text in ["a", "b"] {
        assert_code(&wait(hosts.fleet().deploy(release(text), &options, Silent).report()), ExitCode::DONE);
        let found = verified(&hosts, text);
        assert_eq!((found.damaged, found.added), (0, 0), "what prepare made is part of the release");
        assert_eq!(page(&hosts, text), format!("{text} stamped stamped"));
    }
    // No further command runs in it: its mark is still removed.
    commands.after_switch = None;
    let options = options.commands(commands);
    assert_code(&wait(hosts.fleet().deploy(release("c"), &options, Silent).report()), ExitCode::DONE);
    assert!(["a", "b", "c"].iter().all(|text| !is_marked(&hosts, text)));
}

/// Deploys on an equal host without a cut. Returns the number of the call that runs the command: its lost answer
/// is asked for again for a minute, and the next call shows the same.
fn counted(counting: &Cut) -> usize {
    let hosts = deployed(&["a"]);
    let (cut, command) = (counting.clone(), Arc::new(AtomicUsize::new(0)));
    let ran = Arc::clone(&command);
    stamping(&hosts, move |_| {
        ran.store(cut.exchanges(), Ordering::SeqCst);
        ended(0)
    });
    assert_code(&deploy(&hosts, "b", counting), ExitCode::DONE);
    command.load(Ordering::SeqCst)
}

/// Wherever a deploy is cut off, a recovery seals the changes of its commands.
#[test]
fn a_recovery_seals_what_a_cut_left() {
    let counting = Cut::never();
    let command = counted(&counting);
    let mut left = 0;
    let answers = (1..=counting.exchanges())
        .filter(|answer| *answer != command)
        .map(|answer| Cut::losing_answer(answer, AfterLoss::Dead));
    for cut in answers.chain((0..counting.steps()).map(Cut::after)) {
        let hosts = deployed(&["a"]);
        deploy(&hosts, "b", &cut);
        hosts.0[0].reboot();
        if is_marked(&hosts, "b") {
            left += 1;
            let status = hosts.status().hosts[0].status.clone().expect("it was read");
            let told =
                status.leftovers.iter().any(|left| left.text.contains("commands of an interrupted run changed b"));
            assert!(told && status.damaged.is_empty(), "{cut:?}: {status:?}");
        }
        let report = recover(&hosts);
        assert_code(&report, ExitCode::DONE);
        assert!(!is_marked(&hosts, "a") && !is_marked(&hosts, "b"), "{cut:?}: {report:?}");
        for text in ["a", "b"] {
            if hosts.0[0].exists(&at(&format!("releases/{text}"))) {
                assert_eq!(damage(&hosts, text), Vec::<String>::new(), "{cut:?}: {text}");
            }
        }
        assert_code(&recover(&hosts), ExitCode::DONE);
    }
    assert!(left > 0, "it was never cut off between a command and its seal");
}

/// A rollback that settles a killed deploy needs no recovery before it, and leaves nothing to recover.
#[test]
fn a_rollback_seals_what_a_killed_deploy_left() {
    let counting = Cut::never();
    let command = counted(&counting);
    for answer in (1..=counting.exchanges()).filter(|answer| *answer != command) {
        let hosts = deployed(&["a"]);
        deploy(&hosts, "b", &Cut::losing_answer(answer, AfterLoss::Dead));
        hosts.0[0].reboot();
        let on_it = hosts.links()[0].as_deref() == Some("releases/b");
        let report = wait(hosts.fleet().rollback(&back(), Silent).report());
        if on_it {
            assert_code(&report, ExitCode::DONE);
            assert!(!is_marked(&hosts, "b") && damage(&hosts, "b").is_empty(), "answer {answer}: {report:?}");
        }
    }
}

/// A mark without any other leftover, as when only the seal itself failed.
#[test]
fn a_mark_that_was_left_alone_is_found_and_sealed() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    leave_mark(&hosts, "a");
    hosts.0[0].write(&at("releases/a/index.html"), "a stamped by a command");
    let dry = going_back(RollbackTarget::Steps(1)).dry_run(true);
    let report = wait(hosts.fleet().rollback(&dry, Silent).report());
    assert_code(&report, ExitCode::DONE);
    assert!(is_marked(&hosts, "a"));
    let report = wait(
        hosts
            .fleet()
            .recover(&RecoverOptions::new().direction(Direction::Safest).run(RunOptions::default()), Silent)
            .report(),
    );
    assert_code(&report, ExitCode::DONE);
    assert!(!is_marked(&hosts, "a") && damage(&hosts, "a").is_empty());
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.clean();
}

/// An unreadable mark vouches for nothing, and is reported: a torn mark is of no use to anybody, an unreadable
/// one may be to others.
#[test]
fn a_mark_that_cannot_be_read_seals_nothing() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    hosts.0[0].write(&at("releases/b/index.html"), "longer than it was");
    leave_mark(&hosts, "b");
    let path = ".switchback/releases/b/touched".parse().expect("a path");
    let host = Unreadable::new(hosts.0[0].connect("web1")).on(path, FailureKind::Denied);
    let store = DirStore::new(host, ROOT.parse().expect("a path"), Layout::default());
    let blind = Fleet::new(vec![Host::new("web1", store)]).expect("a fleet");
    let status = wait(blind.status(Silent).report()).hosts[0].status.clone().expect("it was read");
    assert!(status.unreadable.iter().any(|file| file.path.ends_with("/touched")), "{status:?}");
    let options = RecoverOptions::new().direction(Direction::Safest).run(RunOptions::default());
    wait(blind.recover(&options, Silent).report());
    assert!(is_marked(&hosts, "b"));
    hosts.0[0].write(&mark("b"), "81a4 1000 1 torn");
    assert_code(&wait(hosts.fleet().recover(&options, Silent).report()), ExitCode::DONE);
    assert!(!is_marked(&hosts, "b"));
    assert_eq!(damage(&hosts, "b"), ["index.html has 18 bytes, not 1"]);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    let report = hosts.activate("b");
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::DamagedRelease));
}

/// A snapshot costs no exchange of its own, and sealing costs two if there is something to seal.
#[test]
fn sealing_costs_two_exchanges() {
    let count = |hosts: &Hosts| {
        let recording = Arc::new(Recording::new(hosts.0[0].connect("web1")));
        let root = ROOT.parse().expect("a path");
        let store = DirStore::new(Arc::clone(&recording), root, Layout::default());
        let fleet = Fleet::new(vec![Host::new("web1", store)]).expect("a fleet");
        assert_code(&wait(fleet.rollback(&back(), Silent).report()), ExitCode::DONE);
        recording.exchanges()
    };
    let hosts = deployed(&["a", "b"]);
    let sealing = count(&hosts);
    let hosts = deployed(&["a", "b"]);
    hosts.0[0].on_hook(|_| ended(0));
    assert_eq!(sealing, count(&hosts) + 1);
    let hosts = deployed(&["a", "b"]);
    hosts.0[0].on_hook(|_| ended(0));
    // Its command only restarts a service: the release has no manifest to update.
    hosts.0[0].remove(&at(".switchback/releases/a/listing"));
    hosts.0[0].remove(&at(".switchback/releases/a/manifest"));
    assert_eq!(sealing, count(&hosts) + 2);
}
