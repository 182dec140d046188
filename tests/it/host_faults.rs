//! The command on roots on full, read-only and divided filesystems, at unusual places, and under limits of the
//! system. FAULTS.md E01 to E15.
//!
//! Needs `unshare` and the right to mount in a namespace of its own; without them the tests are skipped in words.
#![cfg(feature = "cli")]

use std::{
    fs,
    process::{Command, Output},
};

use tempfile::TempDir;

/// Defines `run`, which runs our command with its arguments on the root, and prints them with the exit code and
/// the current release.
const RUN: &str = r#"
run() {
    code=0
    "$BIN" -q --root "$ROOT" "$@" >>said 2>&1 || code=$?
    echo "$*: $code $(readlink "$ROOT/current")"
}
mkdir root v1 v2 v3
for v in v1 v2 v3; do
    for file in 1 2 3 4 5 6 7 8; do echo "$v" >$v/$file; done
    head -c 300000 /dev/zero >$v/large
done
ROOT=$PWD/root
"#;

/// Runs a script in a mount namespace of its own, and returns the output of `run` and of the commands.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]
fn told(script: &str) -> Option<(Vec<String>, String)> {
    let may_mount = Command::new("unshare").args(["-m", "sh", "-c", "mount -t tmpfs none /mnt"]).output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no unshare on this machine, or it may not mount");
        return None;
    }
    let directory = TempDir::new().expect("a directory");
    let Output { status, stdout, stderr } = Command::new("unshare")
        .args(["-m", "sh", "-eu", "-c", &[RUN, script].concat()])
        .current_dir(directory.path())
        .env("BIN", env!("CARGO_BIN_EXE_switchback"))
        .env_remove("SWITCHBACK_CONFIG")
        .env_remove("SWITCHBACK_ENV")
        .output()
        .expect("unshare runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(status.success(), "{status}: {}{}", text(&stdout), text(&stderr));
    let said = fs::read_to_string(directory.path().join("said")).expect("what was said");
    assert!(!said.contains("panicked"), "{said}");
    Some((text(&stdout).lines().map(str::to_owned).collect(), said))
}

/// Checks that the output consists of these lines, and that the commands printed all of `words`.
#[track_caller]
fn holds(script: &str, lines: &[&str], words: &[&str]) {
    let Some((printed, said)) = told(script) else { return };
    assert_eq!(printed, lines, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

const TWO: &str = "run deploy v1 --name v1\nrun deploy v2 --name v2\n";
const AFTER_TWO: [&str; 2] = ["deploy v1 --name v1: 0 releases/v1", "deploy v2 --name v2: 0 releases/v2"];

/// The failed upload frees its space, so that a rollback finds room. FAULTS.md E01.
#[test]
fn a_full_disk() {
    let script = ["mount -t tmpfs -o size=1m none root\n", TWO, "run deploy v3 --name v3\nrun rollback\n"].concat();
    let lines = [&AFTER_TWO[..], &["deploy v3 --name v3: 3 releases/v2", "rollback: 0 releases/v1"]].concat();
    holds(&script, &lines, &["no space left: large: No space left on device", "/root: no space left"]);
}

/// A rollback takes an inode from the reserve. FAULTS.md E02.
#[test]
fn no_inode_left() {
    let fill = "i=0\nwhile (: >root/fill$i) 2>/dev/null; do i=$((i + 1)); done\n";
    let script = ["mount -t tmpfs -o nr_inodes=100 none root\n", TWO, fill, "run deploy v3 --name v3\nrun rollback\n"];
    let after = ["deploy v3 --name v3: 3 releases/v2", "rollback: 0 releases/v1"];
    holds(&script.concat(), &[&AFTER_TWO[..], &after].concat(), &["next: free space on the host"]);
}

/// Reading commands work, the others refuse. FAULTS.md E04.
#[test]
fn a_read_only_filesystem() {
    let script = [
        TWO,
        "mount --bind root root\nmount -o remount,ro,bind root\n",
        "run deploy v3 --name v3\nrun rollback\nrun unlock --force\nrun status\nrun check\n",
    ];
    let after = [
        "deploy v3 --name v3: 3 releases/v2",
        "rollback: 3 releases/v2",
        "unlock --force: 0 releases/v2",
        "status: 0 releases/v2",
        "check: 3 releases/v2",
    ];
    holds(&script.concat(), &[&AFTER_TWO[..], &after].concat(), &["next: the filesystem is read-only"]);
}

/// Nothing is ever copied into place. FAULTS.md E07.
#[test]
fn releases_on_another_filesystem() {
    let script = "mkdir root/releases\nmount -t tmpfs none root/releases\nrun deploy v1 --name v1\nls root/releases\n";
    // Detected before anything is sent, also by the reading commands.
    let script = [script, "run check\nrun stage v1 --name v1\n"].concat();
    let lines = ["deploy v1 --name v1: 3 ", "check: 3 ", "stage v1 --name v1: 3 "];
    holds(&script, &lines, &["root/releases is on another filesystem than the root", "next: unmount it"]);
}

/// Equal device numbers are not enough: only the kernel knows that a bind mount of the same filesystem refuses a
/// rename. FAULTS.md E07.
#[test]
fn releases_mounted_from_beside() {
    let script =
        "mkdir root/releases beside\nmount --bind beside root/releases\nrun deploy v1 --name v1\nls root/releases\n";
    holds(script, &["deploy v1 --name v1: 3 "], &["Invalid cross-device link", "must be on one filesystem"]);
}

/// Shared files work there; only seeding them needs a rename. FAULTS.md E07.
#[test]
fn shared_files_on_another_filesystem() {
    let script = r#"
mkdir root/shared v1/data
echo first >v1/data/file
mount -t tmpfs none root/shared
cat >switchback.toml <<END
root = "$ROOT"
shared = [{ path = "data/", seed = true }]
END
run() {
    code=0
    "$BIN" -q --config switchback.toml "$@" >>said 2>&1 || code=$?
    echo "$*: $code $(readlink "$ROOT/current")"
}
run deploy v1 --name v1
ls root/releases
cp -a v1/data root/shared/
run deploy v1 --name v1
cat root/current/data/file
"#;
    let words = [
        "root/shared/data on local: it is on another filesystem than the root",
        "`current` is where it was",
        "next: copy it",
    ];
    holds(script, &["deploy v1 --name v1: 3 ", "deploy v1 --name v1: 0 releases/v1", "first"], &words);
}

/// A root of 4,000 bytes works; one that cannot be opened is named. FAULTS.md E09, E10.
#[test]
fn roots_at_unusual_places() {
    let script = r#"
base=$ROOT
long=$(printf '%0200d' 0)
for _ in 1 2 3 4 5 6 7 8 9; do ROOT=$ROOT/$long; done
run deploy v1 --name v1 | sed 's/.*: /long: /'
ROOT=$base/$long$long
run deploy v1 --name v1 | sed 's/.*: /too long: /'
ln -s b a; ln -s a b; : >file
for ROOT in "$PWD/a/root" "$PWD/file/root"; do run deploy v1 --name v1; done
"#;
    let refused = "deploy v1 --name v1: 3 ";
    let words = ["File name too long", "Too many levels of symbolic links", "Not a directory"];
    holds(script, &["long: 0 releases/v1", "too long: 3 ", refused, refused], &words);
}

/// The tool runs no program of its own there. FAULTS.md E13.
#[test]
fn a_filesystem_without_programs() {
    let script = ["mount -t tmpfs -o noexec,nosuid,nodev none root\n", TWO, "run rollback\n"].concat();
    holds(&script, &[&AFTER_TWO[..], &["rollback: 0 releases/v1"]].concat(), &[]);
}

/// The tool needs no temporary files beside the root, and neither do hooks that need none. FAULTS.md E14.
#[test]
fn no_place_for_temporary_files() {
    let script = r#"
beside=/mnt/beside
mount -t tmpfs none /mnt
mkdir $beside
cp -a v1 v2 v3 root $beside
said=$PWD/said
exec 9>>"$said"
cd $beside
ROOT=$beside/root
printf 'root = "%s"\n[hooks]\nafter_switch = "true"\n' "$ROOT" >switchback.toml
mount --bind /tmp /tmp
mount -o remount,ro,bind /tmp
export TMPDIR=/nowhere
run() {
    code=0
    "$BIN" -q "$@" >&9 2>&1 || code=$?
    echo "$*: $code $(readlink "$ROOT/current")"
}
"#;
    let script = [script, TWO, "run rollback\nrun verify v2 --full\nrun prune --keep 0\n"].concat();
    let after = ["rollback: 0 releases/v1", "verify v2 --full: 0 releases/v1", "prune --keep 0: 0 releases/v1"];
    holds(&script, &[&AFTER_TWO[..], &after].concat(), &[]);
}

/// Limits on file size and open files end in words. FAULTS.md E15.
#[test]
fn limits_of_the_system() {
    let few_files =
        "(ulimit -n 10; exec \"$BIN\" -q --root \"$ROOT\" rollback) >>said 2>&1 || echo \"few files: $?\"\n";
    let script = [TWO, "(ulimit -f 100; run deploy v3 --name v3)\n", few_files, "run rollback\n"];
    let after = ["deploy v3 --name v3: 3 releases/v2", "few files: 3", "rollback: 0 releases/v1"];
    holds(&script.concat(), &[&AFTER_TWO[..], &after].concat(), &["File too large", "Too many open files"]);
}
