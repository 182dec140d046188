//! State files that exist and cannot be read: only a missing file is absent. FAULTS.md W01.

use std::sync::{Arc, Mutex};

use switchback::{
    DirStore, ErrorKind, ExitCode, Fleet, Host, HostPath, Layout, Report, TargetCheck,
    commands::{Commands, DataCommands, DataPlace},
    event::Silent,
    fleet::{Call, DeployOptions, Direction, RecoverOptions, RollbackTarget, RunOptions},
    report::Outcome,
    testing::{Collected, Unreadable, WholeReport as _},
    transport::{FailureKind, HookEnd, HookExit, MemoryTransport},
};

use super::fixture::{Hosts, ROOT, assert_code, at, deploying, going_back, name, release, wait};

/// A host with the releases a, b and c, each with recorded commands and a data record.
fn hosts() -> Hosts {
    let hosts = Hosts::new(1);
    for text in ["a", "b", "c"] {
        assert_code(&wait(hosts.fleet().deploy(release(text), &with_hooks(), Silent).report()), ExitCode::DONE);
        hosts.0[0].write(&at(&format!(".switchback/releases/{text}/data")), "{\"format\":1}\n");
    }
    hosts
}

fn with_hooks() -> DeployOptions {
    let mut commands = Commands::default();
    commands.after_switch = Some("reload".to_owned());
    deploying().commands(commands)
}

fn store(hosts: &Hosts, paths: &[&str]) -> DirStore {
    let root: HostPath = ROOT.parse().expect("a path");
    let transport: Unreadable<MemoryTransport> = Unreadable::new(hosts.0[0].connect("web1"));
    let inner = |path: &&str| format!(".switchback/{path}").parse().expect("a path");
    let transport = paths.iter().fold(transport, |transport, path| transport.on(inner(path), FailureKind::Denied));
    DirStore::new(transport, root, Layout::default())
}

/// A fleet that cannot read these files of the state directory.
fn fleet(hosts: &Hosts, paths: &[&str]) -> Fleet {
    Fleet::new(vec![Host::new("web1", store(hosts, paths))]).expect("a fleet")
}

/// The options of a rollback.
#[derive(Clone, Copy, Default)]
struct Back {
    to: Option<&'static str>,
    code_alone: bool,
    verify: TargetCheck,
    dry: bool,
}

fn rollback(fleet: &Fleet, back: Back, told: impl Into<Call>) -> Report {
    let target = back.to.map_or(RollbackTarget::Steps(1), |to| RollbackTarget::Release(name(to)));
    let options = going_back(target).keep_data(back.code_alone).no_hooks(back.code_alone);
    let options = options.verify(back.verify).dry_run(back.dry);
    wait(fleet.rollback(&options, told).report())
}

#[test]
fn every_unreadable_file_is_named_with_its_owner() {
    let files = [
        "releases/b/pin",
        "releases/b/bad",
        "releases/b/commands",
        "releases/b/data",
        "releases/b/staged",
        "releases/b/user",
        "releases/b/listing",
        "releases/b/manifest",
        "history",
        "ledger",
        "marks",
        "older/history",
        "older/ledger",
        "debts/web2/debt",
    ];
    for file in files {
        let hosts = hosts();
        hosts.0[0].write(&at(&format!(".switchback/{file}")), "{}\n");
        let status = wait(fleet(&hosts, &[file]).status(Silent).report());
        assert_code(&status, ExitCode::DONE);
        let unreadable = &status.hosts[0].status.as_ref().expect("it was read").unreadable;
        assert_eq!(unreadable.len(), 1, "{file}: {unreadable:?}");
        assert_eq!(unreadable[0].path, at(&format!(".switchback/{file}")));
        assert!(unreadable[0].owner.is_some(), "{file}");
        assert!(unreadable[0].why.contains("Permission denied"), "{file}: {}", unreadable[0].why);
        assert!(status.hosts[0].warnings.iter().any(|warning| warning.text.contains(&unreadable[0].path)), "{file}");
        let (told, path) = (Collected::warnings(), unreadable[0].path.as_str());
        let said = || told.take().join("\n");
        assert_code(&wait(fleet(&hosts, &[file]).check(&RunOptions::default(), told.clone()).report()), ExitCode::DONE);
        assert!(said().contains(path), "{file}: check does not say it");
        let _ = rollback(&fleet(&hosts, &[file]), Back { dry: true, ..Back::default() }, told.clone());
        assert!(said().contains(path), "{file}: the dry run does not say it");
    }
}

#[test]
fn a_directory_of_another_user_hides_one_release_and_no_more() {
    let hosts = hosts();
    let status = wait(fleet(&hosts, &["releases/b"]).status(Silent).report());
    assert_code(&status, ExitCode::DONE);
    let unreadable = &status.hosts[0].status.as_ref().expect("it was read").unreadable;
    assert_eq!(unreadable.iter().map(|file| file.path.clone()).collect::<Vec<_>>(), [at(".switchback/releases/b")]);
    let releases = &status.hosts[0].status.as_ref().expect("it was read").releases;
    assert!(releases.iter().all(|release| !release.unsealed), "a mark that cannot be read was not seen");
    // Nobody can tell whether b is bad, which commands it recorded, and whether it is intact; only explicit options
    // skip all that.
    let hidden = || fleet(&hosts, &["releases/b"]);
    refused(&rollback(&hidden(), Back::default(), Silent));
    refused(&rollback(&hidden(), Back { to: Some("b"), ..Back::default() }, Silent));
    refused(&rollback(&hidden(), Back { to: Some("b"), code_alone: true, ..Back::default() }, Silent));
    hosts.all_on("c");
    let none = Back { to: Some("b"), code_alone: true, verify: TargetCheck::None, dry: false };
    assert_code(&rollback(&hidden(), none, Silent), ExitCode::DONE);
    hosts.all_on("b");
}

#[track_caller]
fn refused(report: &Report) {
    assert_code(report, ExitCode::REFUSED);
    let kind = report.error.as_ref().map(|error| error.kind);
    assert_eq!((report.outcome, kind), (Outcome::Refused, Some(ErrorKind::DamagedState)));
}

/// The files that a rollback to b needs, and the options that avoid the need.
#[test]
fn a_rollback_that_needs_an_unreadable_file_is_refused() {
    let (automatic, named) = (Back::default(), Back { to: Some("b"), ..Back::default() });
    let alone = Back { code_alone: true, ..Back::default() };
    let unverified = Back { verify: TargetCheck::None, ..Back::default() };
    for (file, needs, does_without) in [
        ("releases/b/bad", automatic, named),
        ("releases/b/commands", automatic, alone),
        ("releases/c/data", automatic, alone),
        ("releases/b/manifest", automatic, unverified),
    ] {
        let hosts = hosts();
        if file.ends_with("/bad") {
            hosts.0[0].write(&at(&format!(".switchback/{file}")), "{}\n");
        }
        for dry in [true, false] {
            refused(&rollback(&fleet(&hosts, &[file]), Back { dry, ..needs }, Silent));
            hosts.all_on("c");
        }
        hosts.clean();
        assert_code(&rollback(&fleet(&hosts, &[file]), does_without, Silent), ExitCode::DONE);
        hosts.all_on("b");
    }
}

/// Each step on the data is first recorded in the ledger, so that nothing happens if that is impossible.
#[test]
fn data_is_not_worked_on_without_its_ledger() {
    for file in ["ledger", "older/ledger"] {
        let (hosts, reverted) = (hosts(), Arc::new(Mutex::new(0)));
        let counted = Arc::clone(&reverted);
        hosts.0[0].on_hook(move |call| {
            if call.script.contains("revert") {
                *counted.lock().expect("nobody panicked") += 1;
            }
            HookExit::new(HookEnd::Exited(0), "3\n", "")
        });
        let mut data = DataCommands::new(DataPlace::Host("web1".to_owned()), "version", "apply");
        data.revert = Some("revert".to_owned());
        let mut commands = Commands::default();
        commands.data = Some(data);
        let place = r#"{"format":1,"change":{"place":{"host":"web1"},"before":"2","after":"3"}}"#;
        hosts.0[0].write(&at(".switchback/releases/c/commands"), serde_json::to_vec(&commands).expect("JSON"));
        hosts.0[0].write(&at(".switchback/releases/c/data"), place);
        hosts.0[0].write(&at(&format!(".switchback/{file}")), "{}\n");
        for dry in [true, false] {
            refused(&rollback(&fleet(&hosts, &[file]), Back { dry, ..Back::default() }, Silent));
            let options = deploying().dry_run(dry).commands(commands.clone());
            refused(&wait(fleet(&hosts, &[file]).deploy(release("d"), &options, Silent).report()));
            hosts.all_on("c");
        }
        let run = RunOptions::new().by("jane@laptop").commands(commands);
        refused(&wait(fleet(&hosts, &[file]).check(&run, Silent).report()));
        assert_eq!(*reverted.lock().expect("nobody panicked"), 0);
        hosts.clean();
        let alone = Back { code_alone: true, ..Back::default() };
        assert_code(&rollback(&fleet(&hosts, &[file]), alone, Silent), ExitCode::DONE);
    }
}

/// An unreadable directory of the tool does not count as empty.
#[test]
fn a_directory_that_cannot_be_read_hides_no_more_than_it_holds() {
    for (directory, code) in [
        ("debts", ExitCode::DONE),
        ("staging", ExitCode::DONE),
        ("live", ExitCode::DONE),
        ("journal", ExitCode::REFUSED),
    ] {
        let hosts = hosts();
        hosts.0[0].make_dir(&at(&format!(".switchback/{directory}")));
        let hidden = || fleet(&hosts, &[directory]);
        let status = wait(hidden().status(Silent).report());
        assert_code(&status, ExitCode::DONE);
        let unreadable = &status.hosts[0].status.as_ref().expect("it was read").unreadable;
        assert_eq!(
            unreadable.iter().map(|file| file.path.clone()).collect::<Vec<_>>(),
            [at(&format!(".switchback/{directory}"))]
        );
        let alone = Back { code_alone: true, ..Back::default() };
        for report in [
            rollback(&hidden(), Back { dry: true, ..alone }, Silent),
            wait(
                hidden()
                    .recover(
                        &RecoverOptions::new().direction(Direction::Safest).run(RunOptions::new().by("jane@laptop")),
                        Silent,
                    )
                    .report(),
            ),
            rollback(&hidden(), alone, Silent),
        ] {
            assert_eq!(report.exit_code(), code, "{directory}: {:?}", report.error);
        }
        hosts.all_on(if code == ExitCode::DONE { "b" } else { "c" });
    }
}

/// Files that are torn, too large, or not files count as unreadable.
#[test]
fn torn_files_and_what_is_no_file_count_as_unreadable() {
    for file in ["releases/b/bad", "releases/b/commands", "releases/c/data"] {
        for tear in [
            |hosts: &Hosts, path: &str| hosts.0[0].write(path, ""),
            |hosts: &Hosts, path: &str| hosts.0[0].write(path, "{\"format\":"),
            |hosts: &Hosts, path: &str| hosts.0[0].write(path, vec![b'x'; 2 << 20]),
            |hosts: &Hosts, path: &str| hosts.0[0].make_dir(path),
            |hosts: &Hosts, path: &str| hosts.0[0].link(path, "/srv/shop/.switchback/releases/a/commands"),
        ] {
            let (hosts, path) = (hosts(), at(&format!(".switchback/{file}")));
            if hosts.0[0].exists(&path) {
                hosts.0[0].remove(&path);
            }
            tear(&hosts, &path);
            refused(&hosts.rollback());
            hosts.all_on("c");
            let status = hosts.status();
            assert_eq!(status.hosts[0].status.as_ref().expect("read").unreadable[0].path, path);
        }
    }
}

#[test]
fn a_release_whose_pin_cannot_be_read_stays() {
    let hosts = hosts();
    assert_code(&hosts.deploy("d"), ExitCode::DONE);
    hosts.0[0].write(
        &at(".switchback/releases/a/pin"),
        "{}
",
    );
    for paths in [&["releases/a/pin"][..], &["releases/a/bad"], &["releases/a"]] {
        let pruned = wait(fleet(&hosts, paths).prune(0, &RunOptions::default(), Silent).report());
        assert!(hosts.0[0].exists(&at("releases/a")), "{paths:?}: {:?}", pruned.error);
    }
}

#[test]
fn a_name_that_cannot_be_looked_up_is_refused_and_not_called_pruned() {
    let hosts = hosts();
    hosts.0[0].make_dir(&at(".switchback/pruned"));
    let hidden = || fleet(&hosts, &["pruned"]);
    let check = wait(hidden().check(&RunOptions::default(), Silent).report());
    refused(&check);
    let options = deploying().dry_run(true);
    refused(&wait(hidden().deploy(release("d"), &options, Silent).report()));
    refused(&wait(hidden().deploy(release("d"), &deploying(), Silent).report()));
    refused(&wait(hidden().stage(release("d"), &RunOptions::new().by("jane@laptop"), Silent).report()));
    hosts.all_on("c");
    hosts.clean();
    // A rollback, which needs no new name, still works.
    assert_code(&rollback(&hidden(), Back::default(), Silent), ExitCode::DONE);
}

#[test]
fn an_unreadable_intent_leaves_nothing_to_be_decided() {
    for (content, decides) in [("", true), ("\0\0\0\0", true), ("{\"format\"", false)] {
        let hosts = hosts();
        let token = "0123456789abcdef0123456789abcdef";
        hosts.0[0].write(&at(&format!(".switchback/journal/{token}/owner")), "");
        hosts.0[0].write(&at(&format!(".switchback/journal/{token}/intent")), content);
        let report = hosts.rollback();
        if decides {
            // An intent is synced before anything begins, so an empty one means that nothing began.
            assert_code(&report, ExitCode::DONE);
        } else {
            refused(&report);
            hosts.all_on("c");
        }
    }
}

#[test]
fn hooks_are_left_out_with_no_hooks() {
    let (hosts, ran) = (hosts(), Arc::new(Mutex::new(0)));
    let counted = Arc::clone(&ran);
    hosts.0[0].on_hook(move |_| {
        *counted.lock().expect("nobody panicked") += 1;
        HookExit::new(HookEnd::Exited(0), "", "")
    });
    let alone = Back { code_alone: true, ..Back::default() };
    assert_code(&rollback(&hosts.fleet(), alone, Silent), ExitCode::DONE);
    assert_eq!(*ran.lock().expect("nobody panicked"), 0);
    assert_code(&rollback(&hosts.fleet(), Back::default(), Silent), ExitCode::DONE);
    assert_eq!(*ran.lock().expect("nobody panicked"), 1);
}
