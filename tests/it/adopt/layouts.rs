//! `adopt` of every tool's layout, in memory: the tool is recognised, the way back follows its log, and the tree
//! stays as it was.

use switchback::{
    ErrorKind, ExitCode, Layout, Report,
    adoption::{Evidence, Tool},
    report::Outcome,
    status::ReleaseState,
    testing::{Cut, WholeReport as _},
    transport::MemoryHost,
};

use super::fixture::{
    adopt, adopt_with, assert_code, at, capistrano, chain, deploy, fleet, fleet_of, name, record, releases, rollback,
    wait,
};

/// Returns how `releases` lists a release: its state, the tool that made it, the source of its record.
fn told(host: &MemoryHost, release: &str) -> (ReleaseState, Option<(Tool, Evidence, bool)>) {
    let report = wait(fleet(host, &Cut::never()).releases(switchback::event::Silent).report());
    let status = report.hosts[0].status.as_ref().expect("it was read");
    let release = status.releases.iter().find(|has| has.name == name(release)).expect("it is there");
    (release.state, release.adopted.as_ref().map(|adopted| (adopted.tool, adopted.evidence, adopted.inferred)))
}

/// Checks that everything works after an adoption, and that a second one has nothing to do.
fn works_afterwards(host: &MemoryHost, back: &[&str]) {
    let again = adopt(host);
    assert_eq!((again.exit_code(), again.outcome), (ExitCode::DONE, Outcome::Unchanged));
    let fleet = fleet(host, &Cut::never());
    assert_code(&deploy(&fleet, "new"), ExitCode::DONE);
    assert_eq!(host.read_link(&at("current")).as_deref(), Some("releases/new"));
    for release in back {
        assert_code(&rollback(&fleet), ExitCode::DONE);
        assert_eq!(host.read_link(&at("current")), Some(format!("releases/{release}")));
    }
    assert_code(&rollback(&fleet), ExitCode::NOTHING_TO_ROLL_BACK_TO);
}

fn kind(report: &Report) -> Option<ErrorKind> {
    report.error.as_ref().map(|error| error.kind)
}

#[test]
fn capistranos_log_is_followed() {
    let host = capistrano();
    let (log, link) = (host.read(&at("revisions.log")), host.read_link(&at("current")));
    let report = adopt(&host);
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.outcome, Outcome::Done);
    // The first release of the log is missing, 03 never became current, and 02 was rolled back from.
    chain(&host, &["20260104120000", "20260101120000"]);
    assert_eq!((record(&host, "20260102120000"), record(&host, "20260103120000")), (None, None));
    let inferred = Some((Tool::Capistrano, Evidence::RevisionsLog, true));
    assert_eq!(told(&host, "20260101120000"), (ReleaseState::Good, inferred));
    assert_eq!(told(&host, "20260102120000"), (ReleaseState::Bad, None));
    assert_eq!(told(&host, "20260103120000"), (ReleaseState::Staged, None));
    assert_eq!((host.read(&at("revisions.log")), host.read_link(&at("current"))), (log, link));
    let history = wait(fleet(&host, &Cut::never()).history(switchback::event::Silent).report());
    let entries = history.hosts[0].status.as_ref().and_then(|status| status.history.clone()).expect("a history");
    assert_eq!((entries.len(), entries[0].command.as_str()), (1, "adopt"));
    works_afterwards(&host, &["20260104120000", "20260101120000"]);
}

#[test]
fn what_is_deployed_by_the_other_tool_later_is_taken_over_too() {
    let host = capistrano();
    assert_code(&adopt(&host), ExitCode::DONE);
    releases(&host, &["20260105120000"]);
    let log = String::from_utf8(host.read(&at("revisions.log")).expect("a log")).expect("UTF-8");
    host.write(&at("revisions.log"), log + "Branch main (at 5) deployed as release 20260105120000 by jane\n");
    host.remove(&at("current"));
    host.link(&at("current"), at("releases/20260105120000"));
    assert_code(&adopt(&host), ExitCode::DONE);
    chain(&host, &["20260105120000", "20260104120000", "20260101120000"]);
}

#[test]
fn where_the_log_and_the_link_differ_the_link_is_right() {
    let host = capistrano();
    releases(&host, &["20260106120000"]);
    host.remove(&at("current"));
    host.link(&at("current"), at("releases/20260106120000"));
    // The deploy failed after its switch, so the log does not have it: the last release of the log is its previous
    // release.
    assert_code(&adopt(&host), ExitCode::DONE);
    chain(&host, &["20260106120000", "20260104120000", "20260101120000"]);
}

/// A tree as Deployer 7.5.12 leaves it, with a longer history. After an adoption of the real one, its `deploy`
/// and its `rollback` still worked.
#[test]
fn deployers_log_is_followed_without_what_it_marked_bad_or_left_unfinished() {
    let host = MemoryHost::new();
    releases(&host, &["1", "2", "3", "9", "10", "11"]);
    host.write(&at("releases/3/BAD_RELEASE"), "2026-01-03,jane");
    let line = |number| {
        format!("{{\"created_at\":\"x\",\"release_name\":\"{number}\",\"user\":\"jane\",\"target\":\"HEAD\"}}\n")
    };
    host.write(&at(".dep/releases_log"), [1, 2, 3, 4, 9, 10, 11].map(line).concat());
    host.write(&at(".dep/latest_release"), "11");
    host.link(&at("release"), "releases/11");
    host.link(&at("current"), "releases/10");
    assert_code(&adopt(&host), ExitCode::DONE);
    chain(&host, &["10", "9", "2", "1"]);
    assert_eq!(told(&host, "3").0, ReleaseState::Bad);
    assert_eq!(told(&host, "9"), (ReleaseState::Good, Some((Tool::Deployer, Evidence::ReleasesLog, true))));
    assert_eq!(told(&host, "11").0, ReleaseState::Staged);
    assert_eq!(host.read_link(&at("release")).as_deref(), Some("releases/11"));
    works_afterwards(&host, &["10", "9", "2", "1"]);
}

/// A tree as the roles ansistrano.deploy and ansistrano.rollback 4.4.0 left it under ansible-core 2.19, with
/// `copy` and one shared path. After an adoption of the real one, both roles still worked.
#[test]
fn ansistranos_names_are_times() {
    let host = MemoryHost::new();
    releases(&host, &["20260101120000Z", "20260102120000Z", "20260103120000Z"]);
    host.make_dir(&at("shared/log"));
    for release in ["20260101120000Z", "20260102120000Z", "20260103120000Z"] {
        host.write(&at(&format!("releases/{release}/REVISION")), release);
        host.link(&at(&format!("releases/{release}/log")), "../../shared/log");
    }
    // Ansistrano's rollback left the newest release in place.
    host.link(&at("current"), "./releases/20260102120000Z");
    assert_code(&adopt(&host), ExitCode::DONE);
    chain(&host, &["20260102120000Z", "20260101120000Z"]);
    assert_eq!(record(&host, "20260103120000Z"), None);
    let told = told(&host, "20260101120000Z");
    assert_eq!(told, (ReleaseState::Good, Some((Tool::Ansistrano, Evidence::Names, true))));
    works_afterwards(&host, &["20260102120000Z", "20260101120000Z"]);
}

#[test]
fn minas_names_are_numbers() {
    let host = MemoryHost::new();
    releases(&host, &["8", "9", "10"]);
    host.make_dir(&at("scm"));
    host.make_dir(&at("tmp"));
    host.link(&at("current"), at("releases/10"));
    host.write(&at("deploy.lock"), "");
    let report = adopt(&host);
    assert_code(&report, ExitCode::LOCKED);
    assert!(report.error.is_some_and(|error| error.message.contains("deploy.lock")));
    assert_eq!(record(&host, "10"), None);
    host.remove(&at("deploy.lock"));
    assert_code(&adopt(&host), ExitCode::DONE);
    chain(&host, &["10", "9", "8"]);
    works_afterwards(&host, &["10", "9", "8"]);
}

#[test]
fn the_recipes_own_records_are_the_truth() {
    let host = MemoryHost::new();
    for release in ["onebip-16", "onebip-17", "onebip-18"] {
        host.write(&format!("/home/{release}/index.php"), release);
    }
    host.write("/home/onebip-18/previousVersion", "/home/onebip-16\n");
    host.write("/home/onebip-16/previousVersion", "onebip-17");
    host.link("/home/onebip", "/home/onebip-18");
    let layout = Layout::new("onebip", ".", "shared", ".switchback").expect("a layout");
    let fleet = fleet_of(&host, &Cut::never(), "/home", layout);
    let report = adopt_with(&fleet, None, false);
    assert_code(&report, ExitCode::DONE);
    assert_eq!(host.read("/home/onebip-16/previousVersion").as_deref(), Some(&b"onebip-17"[..]));
    assert_eq!(host.read("/home/onebip-17/previousVersion").as_deref(), Some(&b"none\n"[..]));
    assert_code(&rollback(&fleet), ExitCode::DONE);
    assert_eq!(host.read_link("/home/onebip").as_deref(), Some("onebip-16"));
}

/// A tree made by hand: `releases/1` to `3` and a link, and nothing that says who made it.
#[test]
fn a_plain_tree_is_taken_over_by_its_names() {
    for (names, link) in [
        (["1", "2", "3"], "releases/3"),
        (["9", "10", "11"], "/srv/shop/releases/11"),
        (["build-9", "build-10", "build-11"], "releases/build-11"),
        (["v1.9", "v1.10", "v1.11"], "releases/v1.11"),
        (["2025-12-31", "2026-01-01", "2026-01-02"], "releases/2026-01-02"),
    ] {
        let host = MemoryHost::new();
        // Their times tell nothing.
        releases(&host, &[names[2], names[0], names[1]]);
        host.link(&at("current"), link);
        assert_code(&adopt(&host), ExitCode::DONE);
        let [first, second, third] = names;
        chain(&host, &[third, second, first]);
        assert_eq!(told(&host, second), (ReleaseState::Good, Some((Tool::Recipe, Evidence::Names, true))));
        works_afterwards(&host, &[third, second, first]);
    }
}

/// Releases made by hand after an adoption, or beside it, are taken over too.
#[test]
fn a_plain_tree_is_adopted_again_after_each_deploy_by_hand() {
    let host = MemoryHost::new();
    releases(&host, &["1"]);
    host.link(&at("current"), "releases/1");
    assert_code(&adopt(&host), ExitCode::DONE);
    chain(&host, &["1"]);
    for (release, back) in [("2", &["2", "1"][..]), ("3", &["3", "2", "1"])] {
        releases(&host, &[release]);
        host.remove(&at("current"));
        host.link(&at("current"), format!("releases/{release}"));
        assert_code(&adopt(&host), ExitCode::DONE);
        chain(&host, back);
    }
}

/// A tree of Hapistrano 0.4: the state of each deploy in its release, `current` absolute, a mirror in `repo`.
#[test]
fn what_hapistrano_failed_to_deploy_is_never_a_target() {
    let host = MemoryHost::new();
    let names = ["20260101120000", "20260102120000", "20260103120000", "20260104120000", "20260105120000"];
    releases(&host, &names);
    // It switches before it restarts, so a failed release may have been current.
    for (name, state) in names.into_iter().zip(["Success", "Fail\n", "", "Success", "Fail"]) {
        if !state.is_empty() {
            host.write(&at(&format!("releases/{name}/.hapistrano_deploy_state")), state);
        }
    }
    host.make_dir(&at("repo"));
    host.make_dir(&at("shared"));
    host.link(&at("current"), at("releases/20260104120000"));
    assert_code(&adopt(&host), ExitCode::DONE);
    // Hapistrano counts a release without a state as one that succeeded: older versions wrote none.
    chain(&host, &["20260104120000", "20260103120000", "20260101120000"]);
    for failed in ["20260102120000", "20260105120000"] {
        assert_eq!(told(&host, failed).0, ReleaseState::Bad, "{failed}");
        assert_eq!(record(&host, failed), None, "{failed}");
    }
    assert_eq!(told(&host, "20260101120000").1, Some((Tool::Hapistrano, Evidence::Names, true)));
    works_afterwards(&host, &["20260104120000", "20260103120000", "20260101120000"]);
}

/// A state that cannot be read is no success.
#[test]
fn what_hapistrano_says_in_other_words_is_never_a_target() {
    for state in ["", "success", "Unknown", &"x".repeat(10_000)] {
        let host = MemoryHost::new();
        releases(&host, &["20260101120000", "20260102120000"]);
        host.write(&at("releases/20260101120000/.hapistrano_deploy_state"), state);
        host.link(&at("current"), at("releases/20260102120000"));
        assert_code(&adopt(&host), ExitCode::DONE);
        chain(&host, &["20260102120000"]);
        assert_eq!(told(&host, "20260101120000").0, ReleaseState::Bad, "{state:.20}");
    }
}

/// A tree of Trellis: Ansible's `deploy_helper` marks what it has not finished, and Trellis what it rolled back from.
#[test]
fn what_trellis_did_not_finish_is_never_a_target() {
    let host = MemoryHost::new();
    releases(&host, &["20260101120000", "20260102120000", "20260103120000", "20260104120000"]);
    for unfinished in ["20260102120000", "20260104120000"] {
        host.write(&at(&format!("releases/{unfinished}/DEPLOY_UNFINISHED")), "");
    }
    host.make_dir(&at("shared/source/.git"));
    host.link(&at("current"), at("releases/20260103120000"));
    assert_code(&adopt(&host), ExitCode::DONE);
    chain(&host, &["20260103120000", "20260101120000"]);
    for unfinished in ["20260102120000", "20260104120000"] {
        assert_eq!(told(&host, unfinished).0, ReleaseState::Bad, "{unfinished}");
    }
    assert_eq!(told(&host, "20260101120000").1, Some((Tool::Trellis, Evidence::Names, true)));
    works_afterwards(&host, &["20260103120000", "20260101120000"]);
}

#[test]
fn times_are_the_last_resort() {
    let host = MemoryHost::new();
    host.write(&at("releases/apple/index.html"), "x");
    host.write(&at("releases/zebra/index.html"), "x");
    host.link(&at("current"), "releases/apple");
    let report = adopt(&host);
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(kind(&report), Some(ErrorKind::UnknownTree));
    assert_eq!(record(&host, "apple"), None);
    let report = adopt_with(&fleet(&host, &Cut::never()), Some(Tool::Recipe), false);
    assert_code(&report, ExitCode::DONE);
    assert_eq!(told(&host, "apple").1, Some((Tool::Recipe, Evidence::Times, true)));
}

#[track_caller]
fn untouched(host: &MemoryHost) {
    assert!(!host.exists(&at(".switchback")), "the state directory was made");
    for release in host.list(&at("releases")).expect("releases") {
        assert_eq!(record(host, &release), None, "{release} has a record");
    }
}

#[test]
fn what_cannot_be_taken_over_is_refused_and_untouched() {
    let two_tools = capistrano();
    two_tools.write(&at(".dep/releases_log"), "{\"release_name\":\"1\"}\n");
    let dangling = capistrano();
    dangling.remove(&at("current"));
    dangling.link(&at("current"), "releases/none");
    let elsewhere = capistrano();
    elsewhere.remove(&at("current"));
    elsewhere.make_dir("/srv/other");
    elsewhere.link(&at("current"), "/srv/other");
    let missing = capistrano();
    missing.remove(&at("current"));
    let file = capistrano();
    file.remove(&at("current"));
    file.write(&at("current"), "x");
    for (host, expected) in [
        (two_tools, ErrorKind::UnknownTree),
        (dangling, ErrorKind::Dangling),
        (elsewhere, ErrorKind::NotOurs),
        (missing, ErrorKind::NoCurrent),
        (file, ErrorKind::NotOurs),
    ] {
        let report = adopt(&host);
        assert_code(&report, ExitCode::REFUSED);
        assert_eq!(kind(&report), Some(expected));
        untouched(&host);
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let host = capistrano();
    let report = adopt_with(&fleet(&host, &Cut::never()), None, true);
    assert_eq!((report.exit_code(), report.dry_run), (ExitCode::DONE, true));
    untouched(&host);
}

/// Capistrano and Ansistrano roll back by the times of directories, and writing a record changes one.
#[test]
fn directories_stay_in_the_order_of_their_times() {
    let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
    let names = ["20260101120000Z", "20260102120000Z", "20260103120000Z", "20260104120000Z"];
    for name in names {
        std::fs::create_dir_all(root.path().join("releases").join(name)).expect("made");
    }
    std::os::unix::fs::symlink("releases/20260104120000Z", root.path().join("current")).expect("a link");
    let path: switchback::HostPath = root.path().to_str().expect("UTF-8").parse().expect("a path");
    let store = switchback::DirStore::new(switchback::transport::LocalTransport::new(), path, Layout::default());
    let fleet = switchback::Fleet::new(vec![switchback::Host::new("local", store)]).expect("a fleet");
    assert_code(&adopt_with(&fleet, None, false), ExitCode::DONE);
    let time = |name: &&str| {
        let directory = std::fs::metadata(root.path().join("releases").join(name)).expect("it is there");
        directory.modified().expect("a time")
    };
    let times: Vec<_> = names.iter().map(time).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
}
