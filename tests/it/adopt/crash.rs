//! `adopt` cut after each of its steps, in memory: nothing is harmed, and the next one goes on from there.

use switchback::{
    ExitCode,
    report::Outcome,
    testing::{AfterLoss, Cut},
    transport::MemoryHost,
};

use super::fixture::{adopt, adopt_with, assert_code, at, capistrano, chain, deploy, fleet, rollback};

fn cut_everywhere(make: fn() -> MemoryHost, holds: fn(&MemoryHost, &str), ends: fn(&MemoryHost)) -> usize {
    let counting = Cut::never();
    let host = make();
    assert_code(&adopt_with(&fleet(&host, &counting), None, false), ExitCode::DONE);
    ends(&host);
    for steps in 0..counting.steps() {
        let host = make();
        adopt_with(&fleet(&host, &Cut::after(steps)), None, false);
        holds(&host, &format!("cut after step {steps}"));
        let report = adopt(&host);
        assert_code(&report, ExitCode::DONE);
        if report.outcome == Outcome::Done {
            let left = host.list(&at(".switchback/journal")).unwrap_or_default();
            assert!(left.is_empty(), "cut after step {steps}: {left:?} is left over");
        }
        ends(&host);
        works(&host);
    }
    for exchange in 1..=counting.exchanges() {
        for then in [AfterLoss::Answers, AfterLoss::Dead] {
            let host = make();
            adopt_with(&fleet(&host, &Cut::losing_answer(exchange, then)), None, false);
            holds(&host, &format!("answer {exchange} lost, then {then:?}"));
            assert_code(&adopt(&host), ExitCode::DONE);
            ends(&host);
            works(&host);
        }
    }
    counting.steps()
}

fn works(host: &MemoryHost) {
    let fleet = fleet(host, &Cut::never());
    let before = host.read_link(&at("current")).expect("a link");
    assert_code(&deploy(&fleet, "new"), ExitCode::DONE);
    assert_code(&rollback(&fleet), ExitCode::DONE);
    let after = host.read_link(&at("current")).expect("a link");
    assert_eq!(before.rsplit('/').next(), after.rsplit('/').next());
}

#[test]
fn a_tree_is_taken_over_after_any_crash() {
    let points = cut_everywhere(
        capistrano,
        |host, case| {
            let link = host.read_link(&at("current"));
            assert_eq!(link.as_deref(), Some("/srv/shop/releases/20260104120000"), "{case}");
        },
        |host| chain(host, &["20260104120000", "20260101120000"]),
    );
    assert!(points > 30, "only {points} points");
}

#[test]
fn a_directory_is_taken_over_after_any_crash() {
    let make = || {
        let host = MemoryHost::new();
        host.write(&at("current/index.html"), "by hand");
        host
    };
    let is_there = |host: &MemoryHost, case: &str| {
        assert_eq!(host.read(&at("current/index.html")).as_deref(), Some(&b"by hand"[..]), "{case}");
    };
    let ends = |host: &MemoryHost| {
        assert!(host.read_link(&at("current")).is_some_and(|link| link.starts_with("releases/")));
        assert_eq!(host.list(&at("releases")).map(|names| names.len()), Some(1), "one release");
    };
    cut_everywhere(make, is_there, ends);
}
