//! A release whose `prepare` was interrupted: nothing goes to it until it is prepared again. FAULTS.md K16.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use switchback::{
    DirStore, ErrorKind, ExitCode, Fleet, Host, Layout, Report,
    commands::Commands,
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, Direction, RecoverOptions, RollbackTarget, RunOptions},
    status::ReleaseStatus,
    testing::{AfterLoss, Cut, Faults, WholeReport as _},
    transport::{HookEnd, HookExit, MemoryHost},
};

use super::fixture::{Hosts, ROOT, assert_code, at, name, release, wait, wait_paused};

/// One host whose `prepare` creates a file in the release, and whether it ran.
fn host() -> (Hosts, Arc<AtomicBool>) {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    let (ran, host) = (Arc::new(AtomicBool::new(false)), hosts.0[0].clone());
    let did = Arc::clone(&ran);
    hosts.0[0].on_hook(move |_| {
        did.store(true, Ordering::SeqCst);
        host.write(&at("releases/c/made"), "x");
        HookExit::new(HookEnd::Exited(0), "", "")
    });
    (hosts, ran)
}

fn run() -> RunOptions {
    let mut commands = Commands::default();
    commands.prepare = Some("make".to_owned());
    RunOptions::new().by("jane@laptop").commands(commands)
}

fn deploy(host: &MemoryHost, cut: &Cut) -> Report {
    let store =
        DirStore::new(Faults::new(host.connect("web1"), cut.clone()), ROOT.parse().expect("a path"), Layout::default());
    let fleet = Fleet::new(vec![Host::new("web1", store)]).expect("a fleet");
    let options = DeployOptions::default().run(run());
    // A hook result whose answer was lost is asked for until a timeout.
    wait_paused(fleet.deploy(release("c"), &options, Silent).report())
}

fn status(hosts: &Hosts) -> Option<ReleaseStatus> {
    let report = wait(hosts.fleet().releases(Silent).report());
    let releases = report.hosts[0].status.clone().expect("it was read").releases;
    releases.into_iter().find(|release| release.name == name("c"))
}

/// Checks that an existing release that is not current is either known as unsealed, or sealed with everything
/// made in it.
fn nothing_half_made_is_trusted(hosts: &Hosts, ran: bool, case: &str) -> bool {
    let host = &hosts.0[0];
    let Some(status) = status(hosts) else { return false };
    if host.read_link(&at("current")).as_deref() == Some("releases/c") {
        assert!(!status.unsealed, "{case}: it was switched to");
        return false;
    }
    let manifest = host.read(&at(".switchback/releases/c/manifest")).unwrap_or_default();
    let sealed = String::from_utf8_lossy(&manifest).contains("made");
    assert!(status.unsealed || sealed || !ran, "{case}: it looks as if it were ready");
    if status.unsealed {
        for report in [
            hosts.rollback_to(RollbackTarget::Release(name("c"))),
            wait(
                hosts
                    .fleet()
                    .recover(&RecoverOptions::new().direction(Direction::Forward).run(RunOptions::default()), Silent)
                    .report(),
            ),
        ] {
            let went = host.read_link(&at("current")).as_deref() == Some("releases/c");
            assert!(!went, "{case}: it was gone to");
            let kind = report.error.as_ref().map(|error| error.kind);
            assert!(kind.is_none() || kind == Some(ErrorKind::DamagedRelease), "{case}: {:?}", report.error);
        }
    }
    status.unsealed
}

#[test]
fn wherever_a_deploy_is_cut_off() {
    let counting = Cut::never();
    let (hosts, ran) = host();
    assert_code(&deploy(&hosts.0[0], &counting), ExitCode::DONE);
    assert!(ran.load(Ordering::SeqCst) && !status(&hosts).expect("it is there").unsealed);
    let mut unsealed = 0;
    let answers = (1..=counting.exchanges())
        .map(|answer| (format!("answer {answer} lost"), Cut::losing_answer(answer, AfterLoss::Dead)));
    let steps = (0..counting.steps()).step_by(4).map(|step| (format!("cut after step {step}"), Cut::after(step)));
    for (case, cut) in answers.chain(steps) {
        let (hosts, ran) = host();
        deploy(&hosts.0[0], &cut);
        hosts.0[0].reboot();
        unsealed += usize::from(nothing_half_made_is_trusted(&hosts, ran.load(Ordering::SeqCst), &case));
        let recovered = wait(
            hosts
                .fleet()
                .recover(&RecoverOptions::new().direction(Direction::Safest).run(RunOptions::default()), Silent)
                .report(),
        );
        assert_eq!(recovered.exit_code(), ExitCode::DONE, "{case}: {recovered:?}");
        nothing_half_made_is_trusted(&hosts, ran.load(Ordering::SeqCst), &format!("{case}, and recovered"));
        // An activation prepares and seals it.
        if status(&hosts).is_some_and(|status| status.unsealed) {
            let options = ActivateOptions::default().run(run());
            assert_code(&wait(hosts.fleet().activate(&name("c"), &options, Silent).report()), ExitCode::DONE);
            assert!(!status(&hosts).expect("it is there").unsealed, "{case}: it was sealed");
            hosts.all_on("c");
        }
    }
    assert!(unsealed > 0, "it was never cut off there");
}
