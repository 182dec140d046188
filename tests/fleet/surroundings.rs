//! What goes on around a fleet: clocks that jump, hosts that come and go, and one of a hundred that is away.

use switchback::{ErrorKind, ExitCode, Timestamp, event::Silent, plan::RollbackTarget, report::HostOutcome};

use super::fixture::{Hosts, assert_code, going_back, wait};

/// Ten years back and forth, in seconds.
const TEN_YEARS: i64 = 10 * 365 * 24 * 60 * 60;

fn set_clocks(hosts: &Hosts, first: i64, second: i64) {
    for (host, seconds) in hosts.0.iter().zip([first, second]) {
        host.set_clock(Timestamp::from_unix(seconds, 0).expect("a time"));
    }
}

/// `cases.md` X09: what was before is known by the records, whatever the clocks say.
#[test]
fn clocks_that_jump_decide_nothing() {
    let hosts = Hosts::new(2);
    let now = 1_800_000_000;
    for (name, first, second) in
        [("a", now, now - TEN_YEARS), ("b", now - TEN_YEARS, now + TEN_YEARS), ("c", now + TEN_YEARS, 1), ("d", 2, now)]
    {
        set_clocks(&hosts, first, second);
        assert_code(&hosts.deploy(name), ExitCode::DONE);
    }
    for (name, first, second) in [("c", 1, now + TEN_YEARS), ("b", now, 1), ("a", now + TEN_YEARS, now)] {
        set_clocks(&hosts, first, second);
        assert_code(&hosts.rollback(), ExitCode::DONE);
        hosts.all_on(name);
    }
    assert_code(&hosts.rollback(), ExitCode::NOTHING_TO_ROLL_BACK_TO);
    let history = hosts.history();
    let lines = history.hosts[0].status.as_ref().and_then(|status| status.history.as_ref()).expect("a history");
    let order: Vec<&str> =
        lines.iter().filter_map(|line| line.to.as_ref()).map(switchback::ReleaseName::as_str).collect();
    assert_eq!(order, ["a", "b", "c", "d", "c", "b", "a"], "the newest first, in the order in which it was done");
    hosts.clean();
}

/// `cases.md` X11.
#[test]
fn one_of_a_hundred_that_is_away_keeps_all_where_they_are() {
    let hosts = Hosts::new(100).deployed(&["a", "b"]);
    let fleet = super::debts::last_away(&hosts);
    let report = wait(fleet.rollback(&going_back(RollbackTarget::Steps(1)), &Silent));
    assert_code(&report, ExitCode::REFUSED);
    let away = report.hosts.iter().filter(|host| host.outcome == HostOutcome::Unreachable).count();
    assert_eq!((report.hosts.len(), away), (100, 1));
    hosts.all_on("b");
    hosts.clean();
}

/// `cases.md` X13: a host that is new has nothing to go back to, and one that is not listed any more is not touched.
#[test]
fn hosts_that_come_and_go_between_a_deploy_and_a_rollback() {
    let mut hosts = Hosts::new(2).deployed(&["a", "b"]);
    hosts.0.push(switchback::transport::MemoryHost::new());
    let report = hosts.rollback();
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.hosts[2].error.as_ref().map(|error| error.kind), Some(ErrorKind::NotDeployed));
    let links = hosts.links();
    assert_eq!(links[..2], [Some("releases/b".to_owned()), Some("releases/b".to_owned())]);
    let gone = hosts.0.split_off(1);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("a");
    assert_eq!(Hosts(gone).links(), [Some("releases/b".to_owned()), None]);
}
