//! Roots that others may write to: deploys refuse, everything else works. FAULTS.md M01.

use switchback::{
    ErrorKind, ExitCode,
    event::Silent,
    fleet::{Direction, RecoverOptions, RunOptions},
    testing::{Collected, WholeReport as _},
};

use super::fixture::{Hosts, assert_code, deploying, release, wait};

fn open_to_all() -> Hosts {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    hosts.0[0].set_mode("/srv/shop/releases", 0o777);
    hosts
}

#[test]
fn what_everybody_may_write_to_is_refused() {
    let hosts = open_to_all();
    let fleet = hosts.fleet();
    for report in [
        hosts.deploy("c"),
        hosts.stage("c"),
        wait(fleet.check(&RunOptions::default(), Silent).report()),
        wait(fleet.prune(0, &RunOptions::default(), Silent).report()),
    ] {
        assert_code(&report, ExitCode::REFUSED);
        let error = report.error.expect("why");
        assert_eq!(error.kind, ErrorKind::OthersMayWrite, "{error}");
        assert!(error.message.contains("everybody may write to /srv/shop/releases (mode 0777)"), "{error}");
    }
    hosts.clean();
}

#[test]
fn going_back_never_asks() {
    let hosts = open_to_all();
    assert_code(&hosts.status(), ExitCode::DONE);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("a");
    assert_code(&wait(hosts.fleet().unlock(false, &RunOptions::default(), Silent).report()), ExitCode::DONE);
    let recovered = wait(
        hosts
            .fleet()
            .recover(&RecoverOptions::new().direction(Direction::Safest).run(RunOptions::default()), Silent)
            .report(),
    );
    assert_code(&recovered, ExitCode::DONE);
}

/// A user with write access there can replace any record, so nothing runs from it. The hint tells a team how to
/// configure its group.
#[test]
fn a_group_that_may_write_to_the_state_is_told_how_to_be_a_team() {
    for (mode, hint) in [(0o770, "[security] group"), (0o777, "chmod or chown")] {
        let hosts = Hosts::new(1).deployed(&["a", "b"]);
        hosts.0[0].set_mode("/srv/shop/.switchback", mode);
        let report = hosts.rollback();
        assert_code(&report, ExitCode::REFUSED);
        let error = report.error.expect("why");
        assert_eq!(error.kind, ErrorKind::OthersMayWrite, "{error}");
        assert!(format!("{:?}", error.hints).contains(hint), "{mode:o}");
        hosts.all_on("b");
    }
}

#[test]
fn it_can_be_allowed_and_a_group_is_only_warned_about() {
    for (mode, allow, warns) in [(0o777, true, "everybody may write"), (0o775, false, "a group may write")] {
        let hosts = Hosts::new(1).deployed(&["a"]);
        hosts.0[0].set_mode("/srv", mode);
        let warned = Collected::warnings();
        let fleet = hosts.fleet().allow_writable(allow);
        assert_code(&wait(fleet.deploy(release("b"), &deploying(), warned.clone()).report()), ExitCode::DONE);
        let warned = warned.take().concat();
        assert!(warned.contains(warns), "{warned}");
    }
}

/// The sticky bit of a directory like `/tmp` keeps users from changing entries of others.
#[test]
fn the_sticky_bit_keeps_others_out() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    hosts.0[0].set_mode("/srv", 0o1777);
    assert_code(&hosts.deploy("b"), ExitCode::DONE);
}
