//! Retention through the command and the carriers: plans, pins, modes under any umask, mounts.
#![cfg(feature = "cli")]
#![expect(clippy::print_stderr, reason = "a test says what it skipped")]

use crate::support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use serde_json::Value;
use support::local_shell::LocalShell;
use switchback::{
    DirStore, ExitCode, Fleet, Host, HostPath, Layout, Transport,
    event::Silent,
    fleet::{DeployOptions, RunOptions},
    release::NewRelease,
    testing::WholeReport as _,
    transport::LocalTransport,
    tree::Tree,
};
use tempfile::TempDir;

/// A root and a source, and the command on them under a umask.
struct Site {
    dir: TempDir,
    umask: &'static str,
}

impl Site {
    fn new(umask: &'static str) -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| TempDir::new()).expect("a directory");
        fs::create_dir(dir.path().join("src")).expect("a directory");
        fs::write(dir.path().join("src/index.html"), "page").expect("a file");
        Self { dir, umask }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("shop")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", "umask \"$1\"; shift; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_switchback"), self.umask]);
        command.arg("--root").arg(self.root()).args(arguments).current_dir(self.dir.path());
        command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV").stdin(Stdio::null());
        command.output().expect("it runs")
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn deploy(&self, name: &str) {
        self.done(&["deploy", "src", "--name", name]);
    }

    fn report(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        serde_json::from_str(text.lines().last().expect("a report")).expect("JSON")
    }
}

#[test]
fn what_is_typed_is_done_and_said() {
    let site = Site::new("022");
    for name in ["a", "b", "c", "d"] {
        site.deploy(name);
    }
    site.done(&["pin", "a", "-m", "the first"]);
    let plan = site.done(&["prune", "--keep", "1", "--dry-run"]);
    assert!(plan.contains("remove b: good") && plan.contains("keep a: pinned by") && plan.contains(": the first"));
    assert!(site.root().join("releases/b").exists(), "a dry run removes nothing");
    let report = site.report(&["prune", "--keep", "1"]);
    assert_eq!((&report["outcome"], &report["hosts"][0]["pruned"]), (&"done".into(), &serde_json::json!(["b"])));
    let again = site.report(&["prune", "--keep", "1"]);
    assert_eq!(again["outcome"], "unchanged");
    assert!(site.done(&["releases"]).contains("pinned by"));
    let releases = site.report(&["releases"]);
    let pinned = releases["hosts"][0]["releases"].as_array().expect("releases").iter().find(|one| one["name"] == "a");
    assert_eq!(pinned.expect("it stays")["pinned"]["reason"], "the first");
    assert!(site.done(&["history"]).contains("removed b"));
    assert_eq!(site.done(&["history", "--limit", "2"]).lines().count(), 4, "the host, the heading and two lines");
    site.done(&["unpin", "a"]);
    site.done(&["prune", "--keep", "0"]);
    assert!(!site.root().join("releases/a").exists() && site.root().join("releases/c").exists());
    let taken = site.run(&["deploy", "src", "--name", "b"]);
    assert_eq!(taken.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("is never reused"));
    assert_eq!(site.run(&["prune"]).status.code(), Some(2), "nothing says how many stay");
    assert_eq!(site.run(&["pin", "missing"]).status.code(), Some(3));
}

#[test]
fn what_is_configured_is_kept_by_every_deploy() {
    let site = Site::new("022");
    let config = format!("root = {:?}\nkeep = 1\n", site.root());
    fs::write(site.dir.path().join("switchback.toml"), config).expect("a file");
    let configured = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.args(arguments).current_dir(site.dir.path()).stdin(Stdio::null());
        command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    for name in ["a", "b", "c", "d"] {
        configured(&["deploy", "src", "--name", name]);
    }
    let mut names: Vec<_> = fs::read_dir(site.root().join("releases"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names, ["c", "d"]);
    configured(&["prune"]);
    let plan = configured(&["deploy", "src", "--name", "e", "--dry-run"]);
    assert!(plan.contains("local: remove c: good, and beyond the kept ones") && !plan.contains("keep d"), "{plan}");
    configured(&["stage", "src", "--name", "e"]);
    let plan = configured(&["activate", "e", "--dry-run"]);
    assert!(plan.contains("local: remove c: good"), "{plan}");
    configured(&["activate", "e"]);
    assert!(!site.root().join("releases/c").exists(), "and so it is");
}

/// Collects every file and directory of the tool's own, with its mode.
fn modes(directory: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry")) {
        let kind = fs::symlink_metadata(entry.path()).expect("it is there");
        if !kind.is_symlink() {
            found.push((entry.path(), kind.permissions().mode() & 0o7777));
        }
        if kind.is_dir() {
            modes(&entry.path(), found);
        }
    }
}

#[test]
fn modes_are_as_stated_whatever_the_umask() {
    for umask in ["000", "077"] {
        let site = Site::new(umask);
        for name in ["a", "b", "c"] {
            site.deploy(name);
        }
        site.done(&["stage", "src", "--name", "next"]);
        site.done(&["rollback"]);
        site.done(&["pin", "b"]);
        site.done(&["prune", "--keep", "0"]);
        let mode = |inner: &str| {
            let there = fs::metadata(site.root().join(inner)).expect("it is there");
            there.permissions().mode() & 0o7777
        };
        assert_eq!((mode(""), mode("releases"), mode("releases/b"), mode(".switchback")), (0o755, 0o755, 0o755, 0o700));
        assert_eq!(mode("releases/b/previousVersion"), 0o644);
        let mut own = Vec::new();
        modes(&site.root().join(".switchback"), &mut own);
        assert!(own.len() > 12, "{own:?}");
        for (path, mode) in own {
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, expected, "umask {umask}: {}", path.display());
        }
    }
}

/// A tmpfs that is unmounted at the end of the test.
struct Mounted(PathBuf);

impl Mounted {
    fn at(path: &Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "none"]).arg(path).output().ok()?;
        mounted.status.success().then(|| Self(path.to_owned()))
    }

    /// Returns its present place.
    fn now(&self) -> Option<PathBuf> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let last = self.0.file_name()?.to_str()?.to_owned();
        mounts.lines().filter_map(|line| line.split(' ').nth(4)).find(|point| point.ends_with(&last)).map(PathBuf::from)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(now) = self.now() {
            let _ = Command::new("umount").arg(now).output();
        }
    }
}

fn carriers() -> Vec<Arc<dyn Transport>> {
    let mut carriers: Vec<Arc<dyn Transport>> = vec![Arc::new(LocalTransport::new())];
    for (shell, tools) in [("dash", "gnu"), ("busybox", "busybox")] {
        carriers.extend(LocalShell::new(shell, tools).map(|shell| shell.transport() as Arc<dyn Transport>));
    }
    carriers
}

/// A file that an installer put in place of a shared symlink is detected by every command that checks, and is
/// never removed with its release.
#[test]
fn what_took_the_place_of_a_shared_link_is_kept() {
    for carrier in carriers() {
        let what = carrier.to_string();
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| TempDir::new()).expect("a directory");
        let top = dir.path().join("shop");
        fs::create_dir_all(top.join("shared/up loads")).expect("a directory");
        fs::write(top.join("shared/.env"), "SECRET=1").expect("a file");
        let root: HostPath = top.to_str().expect("UTF-8").parse().expect("a path");
        let shared = ["up loads/", ".env"].map(|path| path.parse().expect("a shared path"));
        let store = DirStore::new(carrier, root, Layout::default());
        let fleet = |store: DirStore| Fleet::new(vec![Host::new("web1", store)]).expect("a fleet");
        let (sharing, bare) = (fleet(store.clone().sharing(shared)), fleet(store));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            for name in ["a", "b", "c"] {
                let tree = Tree::from_memory([("index.html", name.as_bytes())]).expect("a tree");
                let release = Arc::new(NewRelease::new(name.parse().expect("a name"), tree));
                let report = sharing.deploy(release, &DeployOptions::default(), Silent).report().await;
                assert_eq!(report.exit_code(), ExitCode::DONE, "{what}: {:?}", report.error);
                assert_eq!(report.hosts[0].warnings, [], "{what}");
            }
            let a = "a".parse().expect("a name");
            let verify = || async { bare.verify(Some(&a), true, Silent).report().await };
            assert_eq!(verify().await.exit_code(), ExitCode::DONE, "{what}");
            let (link, page) = (top.join("releases/a/up loads"), top.join("releases/a/up loads/photo.jpg"));
            fs::remove_file(&link).expect("it is a link");
            fs::create_dir(&link).expect("a directory");
            fs::write(&page, "a customer's").expect("a file");
            fs::remove_file(top.join("releases/a/.env")).expect("it is a link");
            std::os::unix::fs::symlink("/etc/passwd", top.join("releases/a/.env")).expect("a link");
            let report = verify().await;
            assert_eq!(report.exit_code(), ExitCode::DIFFERS, "{what}");
            let damage =
                report.hosts[0].verification.as_ref().map(|found| found.damage.clone()).expect("it was looked at");
            let damage: Vec<String> = damage.iter().map(ToString::to_string).collect();
            let expected =
                ["up loads is a directory, but should be a link to a shared path", ".env does not lead to shared/.env"];
            assert_eq!(damage, expected, "{what}");
            let report = bare.prune(0, &RunOptions::default(), Silent).report().await;
            assert_eq!(report.exit_code(), ExitCode::DONE, "{what}: {:?}", report.error);
            assert!(page.exists(), "{what}: the photo went");
            fs::rename(top.join("shared/.env"), top.join("shared/gone")).expect("it is there");
            let report = bare.verify(None, false, Silent).report().await;
            assert_eq!(report.exit_code(), ExitCode::DIFFERS, "{what}");
            let status = bare.status(Silent).report().await;
            let damaged = status.hosts[0].status.as_ref().map(|status| status.damaged.len());
            assert_eq!(damaged, Some(2), "{what}: {status:?}");
            bare.close().await;
        });
    }
}

/// A filesystem mounted in a release is not ours to empty. FAULTS.md E11.
#[test]
fn nothing_is_removed_across_a_mount() {
    for carrier in carriers() {
        let what = carrier.to_string();
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| TempDir::new()).expect("a directory");
        let root: HostPath = dir.path().join("shop").to_str().expect("UTF-8").parse().expect("a path");
        let fleet =
            Fleet::new(vec![Host::new("web1", DirStore::new(carrier, root, Layout::default()))]).expect("a fleet");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let kept = runtime.block_on(async {
            for name in ["a", "b", "c"] {
                let tree = Tree::from_memory([("index.html", name.as_bytes()), ("data/x", b"x")]).expect("a tree");
                let release = Arc::new(NewRelease::new(name.parse().expect("a name"), tree));
                let report = fleet.deploy(release, &DeployOptions::default(), Silent).report().await;
                assert_eq!(report.exit_code(), ExitCode::DONE, "{what}: {:?}", report.error);
            }
            let point = format!("data-{}", std::process::id());
            let place = dir.path().join("shop/releases/a").join(point);
            fs::create_dir(&place).expect("a directory");
            let Some(mounted) = Mounted::at(&place) else { return false };
            fs::write(place.join("canary"), "x").expect("a file");
            let report = fleet.prune(0, &RunOptions::default(), Silent).report().await;
            let now = mounted.now().expect("it is mounted still");
            assert!(now.join("canary").exists(), "{what}: what is mounted was emptied: {:?}", report.hosts);
            assert!(dir.path().join("shop/releases/a/index.html").exists(), "{what}: it is in use: {:?}", report.hosts);
            fleet.close().await;
            true
        });
        if !kept {
            eprintln!("skipped: nothing can be mounted here");
        }
    }
}
