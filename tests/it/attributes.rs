//! Group, access list and times of a new release, locally and through shells.
//!
//! Only root works as other users and gives directories to other groups; as anybody else these tests are skipped in
//! words.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

use crate::support;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{XattrFlags, getxattr, setxattr};
use support::local_shell::LocalShell;
use switchback::{
    DirStore, ExitCode, Fleet, Host, HostPath, Layout, Report, Transport,
    event::Silent,
    fleet::{DeployOptions, RollbackOptions, RunOptions},
    release::NewRelease,
    testing::WholeReport as _,
    transport::LocalTransport,
    tree::Tree,
};
use tempfile::TempDir;

/// A group without any account of this machine, and a user outside of it.
const GROUP: u32 = 61_234;
const USER: u32 = 61_235;

fn is_root() -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !root {
        eprintln!("skipped: only root works as other users");
    }
    root
}

/// Returns transports, each with the user that it works as.
fn carriers() -> Vec<(String, u32, Arc<dyn Transport>)> {
    let shells = [("dash", "gnu"), ("busybox", "busybox"), ("mksh", "toybox")];
    let mut carriers: Vec<(String, u32, Arc<dyn Transport>)> =
        vec![("local".to_owned(), 0, Arc::new(LocalTransport::new()))];
    for shell in shells.into_iter().filter_map(|(shell, tools)| LocalShell::new(shell, tools)) {
        let id = USER.to_string();
        // Toybox changes modes as it unpacks, which clears the setgid bit for a user outside the group.
        if !shell.to_string().ends_with("toybox") {
            let other = shell.clone().wrapped(&["/usr/bin/setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"]);
            carriers.push((format!("{shell} as another"), USER, other.transport()));
        }
        carriers.push((shell.to_string(), 0, shell.transport()));
    }
    carriers
}

fn fleet(roots: &[&Path], carrier: &Arc<dyn Transport>) -> Fleet {
    let host = |(at, root): (usize, &&Path)| {
        let root: HostPath = root.to_str().expect("UTF-8").parse().expect("a path");
        Host::new(format!("web{at}"), DirStore::new(Arc::clone(carrier), root, Layout::default()))
    };
    Fleet::new(roots.iter().enumerate().map(host).collect()).expect("a fleet")
}

/// Enough files that some are copied, in directories, one of which changes with each release.
fn tree(name: &str) -> Tree {
    let mut files: Vec<(String, String)> = (0..70).map(|n| (format!("app/d{}/f{n}", n % 5), n.to_string())).collect();
    files.push(("public/index.html".to_owned(), name.to_owned()));
    Tree::from_memory(files.iter().map(|(path, content)| (&path[..], content.as_bytes()))).expect("a tree")
}

async fn deploy(fleet: &Fleet, name: &str, seconds: u64) -> Report {
    let release = NewRelease::new(name.parse().expect("a name"), tree(name).modified_at(seconds));
    fleet.deploy(Arc::new(release), &DeployOptions::default(), Silent).report().await
}

fn assert_done(report: &Report, on: &str) {
    assert_eq!(report.exit_code(), ExitCode::DONE, "{on}: {:?} {:?}", report.error, report.hosts);
}

/// Returns everything in `directory`, itself first.
fn all(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    for entry in fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry")) {
        match entry.file_type().expect("a kind") {
            kind if kind.is_dir() => found.extend(all(&entry.path())),
            _ => found.push(entry.path()),
        }
    }
    found
}

/// Creates a root whose `releases` passes a group on to everything in it, and gives others no rights.
fn root_of_a_group(owner: u32) -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("ours");
    let root = dir.path().join("shop");
    for (path, mode) in [(root.clone(), 0o755), (root.join("releases"), 0o2750)] {
        fs::create_dir(&path).expect("a directory");
        chown(&path, Some(owner), Some(GROUP)).expect("root may");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
    }
    (dir, root)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_has_the_group_that_its_directory_hands_on() {
    if !is_root() {
        return;
    }
    for (on, user, carrier) in carriers() {
        let (_dir, root) = root_of_a_group(user);
        let fleet = fleet(&[&root], &carrier);
        for name in ["one", "two"] {
            assert_done(&deploy(&fleet, name, 1_700_000_000).await, &on);
            for path in all(&root.join("releases").join(name)) {
                let found = fs::symlink_metadata(&path).expect("it is there");
                let mode = if found.is_dir() { 0o2755 } else { 0o644 };
                // The tool's own file there comes from the tool's own directory.
                let own = path.ends_with("previousVersion");
                let expected = (user, if own { found.gid() } else { GROUP }, mode);
                assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), expected, "{on}: {}", path.display());
            }
        }
        // None of it is a difference from the deployed content.
        let verified = fleet.verify(None, true, Silent).report().await;
        assert_done(&verified, &on);
        let options = RollbackOptions::default().run(RunOptions::new().by("jane@laptop"));
        assert_done(&fleet.rollback(&options, Silent).report().await, &on);
        fleet.close().await;
    }
}

/// Encodes an access list as the kernel stores it: one entry gives a user these rights.
fn access_list(user: u32, rights: u16) -> Vec<u8> {
    let none = u32::MAX;
    let entries = [(0x01, 7, none), (0x02, rights, user), (0x04, 5, none), (0x10, 7, none), (0x20, 5, none)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend(u16::to_le_bytes(tag));
        list.extend(u16::to_le_bytes(rights));
        list.extend(u32::to_le_bytes(id));
    }
    list
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 4096];
    let length = getxattr(path, name, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_has_the_access_list_that_its_directory_hands_on() {
    if !is_root() {
        return;
    }
    for (on, user, carrier) in carriers() {
        let (_dir, root) = root_of_a_group(user);
        fs::set_permissions(root.join("releases"), fs::Permissions::from_mode(0o750)).expect("ours");
        let list = access_list(4242, 5);
        if setxattr(root.join("releases"), "system.posix_acl_default", &list, XattrFlags::empty()).is_err() {
            return eprintln!("skipped: there are no access lists here");
        }
        let fleet = fleet(&[&root], &carrier);
        for name in ["one", "two"] {
            assert_done(&deploy(&fleet, name, 1_700_000_000).await, &on);
            for path in all(&root.join("releases").join(name)) {
                if path.ends_with("previousVersion") {
                    continue;
                }
                let found = fs::metadata(&path).expect("it is there");
                let shown = path.display();
                if found.is_dir() {
                    let handed_on = attribute(&path, "system.posix_acl_default");
                    assert_eq!(handed_on.as_ref(), Some(&list), "{on}: {shown}");
                }
                let own = attribute(&path, "system.posix_acl_access").unwrap_or_default();
                assert!(own.windows(4).any(|bytes| bytes == 4242_u32.to_le_bytes()), "{on}: {shown}");
                // The mode is that of the source nevertheless.
                let mode = if found.is_dir() { 0o755 } else { 0o644 };
                assert_eq!(found.mode() & 0o777, mode, "{on}: {shown}");
            }
        }
        fleet.close().await;
    }
}

fn times(release: &Path) -> BTreeMap<PathBuf, i64> {
    let files = all(release).into_iter().filter(|path| path.is_file() && !path.ends_with("previousVersion"));
    let time = |path: PathBuf| {
        let modified = fs::metadata(&path).expect("it is there").mtime();
        (path.strip_prefix(release).expect("it is in there").to_owned(), modified)
    };
    files.map(time).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_have_one_time_on_all_hosts_and_keep_it_where_they_do_not_change() {
    let shells = [("dash", "gnu"), ("busybox", "busybox"), ("dash", "toybox")];
    let shells = shells.into_iter().filter_map(|(shell, tools)| LocalShell::new(shell, tools));
    let mut carriers: Vec<Arc<dyn Transport>> = vec![Arc::new(LocalTransport::new())];
    carriers.extend(shells.map(|shell| shell.transport() as Arc<dyn Transport>));
    let (first, second) = (1_700_000_000, 1_700_000_999);
    for carrier in carriers {
        let dir = TempDir::new().expect("a directory");
        let roots = ["one", "other"].map(|name| dir.path().join(name));
        let fleet = fleet(&[&roots[0], &roots[1]], &carrier);
        for (name, seconds) in [("one", first), ("two", second)] {
            assert_done(&deploy(&fleet, name, seconds).await, &carrier.to_string());
        }
        for root in &roots {
            let before = times(&root.join("releases/one"));
            assert!(before.values().all(|time| *time == i64::try_from(first).expect("small")), "{carrier}: {before:?}");
            let mut after = times(&root.join("releases/two"));
            assert_eq!(after.remove(Path::new("public/index.html")), i64::try_from(second).ok(), "{carrier}");
            assert!(after.iter().all(|(path, time)| before[path] == *time), "{carrier}: {after:?}");
        }
        fleet.close().await;
    }
}

/// A directory that a killed upload left among the releases is not a release, and the next upload removes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_was_never_filled_is_removed() {
    let dir = TempDir::new().expect("a directory");
    let root = dir.path().join("shop");
    let carrier: Arc<dyn Transport> = Arc::new(LocalTransport::new());
    let fleet = fleet(&[&root], &carrier);
    assert_done(&deploy(&fleet, "one", 1).await, "local");
    let token = "0123456789abcdef0123456789abcdef";
    for left in [format!("releases/.switchback-{token}"), format!(".switchback/staging/{token}")] {
        fs::create_dir(root.join(left)).expect("a directory");
    }
    assert_done(&deploy(&fleet, "two", 2).await, "local");
    let mut names: Vec<_> = fs::read_dir(root.join("releases")).expect("a directory").flatten().collect();
    names.sort_by_key(fs::DirEntry::file_name);
    assert_eq!(names.iter().map(fs::DirEntry::file_name).collect::<Vec<_>>(), ["one", "two"]);
}
