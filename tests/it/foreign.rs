//! Releases and records that belong to another user, through the library, locally and through a shell. FAULTS.md
//! M05.
//!
//! Only root gives files away; as anybody else these tests are skipped in words.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

use crate::support;

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::PathBuf,
    sync::Arc,
};

use support::local_shell::LocalShell;
use switchback::{
    DirStore, ErrorKind, ExitCode, Fleet, Host, HostPath, Layout, Report, Transport,
    commands::{Commands, DataCommands, DataPlace},
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, RollbackOptions, RunOptions},
    release::NewRelease,
    report::Verification,
    testing::WholeReport as _,
    transport::LocalTransport,
    tree::Tree,
};
use tempfile::TempDir;

/// A user ID that is neither root's nor that of the tests.
const OTHER: u32 = 65534;

/// A root on this machine, and its transport.
struct Site {
    dir: TempDir,
    carrier: Arc<dyn Transport>,
    commands: Commands,
}

impl Site {
    /// Returns a site for this machine and some for shells; prints that the test is skipped, and returns none,
    /// without root.
    fn all() -> Vec<Self> {
        let shells = [("dash", "gnu"), ("busybox", "busybox")];
        let shells = shells.into_iter().filter_map(|(shell, tools)| LocalShell::new(shell, tools));
        let shells = shells.map(|shell| shell.transport() as Arc<dyn Transport>);
        let local = Arc::new(LocalTransport::new()) as Arc<dyn Transport>;
        let site = |carrier| {
            let dir = TempDir::new().expect("a directory");
            let may = fs::metadata(dir.path()).is_ok_and(|own| own.uid() == 0);
            may.then(|| Self { dir, carrier, commands: Commands::default() })
        };
        let sites: Vec<Self> = [local].into_iter().chain(shells).filter_map(site).collect();
        if sites.is_empty() {
            eprintln!("skipped: only root gives files to another user");
        }
        sites
    }

    /// Adds an `after_switch` command, recorded with the releases, that logs each switch.
    fn telling(mut self) -> Self {
        self.commands.after_switch = Some("echo \"$SWITCHBACK_RELEASE\" >>\"$SWITCHBACK_ROOT/ran\"".to_owned());
        self
    }

    /// Adds data: a number, which each release counts up, and its revert counts down in its own directory.
    fn counting(mut self) -> Self {
        let file = self.root().join("number").display().to_string();
        let count = |by: i8| format!("n=$(cat '{file}'); echo $((n + {by})) >'{file}'");
        let version = format!("cat '{file}' 2>/dev/null || {{ echo 0 >'{file}'; echo 0; }}");
        let mut data = DataCommands::new(DataPlace::Host("web1".to_owned()), version, count(1));
        data.revert = Some(format!("{}; echo revert >>'{}'", count(-1), self.root().join("ran").display()));
        self.commands.data = Some(data);
        self
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("shop")
    }

    fn ran(&self) -> String {
        fs::read_to_string(self.root().join("ran")).unwrap_or_default()
    }

    fn current(&self) -> String {
        let link = fs::read_link(self.root().join("current")).expect("a link");
        link.file_name().and_then(|name| name.to_str()).expect("a name").to_owned()
    }

    /// Changes the owner of `path`.
    fn give(&self, path: &str, owner: u32) {
        chown(self.root().join(path), Some(owner), None).expect("root may");
    }

    fn fleet(&self) -> Fleet {
        let root: HostPath = self.root().to_str().expect("UTF-8").parse().expect("a path");
        let store = DirStore::new(Arc::clone(&self.carrier), root, Layout::default());
        Fleet::new(vec![Host::new("web1", store)]).expect("a fleet")
    }

    fn run(&self) -> RunOptions {
        RunOptions::new().by("jane@laptop").commands(self.commands.clone())
    }

    async fn deploy(&self, name: &str) {
        let options = DeployOptions::default().run(self.run());
        let tree = Tree::from_memory([("index.html", name.as_bytes()), ("bin/run", b"x")]).expect("a tree");
        let release = Arc::new(NewRelease::new(name.parse().expect("a name"), tree));
        let report = self.fleet().deploy(release, &options, Silent).report().await;
        assert_eq!(report.exit_code(), ExitCode::DONE, "{}: {:?}", self.carrier, report.error);
    }

    async fn rollback(&self, allowed: bool) -> Report {
        let options = RollbackOptions::default().run(self.run());
        self.fleet().allow_writable(allowed).rollback(&options, Silent).report().await
    }

    /// Returns the result of `verify`, and its warnings.
    async fn verify(&self, name: &str) -> (Verification, String) {
        let name = name.parse().expect("a name");
        let mut report = self.fleet().verify(Some(&name), true, Silent).report().await;
        assert_eq!(report.exit_code(), ExitCode::DONE, "it is reported, and no damage: {:?}", report.error);
        let host = report.hosts.remove(0);
        (
            host.verification.expect("it was verified"),
            host.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        )
    }

    fn refused(&self, report: &Report, on: &str) {
        let what = &self.carrier;
        assert_eq!(report.exit_code(), ExitCode::REFUSED, "{what}: {report:?}");
        let error = report.error.as_ref().expect("why");
        assert_eq!(error.kind, ErrorKind::OthersMayWrite, "{what}: {error}");
        assert!(error.message.contains(&format!("belongs to user {OTHER}")), "{what}: {error}");
        assert_eq!(self.current(), on, "{what}: nothing was switched");
        assert!(!self.root().join(".switchback/lock").exists(), "{what}: a lock was left");
    }
}

fn paths(found: &Verification) -> Vec<(&str, u32)> {
    found.owners.iter().map(|foreign| (foreign.path.as_str(), foreign.owner)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_names_what_belongs_to_others() {
    for site in Site::all() {
        site.deploy("a").await;
        site.deploy("b").await;
        let (found, warnings) = site.verify("a").await;
        assert_eq!((found.foreign, warnings.as_str()), (0, ""), "{}", site.carrier);
        for path in
            ["releases/a", "releases/a/bin/run", "releases/a/previousVersion", ".switchback/releases/a/manifest"]
        {
            site.give(path, OTHER);
        }
        // Files that the application created there are not part of the release.
        fs::write(site.root().join("releases/a/cache"), "x").expect("a file");
        site.give("releases/a/cache", OTHER);
        let (found, warnings) = site.verify("a").await;
        let mut named = paths(&found);
        named.sort_unstable();
        let expected =
            [".switchback/releases/a/manifest", "releases/a", "releases/a/bin/run", "releases/a/previousVersion"];
        assert_eq!(named, expected.map(|path| (path, OTHER)), "{}", site.carrier);
        assert_eq!((found.foreign, found.damaged), (4, 0));
        assert!(warnings.contains(&format!("releases/a/bin/run (user {OTHER})")), "{warnings}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_runs_in_a_release_of_another() {
    for site in Site::all().into_iter().map(Site::telling) {
        site.deploy("a").await;
        site.deploy("b").await;
        site.give("releases/a", OTHER);
        let report = site.rollback(false).await;
        site.refused(&report, "b");
        assert_eq!(site.ran(), "a\nb\n", "{}", site.carrier);
        // With `--allow-writable`, the owner counts as intended.
        let report = site.rollback(true).await;
        assert_eq!((report.exit_code(), site.current()), (ExitCode::DONE, "a".to_owned()), "{report:?}");
        assert_eq!(site.ran(), "a\nb\na\n");
        site.give("releases/b", OTHER);
        let name = "b".parse().expect("a name");
        let options = ActivateOptions::default().run(site.run());
        let report = site.fleet().activate(&name, &options, Silent).report().await;
        site.refused(&report, "a");
        site.give("releases/b", 0);
        let report = site.fleet().activate(&name, &options, Silent).report().await;
        assert_eq!(report.exit_code(), ExitCode::DONE, "{report:?}");
    }
}

/// The data is reverted by commands in the release that is rolled back from, which must not belong to another
/// user either.
#[tokio::test(flavor = "multi_thread")]
async fn no_data_is_reverted_in_a_release_of_another() {
    for site in Site::all().into_iter().map(Site::counting) {
        site.deploy("a").await;
        site.deploy("b").await;
        site.give("releases/b", OTHER);
        let report = site.rollback(false).await;
        site.refused(&report, "b");
        assert_eq!(site.ran(), "", "{}: nothing was reverted", site.carrier);
        site.give("releases/b", 0);
        let report = site.rollback(false).await;
        assert_eq!((report.exit_code(), site.current()), (ExitCode::DONE, "a".to_owned()), "{report:?}");
        assert_eq!(site.ran(), "revert\n", "{}", site.carrier);
    }
}

/// A record that another user planted while the state directory was open is not obeyed, nor is a directory of
/// theirs.
#[tokio::test(flavor = "multi_thread")]
async fn no_record_of_another_is_obeyed() {
    let records = ["commands", "data", "user"].map(|file| format!(".switchback/releases/a/{file}"));
    for site in Site::all().into_iter().map(Site::counting).map(Site::telling) {
        site.deploy("a").await;
        site.deploy("b").await;
        for record in records.iter().map(String::as_str).chain([".switchback/ledger"]) {
            let is_there = site.root().join(record).exists();
            if !is_there {
                fs::write(site.root().join(record), "{}").expect("the state directory is ours");
            }
            site.give(record, OTHER);
            let report = site.rollback(false).await;
            site.refused(&report, "b");
            let message = &report.error.as_ref().expect("why").message;
            assert!(message.contains(record), "{}: {message}", site.carrier);
            site.give(record, 0);
            if !is_there {
                fs::remove_file(site.root().join(record)).expect("it was made");
            }
        }
        assert_eq!(site.ran(), "a\nb\n", "{}", site.carrier);
        site.give(&records[0], OTHER);
        let options = DeployOptions::default().run(site.run()).dry_run(true);
        let tree = Tree::from_memory([("index.html", &b"c"[..])]).expect("a tree");
        let release = Arc::new(NewRelease::new("c".parse().expect("a name"), tree));
        let report = site.fleet().deploy(release, &options, Silent).report().await;
        site.refused(&report, "b");
        let report = site.rollback(true).await;
        assert_eq!((report.exit_code(), site.current()), (ExitCode::DONE, "a".to_owned()), "{report:?}");
    }
}

/// A rollback that runs no command ignores the owner: it never blocks itself.
#[tokio::test(flavor = "multi_thread")]
async fn without_commands_one_goes_back_to_it_all_the_same() {
    for site in Site::all() {
        site.deploy("a").await;
        site.deploy("b").await;
        site.give("releases/a", OTHER);
        let report = site.rollback(false).await;
        assert_eq!((report.exit_code(), site.current()), (ExitCode::DONE, "a".to_owned()), "{report:?}");
    }
}

/// An owner that `prepare` set before the release was sealed is intended.
#[tokio::test(flavor = "multi_thread")]
async fn whom_it_was_given_to_before_it_was_sealed_is_trusted_with_it() {
    for site in Site::all().into_iter().map(Site::telling) {
        let mut site = site;
        site.commands.prepare = Some(format!("chown -R {OTHER} ."));
        site.deploy("a").await;
        site.deploy("b").await;
        let report = site.rollback(false).await;
        assert_eq!((report.exit_code(), site.current()), (ExitCode::DONE, "a".to_owned()), "{report:?}");
        assert_eq!(site.verify("a").await.0.foreign, 0, "{}", site.carrier);
        // It never belonged to a third user.
        site.give("releases/b", OTHER - 1);
        let owner = fs::read_to_string(site.root().join(".switchback/releases/b/user")).expect("it is kept");
        assert_eq!(owner, format!("{OTHER}\n"));
        assert_eq!(paths(&site.verify("b").await.0), [("releases/b", OTHER - 1)]);
    }
}
