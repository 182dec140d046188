//! Records put in place of the tool's by somebody outside the group, or by a group without `[security] group`: no
//! command obeys them, and nothing runs. FAULTS.md M12.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use support::sshd::User;
use switchback::{
    ErrorKind, ExitCode, Fleet, Report,
    commands::Commands,
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, Direction, RecoverOptions, RollbackOptions, RunOptions},
    release::NewRelease,
    testing::WholeReport as _,
    tree::Tree,
};

use super::{Team, all, assert_done, support};

/// A user in another group than the team's.
struct Intruder {
    user: User,
    gid: u32,
    uid: u32,
}

impl Intruder {
    fn new() -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let user = User::new("/bin/bash")?;
        let uid = fs::metadata(user.home()).expect("a home").uid();
        let listed = Command::new("getent").args(["group", "daemon"]).output().expect("it runs").stdout;
        let gid = String::from_utf8(listed).ok().and_then(|line| line.split(':').nth(2)?.parse().ok())?;
        super::run("usermod", &["-a", "-G", "daemon", user.name()]);
        Some(Self { user, gid, uid })
    }

    /// Gives a tree to the intruder and their group.
    fn own(&self, place: &Path) {
        super::run("chown", &["-R", &format!("{}:{}", self.uid, self.gid), text(place)]);
    }

    /// Gives the intruder's group, and nobody else, all rights below a directory.
    fn open(&self, place: &Path) {
        super::run("chgrp", &["-R", &self.gid.to_string(), text(place)]);
        super::run("chmod", &["-R", "g+rwX", text(place)]);
    }

    /// Replaces a file with the rights to create and remove names only.
    fn replace(&self, file: &Path, content: &str) {
        let script = format!("rm -f '{0}' && printf %s '{content}' >'{0}'", file.display());
        super::run("su", &["-s", "/bin/sh", "-g", "daemon", self.user.name(), "-c", &script]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

struct Site<'t> {
    root: PathBuf,
    fleet: Fleet,
    intruder: &'t Intruder,
}

impl Site<'_> {
    fn ran(&self) -> PathBuf {
        self.root.parent().expect("a directory").join("ran")
    }

    fn record(&self) -> String {
        let mut commands = Commands::default();
        commands.after_switch = Some(format!("echo taken >>{}", self.ran().display()));
        serde_json::to_string(&commands).expect("JSON")
    }

    fn run(dry: bool) -> RunOptions {
        let mut run = RunOptions::new().by("jane@laptop").dry_run(dry);
        let mut commands = Commands::default();
        commands.after_switch = Some("true".to_owned());
        run = run.commands(commands);
        run
    }

    async fn deploy(&self, name: &str, dry: bool) -> Report {
        let options = DeployOptions::default().run(Self::run(dry));
        let tree = Tree::from_memory([("index.html", name.as_bytes())]).expect("a tree");
        self.fleet
            .deploy(Arc::new(NewRelease::new(name.parse().expect("a name"), tree)), &options, Silent)
            .report()
            .await
    }

    async fn rollback(&self, dry: bool) -> Report {
        let options = RollbackOptions::default().run(Self::run(dry));
        self.fleet.rollback(&options, Silent).report().await
    }

    async fn activate(&self, dry: bool) -> Report {
        let options = ActivateOptions::default().run(Self::run(dry));
        self.fleet.activate(&"s".parse().expect("a name"), &options, Silent).report().await
    }

    async fn recover(&self, dry: bool) -> Report {
        self.fleet
            .recover(&RecoverOptions::new().direction(Direction::Safest).run(Self::run(dry)), Silent)
            .report()
            .await
    }

    fn seen(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let content = |path: &PathBuf| match fs::symlink_metadata(path).expect("it is there").file_type() {
            kind if kind.is_file() => fs::read(path).expect("a file"),
            kind if kind.is_symlink() => text(&fs::read_link(path).expect("a link")).as_bytes().to_vec(),
            _ => Vec::new(),
        };
        all(&self.root).into_iter().map(|path| (path.clone(), content(&path))).collect()
    }

    /// Checks that every command refuses, dry and not, and changes nothing.
    async fn all_refuse(&self, what: &str) {
        let before = self.seen();
        for dry in [true, false] {
            let reports = [
                ("rollback", self.rollback(dry).await),
                ("activate", self.activate(dry).await),
                ("deploy", self.deploy("d", dry).await),
            ];
            for (command, report) in reports {
                self.refused(&report, &before, &format!("{what}: {command}, dry: {dry}"));
            }
        }
        // A removed `current` gives a recovery something to do.
        let link = fs::read_link(self.root.join("current")).expect("a link");
        fs::remove_file(self.root.join("current")).expect("root may");
        let before = self.seen();
        for dry in [true, false] {
            self.refused(&self.recover(dry).await, &before, &format!("{what}: recover, dry: {dry}"));
        }
        std::os::unix::fs::symlink(link, self.root.join("current")).expect("root may");
    }

    #[track_caller]
    fn refused(&self, report: &Report, before: &BTreeMap<PathBuf, Vec<u8>>, what: &str) {
        assert_eq!(report.exit_code(), ExitCode::REFUSED, "{what}: {:?} {:?}", report.error, report.hosts);
        let error = report.error.as_ref().expect("why");
        // A state directory that should not be the group's is detected as the lock is taken.
        let known = [ErrorKind::OthersMayWrite, ErrorKind::OtherAccount, ErrorKind::HostFailed];
        assert!(known.contains(&error.kind), "{what}: {error:?}");
        assert!(self.seen() == *before, "{what} changed something");
        assert!(!self.ran().exists(), "{what} ran what somebody else recorded");
    }
}

async fn site<'t>(team: &Team, with_group: bool, intruder: &'t Intruder) -> Site<'t> {
    let root = team.root_of(0, &format!("attacked-{with_group}"));
    let fleet = team.fleet(0, &root, with_group.then_some(&team.group));
    if with_group {
        fs::create_dir(&root).expect("root may");
        chown(&root, Some(team.uid(0)), Some(team.gid())).expect("root may");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o2775)).expect("ours");
    }
    let site = Site { root, fleet, intruder };
    for name in ["b", "c"] {
        assert_done(&site.deploy(name, false).await, name);
    }
    let tree = Tree::from_memory([("index.html", b"s".as_slice())]).expect("a tree");
    let staged = NewRelease::new("s".parse().expect("a name"), tree);
    assert_done(&site.fleet.stage(Arc::new(staged), &Site::run(false), Silent).report().await, "s");
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_somebody_else_are_obeyed_by_nobody() {
    let Some(team) = Team::new() else { return };
    let Some(intruder) = Intruder::new() else { return };
    for with_group in [false, true] {
        let site = site(&team, with_group, &intruder).await;
        let (state, aside) = (site.root.join(".switchback"), site.root.parent().expect("above").join("aside"));
        let whole = site.root.parent().expect("above").join("whole");
        super::run("cp", &["-a", text(&state), text(&whole)]);
        let restore = || {
            fs::remove_dir_all(&state).expect("root may");
            super::run("cp", &["-a", text(&whole), text(&state)]);
        };
        // Renamed away, with a directory of the intruder's in its place.
        fs::rename(&state, &aside).expect("root may");
        super::run("cp", &["-a", text(&aside), text(&state)]);
        fs::write(state.join("releases/b/commands"), site.record()).expect("root may");
        site.intruder.own(&state);
        // Even if everybody could read it.
        super::run("chmod", &["-R", "a+rX", text(&state)]);
        site.all_refuse(&format!("another directory, group: {with_group}")).await;
        // One record, in directories that the intruder's group may write to.
        for file in ["releases/b/commands", "releases/s/commands", "releases/b/data"] {
            restore();
            site.intruder.open(&state);
            site.intruder.replace(&state.join(file), &site.record());
            site.all_refuse(&format!("{file}, group: {with_group}")).await;
        }
        restore();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o2777)).expect("root may");
        site.all_refuse(&format!("mode 2777, group: {with_group}")).await;
        restore();
        // The release that is rolled back to, with all its entries.
        site.intruder.own(&site.root.join("releases/b"));
        let before = site.seen();
        for dry in [true, false] {
            site.refused(
                &site.rollback(dry).await,
                &before,
                &format!("another release, group: {with_group}, dry: {dry}"),
            );
        }
        site.intruder.own(&site.root.join("releases/s"));
        let before = site.seen();
        for dry in [true, false] {
            site.refused(&site.activate(dry).await, &before, &format!("another staged release, dry: {dry}"));
        }
        site.fleet.close().await;
    }
}
