//! Hosts that cannot be reached: refused by default, skipped on request, and updated when they return.

use switchback::{
    DirStore, ErrorKind, ExitCode, Fleet, Hint, Host, HostPath, Layout, Report,
    event::Silent,
    fleet::{Direction, RecoverOptions, RollbackTarget, RunOptions},
    report::HostOutcome,
    testing::{Cut, Faults, WholeReport as _},
};

use super::fixture::{Hosts, ROOT, assert_code, at, deploying, going_back, release, wait};

/// A fleet whose last host is unreachable.
pub(super) fn last_away(hosts: &Hosts) -> Fleet {
    let root: HostPath = ROOT.parse().expect("a path");
    let last = hosts.0.len() - 1;
    let host = |place: usize| {
        let name = format!("web{}", place + 1);
        let cut = if place == last { Cut::after(0) } else { Cut::never() };
        let transport = Faults::new(hosts.0[place].connect(&name), cut);
        Host::new(&name, DirStore::new(transport, root.clone(), Layout::default()))
    };
    Fleet::new((0..hosts.0.len()).map(host).collect()).expect("a fleet")
}

fn deploy_without(hosts: &Hosts, text: &str) -> Report {
    let options = deploying().skip_unreachable(true);
    wait(last_away(hosts).deploy(release(text), &options, Silent).report())
}

fn roll_back_without(hosts: &Hosts) -> Report {
    let options = going_back(RollbackTarget::Steps(1)).skip_unreachable(true);
    wait(last_away(hosts).rollback(&options, Silent).report())
}

fn recover(hosts: &Hosts) -> Report {
    wait(
        hosts
            .fleet()
            .recover(&RecoverOptions::new().direction(Direction::Safest).run(RunOptions::default()), Silent)
            .report(),
    )
}

fn owes(hosts: &Hosts) -> bool {
    let status = hosts.status();
    let left =
        |host: &switchback::report::HostReport| host.status.as_ref().map(|status| format!("{:?}", status.leftovers));
    status.hosts.iter().filter_map(left).any(|left| left.contains("web3 missed the "))
}

#[test]
fn a_host_that_is_away_refuses_for_all_by_default() {
    let hosts = Hosts::new(3).deployed(&["a", "b"]);
    let fleet = last_away(&hosts);
    for report in [
        wait(fleet.deploy(release("c"), &deploying(), Silent).report()),
        wait(fleet.rollback(&going_back(RollbackTarget::Steps(1)), Silent).report()),
    ] {
        assert_code(&report, ExitCode::REFUSED);
        assert_eq!(report.hosts[2].outcome, HostOutcome::Unreachable);
    }
    hosts.all_on("b");
    hosts.clean();
}

#[test]
fn a_missed_deploy_is_owed_and_made_up_for_by_the_next() {
    let hosts = Hosts::new(3).deployed(&["a"]);
    let report = deploy_without(&hosts, "b");
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.hosts[2].outcome, HostOutcome::Unreachable);
    assert!(report.hosts[2].error.is_some() && owes(&hosts));
    // The release was never uploaded to it, so it cannot switch: that is reported, and nothing changes.
    let named = recover(&hosts);
    assert_code(&named, ExitCode::INCONSISTENT);
    let error = named.error.expect("the host that missed it is named");
    assert_eq!(error.kind, ErrorKind::HostsDiffer);
    assert!(error.hints.contains(&Hint::DeployAs("b".parse().expect("a name"))));
    assert_code(&hosts.deploy("c"), ExitCode::DONE);
    hosts.all_on("c");
    assert!(!owes(&hosts));
    assert_eq!(hosts.0[2].read(&at("releases/c/previousVersion")).as_deref(), Some(&b"/srv/shop/releases/a\n"[..]));
}

#[test]
fn a_missed_deploy_is_where_a_rollback_goes() {
    let hosts = Hosts::new(3).deployed(&["a"]);
    assert_code(&deploy_without(&hosts, "b"), ExitCode::DONE);
    let report = hosts.rollback();
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.hosts[2].outcome, HostOutcome::Unchanged);
    hosts.all_on("a");
    assert!(!owes(&hosts));
}

#[test]
fn a_missed_rollback_is_named_by_recover_and_obeyed_by_nobody() {
    let hosts = Hosts::new(3).deployed(&["a", "b", "c"]);
    assert_code(&roll_back_without(&hosts), ExitCode::DONE);
    assert!(owes(&hosts));
    assert_eq!(hosts.links()[2], Some("releases/c".into()));
    let named = recover(&hosts);
    assert_code(&named, ExitCode::INCONSISTENT);
    assert!(named.error.is_some_and(|error| error.hints == [Hint::RollbackTo("b".parse().expect("a name"))]));
    assert_eq!(hosts.links()[2], Some("releases/c".into()));
    assert_code(&hosts.rollback_to(RollbackTarget::Release("b".parse().expect("a name"))), ExitCode::DONE);
    assert_code(&recover(&hosts), ExitCode::DONE);
    hosts.all_on("b");
    hosts.clean();
    assert!(!owes(&hosts));
    let status = hosts.status();
    let last = status.hosts[2].status.as_ref().expect("it was read");
    assert!(last.releases.iter().any(|release| release.name.as_str() == "c" && release.bad.is_some()));
}

#[test]
fn a_host_that_missed_a_rollback_goes_where_its_own_record_leads() {
    let hosts = Hosts::new(3).deployed(&["a", "b", "c"]);
    assert_code(&roll_back_without(&hosts), ExitCode::DONE);
    // The other hosts are there already, and stay.
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("b");
    assert!(!owes(&hosts));
}

#[test]
fn a_debt_is_kept_while_the_debtor_stays_away() {
    let hosts = Hosts::new(3).deployed(&["a"]);
    assert_code(&deploy_without(&hosts, "b"), ExitCode::DONE);
    assert_code(&deploy_without(&hosts, "c"), ExitCode::DONE);
    assert!(owes(&hosts));
    assert_eq!(hosts.links(), [Some("releases/c".into()), Some("releases/c".into()), Some("releases/a".into())]);
    assert_code(&hosts.deploy("d"), ExitCode::DONE);
    hosts.all_on("d");
    assert!(!owes(&hosts));
}

#[test]
fn a_fleet_of_which_nobody_is_reached_is_refused() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    assert_code(&deploy_without(&hosts, "b"), ExitCode::REFUSED);
    hosts.all_on("a");
}
