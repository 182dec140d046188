//! Roots of a group: members deploy, roll back, prune and take over each other's dead runs, each with an account
//! of their own. FAULTS.md M10, M11.
//!
//! Accounts need root and an sshd; without them these tests are skipped in words.
#![cfg(feature = "ssh")]

mod attacks;
mod denied;
use crate::support;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use support::sshd::{Sshd, User, text};
use switchback::{
    DirStore, ErrorKind, ExitCode, Fleet, GroupName, Host, Layout, Report,
    commands::Commands,
    event::Silent,
    fleet::{DeployOptions, Direction, RecoverOptions, Retention, RollbackOptions, RunOptions},
    release::NewRelease,
    report::Verification,
    testing::{Collected, Cut, Faults, WholeReport as _},
    tree::Tree,
};
use tempfile::TempDir;

/// A group with three members, and a place for roots.
struct Team {
    sshd: Sshd,
    dir: TempDir,
    group: GroupName,
    users: Vec<User>,
}

impl Team {
    fn new() -> Option<Self> {
        let sshd = Sshd::start("")?;
        let users: Vec<User> = (0..3).map_while(|_| User::new("/bin/bash")).collect();
        let name: String = switchback::Token::random().as_str().chars().take(8).collect();
        let group: GroupName = format!("sb-{name}").parse().expect("a name");
        let dir = TempDir::new().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        (users.len() == 3).then_some(())?;
        run("groupadd", &[group.as_str()]);
        for user in &users {
            run("usermod", &["-a", "-G", group.as_str(), user.name()]);
        }
        Some(Self { sshd, dir, group, users })
    }

    fn gid(&self) -> u32 {
        let listed = Command::new("getent").args(["group", self.group.as_str()]).output().expect("it runs").stdout;
        String::from_utf8(listed).ok().and_then(|line| line.split(':').nth(2)?.parse().ok()).expect("a group")
    }

    fn uid(&self, user: usize) -> u32 {
        fs::metadata(self.users[user].home()).expect("a home").uid()
    }

    /// Sets the umask of everybody's logins.
    fn umask(&self, umask: &str) {
        for user in &self.users {
            fs::write(user.home().join(".bashrc"), format!("umask {umask}\n")).expect("a home");
        }
    }

    /// Creates a root that belongs to the group, as the administrator of the host would.
    fn root(&self, name: &str) -> PathBuf {
        let root = self.dir.path().join(name);
        fs::create_dir(&root).expect("a directory");
        chown(&root, None, Some(self.gid())).expect("root may");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o2775)).expect("ours");
        root
    }

    /// Returns a root below a directory of one member.
    fn root_of(&self, user: usize, name: &str) -> PathBuf {
        let above = self.dir.path().join(name);
        fs::create_dir(&above).expect("a directory");
        chown(&above, Some(self.uid(user)), None).expect("root may");
        above.join("shop")
    }

    fn fleet(&self, user: usize, root: &Path, group: Option<&GroupName>) -> Fleet {
        self.cut(user, root, group, &Cut::never())
    }

    fn cut(&self, user: usize, root: &Path, group: Option<&GroupName>, cut: &Cut) -> Fleet {
        let transport = Faults::new(self.sshd.transport(self.users[user].name()), cut.clone());
        let store = DirStore::new(transport, text(root).parse().expect("a path"), Layout::default());
        let store = match group {
            Some(group) => store.for_group(group.clone()),
            None => store,
        };
        Fleet::new(vec![Host::new("web1", store)]).expect("a fleet")
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.users.clear();
        let _ = Command::new("groupdel").arg(self.group.as_str()).output();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Commands that create directories of their own in a release, with the umask of whoever runs them.
fn commands() -> Commands {
    let mut commands = Commands::default();
    commands.prepare = Some("mkdir -p made/by && echo x >made/by/prepare".to_owned());
    commands.after_switch = Some("mkdir -p cache/now && echo x >>cache/now/switched".to_owned());
    commands
}

fn options() -> RunOptions {
    RunOptions::new().by("jane@laptop").commands(commands())
}

async fn deploy(fleet: &Fleet, name: &str, keep: Option<u32>) -> Report {
    let deploy = DeployOptions::new().run(options()).keep(keep.map_or(Retention::All, Retention::Good));
    let files = [("index.html", name.as_bytes()), ("assets/css/site.css", b"same")];
    let release = NewRelease::new(name.parse().expect("a name"), Tree::from_memory(files).expect("a tree"));
    fleet.deploy(Arc::new(release), &deploy, Silent).report().await
}

fn recovery(direction: Direction) -> RecoverOptions {
    RecoverOptions::new().run(options()).direction(direction)
}

async fn rollback(fleet: &Fleet) -> Report {
    let rollback = RollbackOptions::default().run(options());
    fleet.rollback(&rollback, Silent).report().await
}

#[track_caller]
fn assert_done(report: &Report, what: &str) {
    assert_eq!(report.exit_code(), ExitCode::DONE, "{what}: {:?} {:?}", report.error, report.hosts);
    // Files added by `after_switch` are reported, and are not damage.
    let added = |warning: &String| warning.contains("has entries that are not in its manifest");
    let warnings: Vec<_> = report
        .hosts
        .iter()
        .flat_map(|host| &host.warnings)
        .map(ToString::to_string)
        .filter(|warning| !added(warning))
        .collect();
    assert!(warnings.is_empty(), "{what}: {warnings:?}");
}

#[track_caller]
fn assert_refused(report: &Report, what: &str, words: &str) {
    assert_eq!(report.exit_code(), ExitCode::REFUSED, "{what}: {report:?}");
    let error = report.error.as_ref().expect("an error");
    assert_eq!(error.kind, ErrorKind::OtherAccount, "{what}: {error:?}");
    assert!(error.message.contains(words), "{what}: {error:?}");
}

fn current(root: &Path) -> String {
    fs::read_link(root.join("current")).expect("a link").file_name().expect("a name").to_string_lossy().into_owned()
}

fn all(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    for entry in fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry")) {
        if entry.file_type().expect("a kind").is_dir() {
            found.extend(all(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

/// Checks that everything of the tool's, and every release directory, belongs to the group.
#[track_caller]
fn assert_of_group(root: &Path, gid: u32, what: &str) {
    for path in all(&root.join(".switchback")).into_iter().chain(all(&root.join("releases"))) {
        let found = fs::symlink_metadata(&path).expect("it is there");
        if found.is_symlink() {
            continue;
        }
        let (mode, shown) = (found.mode() & 0o7777, path.display());
        let is_ours = path.starts_with(root.join(".switchback"));
        match (found.is_dir(), is_ours) {
            (true, true) => assert_eq!(mode, 0o2770, "{what}: {shown}"),
            (true, false) => assert_eq!(mode & 0o2070, 0o2070, "{what}: {shown} {mode:o}"),
            (false, true) => assert_eq!(mode & 0o667, 0o660, "{what}: {shown} {mode:o}"),
            (false, false) => continue,
        }
        assert_eq!(found.gid(), gid, "{what}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_work_in_turn_whatever_their_umask() {
    let Some(team) = Team::new() else { return };
    for (umask, kinds) in [("022", &[true][..]), ("077", &[false, true])] {
        team.umask(umask);
        for of_one in kinds.iter().copied() {
            let what = format!("umask {umask}, {}", if of_one { "a root of one account" } else { "a new root" });
            let name = format!("root-{umask}-{of_one}");
            let root = if of_one { team.root_of(0, &name) } else { team.root(&name) };
            if of_one {
                becomes_a_groups(&team, &root, &what).await;
            }
            in_turn(&team, &root, &what).await;
        }
    }
}

/// Checks that a root of one account becomes the group's with the first command of its owner, and of nobody
/// else.
async fn becomes_a_groups(team: &Team, root: &Path, what: &str) {
    let alone = team.fleet(0, root, None);
    for name in ["a", "b"] {
        assert_done(&deploy(&alone, name, None).await, what);
    }
    alone.close().await;
    let other = team.fleet(1, root, Some(&team.group));
    for report in
        [deploy(&other, "c", None).await, other.check(&options(), Silent).report().await, rollback(&other).await]
    {
        assert_refused(&report, what, "alone, and not to the group");
    }
    other.close().await;
    let stranger = team.fleet(1, root, None);
    for report in
        [stranger.status(Silent).report().await, deploy(&stranger, "c", None).await, rollback(&stranger).await]
    {
        assert_refused(&report, what, "and is not for");
    }
    stranger.close().await;
    assert_eq!(current(root), "b", "{what}");
    let owner = team.fleet(0, root, Some(&team.group));
    assert_done(&owner.check(&options(), Silent).report().await, what);
    assert_eq!(fs::read_link(root.join(".switchback/format")).expect("a link"), Path::new("1"), "{what}");
    assert_done(&deploy(&owner, "c", None).await, what);
    assert_eq!(fs::read_link(root.join(".switchback/format")).expect("a link"), Path::new("2"), "{what}");
    assert_of_group(root, team.gid(), what);
    owner.close().await;
}

async fn in_turn(team: &Team, root: &Path, what: &str) {
    let fleets: Vec<Fleet> = (0..3).map(|user| team.fleet(user, root, Some(&team.group))).collect();
    for (at, name) in ["v1", "v2", "v3", "v4"].into_iter().enumerate() {
        assert_done(&deploy(&fleets[(at + 1) % 3], name, Some(2)).await, &format!("{what}: {name}"));
        assert_of_group(root, team.gid(), &format!("{what}: {name}"));
    }
    assert!(!root.join("releases/v1").exists(), "{what}: another member's release was pruned");
    for (user, to) in [(0, "v3"), (2, "v2")] {
        assert_done(&rollback(&fleets[user]).await, &format!("{what}: back to {to}"));
        assert_eq!(current(root), to, "{what}");
    }
    let counting = Cut::never();
    let counted = team.cut(0, root, Some(&team.group), &counting);
    assert_done(&deploy(&counted, "w0", None).await, what);
    counted.close().await;
    let steps = counting.steps();
    for (user, cut_at) in [steps / 8, steps / 4, steps / 2, steps * 3 / 4].into_iter().enumerate() {
        let (dead, name) = (user % 3, format!("w{}", user + 1));
        let cut = team.cut(dead, root, Some(&team.group), &Cut::after(cut_at));
        let report = deploy(&cut, &name, None).await;
        assert_ne!(report.exit_code(), ExitCode::DONE, "{what}: cut at {cut_at} of {steps}");
        cut.close().await;
        let (heir, next) = (&fleets[(dead + 1) % 3], &fleets[(dead + 2) % 3]);
        let at = format!("{what}: cut at {cut_at} of {steps}");
        let recovered = heir.recover(&recovery(Direction::Back), Silent).report().await;
        assert_eq!(recovered.exit_code(), ExitCode::DONE, "{at}: {:?} {:?}", recovered.error, recovered.hosts);
        assert_done(&deploy(next, &format!("x{user}"), None).await, &at);
        for place in ["live", "tmp", "staging", "journal", "trash"] {
            let left = fs::read_dir(root.join(".switchback").join(place)).expect("a directory").count();
            assert_eq!(left, 0, "{at}: in {place}");
        }
    }
    let pruned = fleets[1].prune(0, &options(), Silent).report().await;
    assert_done(&pruned, what);
    let verified = fleets[2].verify(None, true, Silent).report().await;
    assert_done(&verified, what);
    let found = verified.hosts[0].verification.as_ref().map(|found: &Verification| found.foreign);
    assert_eq!(found, Some(0), "{what}");
    assert_of_group(root, team.gid(), what);
    for fleet in &fleets {
        fleet.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_member_is_refused_and_so_is_a_group_that_is_none() {
    let Some(team) = Team::new() else { return };
    let root = team.root("shop");
    let nobody: GroupName = "sb-no-such-group".parse().expect("a name");
    let fleet = team.fleet(0, &root, Some(&nobody));
    for report in [fleet.check(&options(), Silent).report().await, deploy(&fleet, "v1", None).await] {
        assert_refused(&report, "no such group", "the group sb-no-such-group does not exist");
    }
    fleet.close().await;
    // A group that exists on the host, and has none of these users.
    let fleet = team.fleet(0, &root, Some(&"daemon".parse().expect("a name")));
    for report in [fleet.check(&options(), Silent).report().await, deploy(&fleet, "v1", None).await] {
        assert_refused(&report, "no member", "is not in the group daemon");
    }
    fleet.close().await;
    assert_eq!(fs::read_dir(&root).expect("a directory").count(), 0, "nothing was made");
    let fleet = team.fleet(0, &root, Some(&team.group));
    assert_done(&deploy(&fleet, "v1", None).await, "a member");
    fleet.close().await;
    // Without a configuration, the owner of a root keeps to the group of the root.
    let bare = team.fleet(0, &root, None);
    assert_done(&deploy(&bare, "v2", None).await, "without a configuration");
    bare.close().await;
    assert_of_group(&root, team.gid(), "without a configuration");
    let other = team.fleet(1, &root, None);
    assert_refused(&rollback(&other).await, "another", "and is not for");
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_in_the_group_is_warned_about() {
    let Some(team) = Team::new() else { return };
    let root = team.root("shop");
    let transport = team.sshd.transport("root");
    let store = DirStore::new(transport, text(&root).parse().expect("a path"), Layout::default());
    let fleet = Fleet::new(vec![Host::new("web1", store.for_group(team.group.clone()))]).expect("a fleet");
    let mut given = DeployOptions::default();
    let mut commands = Commands::default();
    commands.prepare = Some(format!("chown -R {} .", team.users[2].name()));
    given = given.commands(commands);
    let release =
        NewRelease::new("v1".parse().expect("a name"), Tree::from_memory([("f", &b"x"[..])]).expect("a tree"));
    assert_done(&fleet.deploy(Arc::new(release), &given, Silent).report().await, "given away");
    let warnings = Collected::warnings();
    assert_eq!(fleet.check(&options(), warnings.clone()).report().await.exit_code(), ExitCode::DONE);
    let warnings = warnings.take();
    let words = format!("user {}, who is in the group {}", team.uid(2), team.group);
    assert!(warnings.iter().any(|warning| warning.contains(&words)), "{warnings:?}");
    fleet.close().await;
}
