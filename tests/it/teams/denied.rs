//! State files that belong to root, in a root of another account: each is named, is no absence, and refuses
//! exactly what needs it. FAULTS.md V18, W01.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use switchback::{
    ExitCode, Fleet, Report, TargetCheck,
    commands::{Commands, DataCommands, DataPlace},
    event::Silent,
    fleet::{Call, DeployOptions, Direction, RecoverOptions, RollbackOptions, RunOptions},
    release::NewRelease,
    testing::{Collected, WholeReport as _},
    tree::Tree,
};

use super::{Team, assert_done};

/// The name of a lock that nobody holds.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The exit codes of a command while a file cannot be read.
const DONE: ExitCode = ExitCode::DONE;
const REFUSED: ExitCode = ExitCode::REFUSED;

/// An unreadable file or directory, and its effect on the commands.
struct Case {
    /// The path in the root. A directory if it ends with a slash.
    path: &'static str,
    /// Whether the test creates it, or it exists.
    new: bool,
    /// The exit codes of `rollback`, dry and not.
    back: [ExitCode; 2],
    /// The exit code of `rollback --to b --no-hooks --keep-data --verify none`.
    code_alone: ExitCode,
    /// The exit code of `check` and of a dry `deploy`.
    deploy: ExitCode,
}

const fn case(path: &'static str, back: ExitCode, deploy: ExitCode) -> Case {
    Case { path, new: false, back: [back, back], code_alone: DONE, deploy }
}

const fn new(path: &'static str, back: ExitCode, deploy: ExitCode) -> Case {
    Case { new: true, ..case(path, back, deploy) }
}

const CASES: &[Case] = &[
    new("releases/a/pin", DONE, DONE),
    new("releases/b/bad", REFUSED, DONE),
    new("releases/b/unsealed", REFUSED, DONE),
    new("releases/b/touched", DONE, DONE),
    new("releases/b/over", DONE, DONE),
    case("releases/b/commands", REFUSED, DONE),
    case("releases/c/data", REFUSED, DONE),
    case("releases/b/listing", DONE, DONE),
    case("releases/b/manifest", REFUSED, DONE),
    case("releases/b/staged", DONE, DONE),
    new("releases/b/user", DONE, DONE),
    case("releases/b/", REFUSED, DONE),
    case("ledger", REFUSED, REFUSED),
    new("older/ledger", REFUSED, REFUSED),
    case("history", DONE, DONE),
    new("older/history", DONE, DONE),
    new("marks", DONE, DONE),
    new("debts/web2/debt", DONE, DONE),
    new("debts/", DONE, DONE),
    new("pruned/", DONE, REFUSED),
    Case { code_alone: REFUSED, ..new("journal/TOKEN/intent", REFUSED, REFUSED) },
    Case { code_alone: REFUSED, ..new("journal/TOKEN/", REFUSED, REFUSED) },
    Case { code_alone: REFUSED, ..case("journal/", REFUSED, REFUSED) },
    new("live/TOKEN", DONE, DONE),
    Case { code_alone: ExitCode::LOCKED, ..new("lock/TOKEN/owner", ExitCode::LOCKED, ExitCode::LOCKED) },
    Case { code_alone: ExitCode::LOCKED, ..new("lock/", ExitCode::LOCKED, ExitCode::LOCKED) },
];

/// A root of one account with the releases a, b and c, each of which migrated the data.
struct Site<'t> {
    team: &'t Team,
    user: usize,
    above: PathBuf,
    /// The copy that is restored before each case.
    whole: PathBuf,
    fleet: Fleet,
}

impl<'t> Site<'t> {
    async fn new(team: &'t Team, user: usize) -> Self {
        let root = team.root_of(user, &format!("denied-{user}"));
        let above = root.parent().expect("a directory").to_owned();
        let whole = team.dir.path().join(format!("whole-{user}"));
        let fleet = team.fleet(user, &root, None);
        let site = Self { team, user, above, whole, fleet };
        for name in ["a", "b", "c"] {
            assert_done(&site.deploy(name, false, Silent).await, name);
        }
        copy(&site.above, &site.whole);
        site
    }

    fn root(&self) -> PathBuf {
        self.above.join("shop")
    }

    fn place(&self, path: &str) -> PathBuf {
        self.root().join(".switchback").join(path.replace("TOKEN", TOKEN))
    }

    /// Restores the root, and takes the file of the case from the user.
    fn deny(&self, case: &Case) -> PathBuf {
        fs::remove_dir_all(&self.above).expect("it is there");
        copy(&self.whole, &self.above);
        let (place, uid) = (self.place(case.path), self.team.uid(self.user));
        let is_directory = case.path.ends_with('/');
        if case.new {
            let directory = if is_directory { &place } else { place.parent().expect("a directory") };
            for made in directory.ancestors().take_while(|above| !above.exists()).collect::<Vec<_>>().iter().rev() {
                fs::create_dir(made).expect("root may");
                chown(made, Some(uid), None).expect("root may");
                fs::set_permissions(made, fs::Permissions::from_mode(0o700)).expect("root may");
            }
            if case.path == "lock/" {
                fs::create_dir(place.join(TOKEN)).expect("root may");
            }
            if !is_directory {
                fs::write(&place, "{}\n").expect("root may");
            }
        }
        chown(&place, Some(0), Some(0)).expect("root may");
        fs::set_permissions(&place, fs::Permissions::from_mode(if is_directory { 0o700 } else { 0o600 }))
            .expect("ours");
        place
    }

    fn run(&self, dry: bool) -> RunOptions {
        let number = self.above.join("number").display().to_string();
        let count = |by: i8| format!("n=$(cat {number}); echo $((n + {by})) >{number}");
        let version = format!("cat {number} 2>/dev/null || echo 0 | tee {number}");
        let mut data = DataCommands::new(DataPlace::Host("web1".to_owned()), version, count(1));
        data.revert = Some(count(-1));
        let mut commands = Commands::default();
        commands.after_switch = Some(format!("echo \"$SWITCHBACK_RELEASE\" >>{}", self.above.join("ran").display()));
        commands.data = Some(data);
        RunOptions::new().by("jane@laptop").commands(commands).dry_run(dry)
    }

    async fn deploy(&self, name: &str, dry: bool, told: impl Into<Call>) -> Report {
        let options = DeployOptions::default().run(self.run(dry));
        let tree = Tree::from_memory([("index.html", name.as_bytes())]).expect("a tree");
        self.fleet.deploy(Arc::new(NewRelease::new(name.parse().expect("a name"), tree)), &options, told).report().await
    }

    async fn rollback(&self, dry: bool, told: impl Into<Call>) -> Report {
        let options = RollbackOptions::default().run(self.run(dry));
        self.fleet.rollback(&options, told).report().await
    }

    async fn code_alone(&self) -> Report {
        let options = RollbackOptions::new().run(self.run(false)).verify(TargetCheck::None);
        let options = options.to("b".parse().expect("a name")).keep_data(true).no_hooks(true);
        self.fleet.rollback(&options, Silent).report().await
    }

    async fn recover(&self, told: impl Into<Call>) -> Report {
        self.fleet.recover(&RecoverOptions::new().direction(Direction::Safest).run(self.run(true)), told).report().await
    }
}

/// Copies a tree with its owners, modes and symlinks.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("it runs");
    assert!(copied.success());
}

/// Returns everything below a directory, with its content.
fn all(directory: &Path) -> BTreeMap<PathBuf, (u32, u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for path in super::all(directory) {
        let stat = fs::symlink_metadata(&path).expect("it is there");
        let content = match stat.file_type() {
            kind if kind.is_symlink() => fs::read_link(&path).expect("a link").into_os_string().into_encoded_bytes(),
            kind if kind.is_file() => fs::read(&path).expect("a file"),
            _ => Vec::new(),
        };
        found.insert(path, (stat.mode(), stat.uid(), content));
    }
    found
}

/// Checks the exit code, and that a failed command changed nothing in the root.
#[track_caller]
fn assert_code(
    site: &Site<'_>,
    before: &BTreeMap<PathBuf, (u32, u32, Vec<u8>)>,
    report: &Report,
    code: ExitCode,
    what: &str,
) {
    assert_eq!(report.exit_code(), code, "{what}: {:?} {:?}", report.error, report.hosts);
    if code != DONE {
        assert!(all(&site.above) == *before, "{what} changed something");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_root_is_named_and_refuses_what_needs_it() {
    let Some(team) = Team::new() else { return };
    let third = |user: usize| {
        let team = &team;
        async move {
            let site = Site::new(team, user).await;
            for case in CASES.iter().skip(user).step_by(3) {
                refuses_what_needs_it(&site, case).await;
            }
            site.fleet.close().await;
        }
    };
    // Each account waits for its own root only.
    tokio::join!(third(0), third(1), third(2));
}

async fn refuses_what_needs_it(site: &Site<'_>, case: &Case) {
    let place = site.deny(case);
    let (path, before) = (place.display().to_string().trim_end_matches('/').to_owned(), all(&site.above));
    let named = format!("cannot read {path} (owned by root): Permission denied");
    let status = site.fleet.status(Silent).report().await;
    assert_eq!(status.exit_code(), DONE, "{path}: {:?} {:?}", status.error, status.hosts);
    let unreadable = &status.hosts[0].status.as_ref().expect("it was read").unreadable;
    let found: Vec<String> = unreadable.iter().map(ToString::to_string).collect();
    if !path.ends_with("/over") {
        assert_eq!(found, [named.as_str()], "{path}");
    }
    let told = [(); 4].map(|()| Collected::warnings());
    let check = site.fleet.check(&site.run(false), told[0].clone()).report().await;
    assert_code(site, &before, &check, case.deploy, &format!("{path}: check"));
    let deploy = site.deploy("d", true, told[1].clone()).await;
    assert_code(site, &before, &deploy, case.deploy, &format!("{path}: a dry deploy"));
    let back = site.rollback(true, told[2].clone()).await;
    assert_code(site, &before, &back, case.back[0], &format!("{path}: a dry rollback"));
    site.recover(told[3].clone()).await;
    assert!(all(&site.above) == before, "{path}: asking changed something");
    for (told, who) in told.into_iter().zip(["check", "a dry deploy", "a dry rollback", "a dry recovery"]) {
        let told = told.take().join("\n");
        assert!(told.contains(&named) || path.ends_with("/over"), "{path}: {who} says {told}");
    }
    let back = site.rollback(false, Silent).await;
    assert_code(site, &before, &back, case.back[1], &format!("{path}: a rollback"));
    site.deny(case);
    let alone = site.code_alone().await;
    assert_code(site, &before, &alone, case.code_alone, &format!("{path}: the code alone"));
}

/// The record of a release is the tool's own file as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_that_cannot_be_read_leads_nowhere_and_keeps_everything() {
    let Some(team) = Team::new() else { return };
    let site = Site::new(&team, 0).await;
    let place = site.root().join("releases/c/previousVersion");
    chown(&place, Some(0), Some(0)).expect("root may");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).expect("ours");
    let before = all(&site.above);
    let status = site.fleet.status(Silent).report().await;
    let named = format!("cannot read {} (owned by root): Permission denied", place.display());
    let unreadable = &status.hosts[0].status.as_ref().expect("it was read").unreadable;
    assert_eq!(unreadable.iter().map(ToString::to_string).collect::<Vec<_>>(), [named]);
    for dry in [true, false] {
        assert_code(&site, &before, &site.rollback(dry, Silent).await, ExitCode::NOTHING_TO_ROLL_BACK_TO, "a rollback");
    }
    let pruned = site.fleet.prune(0, &site.run(true), Silent).report().await;
    assert_eq!(pruned.exit_code(), DONE, "{pruned:?}");
    assert_done(&site.fleet.prune(0, &site.run(false), Silent).report().await, "prune");
    for name in ["a", "b", "c"] {
        assert!(site.root().join("releases").join(name).exists(), "{name} is gone");
    }
    assert_eq!(site.code_alone().await.exit_code(), DONE);
    site.fleet.close().await;
}

/// A directory that an operation writes to must be writable before it begins, and the dry run reports the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_written_in_refuses_before_anything_is_touched() {
    let Some(team) = Team::new() else { return };
    let site = Site::new(&team, 0).await;
    for name in ["live", "tmp", "staging", "releases", "trash", "log"] {
        fs::remove_dir_all(&site.above).expect("it is there");
        copy(&site.whole, &site.above);
        let place = site.place(name);
        chown(&place, Some(0), Some(0)).expect("root may");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("ours");
        let before = all(&site.above);
        for dry in [true, false] {
            for report in [site.rollback(dry, Silent).await, site.deploy("d", dry, Silent).await] {
                assert_code(&site, &before, &report, REFUSED, &format!("{name}, dry: {dry}"));
                let error = &report.error.as_ref().expect("why").message;
                assert!(error.contains(&format!(".switchback/{name}")), "{name}: {error}");
            }
        }
        let check = site.fleet.check(&site.run(false), Silent).report().await;
        assert_code(&site, &before, &check, REFUSED, &format!("{name}: check"));
    }
    site.fleet.close().await;
}

/// A symlink that another user put in place of a file is not followed.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_place_of_a_file_is_unreadable_too() {
    let Some(team) = Team::new() else { return };
    let site = Site::new(&team, 0).await;
    let place = site.place("ledger");
    fs::remove_file(&place).expect("it is there");
    symlink("/etc/passwd", &place).expect("root may");
    let before = all(&site.above);
    for dry in [true, false] {
        assert_code(&site, &before, &site.rollback(dry, Silent).await, REFUSED, "a rollback");
        assert_code(&site, &before, &site.deploy("d", dry, Silent).await, REFUSED, "a deploy");
    }
    site.fleet.close().await;
}
