//! Scripts against hostile hosts, environments and values, under the shells of this machine.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and tells what it measures")]

use crate::support;

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
    sync::Arc,
    time::Duration,
};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use support::local_shell::LocalShell;
use switchback::{
    DirStore, ExitCode, Fleet, Host, HostPath, InnerPath, Layout, ReleaseName, Report, Transport,
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, Direction, RecoverOptions, RollbackOptions, RunOptions},
    release::NewRelease,
    testing::WholeReport as _,
    transport::{
        Effect, LocalTransport, MemoryHost, TransportError,
        raw::{Batch, Found, Op, Reply, SyncReach},
    },
    tree::Tree,
};
use tempfile::TempDir;

fn inner(path: &str) -> InnerPath {
    path.parse().expect("an inner path")
}

fn root(dir: &Path) -> HostPath {
    dir.to_str().and_then(|path| path.parse().ok()).expect("a plain path")
}

fn make(path: &str) -> Op {
    Op::MakeDir { path: inner(path), mode: 0o755, existing_is_fine: false }
}

fn batch(dir: &Path, ops: Vec<Op>) -> Batch {
    let mut batch = Batch::new(root(dir));
    for op in ops {
        batch.push(op);
    }
    batch
}

/// Any text is transferred as a name, as a symlink target and as content.
#[test]
fn any_value_arrives_byte_for_byte() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let name = prop::collection::vec(prop_oneof!["[^/\0]{1,12}", "[ -.:-~\n\t]{1,40}"], 1..2)
        .prop_map(|parts| parts.concat())
        .prop_filter("a name", |name| name != "." && name.parse::<InnerPath>().is_ok() && name.len() < 200);
    let bytes = prop::collection::vec(1..=255_u8, 1..60);
    let values = (name, bytes, "[^\0]{0,60}");
    for shell in LocalShell::all() {
        let transport = shell.transport();
        let mut runner =
            TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() });
        let checked = runner.run(&values, |(name, text, content)| {
            let dir = TempDir::new().expect("a directory");
            let path = |below: &str| inner(&format!("{name}/{below}"));
            let ops = vec![
                make(&name),
                Op::MakeLink { path: path("l"), text: text.clone() },
                Op::WriteNew { path: path("f"), content: content.clone(), mode: 0o600 },
                Op::ReadLink { path: path("l") },
                Op::Read { path: path("f"), limit: 1000 },
                Op::ExpectLink { path: path("l"), text: text.clone() },
                Op::List { path: inner(".") },
            ];
            let got = runtime.block_on(transport.execute(&batch(dir.path(), ops)));
            let got = got.map_err(|error| TestCaseError::fail(format!("{shell}: {error:?}")))?;
            prop_assert_eq!(&got[3], &Reply::Link(Some(text)), "{}", shell);
            prop_assert_eq!(&got[4], &Reply::Content(Some(Found::Content(content.clone().into()))), "{}", shell);
            prop_assert_eq!(fs::read(dir.path().join(&name).join("f")).expect("a file"), content.into_bytes());
            let named = matches!(&got[6], Reply::Listing(Some(names)) if names[0].name == name.as_bytes());
            prop_assert!(named, "{}: {:?}", shell, got[6]);
            Ok(())
        });
        checked.unwrap_or_else(|error| panic!("{shell}: {error}"));
    }
}

/// Returns release names that look like a length, a word or a value of the protocol, and others from the whole
/// grammar.
fn release_names() -> Vec<String> {
    let telling = ["h1", "l2", "x9", "x0", "h999999", "end", "fail", "done", "0", "e1ff", "x9.", "a.b-c_d+e"];
    let grammar = prop_oneof!["[hlx][0-9]{1,3}", "[A-Za-z0-9][A-Za-z0-9._+-]{0,40}", "[0-9a-f]{1,128}"];
    let mut runner = TestRunner::default();
    let drawn = (0..6).map(|_| grammar.new_tree(&mut runner).expect("a name").current());
    let names = telling.into_iter().map(str::to_owned).chain(drawn);
    names.filter(|name| *name != "other" && ReleaseName::new(name).is_ok()).collect()
}

/// Deploys a release of this name and another, rolls back to the first, forward, and back again.
async fn goes_back_to(transport: Arc<dyn Transport>, root: HostPath, name: &str) {
    let done = |what: &str, report: &Report| {
        assert_eq!(report.exit_code(), ExitCode::DONE, "{transport}: {what} {name:?}: {report:?}");
    };
    let store = DirStore::new(Arc::clone(&transport), root, Layout::default());
    let fleet = Fleet::new(vec![Host::new("web1", store)]).expect("a fleet");
    for release in [name, "other"] {
        let tree = Tree::from_memory([("index.html", release.as_bytes())]).expect("a tree");
        let release = Arc::new(NewRelease::new(release.parse().expect("a name"), tree));
        done("deploy of", &fleet.deploy(release, &DeployOptions::default(), Silent).report().await);
    }
    let back = async || fleet.rollback(&RollbackOptions::default(), Silent).report().await;
    done("rollback to", &back().await);
    let forth = "other".parse().expect("a name");
    done("activation over", &fleet.activate(&forth, &ActivateOptions::default(), Silent).report().await);
    done("rollback again to", &back().await);
    fleet.close().await;
}

#[tokio::test]
async fn a_rollback_reaches_a_release_of_every_name() {
    let shells = [("dash", "gnu", usize::MAX), ("busybox", "busybox", 2), ("mksh", "toybox", 2)];
    for (shell, tools, count) in shells {
        let Some(shell) = LocalShell::new(shell, tools) else { continue };
        for name in release_names().iter().take(count) {
            let dir = TempDir::new().expect("a directory");
            goes_back_to(shell.transport(), root(dir.path()), name).await;
        }
    }
    for name in release_names() {
        let dir = TempDir::new().expect("a directory");
        goes_back_to(Arc::new(LocalTransport::new()), root(dir.path()), &name).await;
        let host = MemoryHost::new();
        goes_back_to(Arc::new(host.connect("memory")), "/srv/shop".parse().expect("a path"), &name).await;
    }
}

#[tokio::test]
async fn a_nul_byte_is_refused_before_anything_is_sent() {
    let transport = LocalShell::new("nobody", "gnu").or_else(|| LocalShell::new("dash", "gnu")).expect("dash");
    let dir = TempDir::new().unwrap();
    let ops = vec![make("a"), Op::MakeLink { path: inner("l"), text: b"a\0b".to_vec() }];
    let error = transport.transport().execute(&batch(dir.path(), ops)).await.unwrap_err();
    assert!(matches!(&error, TransportError::Unsuitable { lacks, .. } if lacks.contains("step 2")), "{error:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Cuts the script at every byte: all of it runs, or nothing. FAULTS.md L13.
#[tokio::test]
async fn a_script_that_was_cut_runs_not_at_all() {
    for shell in ["dash", "bash", "busybox", "mksh", "zsh"].iter().filter_map(|shell| LocalShell::new(shell, "gnu")) {
        let dir = TempDir::new().unwrap();
        let sent = dir.path().join("sent");
        let ops = || vec![make("a"), make("b"), Op::RemoveDir { path: inner("a") }];
        let tee = format!("tee {} | \"$@\"", sent.display());
        // As long as the names below: they are part of the script.
        let whole = dir.path().join("at-whole");
        fs::create_dir(&whole).unwrap();
        let run = async |script: &str, dir: &Path| {
            let transport = shell.clone().wrapped(&["sh", "-c", script, "sh"]).transport_within(Duration::from_secs(9));
            transport.execute(&batch(dir, ops())).await
        };
        run(&tee, &whole).await.unwrap_or_else(|error| panic!("{shell}: {error:?}"));
        let length = fs::read(&sent).unwrap().len();
        // The helpers do nothing by themselves; after them, every byte in one shell, and some in the others.
        let dense = if shell.to_string().starts_with('d') { 1 } else { 11 };
        let cuts = (0..length - 300).step_by(997).chain((length - 300..length - 9).step_by(dense));
        let cuts = cuts.chain(length - 9..=length);
        for cut in cuts {
            let place = dir.path().join(format!("at-{cut:05}"));
            fs::create_dir(&place).unwrap();
            let result = run(&format!("head -c {cut} | \"$@\""), &place).await;
            let made = fs::read_dir(&place).unwrap().count();
            // Without its last newline, some shells run the last line and others do not.
            let all = cut == length || (cut + 1 == length && result.is_ok());
            assert_eq!(
                (made, result.is_ok()),
                (usize::from(all), all),
                "{shell}: cut at {cut} of {length}: {result:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_environment_changes_nothing() {
    for shell in LocalShell::all() {
        let dir = TempDir::new().unwrap();
        let transport = shell
            .env("BASH_FUNC_mv%%", "() { echo stolen; }")
            .env("BASH_FUNC_printf%%", "() { echo stolen; }")
            .env("BASH_FUNC_unset%%", "() { echo stolen; }")
            .env("SHELLOPTS", "noclobber:nounset:errexit:noglob")
            .env("BASHOPTS", "failglob:dotglob")
            .env("CDPATH", "/:/tmp")
            .env("IFS", "/.0")
            .env("TAR_OPTIONS", "--totals")
            .env("GREP_OPTIONS", "-v")
            .env("LC_ALL", "tr_TR.UTF-8")
            .env("KSH_VERSION", "none")
            .env("ENV", "/nowhere")
            .env("GLOBIGNORE", "*")
            .transport();
        let ops = vec![
            make("p"),
            make("q"),
            Op::WriteNew { path: inner("p/x"), content: "1".into(), mode: 0o644 },
            Op::MoveInto { from: inner("p/x"), into: inner("q") },
            Op::List { path: inner("p") },
            Op::List { path: inner(".") },
            Op::Sync { paths: vec![inner("q")], reach: SyncReach::Entries },
            Op::Identify,
        ];
        let got = transport.execute(&batch(dir.path(), ops)).await.unwrap_or_else(|e| panic!("{transport}: {e:?}"));
        assert!(matches!(&got[5], Reply::Listing(Some(names)) if names.len() == 2), "{transport}: {got:?}");
        assert_eq!(fs::metadata(dir.path().join("q/x")).unwrap().mode() & 0o7777, 0o644, "{transport}");
    }
}

#[tokio::test]
async fn what_is_missing_is_named_and_nothing_runs() {
    let dir = TempDir::new().unwrap();
    let tools = TempDir::new().unwrap();
    for tool in ["sh", "cat", "chmod", "date", "find", "id", "ln", "mkdir", "od", "rm", "rmdir", "sync", "uname"] {
        let real = ["/bin", "/usr/bin"].iter().map(|place| Path::new(place).join(tool)).find(|path| path.exists());
        symlink(real.expect("a plain tool"), tools.path().join(tool)).unwrap();
    }
    let shell = LocalShell::new("dash", "gnu").expect("dash").env("PATH", tools.path().to_str().unwrap());
    let error = shell.transport().execute(&batch(dir.path(), vec![make("a")])).await.unwrap_err();
    let named = "it lacks the commands mv, readlink, stat";
    assert!(matches!(&error, TransportError::Unsuitable { lacks, .. } if lacks == named), "{error:?}");
    assert_eq!(error.effect(), Effect::Nothing);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_host_that_hangs_is_left_in_time() {
    let dir = TempDir::new().unwrap();
    let shell = LocalShell::new("dash", "gnu").expect("dash").wrapped(&["sh", "-c", "while read -r line; do :; done"]);
    let transport = shell.transport_within(Duration::from_millis(300));
    let batch = batch(dir.path(), vec![]);
    let left = tokio::time::timeout(Duration::from_secs(60), transport.execute(&batch)).await;
    assert_eq!(left.expect("it is not waited for").unwrap_err().effect(), Effect::Unknown);
}

/// Returns the `strace` log of one batch.
async fn traced(shell: LocalShell, dir: &Path, ops: Vec<Op>) -> Option<String> {
    if !Path::new("/usr/bin/strace").exists() {
        eprintln!("skipped: there is no strace on this machine");
        return None;
    }
    let log = TempDir::new().unwrap();
    let file = log.path().join("log");
    let calls =
        "trace=clone,clone3,fork,vfork,execve,rename,renameat,renameat2,unlink,unlinkat,symlink,symlinkat,link,linkat";
    let shell = shell.wrapped(&["/usr/bin/strace", "-f", "-qq", "-e", calls, "-o", file.to_str().unwrap()]);
    let transport = shell.transport();
    let done = transport.execute(&batch(dir, ops)).await;
    done.unwrap_or_else(|error| panic!("{shell}: {error:?}"));
    transport.close().await;
    Some(fs::read_to_string(&file).unwrap())
}

#[tokio::test]
async fn a_move_is_one_rename_and_nothing_else() {
    for shell in LocalShell::all() {
        let dir = TempDir::new().unwrap();
        fs::create_dir_all(dir.path().join("priv")).unwrap();
        fs::create_dir_all(dir.path().join("old")).unwrap();
        symlink("old", dir.path().join("current")).unwrap();
        symlink("new", dir.path().join("priv/current")).unwrap();
        let name = shell.to_string();
        let ops = vec![Op::MoveInto { from: inner("priv/current"), into: inner(".") }];
        let Some(log) = traced(shell, dir.path(), ops).await else { return };
        let done: Vec<&str> = log.lines().filter(|line| !line.contains("clone") && !line.contains("fork")).collect();
        let changed = |line: &&&str| line.contains("= 0") && !line.contains("execve");
        let made: Vec<_> = done.iter().filter(changed).collect();
        assert!(made.len() == 1 && made[0].contains("rename"), "{name}: {made:?}");
        assert_eq!(fs::read_link(dir.path().join("current")).unwrap(), Path::new("new"), "{name}");
    }
}

#[tokio::test]
async fn a_typical_batch_takes_few_processes() {
    for shell in LocalShell::all() {
        let dir = TempDir::new().unwrap();
        symlink("releases/1", dir.path().join("current")).unwrap();
        for release in 0..20 {
            fs::create_dir_all(dir.path().join(format!("releases/{release}"))).unwrap();
            fs::write(dir.path().join(format!("releases/{release}/rec")), "{}").unwrap();
        }
        let ops = vec![
            Op::ExpectDirectory { path: inner("releases") },
            Op::ExpectAbsent { path: inner("state") },
            make("state"),
            make("state/lock"),
            Op::WriteNew { path: inner("state/lock/owner"), content: "me".into(), mode: 0o600 },
            Op::MarkProcess { path: inner("state/lock/process") },
            Op::ReadLink { path: inner("current") },
            Op::List { path: inner("releases") },
            Op::ReadEach { path: inner("releases"), file: inner("rec"), limit: 9999 },
            Op::ExpectLink { path: inner("current"), text: b"releases/1".to_vec() },
            Op::MakeLink { path: inner("state/lock/current"), text: b"releases/2".to_vec() },
            Op::MoveInto { from: inner("state/lock/current"), into: inner(".") },
        ];
        let name = shell.to_string();
        let Some(log) = traced(shell, dir.path(), ops).await else { return };
        let forks = log.lines().filter(|line| ["clone", "fork"].iter().any(|call| line.contains(call))).count();
        eprintln!("{name}: {forks} forks for 12 steps");
        assert!(forks <= 40, "{name}: {log}");
    }
}

/// Shells that write a here-document to a file find no place for it. The scripts have none. FAULTS.md E14.
#[tokio::test]
async fn no_place_for_temporary_files_is_needed() {
    let may_mount = std::process::Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/tmp"]).output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no unshare on this machine, or it may not mount");
        return;
    }
    for shell in ["dash", "bash", "mksh", "zsh"].into_iter().filter_map(|shell| LocalShell::new(shell, "gnu")) {
        let what = shell.to_string();
        let without = "for dir in /tmp /var/tmp; do mount --bind $dir $dir && mount -o remount,ro,bind $dir; done
            TMPDIR=/nowhere TMPPREFIX=/nowhere/zsh; export TMPDIR TMPPREFIX; exec \"$@\"";
        let shell = shell.wrapped(&["unshare", "-m", "sh", "-c", without, "sh"]);
        let dir = tempfile::tempdir_in("/dev/shm").expect("a directory");
        let content = "x".repeat(100_000);
        let write = Op::WriteNew { path: inner("a/f"), content, mode: 0o644 };
        let batch = batch(dir.path(), vec![make("a"), write, make("b")]);
        shell.transport().execute(&batch).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(fs::metadata(dir.path().join("a/f")).expect("it was written").len(), 100_000, "{what}");
    }
}

/// `sed` scripts that falsify a shell's answers.
const LIES: [&str; 9] = [
    "s/[0-9][0-9]*/99999999999999999999/g",
    "y/0123456789abcdef/fedcba9876543210/",
    r"s/#\([lx]\)[0-9]*/#\118446744073709551615/g",
    r"s/#\([lx]\)[0-9]*/#\13/g",
    "s/ =/ =..\\//g",
    "s/ done/ fail exists =web2/",
    "p",
    "/ end$/d",
    "s/ [^ ]*$/ #x4\\n767\\n/",
];

/// A shell whose answers are falsified moves no other host.
#[tokio::test]
async fn a_shell_that_answers_with_anything_moves_no_other_host() {
    let release = |text: &str| {
        let tree = Tree::from_memory([("index.html", text.as_bytes())]).expect("a tree");
        Arc::new(NewRelease::new(text.parse().expect("a name"), tree))
    };
    let honest = LocalShell::new("dash", "gnu").expect("dash");
    for lie in LIES {
        let dir = TempDir::new().unwrap();
        let fleet = |first: Arc<dyn Transport>| {
            let second: Arc<dyn Transport> = Arc::new(LocalTransport::new());
            let host = |(name, transport): (&str, Arc<dyn Transport>)| {
                Host::new(name, DirStore::new(transport, root(&dir.path().join(name)), Layout::default()))
            };
            Fleet::new([("web1", first), ("web2", second)].map(host).into()).expect("a fleet")
        };
        let told = fleet(honest.transport());
        for text in ["v1", "v2"] {
            let report = told.deploy(release(text), &DeployOptions::default(), Silent).report().await;
            assert_eq!(report.exit_code(), ExitCode::DONE, "{report:?}");
        }
        told.close().await;
        let current = || fs::read_link(dir.path().join("web2/current")).unwrap();
        let filter = format!("\"$@\" | sed -u -e '{lie}'");
        let liar = honest.clone().wrapped(&["sh", "-c", &filter, "sh"]);
        let lied_to = fleet(liar.transport_within(Duration::from_millis(250)));
        lied_to.status(Silent).report().await;
        lied_to.verify(None, true, Silent).report().await;
        lied_to
            .recover(&RecoverOptions::new().direction(Direction::Safest).run(RunOptions::default()), Silent)
            .report()
            .await;
        assert_eq!(current(), Path::new("releases/v2"), "{lie}");
        let report = lied_to.rollback(&RollbackOptions::default(), Silent).report().await;
        let led = |report: &Report, to: &str| {
            let (is, to) = (current(), Path::new("releases").join(to));
            let stayed = report.exit_code() != ExitCode::DONE && is != Path::new("releases/v3");
            assert!(is == to || stayed, "{lie}: {} after {report:?}", is.display());
        };
        led(&report, "v1");
        led(&lied_to.deploy(release("v3"), &DeployOptions::default(), Silent).report().await, "v3");
        lied_to.close().await;
    }
}
