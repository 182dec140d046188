//! Shared paths: linked into each release, checked before anything is touched, seeded from the first release.

use std::{fs, sync::Arc};

use switchback::{
    DirStore, ErrorKind, ExitCode, Fleet, Host, HostPath, Layout, Report,
    event::Silent,
    fleet::{Direction, RecoverOptions, RunOptions},
    release::NewRelease,
    shared::SharedPath,
    testing::{Collected, Cut, Faults, WholeReport as _},
    transport::{LocalTransport, MemoryHost},
    tree::Tree,
};

use super::fixture::{ROOT, assert_code, at, deploying, name, wait};

fn shared() -> Vec<SharedPath> {
    let path = |text: &str| text.parse::<SharedPath>().expect("a shared path");
    vec![path("app/storage/").with_seed(true), path(".env")]
}

fn store(host: &MemoryHost, cut: &Cut) -> DirStore {
    let root: HostPath = ROOT.parse().expect("a path");
    DirStore::new(Faults::new(host.connect("web1"), cut.clone()), root, Layout::default()).sharing(shared())
}

fn fleet(host: &MemoryHost) -> Fleet {
    Fleet::new(vec![Host::new("web1", store(host, &Cut::never()))]).expect("a fleet")
}

fn shipping(text: &str, files: &[(&'static str, &'static [u8])]) -> Arc<NewRelease> {
    let page = [("index.html", text.as_bytes())];
    let tree = Tree::from_memory(page.into_iter().chain(files.iter().copied())).expect("a tree");
    Arc::new(NewRelease::new(name(text), tree))
}

fn deploy(fleet: &Fleet, text: &str, files: &[(&'static str, &'static [u8])]) -> Report {
    wait(fleet.deploy(shipping(text, files), &deploying(), Silent).report())
}

fn kind(report: &Report) -> Option<ErrorKind> {
    report.error.as_ref().map(|error| error.kind)
}

fn linked(host: &MemoryHost, release: &str) {
    let link = |inner: &str| host.read_link(&at(&format!("releases/{release}/{inner}")));
    assert_eq!(link(".env").as_deref(), Some("../../shared/.env"));
    assert_eq!(link("app/storage").as_deref(), Some("../../../shared/app/storage"));
    let record = host.read(&at(&format!(".switchback/releases/{release}/shared"))).expect("a record of the links");
    let expected = r#"{"format":1,"links":["app/storage",".env"],"places":["shared/app/storage","shared/.env"]}"#;
    assert_eq!(String::from_utf8_lossy(&record), format!("{expected}\n"));
}

#[test]
fn what_is_missing_is_refused_before_anything_is_touched() {
    let host = MemoryHost::new();
    let report = deploy(&fleet(&host), "a", &[]);
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(kind(&report), Some(ErrorKind::MissingShared));
    assert!(!host.exists(ROOT), "the root was made");
    host.make_dir(ROOT);
    for report in [
        deploy(&fleet(&host), "a", &[]),
        wait(fleet(&host).stage(shipping("a", &[]), &RunOptions::default(), Silent).report()),
        wait(fleet(&host).check(&RunOptions::default(), Silent).report()),
    ] {
        assert_code(&report, ExitCode::REFUSED);
        assert_eq!(kind(&report), Some(ErrorKind::MissingShared));
        let error = report.error.expect("an error");
        assert!(error.message.contains("shared/.env") && !error.message.contains("storage"), "{}", error.message);
        let hints = format!("{:?}", error.hints);
        assert!(hints.contains("write shared/.env") && hints.contains("seed = true"), "{hints}");
    }
    assert_eq!(host.list(ROOT), Some(Vec::new()), "something was touched");
    host.make_dir(&at("shared"));
    host.make_dir(&at("shared/.env"));
    let report = deploy(&fleet(&host), "a", &[]);
    assert_code(&report, ExitCode::REFUSED);
    assert!(report.error.is_some_and(|error| error.message.contains("shared/.env is a directory")));
}

#[test]
fn it_is_linked_into_every_release_and_seeded_by_the_first() {
    let host = MemoryHost::new();
    host.write(&at("shared/.env"), "SECRET=1");
    let seed: &[(&str, &[u8])] = &[("app/storage/welcome.txt", b"hello"), ("app/code.rb", b"puts")];
    assert_code(&deploy(&fleet(&host), "a", seed), ExitCode::DONE);
    linked(&host, "a");
    assert_eq!(host.read(&at("current/app/storage/welcome.txt")).as_deref(), Some(&b"hello"[..]));
    assert_eq!(host.read(&at("current/.env")).as_deref(), Some(&b"SECRET=1"[..]));
    assert_eq!(host.read(&at("current/app/code.rb")).as_deref(), Some(&b"puts"[..]));
    // Files that users have written there stay, whatever later releases ship.
    host.write(&at("shared/app/storage/welcome.txt"), "changed");
    assert_code(&deploy(&fleet(&host), "b", seed), ExitCode::DONE);
    linked(&host, "b");
    assert_eq!(host.read(&at("current/app/storage/welcome.txt")).as_deref(), Some(&b"changed"[..]));
    let report = wait(
        fleet(&host)
            .rollback(&super::fixture::going_back(switchback::fleet::RollbackTarget::Steps(1)), Silent)
            .report(),
    );
    assert_code(&report, ExitCode::DONE);
    linked(&host, "a");
    assert_eq!(host.read(&at("shared/app/storage/welcome.txt")).as_deref(), Some(&b"changed"[..]));
}

#[test]
fn a_seed_that_is_not_shipped_is_an_empty_directory() {
    let host = MemoryHost::new();
    host.write(&at("shared/.env"), "x");
    assert_code(&deploy(&fleet(&host), "a", &[]), ExitCode::DONE);
    linked(&host, "a");
    assert_eq!(host.list(&at("shared/app/storage")), Some(Vec::new()));
}

#[test]
fn what_the_link_would_hide_is_refused_by_name() {
    let host = MemoryHost::new();
    host.write(&at("shared/.env"), "x");
    let hidden: &[(&str, &[u8])] = &[(".env", b"shipped")];
    let in_the_way: &[(&str, &[u8])] = &[("app", b"a file")];
    for (files, at_place) in [(hidden, "a file at .env"), (in_the_way, "a file at app")] {
        let report = deploy(&fleet(&host), "a", files);
        assert_code(&report, ExitCode::REFUSED);
        assert_eq!(kind(&report), Some(ErrorKind::Source));
        assert!(report.error.is_some_and(|error| error.message.contains(at_place)), "{at_place}");
        assert!(!host.exists(&at("releases")), "something was touched");
    }
}

#[test]
fn it_costs_no_exchange() {
    let plain = MemoryHost::new();
    let counting = Cut::never();
    let root: HostPath = ROOT.parse().expect("a path");
    let bare = DirStore::new(Faults::new(plain.connect("web1"), counting.clone()), root, Layout::default());
    let bare = Fleet::new(vec![Host::new("web1", bare)]).expect("a fleet");
    assert_code(&deploy(&bare, "a", &[]), ExitCode::DONE);
    let host = MemoryHost::new();
    host.write(&at("shared/.env"), "x");
    let sharing = Cut::never();
    let fleet = Fleet::new(vec![Host::new("web1", store(&host, &sharing))]).expect("a fleet");
    assert_code(&deploy(&fleet, "a", &[]), ExitCode::DONE);
    assert_eq!(sharing.exchanges(), counting.exchanges());
}

/// Cut after every step: shared content is never lost, a release gets its name only with its symlinks, and the
/// next run succeeds.
#[test]
fn every_crash_point_keeps_what_is_shared() {
    let seed: &[(&str, &[u8])] = &[("app/storage/welcome.txt", b"hello")];
    let prepared = || {
        let host = MemoryHost::new();
        host.write(&at("shared/.env"), "x");
        host
    };
    let counting = Cut::never();
    let run = |host: &MemoryHost, cut: &Cut| {
        deploy(&Fleet::new(vec![Host::new("web1", store(host, cut))]).expect("a fleet"), "a", seed)
    };
    assert_code(&run(&prepared(), &counting), ExitCode::DONE);
    for steps in 0..counting.steps() {
        let host = prepared();
        run(&host, &Cut::after(steps));
        if host.exists(&at("releases/a")) {
            linked(&host, "a");
        }
        if host.exists(&at("shared/app/storage")) {
            assert!(host.exists(&at("shared/app/storage/welcome.txt")), "cut after step {steps}");
        }
        wait(
            fleet(&host)
                .recover(&RecoverOptions::new().direction(Direction::Safest).run(RunOptions::default()), Silent)
                .report(),
        );
        assert_code(&deploy(&fleet(&host), "b", seed), ExitCode::DONE);
        linked(&host, "b");
        assert_eq!(host.read(&at("current/app/storage/welcome.txt")).as_deref(), Some(&b"hello"[..]), "{steps}");
        assert_eq!(host.read(&at("current/.env")).as_deref(), Some(&b"x"[..]));
    }
}

/// A host with shared paths and these releases.
fn deployed(names: &[&str]) -> MemoryHost {
    let host = MemoryHost::new();
    host.write(&at("shared/.env"), "SECRET=1");
    for name in names {
        assert_code(&deploy(&fleet(&host), name, &[]), ExitCode::DONE);
    }
    host
}

/// A fleet without a configuration.
fn bare(host: &MemoryHost) -> Fleet {
    let root: HostPath = ROOT.parse().expect("a path");
    Fleet::new(vec![Host::new("web1", DirStore::new(host.connect("web1"), root, Layout::default()))]).expect("a fleet")
}

fn warns(report: &Report, of: &str) -> bool {
    report.hosts[0].warnings.iter().any(|warning| warning.text.contains(of))
}

/// A message about a symlink, and the change that somebody made to it.
type Fault = (&'static str, fn(&MemoryHost, &str));

/// Every way in which a symlink can break.
const FAULTS: [Fault; 5] = [
    (".env is a file", |host, release| host.write(&at(&format!("releases/{release}/.env")), "SECRET=2")),
    ("app/storage is a directory", |host, release| {
        host.remove(&at(&format!("releases/{release}/app/storage")));
        host.write(&at(&format!("releases/{release}/app/storage/photo.jpg")), "a customer's");
    }),
    (".env is missing", |host, release| host.remove(&at(&format!("releases/{release}/.env")))),
    ("app/storage does not lead to shared/app/storage", |host, release| {
        host.link(&at(&format!("releases/{release}/app/storage")), "../index.html");
    }),
    ("app is no directory", |host, release| host.write(&at(&format!("releases/{release}/app")), "x")),
];

#[test]
fn a_link_that_is_none_any_more_is_damage_and_is_never_pruned() {
    for (what, breaks) in FAULTS {
        let what = if what == "app is no directory" { "app/storage cannot be checked" } else { what };
        for fleet in [fleet as fn(&MemoryHost) -> Fleet, bare] {
            let host = deployed(&["a", "b"]);
            breaks(&host, "b");
            let report = wait(fleet(&host).verify(None, false, Silent).report());
            assert_code(&report, ExitCode::DIFFERS);
            let found = report.hosts[0].verification.as_ref().expect("it was looked at");
            assert!(found.damage.iter().any(|damage| damage.to_string().contains(what)), "{what}: {found:?}");
            assert_code(&wait(fleet(&host).verify(Some(&name("a")), true, Silent).report()), ExitCode::DONE);
            let report = wait(fleet(&host).status(Silent).report());
            let damaged = report.hosts[0].status.as_ref().map(|status| status.damaged.clone()).expect("it was read");
            assert_eq!(damaged.iter().map(|one| one.release.as_str()).collect::<Vec<_>>(), ["b"]);
            assert!(warns(&report, what), "{what}: {report:?}");
            assert!(warns(&wait(fleet(&host).check(&RunOptions::default(), Silent).report()), what));
            let dry = deploying().dry_run(true);
            assert!(warns(&wait(fleet(&host).deploy(shipping("c", &[]), &dry, Silent).report()), what));
            let report = deploy(&fleet(&host), "c", &[]);
            assert_code(&report, ExitCode::DONE);
            assert!(warns(&report, what), "{what}: {report:?}");
            for name in ["d", "e"] {
                let options = deploying().keep(0);
                assert_code(&wait(fleet(&host).deploy(shipping(name, &[]), &options, Silent).report()), ExitCode::DONE);
            }
            assert!(!host.exists(&at("releases/a")) && host.exists(&at("releases/b")), "{what}");
            let kept = wait(fleet(&host).prune(0, &RunOptions::default(), Silent).report());
            assert_code(&kept, ExitCode::DONE);
            assert!(host.exists(&at("releases/b")), "{what}");
        }
    }
}

#[test]
fn the_plan_of_prune_says_why_it_stays_until_it_is_mended() {
    let host = deployed(&["a", "b", "c"]);
    host.write(&at("releases/a/.env"), "SECRET=2");
    let plan = |fleet: &Fleet| {
        let told = Collected::plans();
        let options = RunOptions::default().dry_run(true);
        assert!(wait(fleet.prune(0, &options, told.clone())).is_ok());
        told.take()
    };
    let line = "web1: keep a: .env is a file, but should be a link to a shared path".to_owned();
    assert!(plan(&bare(&host)).contains(&line), "{:?}", plan(&bare(&host)));
    host.remove(&at("releases/a/.env"));
    host.link(&at("releases/a/.env"), "../../shared/.env");
    assert!(!plan(&bare(&host)).contains(&line));
    host.write(&at(".switchback/releases/a/shared"), "{torn");
    assert!(plan(&fleet(&host)).iter().any(|line| line.contains("keep a: cannot read the record of its shared links")));
}

/// A rollback still goes to such a release, and warns about the release that it leaves and about its target.
#[test]
fn a_rollback_is_warned_and_not_refused() {
    for fleet in [fleet as fn(&MemoryHost) -> Fleet, bare] {
        let host = deployed(&["a", "b"]);
        let back = |dry_run| {
            let options = super::fixture::going_back(switchback::fleet::RollbackTarget::Steps(1)).dry_run(dry_run);
            wait(fleet(&host).rollback(&options, Silent).report())
        };
        assert_eq!(back(true).hosts[0].warnings, []);
        host.write(&at("releases/a/.env"), "SECRET=2");
        host.rename(&at("shared/app/storage"), &at("shared/app/gone"));
        assert_code(&wait(fleet(&host).verify(None, false, Silent).report()), ExitCode::DIFFERS);
        for report in [back(true), back(false)] {
            assert_code(&report, ExitCode::DONE);
            assert!(
                warns(&report, "a has damaged links to shared paths") && warns(&report, ".env is a file"),
                "{report:?}"
            );
            assert!(
                warns(&report, "b has damaged links to shared paths: app/storage leads to a missing target"),
                "{report:?}"
            );
        }
        assert_eq!(host.read_link(&at("current")).as_deref(), Some("releases/a"));
    }
}

/// An older version recorded no targets: any symlink that leads somewhere counts as intact.
#[test]
fn an_older_record_is_understood() {
    let host = deployed(&["a"]);
    host.write(&at(".switchback/releases/a/shared"), r#"{"format":1,"links":["app/storage",".env"]}"#);
    assert_code(&wait(bare(&host).verify(None, false, Silent).report()), ExitCode::DONE);
    host.remove(&at("shared/.env"));
    assert_code(&wait(bare(&host).verify(None, false, Silent).report()), ExitCode::DIFFERS);
}

/// Verifies on disk, with the shared directory behind a symlink, that removing a release does not remove the
/// targets of its symlinks.
#[test]
fn on_disk_it_may_lie_elsewhere_and_removing_a_release_keeps_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let (root, elsewhere) = (directory.path().join("root"), directory.path().join("elsewhere"));
    fs::create_dir_all(root.join("shared/app")).expect("made");
    fs::create_dir_all(&elsewhere).expect("made");
    fs::write(elsewhere.join("upload"), "kept").expect("written");
    fs::write(root.join("shared/.env"), "x").expect("written");
    std::os::unix::fs::symlink(&elsewhere, root.join("shared/app/storage")).expect("a link");
    let path: HostPath = root.to_str().expect("UTF-8").parse().expect("a path");
    let store = DirStore::new(LocalTransport::named("local"), path.clone(), Layout::default()).sharing(shared());
    let fleet = Fleet::new(vec![Host::new("local", store)]).expect("a fleet");
    assert_code(&deploy(&fleet, "a", &[]), ExitCode::DONE);
    assert_eq!(fs::read_to_string(root.join("current/app/storage/upload")).expect("read"), "kept");
    let mut batch = switchback::transport::raw::Batch::new(path);
    batch.push(switchback::transport::raw::Op::RemoveTree { path: "releases/a".parse().expect("a path") });
    wait(switchback::Transport::execute(&LocalTransport::named("local"), &batch)).expect("removed");
    assert!(!root.join("releases/a").exists());
    assert_eq!(fs::read_to_string(elsewhere.join("upload")).expect("read"), "kept");
    assert_eq!(fs::read_to_string(root.join("shared/.env")).expect("read"), "x");
}
