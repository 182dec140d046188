//! The digest cache of the command: kept for the user alone, and harmless when it cannot be used.
#![cfg(feature = "cli")]

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread::sleep,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;

/// A directory with a source of 80 files of 20 kB.
fn source() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    for n in 0..80 {
        let place = dir.path().join(format!("source/d{}", n % 5));
        fs::create_dir_all(&place).expect("a directory");
        fs::write(place.join(n.to_string()), n.to_string().repeat(20_000)).expect("a file");
    }
    dir
}

/// Runs the command on the root `root`, with this directory for caches.
fn run(dir: &TempDir, cache: &Path, line: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.args(["--root", &dir.path().join("root").to_string_lossy(), "-v"]).args(line).current_dir(dir.path());
    command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV").env("XDG_CACHE_HOME", cache);
    command.env("HOME", dir.path().join("home"));
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Waits until no file of the source is too new for its digest to be kept, by the clock of the filesystem.
fn settle(dir: &TempDir) {
    let newest = fs::metadata(dir.path().join("source/d4/79")).expect("a file").ctime();
    let settled = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(newest).expect("a time") + 4);
    while let Ok(left) = settled.duration_since(SystemTime::now()) {
        sleep(left);
    }
}

fn files(cache: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(cache.join("switchback/digests"));
    listed.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

#[test]
fn digests_are_kept_for_the_user_alone_and_what_is_copied_is_told() {
    let dir = source();
    let cache = dir.path().join("cache");
    settle(&dir);
    run(&dir, &cache, &["drill", "source"]);
    assert!(!cache.join("switchback/digests").exists(), "a drill reads what it proves");
    run(&dir, &cache, &["deploy", "source", "--name", "one"]);
    let kept = files(&cache);
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::metadata(&kept[0]).expect("a file").mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(cache.join("switchback/digests")).expect("a directory").mode() & 0o7777, 0o700);
    fs::write(dir.path().join("source/d3/8"), "other").expect("a file");
    let output = run(&dir, &cache, &["deploy", "source", "--name", "two"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("local 1 file (5 B) sent, 79 files (2.9 MB) copied on the host"), "{said}");
    let release = dir.path().join("root/releases/two");
    assert_eq!(fs::read_to_string(release.join("d3/8")).expect("a file"), "other");
    assert_eq!(fs::read_to_string(release.join("d4/9")).expect("a file"), "9".repeat(20_000));
    assert_eq!(files(&cache).len(), 1);
}

#[test]
fn a_cache_that_cannot_be_or_is_broken_changes_nothing() {
    let dir = source();
    let cache = dir.path().join("cache");
    settle(&dir);
    run(&dir, Path::new("/dev/null/cache"), &["deploy", "source", "--name", "one"]);
    run(&dir, &cache, &["deploy", "source", "--name", "two"]);
    fs::write(&files(&cache)[0], "switchback digests 1").expect("a file");
    run(&dir, &cache, &["deploy", "source", "--name", "three"]);
    run(&dir, Path::new("relative"), &["deploy", "source", "--name", "four"]);
    // A cache path that is not absolute is ignored.
    assert!(!dir.path().join("relative").exists());
    assert_eq!(files(&dir.path().join("home/.cache")).len(), 1);
}
