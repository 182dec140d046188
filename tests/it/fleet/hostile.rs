//! A host with hostile records: they run, send and move nothing anywhere else. FAULTS.md T01 to T05.

use std::{
    future::Future,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use switchback::{
    ErrorKind, ExitCode, Hint, Report,
    commands::{Commands, DataCommands, DataPlace, Validation},
    event::Silent,
    fleet::{CommandsFrom, Direction, RecoverOptions, RollbackOptions, RollbackTarget, RunOptions},
    report::Outcome,
    testing::{Collected, WholeReport as _},
    transport::{HookEnd, HookExit, raw::HookCall},
};

use super::fixture::{Hosts, assert_code, at, deploying, going_back, release};

/// Runs a future of the library to its end, on a runtime that can also run commands on the controller.
fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Three hosts on `v3` whose commands do not run, but are logged as `HOST SCRIPT`.
struct World {
    hosts: Hosts,
    ran: Arc<Mutex<Vec<String>>>,
    commands: Commands,
}

/// Returns the path of a record that a host keeps with a release.
fn kept(text: &str, file: &str) -> String {
    at(&format!(".switchback/releases/{text}/{file}"))
}

impl World {
    fn with(change: impl FnOnce(&mut Commands)) -> Self {
        let hosts = Hosts::new(3);
        let ran = Arc::<Mutex<Vec<String>>>::default();
        for (place, host) in hosts.0.iter().enumerate() {
            let ran = Arc::clone(&ran);
            host.on_hook(move |call| answer(&ran, place + 1, call));
        }
        let mut commands = Commands::default();
        commands.after_switch = Some("reload".into());
        change(&mut commands);
        let world = Self { hosts, ran, commands };
        for text in ["v1", "v2", "v3"] {
            assert_code(&world.deploy(text), ExitCode::DONE);
        }
        world.took();
        world
    }

    fn deploy(&self, text: &str) -> Report {
        let options = deploying().commands(self.commands.clone());
        wait(self.hosts.fleet().deploy(release(text), &options, Silent).report())
    }

    /// Rolls back without a configuration; returns the warnings too.
    fn rollback(&self, change: impl FnOnce(RollbackOptions) -> RollbackOptions) -> (Report, String) {
        let options = change(going_back(RollbackTarget::Steps(1)));
        let warned = Collected::warnings();
        let report = wait(self.hosts.fleet().rollback(&options, warned.clone()).report());
        (report, warned.take().join("\n"))
    }

    fn took(&self) -> Vec<String> {
        let mut ran = std::mem::take(&mut *self.ran.lock().expect("nobody panics with it"));
        ran.sort();
        ran
    }

    /// Rewrites one of web1's records.
    fn forge(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let host = &self.hosts.0[0];
        let content = host.read(path).unwrap_or_else(|| b"{}".to_vec());
        let mut record = serde_json::from_slice(&content).expect("it is JSON");
        change(&mut record);
        host.write(path, record.to_string());
    }

    fn on(&self, links: [&str; 3]) {
        assert_eq!(self.hosts.links(), links.map(|name| Some(format!("releases/{name}"))));
    }
}

fn answer(ran: &Mutex<Vec<String>>, place: usize, call: &HookCall) -> HookExit {
    let secrets: Vec<&str> = call.secrets.pairs().iter().map(|(name, _)| name.as_str()).collect();
    let line = format!("web{place} {}{}", call.script, if secrets.is_empty() { "" } else { " with secrets" });
    ran.lock().expect("nobody panics with it").push(line);
    HookExit::new(HookEnd::Exited(0), "1\n", "")
}

/// Adds the commands that web1 would like to have run everywhere, and a validation that creates a file on the
/// controller.
fn evil(record: &mut Value, trap: &std::path::Path) {
    let zero = json!({ "secs": 0, "nanos": 0 });
    record["after_switch"] = json!("evil");
    record["validation"] = json!({ "command": format!("touch {}", trap.display()), "on": "controller",
        "start_within": zero, "every": zero, "for": zero, "allow_failures": 0 });
    record["pass_env"] = json!(["PATH"]);
    record["env_file"] = json!("/etc/passwd");
}

#[test]
fn what_one_host_recorded_runs_nowhere_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let trap = directory.path().join("ran-on-the-controller");
    for configured in [false, true] {
        let world = World::with(|_| {});
        world.forge(&kept("v2", "commands"), |record| evil(record, &trap));
        let commands = world.commands.clone();
        let (report, warned) = world.rollback(|options| options.commands(configured.then_some(commands)));
        assert_code(&report, ExitCode::DONE);
        assert_eq!(world.took(), ["web1 evil", "web2 reload", "web3 reload"], "configured: {configured}");
        assert!(!trap.exists(), "the controller ran what web1 says");
        for words in ["differ, and each host runs its own", "web2, web3: after_switch `reload`", "PATH", "/etc/passwd"]
        {
            assert!(warned.contains(words), "{words:?} is not in {warned}");
        }
        assert!(warned.contains("skips the validation on the controller"), "{warned}");
    }
}

#[test]
fn no_other_command_obeys_it_either() {
    let directory = tempfile::tempdir().expect("a directory");
    let trap = directory.path().join("ran-on-the-controller");
    // A deploy that is reverted runs the hook of the restored release, on each host its own.
    let mut world = World::with(|_| {});
    world.forge(&kept("v3", "commands"), |record| evil(record, &trap));
    world.commands.validation = Some(Validation::new("fails"));
    let ran = Arc::clone(&world.ran);
    world.hosts.0[2].on_hook(move |call| {
        let exit = answer(&ran, 3, call);
        HookExit::new(HookEnd::Exited(u8::from(call.script == "fails")), exit.stdout, exit.stderr)
    });
    assert_code(&world.deploy("v4"), ExitCode::PUT_BACK);
    world.on(["v3", "v3", "v3"]);
    let ran: Vec<String> = world.took().into_iter().filter(|line| !line.ends_with("fails")).collect();
    assert_eq!(ran.iter().filter(|line| line.contains("evil")).collect::<Vec<_>>(), ["web1 evil"]);
    assert!(!trap.exists(), "the controller ran what web1 says");
}

#[test]
fn the_controller_runs_what_its_own_configuration_says() {
    let directory = tempfile::tempdir().expect("a directory");
    let mark = directory.path().join("validated");
    let world = World::with(|commands| {
        let mut validation = Validation::new(format!("touch {}", mark.display()));
        validation.on = switchback::commands::ValidateOn::Controller;
        commands.validation = Some(validation);
    });
    std::fs::remove_file(&mark).expect("the deploys validated");
    let (report, warned) = world.rollback(|options| options);
    assert_code(&report, ExitCode::DONE);
    assert!(!mark.exists() && warned.contains("skips the validation on the controller"), "{warned}");
    let commands = world.commands.clone();
    let (report, warned) = world.rollback(|options| options.commands(commands));
    assert_code(&report, ExitCode::DONE);
    assert!(mark.exists() && warned.is_empty(), "{warned}");
}

#[test]
fn an_unreadable_record_of_commands_refuses_what_needs_it() {
    let world = World::with(|_| {});
    world.hosts.0[1].write(&kept("v2", "commands"), "torn");
    let (report, _) = world.rollback(|options| options);
    assert_code(&report, ExitCode::REFUSED);
    let error = report.error.expect("a refusal has an error");
    assert_eq!(error.kind, ErrorKind::DamagedState);
    assert!(error.hints.contains(&Hint::CodeAlone));
    world.on(["v3", "v3", "v3"]);
    let (report, _) = world.rollback(|options| options.no_hooks(true).keep_data(true));
    assert_code(&report, ExitCode::DONE);
    assert_eq!(world.took(), [""; 0]);
    world.on(["v2", "v2", "v2"]);
}

/// A world with data on web2, by its commands and records; web1 claims that it is on the controller, or anything
/// else.
fn with_data(place: DataPlace) -> World {
    World::with(|commands| {
        commands.after_switch = None;
        let mut data = DataCommands::new(place, "version", "apply");
        data.revert = Some("revert".into());
        commands.data = Some(data);
    })
}

/// Forges the records of a host: `v2` left the data at 0, and `v3` migrated it from there to this version, at
/// this place.
fn changed(world: &World, host: usize, place: &Value, after: &str) {
    for (text, previous, after) in [("v2", "v1", "0"), ("v3", "v2", after)] {
        let change = json!({ "place": place, "before": "0", "after": after, "previous": previous });
        let record = json!({ "format": 1, "change": change }).to_string();
        world.hosts.0[host].write(&kept(text, "data"), &record);
    }
}

#[test]
fn the_data_host_alone_decides_about_its_data() {
    let directory = tempfile::tempdir().expect("a directory");
    let trap = directory.path().join("ran-on-the-controller");
    let world = with_data(DataPlace::Host("web2".into()));
    // web1 records a change that the data host does not: nothing is reverted because of its claim.
    changed(&world, 0, &json!({ "host": "web2" }), "1");
    let (report, _) = world.rollback(|options| options);
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::RecordsDiffer));
    // web1 claims that the controller, or web1 itself, has the data: the hosts disagree about the place of the data.
    changed(&world, 1, &json!({ "host": "web2" }), "1");
    for place in [json!("controller"), json!({ "host": "web1" })] {
        changed(&world, 0, &place, "1");
        world.forge(&kept("v3", "commands"), |record| {
            record["data"]["place"] = place.clone();
            record["data"]["revert"] = json!(format!("touch {}", trap.display()));
        });
        let (report, _) = world.rollback(|options| options);
        assert_code(&report, ExitCode::REFUSED);
        assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::RecordsDiffer));
    }
    world.on(["v3", "v3", "v3"]);
    assert_eq!(world.took(), [""; 0], "nothing was run");
    // If the configuration places the data on web2, web2's own records and commands are used, whatever web1 claims.
    let mut commands = world.commands.clone();
    commands.data.as_mut().expect("there is data").revert = None;
    let (report, _) = world.rollback(|options| options.commands(commands));
    let ran = world.took();
    assert!(ran.contains(&"web2 revert".to_owned()) && ran.iter().all(|line| line.starts_with("web2")), "{ran:?}");
    assert!(!trap.exists());
    // The version is still 1.
    assert_code(&report, ExitCode::INCONSISTENT);
}

#[test]
fn recorded_commands_never_revert_data_on_the_controller() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, trap) = (directory.path().join("data"), directory.path().join("trap"));
    let world = World::with(|commands| {
        let version = format!("cat {0} 2>/dev/null || echo 0", data.display());
        let mut on =
            DataCommands::new(DataPlace::Controller, version, format!("echo $SWITCHBACK_RELEASE >{}", data.display()));
        on.revert = Some(format!("echo $SWITCHBACK_DATA_TARGET >{}", data.display()));
        commands.data = Some(on);
    });
    let is_at = |text: &str| assert_eq!(std::fs::read_to_string(&data).expect("it is there").trim(), text);
    for host in 0..3 {
        let path = kept("v3", "commands");
        let content = String::from_utf8(world.hosts.0[host].read(&path).expect("it is kept")).expect("UTF-8");
        world.hosts.0[host]
            .write(&path, content.replace("echo $SWITCHBACK_DATA_TARGET", &format!("touch {} #", trap.display())));
    }
    let (report, _) = world.rollback(|options| options);
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::NotConfigured));
    is_at("v3");
    // One host with a different record of the data stops it too.
    world.forge(&kept("v3", "data"), |record| record["change"]["before"] = json!("v1"));
    let with = world.commands.clone();
    let (report, _) = world.rollback(|options| options.commands(with));
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::RecordsDiffer));
    is_at("v3");
    world.forge(&kept("v3", "data"), |record| record["change"]["before"] = json!("v2"));
    let with = world.commands.clone();
    let (report, _) = world.rollback(|options| options.commands(with));
    assert_code(&report, ExitCode::DONE);
    is_at("v2");
    assert!(!trap.exists(), "the controller ran what hosts say");
}

#[test]
fn a_recorded_revert_is_sent_no_secrets_that_the_configuration_does_not_name() {
    let world = with_data(DataPlace::Host("web2".into()));
    (0..3).for_each(|host| changed(&world, host, &json!({ "host": "web2" }), "1"));
    let path = kept("v3", "commands");
    let mut record: Value = serde_json::from_slice(&world.hosts.0[1].read(&path).expect("it is kept")).expect("JSON");
    record["pass_env"] = json!(["PATH"]);
    world.hosts.0[1].write(&path, record.to_string());
    let (report, _) = world.rollback(|options| options);
    assert_code(&report, ExitCode::REFUSED);
    let error = report.error.expect("a refusal has an error");
    assert_eq!(error.kind, ErrorKind::NotConfigured);
    assert!(error.message.contains("needs PATH"), "{}", error.message);
    assert_eq!(world.took(), [""; 0]);
    // A configuration that names the variable sends it.
    let mut commands = world.commands.clone();
    commands.pass_env = vec!["PATH".into()];
    let (_, _) = world.rollback(|options| options.commands(commands));
    assert!(world.took().contains(&"web2 revert with secrets".to_owned()));
}

#[test]
fn a_dry_run_shows_every_command_and_whose_it_is() {
    let world = World::with(|_| {});
    world.forge(&kept("v2", "commands"), |record| record["after_switch"] = json!("evil\nline"));
    let plan = Collected::plans();
    let mut options = going_back(RollbackTarget::Steps(1)).dry_run(true).commands(world.commands.clone());
    assert_code(&wait(world.hosts.fleet().rollback(&options, plan.clone()).report()), ExitCode::DONE);
    let lines = plan.take();
    assert!(lines.contains(&"web1: after_switch `evil\\nline`, as recorded there".to_owned()), "{lines:?}");
    assert!(lines.contains(&"web2, web3: after_switch `reload`, as recorded there".to_owned()), "{lines:?}");
    options = options.commands_from(CommandsFrom::Configuration);
    assert_code(&wait(world.hosts.fleet().rollback(&options, plan.clone()).report()), ExitCode::DONE);
    let lines = plan.take();
    assert!(lines.contains(&"web1, web2, web3: after_switch `reload`, from the configuration".to_owned()), "{lines:?}");
    assert_eq!(world.took(), [""; 0]);
}

#[test]
fn what_version_prints_is_shown_without_secrets() {
    let mut world = with_data(DataPlace::Host("web2".into()));
    world.commands.pass_env = vec!["PATH".into()];
    let secret = std::env::var("PATH").expect("it is set");
    let printed = format!("postgres://{secret}\n");
    world.hosts.0[1].on_hook(move |_| {
        let stdout = printed.clone().into_bytes();
        HookExit::new(HookEnd::Exited(0), stdout, "")
    });
    let told = Collected::new(|event| [serde_json::to_string(event).expect("an event is JSON")]);
    let options = deploying().commands(world.commands.clone());
    let report = wait(world.hosts.fleet().deploy(release("v4"), &options, told.clone()).report());
    assert_code(&report, ExitCode::DONE);
    let data = report.data.as_ref().expect("there is data");
    assert_eq!(data.before.as_str(), "postgres://***");
    let told = told.take().concat();
    assert!(!told.contains(&secret) && told.contains("postgres://***"), "{told}");
    // The record keeps the printed version: it is compared later.
    let kept = world.hosts.0[1].read(&kept("v4", "data")).expect("it is kept");
    assert!(String::from_utf8_lossy(&kept).contains(&secret));
}

/// Forges a journal on web1: an interrupted operation in which all hosts took part.
fn forge_journal(world: &World, command: &str, from: &str, to: &str) {
    write_journal(world, 0, command, from, to, &Value::Null);
}

/// Writes such a journal on a host, with the intent for the data.
fn write_journal(world: &World, host: usize, command: &str, from: &str, to: &str, data: &Value) {
    let token = "4f3daded0ed79ed28b4545f72be6818f";
    let place = |file: &str| at(&format!(".switchback/journal/{token}/{file}"));
    let owner = json!({ "operation": token, "command": command, "by": "jane@laptop", "hosts": ["web1", "web2", "web3"],
        "since": "2026-11-28T23:00:00Z" });
    let intent = json!({ "format": 1, "operation": token, "command": command, "from": from, "to": to, "supersedes": [],
        "data": data });
    world.hosts.0[host].write(&place("owner"), owner.to_string());
    world.hosts.0[host].write(&place("intent"), intent.to_string());
}

fn recover(world: &World, direction: Direction) -> Report {
    wait(
        world
            .hosts
            .fleet()
            .recover(&RecoverOptions::new().direction(direction).run(RunOptions::default()), Silent)
            .report(),
    )
}

#[test]
fn what_one_journal_says_moves_no_other_host() {
    for direction in [Direction::Safest, Direction::Forward, Direction::Back] {
        for (command, from, to) in [("rollback", "v3", "v1"), ("deploy", "v1", "v2"), ("activate", "v3", "v1")] {
            let world = World::with(|_| {});
            forge_journal(&world, command, from, to);
            let _ = recover(&world, direction);
            let links = world.hosts.links();
            assert_eq!(
                links[1..],
                ["releases/v3", "releases/v3"].map(|link| Some(link.to_owned())),
                "{command} {direction:?}"
            );
        }
    }
}

#[test]
fn a_rollback_that_one_host_says_was_interrupted_is_a_new_one() {
    let world = World::with(|_| {});
    forge_journal(&world, "rollback", "v3", "v1");
    assert_code(&world.rollback(|options| options).0, ExitCode::DONE);
    world.on(["v2", "v2", "v2"]);
    // If web1 has moved itself, the others do not follow: the report names them.
    let world = World::with(|_| {});
    world.hosts.0[0].link(&at("current"), "releases/v1");
    forge_journal(&world, "rollback", "v3", "v1");
    let (report, _) = world.rollback(|options| options);
    assert_code(&report, ExitCode::INCONSISTENT);
    let message = report.error.expect("they are named").message;
    assert!(message.contains("did not move web2, web3"), "{message}");
    world.on(["v1", "v3", "v3"]);
}

#[test]
fn what_one_host_says_that_another_missed_is_only_shown() {
    let world = World::with(|_| {});
    let debt = json!({ "format": 1, "host": "web3", "operation": "4f3daded0ed79ed28b4545f72be6818f", "command": "rollback",
        "release": "v1", "at": "2026-11-28T23:00:00Z" });
    world.hosts.0[0].write(&at(".switchback/debts/web3/debt"), debt.to_string());
    let report = recover(&world, Direction::Safest);
    assert_eq!(report.outcome, Outcome::Unchanged, "web3 is where the others are");
    world.on(["v3", "v3", "v3"]);
}

#[test]
fn what_one_journal_says_decides_about_no_other_hosts_data() {
    for configured in [true, false] {
        let world = with_data(DataPlace::Host("web2".into()));
        (0..3).for_each(|host| changed(&world, host, &json!({ "host": "web2" }), "1"));
        for host in 0..3 {
            world.hosts.0[host].link(&at("current"), "releases/v2");
            let data = if host == 0 { json!("keep") } else { Value::Null };
            write_journal(&world, host, "rollback", "v3", "v2", &data);
        }
        let commands = world.commands.clone();
        let (report, _) = world.rollback(|options| options.commands(configured.then_some(commands)));
        let ran = world.took();
        if configured {
            assert!(ran.contains(&"web2 revert".to_owned()), "{ran:?}: {report:?}");
        } else {
            assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::RecordsDiffer));
            assert!(!ran.iter().any(|line| line.ends_with("revert")), "{ran:?}");
        }
    }
}
