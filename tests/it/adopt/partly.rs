//! Adoptions of a part of the fleet: a host is away, or the run was interrupted halfway. In memory.

use switchback::{
    DirStore, ErrorKind, ExitCode, Fleet, Hint, Host, HostPath, Layout,
    event::Silent,
    fleet::RunOptions,
    report::HostOutcome,
    testing::{Cut, Faults, WholeReport as _},
    transport::MemoryHost,
};

use super::fixture::{ROOT, adopt, adopt_with, assert_code, at, capistrano, chain, deploy, fleet, rollback, wait};

/// Two hosts, of which the second has this cut.
fn two(hosts: &[MemoryHost; 2], cut: &Cut) -> Fleet {
    let root: HostPath = ROOT.parse().expect("a path");
    let host = |(place, host): (usize, &MemoryHost)| {
        let name = format!("web{}", place + 1);
        let cut = if place == 0 { Cut::never() } else { cut.clone() };
        Host::new(&name, DirStore::new(Faults::new(host.connect(&name), cut), root.clone(), Layout::default()))
    };
    Fleet::new(hosts.iter().enumerate().map(host).collect()).expect("a fleet")
}

#[test]
fn a_host_that_is_away_is_taken_over_when_it_is_back() {
    let hosts = [capistrano(), capistrano()];
    let away = || two(&hosts, &Cut::after(0));
    let mut options = RunOptions::new().by("jane@laptop");
    let refused = wait(away().adopt(None, &options, Silent).report());
    assert_code(&refused, ExitCode::REFUSED);
    assert!(!hosts[0].exists(&at(".switchback")), "all or none, unless it was asked for otherwise");
    options = options.skip_unreachable(true);
    let report = wait(away().adopt(None, &options, Silent).report());
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.hosts[1].outcome, HostOutcome::Unreachable);
    chain(&hosts[0], &["20260104120000", "20260101120000"]);
    let both = two(&hosts, &Cut::never());
    assert_code(&wait(both.adopt(None, &options, Silent).report()), ExitCode::DONE);
    chain(&hosts[1], &["20260104120000", "20260101120000"]);
    assert_code(&rollback(&both), ExitCode::DONE);
}

/// Wherever the adoption was cut off, a deploy works, or names the command that repairs the tree.
#[test]
fn a_deploy_after_half_an_adoption_names_it() {
    let make = || {
        let host = MemoryHost::new();
        host.write(&at("current/index.html"), "by hand");
        host
    };
    let counting = Cut::never();
    adopt_with(&fleet(&make(), &counting), None, false);
    let mut named = 0;
    for steps in 0..counting.steps() {
        let host = make();
        adopt_with(&fleet(&host, &Cut::after(steps)), None, false);
        let whole = fleet(&host, &Cut::never());
        for report in [deploy(&whole, "new"), rollback(&whole)] {
            let Some(error) = &report.error else { continue };
            assert!(error.message.contains("web1") || report.hosts[0].host == "web1", "the host is named: {error}");
            if error.kind == ErrorKind::NotOurs {
                named += 1;
                let hints = &error.hints;
                let adopts = hints.iter().any(|hint| matches!(hint, Hint::AdoptAgain | Hint::AdoptDirectory));
                assert!(adopts, "cut after step {steps}: {error}: {hints:?}");
            }
        }
        if host.read_link(&at("current")).is_none() {
            assert_code(&adopt(&host), ExitCode::DONE);
            assert_code(&deploy(&whole, "newer"), ExitCode::DONE);
        }
    }
    assert!(named > 5, "it was named {named} times");
}
