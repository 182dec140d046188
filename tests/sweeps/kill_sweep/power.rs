//! The power fails in the middle of a hook: the next runs get a copy of the disk at that instant. FAULTS.md K07.
//!
//! Needs root, a loop device and `mkfs.ext4`; without them the tests print that they are skipped.
#![expect(clippy::print_stderr, reason = "what is skipped is said")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

use super::support::wait::until;

/// A small ext4 filesystem in an image file, mounted in one place.
struct Disk {
    dir: TempDir,
}

impl Disk {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
        let disk = Self { dir };
        fs::create_dir(disk.path("m")).expect("a directory");
        fs::File::create(disk.path("img")).and_then(|file| file.set_len(48 << 20)).expect("an image");
        let made = run("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), &disk.path("img")]) && disk.mount("img");
        if !made {
            eprintln!("skipped: no ext4 image can be mounted here");
        }
        made.then_some(disk)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn mount(&self, image: &str) -> bool {
        run("mount", &["-o".as_ref(), "loop".as_ref(), &self.path(image), &self.path("m")])
    }

    fn unmount(&self) {
        // Processes of the hook may still be ending.
        until("unmounting", || run("umount", &[&self.path("m")]));
    }

    fn switchback(&self, words: &[&str]) -> Output {
        let mut command = assert_cmd::Command::cargo_bin("switchback").expect("the command");
        command.current_dir(self.dir.path()).args(words).output().expect("it runs")
    }

    #[track_caller]
    fn done(&self, words: &[&str]) {
        let output = self.switchback(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn source(&self, version: &str) -> String {
        let source = self.path("source");
        fs::create_dir_all(&source).expect("a directory");
        fs::write(source.join("VERSION"), version).expect("a file");
        source.to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l".as_ref(), &self.path("m")]);
    }
}

fn run(program: &str, arguments: &[&Path]) -> bool {
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.as_os_str()).collect();
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// Copies the disk in the middle of this hook, as a power cut at that instant leaves it.
fn cut_in(hook: &str) -> Option<(Disk, String)> {
    let disk = Disk::new()?;
    let root = disk.path("m").join("app").to_str().expect("UTF-8").to_owned();
    for version in ["v1", "v2"] {
        disk.done(&["--root", &root, "deploy", &disk.source(version), "--name", version]);
    }
    let (image, copy) = (disk.path("img"), disk.path("crash"));
    let command = format!("cp {} {}", image.display(), copy.display());
    let config = match hook {
        "validate" => format!("root = {root:?}\n[validate]\ncommand = {command:?}\n"),
        hook => format!("root = {root:?}\n[hooks]\n{hook} = {command:?}\n"),
    };
    fs::write(disk.path("switchback.toml"), config).expect("a configuration");
    disk.done(&["deploy", &disk.source("v3"), "--name", "v3"]);
    fs::remove_file(disk.path("switchback.toml")).expect("it is ours");
    disk.unmount();
    assert!(disk.mount("crash"), "the copy is whole enough to be mounted");
    Some((disk, root))
}

fn names(directory: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
#[ignore = "mounts images, which takes seconds"]
fn a_power_cut_in_a_hook_locks_nobody_out() {
    for hook in ["prepare", "after_switch", "validate"] {
        for next in [&["recover"][..], &["rollback"], &["deploy"]] {
            let Some((disk, root)) = cut_in(hook) else { return };
            for lock in names(&format!("{root}/.switchback/lock")) {
                for file in ["owner", "process"] {
                    let held = fs::metadata(format!("{root}/.switchback/lock/{lock}/{file}")).expect("it is there");
                    assert!(held.len() > 0, "{hook}: {file} was lost with the power");
                }
            }
            let source = disk.source("v9");
            match next {
                ["deploy"] => {
                    disk.done(&["--root", &root, "recover"]);
                    disk.done(&["--root", &root, "deploy", &source, "--name", "v9"]);
                }
                words => disk.done(&[&["--root", &root, "--yes"], words].concat()),
            }
            disk.done(&["--root", &root, "recover"]);
            for place in ["lock", "live", "staging", "tmp", "trash", "journal"] {
                let left = names(&format!("{root}/.switchback/{place}"));
                assert!(left.is_empty(), "{hook}, then {next:?}: {place} holds {left:?}");
            }
            let current = fs::read_link(format!("{root}/current")).expect("a link");
            assert!(Path::new(&root).join(current).join("VERSION").exists(), "{hook}: current is whole");
        }
    }
}
