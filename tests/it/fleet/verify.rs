//! Releases compared with their manifests, by `verify` and before a switch.

use std::sync::Arc;

use switchback::{
    DirStore, ErrorKind, Event, ExitCode, Hint, Layout, ReleaseStore, Report, TargetCheck,
    event::{Phase, Silent},
    fleet::{ActivateOptions, RollbackTarget, RunOptions},
    lock::LockOwner,
    release::NewRelease,
    report::{Command, HostOutcome, Outcome},
    store::{Checked, Finish},
    testing::{Collected, WholeReport as _},
    tree::Tree,
};

use super::fixture::{Hosts, ROOT, assert_code, at, deploying, going_back, name, release, wait};

fn rollback(hosts: &Hosts, verify: TargetCheck) -> Report {
    let options = going_back(RollbackTarget::Steps(1)).verify(verify);
    wait(hosts.fleet().rollback(&options, Silent).report())
}

fn verify(hosts: &Hosts, release: Option<&str>, full: bool) -> Report {
    let release = release.map(name);
    wait(hosts.fleet().verify(release.as_ref(), full, Silent).report())
}

/// Checks a refusal: every host unchanged and unlocked, and the file named.
#[track_caller]
fn refused(hosts: &Hosts, report: &Report, on: &str, named: &str) {
    assert_code(report, ExitCode::REFUSED);
    let error = report.error.as_ref().expect("why");
    assert_eq!((report.outcome, error.kind), (Outcome::Refused, ErrorKind::DamagedRelease));
    assert!(error.message.contains(named), "{}", error.message);
    let links: Vec<_> = hosts.links().into_iter().flatten().collect();
    assert!(links.iter().all(|link| *link == format!("releases/{on}")), "{links:?}");
    hosts.clean();
}

type Damage = fn(&Hosts);

#[test]
fn a_rollback_never_goes_to_a_damaged_release() {
    let damages: [(&str, Damage); 4] = [
        ("index.html is missing", |hosts| hosts.0[1].remove(&at("releases/a/index.html"))),
        ("index.html", |hosts| hosts.0[1].write(&at("releases/a/index.html"), "longer")),
        ("assets/style.css", |hosts| hosts.0[1].link(&at("releases/a/assets/style.css"), "../index.html")),
        ("assets is missing", |hosts| hosts.0[1].rename(&at("releases/a/assets"), &at("elsewhere"))),
    ];
    for (named, damage) in damages {
        let hosts = Hosts::new(3).deployed(&["a", "b"]);
        damage(&hosts);
        let failed = Collected::new(|event| match event {
            Event::HostFailed { host, phase, .. } => Some((host.clone(), *phase)),
            _ => None,
        });
        let options = going_back(RollbackTarget::Steps(1));
        let report = wait(hosts.fleet().rollback(&options, failed.clone()).report());
        refused(&hosts, &report, "b", named);
        assert_eq!(failed.take(), [("web2".to_owned(), Phase::Verify)], "its lock was taken");
        let outcomes: Vec<_> = report.hosts.iter().map(|host| host.outcome).collect();
        assert_eq!(outcomes, [HostOutcome::Unchanged, HostOutcome::Refused, HostOutcome::Unchanged]);
        assert_code(&rollback(&hosts, TargetCheck::None), ExitCode::DONE);
    }
}

/// An application that nests directories without end blocks no rollback, and is not claimed to be verified.
#[test]
fn what_is_nested_too_deep_is_not_verifiable() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    hosts.0[1].write(&at(&format!("releases/a/{}f", "d/".repeat(3000))), "x");
    for full in [false, true] {
        let report = verify(&hosts, Some("a"), full);
        refused(&hosts, &report, "b", "d/d/d/... (nested more than 256 directories deep, not verifiable)");
    }
    let report = rollback(&hosts, TargetCheck::Full);
    assert_code(&report, ExitCode::DONE);
    let said = format!("{:?}", report.hosts[1].warnings);
    assert!(report.hosts[0].warnings.is_empty() && said.contains("not verifiable"), "{said}");
    hosts.all_on("a");
}

/// An activation verifies its target first too, on all hosts.
#[test]
fn an_activation_never_goes_to_a_damaged_release() {
    let hosts = Hosts::new(3).deployed(&["a", "b"]);
    assert_code(&hosts.stage("c"), ExitCode::DONE);
    hosts.0[2].write(&at("releases/c/index.html"), "longer");
    let report = hosts.activate("c");
    refused(&hosts, &report, "b", "index.html");
    let hints = &report.error.as_ref().expect("why").hints;
    assert!(hints.contains(&Hint::ActivateUnverified(name("c"))), "{hints:?}");
    assert_eq!(hosts.record("c"), None, "nothing was written");
    let mut options = ActivateOptions::default().verify(TargetCheck::None);
    assert_code(&wait(hosts.fleet().activate(&name("c"), &options, Silent).report()), ExitCode::DONE);
    hosts.0[0].write(&at("releases/b/index.html"), "x");
    options = options.verify(TargetCheck::Full);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.0[0].write(&at("releases/c/index.html"), "x");
    let report = wait(hosts.fleet().activate(&name("c"), &options, Silent).report());
    refused(&hosts, &report, "b", "index.html has different content");
}

#[test]
fn only_a_full_look_finds_another_content_of_the_same_size() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    hosts.0[0].write(&at("releases/a/index.html"), "x");
    refused(&hosts, &rollback(&hosts, TargetCheck::Full), "b", "index.html has different content");
    assert_code(&rollback(&hosts, TargetCheck::Quick), ExitCode::DONE);
}

#[test]
fn what_was_added_is_told_and_not_refused() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    hosts.0[0].write(&at("releases/a/cache/page"), "x");
    for full in [TargetCheck::Full, TargetCheck::Quick] {
        let report = rollback(&hosts, full);
        assert_code(&report, ExitCode::DONE);
        let warnings = &report.hosts[0].warnings;
        assert!(warnings.iter().any(|warning| warning.text.contains("cache/page")), "{warnings:?}");
        assert_code(&hosts.activate("b"), ExitCode::DONE);
    }
}

#[test]
fn a_release_made_by_hand_is_gone_back_to_and_it_is_said() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    for list in ["manifest", "sha256sums", "listing"] {
        hosts.0[0].remove(&at(&format!(".switchback/releases/a/{list}")));
    }
    let report = hosts.rollback();
    assert_code(&report, ExitCode::DONE);
    assert!(report.hosts[0].warnings.iter().any(|warning| warning.text.contains("no manifest")), "{report:?}");
    let report = verify(&hosts, Some("a"), true);
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::NoManifest));
}

/// An application that makes its settings read-only does no damage; a mode that opens them to others is damage.
#[test]
fn another_mode_is_told_of_and_refused_only_where_it_grants_something() {
    for full in [TargetCheck::Quick, TargetCheck::Full] {
        let hosts = Hosts::new(2).deployed(&["a", "b"]);
        hosts.0[1].set_mode(&at("releases/a/index.html"), 0o444);
        hosts.0[1].set_mode(&at("releases/a/assets"), 0o555);
        let report = verify(&hosts, Some("a"), full == TargetCheck::Full);
        assert_code(&report, ExitCode::DONE);
        let found = report.hosts[1].verification.as_ref().expect("it was looked at");
        assert_eq!((found.damaged, found.modes), (0, 2));
        assert!(
            report.hosts[1].warnings.iter().any(|warning| warning.text.contains("index.html has mode 444, not 644"))
        );
        hosts.0[0].set_mode(&at("releases/a/index.html"), 0o646);
        refused(&hosts, &rollback(&hosts, full), "b", "index.html has mode 646, not 644");
        assert_code(&verify(&hosts, Some("a"), full == TargetCheck::Full), ExitCode::DIFFERS);
        hosts.0[0].set_mode(&at("releases/a/index.html"), 0o644);
        let report = rollback(&hosts, full);
        assert_code(&report, ExitCode::DONE);
        let warnings = &report.hosts[1].warnings;
        assert!(warnings.iter().any(|warning| warning.text.contains("assets has mode 555, not 755")), "{warnings:?}");
        assert_eq!(report.hosts[0].warnings, []);
    }
}

/// `status` and `check` detect the same damage as a rollback, with the same quick check.
#[test]
fn status_and_check_tell_of_damage() {
    let damaged = |report: &Report| -> Vec<String> {
        let all = report.hosts.iter().filter_map(|host| host.status.as_ref()).flat_map(|status| &status.damaged);
        all.map(|one| format!("{} {}", one.release, one.some.join(", "))).collect()
    };
    let hosts = Hosts::new(2).deployed(&["a", "b", "c"]);
    assert_eq!(damaged(&hosts.status()), Vec::<String>::new());
    hosts.0[0].write(&at("releases/a/index.html"), "longer, and two back");
    hosts.0[1].write(&at("releases/b/index.html"), "longer");
    hosts.0[1].remove(&at("releases/c/index.html"));
    hosts.0[1].set_mode(&at("releases/c/assets/style.css"), 0o400);
    for report in [hosts.status(), wait(hosts.fleet().check(&RunOptions::default(), Silent).report())] {
        assert_code(&report, ExitCode::DONE);
        let expected = ["c index.html is missing", "b index.html has 6 bytes, not 1"];
        assert_eq!(damaged(&report), expected);
        let warnings = &report.hosts[1].warnings;
        assert!(warnings.iter().any(|warning| warning.hints == [Hint::VerifyFull(name("b"))]), "{warnings:?}");
    }
}

/// More of them than a reply contains.
#[test]
fn many_changed_modes_are_looked_at_one_by_one() {
    let files: Vec<(String, &[u8])> = (0..1200).map(|at| (format!("f{at}"), &b"x"[..])).collect();
    let hosts = Hosts::new(1);
    let tree = Tree::from_memory(files.iter().map(|(path, content)| (path.as_str(), *content))).expect("a tree");
    let many = Arc::new(NewRelease::new(name("a"), tree));
    assert_code(&wait(hosts.fleet().deploy(many, &deploying(), Silent).report()), ExitCode::DONE);
    let hosts = hosts.deployed(&["b"]);
    for (path, _) in &files {
        hosts.0[0].set_mode(&at(&format!("releases/a/{path}")), 0o600);
    }
    let report = rollback(&hosts, TargetCheck::Quick);
    assert_code(&report, ExitCode::DONE);
    assert!(report.hosts[0].warnings.iter().any(|warning| warning.text.contains("and 1195 more")), "{report:?}");
    assert_code(&hosts.activate("b"), ExitCode::DONE);
    hosts.0[0].set_mode(&at("releases/a/f7"), 0o606);
    refused(&hosts, &rollback(&hosts, TargetCheck::Quick), "b", "f7 has mode 606, not 644");
}

/// A dry run verifies like the run, and ends alike.
#[test]
fn a_dry_run_verifies_as_the_run_does() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    assert_code(&hosts.stage("c"), ExitCode::DONE);
    let back = |verify| {
        let options = going_back(RollbackTarget::Steps(1)).verify(verify).dry_run(true);
        wait(hosts.fleet().rollback(&options, Silent).report())
    };
    let activate = |verify| {
        let options = ActivateOptions::default().verify(verify).dry_run(true);
        wait(hosts.fleet().activate(&name("c"), &options, Silent).report())
    };
    for release in ["a", "c"] {
        hosts.0[1].write(&at(&format!("releases/{release}/index.html")), "x");
        hosts.0[0].write(&at(&format!("releases/{release}/more")), "x");
    }
    for report in [back(TargetCheck::Quick), activate(TargetCheck::Quick)] {
        assert_code(&report, ExitCode::DONE);
        assert!(
            report.dry_run && report.hosts[0].warnings.iter().any(|warning| warning.text.contains("more")),
            "{report:?}"
        );
    }
    refused(&hosts, &back(TargetCheck::Full), "b", "index.html has different content");
    refused(&hosts, &activate(TargetCheck::Full), "b", "index.html has different content");
    for release in ["a", "c"] {
        hosts.0[1].write(&at(&format!("releases/{release}/index.html")), "longer");
    }
    refused(&hosts, &back(TargetCheck::Quick), "b", "index.html");
    refused(&hosts, &activate(TargetCheck::Quick), "b", "index.html");
    assert_code(&back(TargetCheck::None), ExitCode::DONE);
    assert_code(&activate(TargetCheck::None), ExitCode::DONE);
}

/// The release that the hosts verified while they were locked is not the target of this rollback.
#[test]
fn a_way_back_over_a_bad_release_is_looked_at_too() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    assert_code(&hosts.activate("b"), ExitCode::DONE);
    let hosts = hosts.deployed(&["c"]);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    let hosts = hosts.deployed(&["d"]);
    hosts.0[1].remove(&at("releases/a/index.html"));
    let two_back = || hosts.rollback_to(RollbackTarget::Steps(2));
    refused(&hosts, &two_back(), "d", "index.html");
    assert_code(&hosts.rollback(), ExitCode::DONE);
    let to = || hosts.rollback_to(RollbackTarget::Release(name("a")));
    refused(&hosts, &to(), "b", "index.html");
}

#[test]
fn verify_says_what_holds_and_what_does_not() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    for (release, full) in [(None, true), (Some("a"), false), (Some("b"), true)] {
        let report = verify(&hosts, release, full);
        assert_code(&report, ExitCode::DONE);
        assert_eq!((report.command, report.outcome), (Command::Verify, Outcome::Done));
        let found: Vec<_> = report.hosts.iter().filter_map(|host| host.verification.as_ref()).collect();
        assert!(found.iter().all(|found| (found.damaged, found.added) == (0, 0)), "{found:?}");
        assert_eq!(found[0].digest, found[1].digest);
    }
    hosts.0[1].write(&at("releases/b/index.html"), "x");
    hosts.0[1].write(&at("releases/b/new\n"), "x");
    hosts.0[1].link(&at("releases/b/assets"), "/etc");
    assert_code(&verify(&hosts, Some("a"), true), ExitCode::DONE);
    let report = verify(&hosts, None, true);
    assert_code(&report, ExitCode::DIFFERS);
    let found = report.hosts[1].verification.as_ref().expect("it was looked at");
    let damage: Vec<String> = found.damage.iter().map(ToString::to_string).collect();
    assert_eq!(
        damage,
        ["assets is a link, not a directory", "assets/style.css is missing", "index.html has different content"]
    );
    assert_eq!((found.damaged, &found.additions[..]), (3, &[r"new\n".to_owned()][..]));
    assert_eq!(report.hosts[0].verification.as_ref().map(|found| found.damaged), Some(0));
    let report = verify(&hosts, Some("none-such"), false);
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::NoSuchRelease));
    hosts.clean();
}

#[test]
fn a_manifest_that_means_nothing_is_no_proof() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    for text in ["", "switchback manifest 2\n", "switchback manifest 1\nx\n"] {
        hosts.0[0].write(&at(".switchback/releases/a/manifest"), text);
        let report = verify(&hosts, None, true);
        assert_code(&report, ExitCode::REFUSED);
        assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::DamagedState));
    }
}

/// Changes of a hook in a release before the switch become part of it with the seal.
#[test]
fn a_seal_takes_in_what_is_there_now() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let staged = wait(hosts.fleet().stage(release("b"), &RunOptions::new().by("jane@laptop"), Silent).report());
    assert_code(&staged, ExitCode::DONE);
    hosts.0[0].write(&at("releases/b/vendor/gem"), "built");
    hosts.0[0].remove(&at("releases/b/assets"));
    let store = DirStore::new(hosts.0[0].connect("web1"), ROOT.parse().expect("a path"), Layout::default());
    wait(async {
        let mut guard = store.lock(&LockOwner::new(Command::Deploy, "jane@laptop"), None).await.expect("a lock");
        let state = store.state().await.expect("it can be read");
        let b = state.release(&name("b")).expect("it is there");
        let before = store.check(b, true).await.expect("it can be looked at");
        assert!(matches!(before, Checked::Damaged { entries: 2, .. }), "{before:?}");
        guard.seal(&name("b")).await.expect("it can be sealed");
        for full in [true, false] {
            let after = store.check(b, full).await.expect("it can be looked at");
            let (some, changed) = (Vec::new(), Vec::new());
            assert_eq!(after, Checked::Holds { added: 0, some, modes: 0, changed });
        }
        guard.finish(&Finish::default()).await.expect("the lock is given back");
    });
    let sums = hosts.0[0].read(&at(".switchback/releases/b/sha256sums")).expect("sums");
    assert!(String::from_utf8_lossy(&sums).contains("  ./vendor/gem\n"));
    hosts.clean();
}
