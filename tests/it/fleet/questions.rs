//! One question, one answer: `check` and the dry run refuse whatever a deploy refuses, with the same kind and
//! exit code.

use std::{collections::BTreeSet, fmt};

use switchback::{
    BoxFuture, DirStore, ErrorKind, ExitCode, Fleet, Host, HostPath, Layout, Report, Transport,
    commands::{Commands, DataCommands, DataPlace},
    event::{Event, Silent},
    fleet::{DeployOptions, RollbackOptions, RunOptions},
    lock::LockOwner,
    report::Command,
    shared::SharedPath,
    store::ReleaseStore,
    testing::{Collected, WholeReport as _},
    transport::{
        FailureKind, HookEnd, HookExit, MemoryHost, MemoryTransport, StepFailure, TransportError,
        raw::{Batch, OnFailure, Op, Reply},
    },
};

use super::{
    fixture::{Hosts, ROOT, assert_code, at, deploying, name, release, wait},
    left_to::left_to,
};

/// A host that denies every write, as to a user without permission.
#[derive(Debug)]
struct Denying {
    inner: MemoryTransport,
}

impl fmt::Display for Denying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Transport for Denying {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        let denied = || StepFailure::new(FailureKind::Denied, "Permission denied");
        let writes = |op: &Op| op.changes() || matches!(op, Op::ExpectWritable { .. });
        Box::pin(async move {
            if batch.make_root {
                let (host, root) = (self.to_string(), batch.root.clone());
                return Err(TransportError::Root { host, root, failure: denied() });
            }
            let asking = Batch {
                steps: batch.steps.iter().filter(|step| !writes(&step.op)).cloned().collect(),
                ..batch.clone()
            };
            let mut answers = self.inner.execute(&asking).await?.into_iter();
            let mut replies = Vec::new();
            for (index, step) in batch.steps.iter().enumerate() {
                match step.on_failure {
                    _ if !writes(&step.op) => replies.extend(answers.next()),
                    OnFailure::GoOn => replies.push(Reply::Failed(denied())),
                    OnFailure::Stop => return Err(TransportError::step(self, batch, index, denied(), replies)),
                }
            }
            Ok(replies)
        })
    }

    left_to!(inner);
}

/// A situation that refuses every deploy.
struct Case {
    what: &'static str,
    fleet: Box<dyn Fn() -> Fleet>,
    commands: Option<Commands>,
}

fn case(what: &'static str, fleet: impl Fn() -> Fleet + 'static) -> Case {
    Case { what, fleet: Box::new(fleet), commands: None }
}

/// A fleet of two with these releases, after `done` was called on the first host.
fn after(names: &[&str], done: impl Fn(&MemoryHost) + 'static) -> impl Fn() -> Fleet + 'static {
    let hosts = Hosts::new(2).deployed(names);
    done(&hosts.0[0]);
    move || hosts.fleet()
}

fn store(transport: impl Transport) -> DirStore {
    DirStore::new(transport, ROOT.parse::<HostPath>().expect("a path"), Layout::default())
}

fn with(commands: impl FnOnce(&mut Commands)) -> Commands {
    let mut all = Commands::default();
    all.after_switch = Some("true".to_owned());
    commands(&mut all);
    all
}

fn cases() -> Vec<Case> {
    let denied = |host: MemoryHost| {
        move || Fleet::new(vec![Host::new("web1", store(Denying { inner: host.connect("web1") }))]).expect("a fleet")
    };
    let deployed = || Hosts::new(1).deployed(&["a"]).0.remove(0);
    vec![
        case("a root that is listed twice", || {
            let host = MemoryHost::new();
            host.make_dir(ROOT);
            let both = ["web1", "web2"].map(|name| Host::new(name, store(host.connect(name))));
            Fleet::new(both.into()).expect("a fleet")
        }),
        case("a directory that everybody may write to", after(&["a"], |host| host.set_mode("/srv", 0o777))),
        case("a shared file that is missing", || {
            let shared: [SharedPath; 1] = [".env".parse().expect("a shared path")];
            let host = Hosts::new(1).deployed(&["a"]).0.remove(0);
            Fleet::new(vec![Host::new("web1", store(host.connect("web1")).sharing(shared))]).expect("a fleet")
        }),
        case(
            "a `current` that is a directory",
            after(&["a"], |host| {
                host.remove(&at("current"));
                host.make_dir(&at("current"));
            }),
        ),
        case("a `current` that leads nowhere", after(&["a", "b"], |host| host.remove(&at("releases/b")))),
        case("a `current` that was removed", after(&["a", "b"], |host| host.remove(&at("current")))),
        case("hosts on different releases", || {
            let hosts = Hosts::new(2).deployed(&["a", "b"]);
            assert_code(&Hosts(vec![hosts.0[0].clone()]).rollback(), ExitCode::DONE);
            hosts.fleet()
        }),
        case(
            "a state of a newer program",
            after(&["a"], |host| {
                host.remove(&at(".switchback/format"));
                host.link(&at(".switchback/format"), "99");
            }),
        ),
        case("a lock that a live run holds", || {
            let hosts = Hosts::new(2).deployed(&["a"]);
            let owner = LockOwner::new(Command::Deploy, "bob@desktop");
            let guard = wait(store(hosts.0[1].connect("another")).lock(&owner, None)).expect("the lock is free");
            // Its holder is alive for as long as its connection.
            std::mem::forget(guard);
            hosts.fleet()
        }),
        case("no right to write", denied(deployed())),
        case("a group that the host does not have", || {
            let host = Hosts::new(1).deployed(&["a"]).0.remove(0);
            let group = "nobody-has-it".parse().expect("a group's name");
            Fleet::new(vec![Host::new("web1", store(host.connect("web1")).for_group(group))]).expect("a fleet")
        }),
        case("no right to make the root", denied(MemoryHost::new())),
        Case {
            commands: Some(with(|commands| commands.pass_env = vec!["SWITCHBACK_TEST_IS_NOT_SET".to_owned()])),
            ..case("a variable that is not set", after(&["a"], |_| {}))
        },
        Case {
            commands: Some(with(|commands| commands.env_file = Some("/nowhere/deploy.env".into()))),
            ..case("an env_file that cannot be read", after(&["a"], |_| {}))
        },
        Case {
            commands: Some(with(|commands| {
                commands.data = Some(DataCommands::new(DataPlace::Host("db1".to_owned()), "echo 1", "true"));
            })),
            ..case("data on a host that does not take part", after(&["a"], |_| {}))
        },
    ]
}

fn options(case: &Case, dry_run: bool) -> RunOptions {
    RunOptions::new().by("jane@laptop").dry_run(dry_run).commands(case.commands.clone())
}

fn deploy(case: &Case, dry_run: bool) -> Report {
    let options = DeployOptions::new().run(options(case, dry_run));
    wait((case.fleet)().deploy(release("new"), &options, Silent).report())
}

fn answer(report: &Report) -> (ExitCode, Option<ErrorKind>) {
    (report.exit_code(), report.error.as_ref().map(|error| error.kind))
}

/// The kinds of error that never refuse `check`, each with the reason.
const OTHERWISE: &[(ErrorKind, &str)] = &[
    (ErrorKind::Usage, "the command line is read before there is a fleet"),
    (ErrorKind::Inventory, "the hosts are listed before there is a fleet"),
    (ErrorKind::Source, "only a deploy has a source; it is read before any host is asked"),
    (ErrorKind::NotDrilled, "only a deploy has a source, of which a drill may have passed"),
    (ErrorKind::NameTaken, "only a deploy has a name; its dry run asks the same"),
    (ErrorKind::Unreachable, "asked of every host; the tests of debts show it"),
    (ErrorKind::Unsuitable, "said by whoever connects, whatever is asked"),
    (ErrorKind::Unknown, "an answer that is lost refuses whoever asks"),
    (ErrorKind::RootRefused, "a fleet with such a root is not made; another filesystem is shown beside the plan"),
    (ErrorKind::DamagedState, "what cannot be read is told by whoever reads it"),
    (ErrorKind::Conflict, "only known under the lock"),
    (ErrorKind::UploadFailed, "only known after the upload"),
    (ErrorKind::HookFailed, "only known after the upload: `prepare` runs in the release"),
    (ErrorKind::DataFailed, "only known after the upload: `version` and `apply` are the new release's"),
    (ErrorKind::NotValid, "only known after the switch"),
    (ErrorKind::Interrupted, "nobody knows before"),
    (ErrorKind::Internal, "nobody knows before"),
    (ErrorKind::NoSuchRelease, "refuses an activation or a rollback, whose dry runs ask the same"),
    (ErrorKind::OnTheWayBack, "refuses an activation, whose dry run asks the same"),
    (ErrorKind::NotDeployed, "refuses a rollback, whose dry run asks the same"),
    (ErrorKind::NothingBefore, "refuses a rollback, whose dry run asks the same"),
    (ErrorKind::BadRecord, "refuses a rollback, whose dry run asks the same"),
    (ErrorKind::ChainLoops, "refuses a rollback, whose dry run asks the same"),
    (ErrorKind::PreviousGone, "refuses a rollback, whose dry run asks the same"),
    (ErrorKind::Irreversible, "refuses a rollback, whose dry run asks the same"),
    (ErrorKind::NotConfigured, "refuses a rollback or a recovery, whose dry runs ask the same"),
    (ErrorKind::RecordsDiffer, "refuses a rollback, whose dry run asks the same"),
    (ErrorKind::DamagedRelease, "refuses an activation or a rollback"),
    (ErrorKind::NoManifest, "refuses `verify` and `diff`"),
    (ErrorKind::NoSuchOperation, "refuses `log`"),
    (ErrorKind::UnknownTree, "refuses `adopt`, whose dry run asks the same"),
    (ErrorKind::DrillFailed, "the end of a drill"),
];

#[test]
fn whatever_refuses_a_deploy_refuses_check_and_the_dry_run_too() {
    let mut met = BTreeSet::new();
    for case in cases() {
        let fleet = (case.fleet)();
        let check = wait(fleet.check(&options(&case, true), Silent).report());
        let dry = deploy(&case, true);
        let run = deploy(&case, false);
        assert_ne!(run.exit_code(), ExitCode::DONE, "{} refuses no deploy", case.what);
        assert_eq!(
            (answer(&check), answer(&dry)),
            (answer(&run), answer(&run)),
            "{}: {check:?}\n{dry:?}\n{run:?}",
            case.what
        );
        met.extend(run.error.map(|error| error.kind.as_str()));
    }
    for kind in ErrorKind::ALL {
        let excused = OTHERWISE.iter().any(|(other, _)| other == kind);
        assert!(
            met.contains(kind.as_str()) || excused,
            "{kind}: add a case that refuses so, or say why `check` cannot know"
        );
    }
}

#[test]
fn a_name_that_was_pruned_refuses_the_dry_run_too() {
    let hosts = Hosts::new(1).deployed(&["a", "b", "c"]);
    assert_code(&wait(hosts.fleet().prune(0, &RunOptions::default(), Silent).report()), ExitCode::DONE);
    let dry = deploying().dry_run(true);
    let told = wait(hosts.fleet().deploy(release("a"), &dry, Silent).report());
    assert_eq!(answer(&told), answer(&hosts.deploy("a")));
    assert_eq!(told.error.map(|error| error.kind), Some(ErrorKind::NameTaken));
}

#[test]
fn dry_runs_ask_for_the_right_to_write() {
    let host = Hosts::new(1).deployed(&["a", "b"]).0.remove(0);
    let fleet = Fleet::new(vec![Host::new("web1", store(Denying { inner: host.connect("web1") }))]).expect("a fleet");
    let mut reports = Vec::new();
    for dry in [true, false] {
        let run = &RunOptions::new().by("jane@laptop").dry_run(dry);
        let back = RollbackOptions::new().run(run.clone());
        reports.push([
            answer(&wait(fleet.rollback(&back, Silent).report())),
            answer(&wait(fleet.prune(0, run, Silent).report())),
            answer(&wait(fleet.pin(&name("a"), run, Silent).report())),
        ]);
    }
    assert_eq!(reports[0], reports[1]);
    assert_eq!(reports[0][0], (ExitCode::REFUSED, Some(ErrorKind::HostFailed)));
}

#[test]
fn check_tells_what_the_data_and_the_validation_say_and_refuses_for_neither() {
    let hosts = Hosts::new(1);
    let options = RunOptions::new().commands(with(|commands| {
        commands.data = Some(DataCommands::new(DataPlace::Host("web1".to_owned()), "version", "true"));
        commands.validation = Some(switchback::commands::Validation::new("validate"));
    }));
    let told = |ends_with: u8| {
        hosts.0[0].on_hook(move |call| {
            let end = if call.script.contains("version") { 0 } else { ends_with };
            HookExit::new(HookEnd::Exited(end), "7\n", "")
        });
        let told = Collected::new(|event| match event {
            Event::Answered { question, answer, .. } => Some(format!("{question} {answer}")),
            Event::Warning { message, .. } => Some(message.to_string()),
            _ => None,
        });
        let report = wait(hosts.fleet().check(&options, told.clone()).report());
        assert_code(&report, ExitCode::DONE);
        told.take().join("; ")
    };
    assert!(told(0).contains("not known before the upload: no release is current there"));
    assert_code(&hosts.deploy("a"), ExitCode::DONE);
    assert_eq!(told(0), "version 7; validate passes now");
    assert!(told(1).contains("version 7; the validation fails now, which does not refuse a deploy"));
    hosts.clean();
}

#[test]
fn a_root_that_is_missing_would_be_made() {
    let hosts = Hosts::new(1);
    let report = wait(hosts.fleet().check(&RunOptions::default(), Silent).report());
    assert_code(&report, ExitCode::DONE);
    assert!(
        report.hosts[0]
            .warnings
            .iter()
            .any(|warning| warning.text == "/srv/shop does not exist; a deploy would create it")
    );
    assert!(report.hosts[0].status.as_ref().is_some_and(|status| status.root_missing));
    assert!(!hosts.0[0].exists("/srv"));
}
