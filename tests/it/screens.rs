//! Screens: what a person sees on a real terminal of 60, 80 or 200 columns.
//!
//! `SNAPSHOTS=overwrite cargo test --all-features --test it screens` writes the files in `tests/it/screens/`.
#![cfg(feature = "cli")]

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use switchback::{
    DirStore, HostPath, Layout, Timestamp,
    lock::LockOwner,
    report::Command as Reported,
    store::{Finish, ReleaseStore, StoreGuard},
    transport::LocalTransport,
};
use tempfile::TempDir;

use crate::{
    fleet::fixture::wait,
    support::{terminal::Terminal, wait::until},
};

/// Three hosts, each a root on this machine, and their configuration. A hook waits for as long as there is a pipe for its
/// host, and fails where its release says so.
const CONFIG: &str = r#"
keep = 5
[hooks]
prepare = """
if [ -p ../../../wait-$SWITCHBACK_HOST ]; then cat ../../../wait-$SWITCHBACK_HOST; fi
if [ -e broken-$SWITCHBACK_HOST ]; then echo 'no space left' >&2; exit 1; fi
"""
"#;

/// A mistake far to the right, after wide characters.
const WRONG: &str = r#"root = "/srv/shop"
hooks = { prepare = "echo 日本語 && bundle install --local --deployment --without development", after = "reload" }
"#;

/// The key of Ctrl-C.
const INTERRUPT: &str = "\u{3}";

struct Ground {
    dir: TempDir,
    columns: u16,
    screens: String,
}

impl Ground {
    /// Three hosts without a release, seen through a terminal that is so wide.
    fn new(columns: u16) -> Self {
        let ground = Self { dir: TempDir::new().expect("a directory"), columns, screens: String::new() };
        let hosts = ["web1", "web2", "web3"].map(|name| {
            let root = ground.at(name);
            format!("[[host]]\nname = \"{name}\"\nroot = \"{}\"\n", root.display())
        });
        fs::write(ground.at("switchback.toml"), CONFIG.to_owned() + &hosts.concat()).expect("a file");
        for name in ["build-16", "build-17", "build-18", "build-19"] {
            fs::create_dir(ground.at(name)).expect("a directory");
            fs::write(ground.at(name).join("index.html"), name).expect("a file");
        }
        fs::write(ground.at("build-18/broken-web2"), "").expect("a file");
        ground
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.args(arguments).current_dir(self.dir.path());
        for name in ["SWITCHBACK_CONFIG", "SWITCHBACK_ENV", "SWITCHBACK_ROOT", "CI", "NO_COLOR"] {
            command.env_remove(name);
        }
        command
    }

    fn terminal(&self, arguments: &[&str]) -> Terminal {
        Terminal::start(&self.command(arguments), self.columns)
    }

    /// Adds a screen.
    fn keep(&mut self, title: &str, screen: &str) {
        let rule = "=".repeat(usize::from(self.columns));
        write!(self.screens, "{rule}\n{title}\n{rule}\n{}", steady(screen)).expect("memory");
        let dir = self.dir.path().to_str().expect("UTF-8");
        assert!(!screen.contains(dir), "a path of this machine is on the screen: {screen}");
    }

    /// Runs a command to its end, and adds its screen.
    #[track_caller]
    fn run(&mut self, title: &str, arguments: &[&str], code: i32) {
        let (ended, screen) = self.terminal(arguments).end();
        assert_eq!(ended, Some(code), "{screen}");
        self.keep(title, &screen);
    }

    /// Makes the hook on a host wait until the function that this returns is called.
    fn hold_up(&self, host: &str) -> impl FnOnce() + use<> {
        let pipe = self.at(&format!("wait-{host}"));
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
        move || {
            // Opened for both, a pipe needs no reader: the hook may have been ended.
            let opened = fs::File::options().read(true).write(true).open(&pipe);
            fs::remove_file(&pipe).expect("ours");
            drop(opened.expect("a pipe"));
        }
    }

    /// Gives everything that the hosts recorded one time, one user and one duration.
    fn settle(&self) {
        for host in ["web1", "web2", "web3"] {
            let state = self.at(host).join(".switchback");
            settle(&state.join("history"));
            for release in fs::read_dir(state.join("releases")).expect("a directory").flatten() {
                fs::read_dir(release.path()).expect("a directory").flatten().for_each(|file| settle(&file.path()));
            }
        }
    }

    /// Holds the lock of a host.
    fn lock(&self, host: &str) -> Box<dyn StoreGuard> {
        let root: HostPath = self.at(host).to_str().expect("UTF-8").parse().expect("a path");
        let store = DirStore::new(LocalTransport::new(), root, Layout::default());
        let mut owner = LockOwner::new(Reported::Deploy, "ann@ci-runner-17.example.com");
        owner.since = Timestamp::UNIX_EPOCH;
        wait(store.lock(&owner, None)).expect("the lock is free")
    }
}

/// Releases a lock.
fn release(held: Box<dyn StoreGuard>) {
    assert!(wait(held.finish(&Finish::default())).is_ok(), "the lock was lost");
}

/// Settles the JSON objects in a file, if it has any.
fn settle(file: &Path) {
    let Ok(text) = fs::read_to_string(file) else { return };
    let line = |line: &str| {
        let Ok(Value::Object(mut fields)) = serde_json::from_str(line) else { return format!("{line}\n") };
        // In the future, so that it is always just now.
        for (name, value) in [("at", "2100-01-01T00:00:00Z"), ("by", "jane@laptop")] {
            if let Some(field) = fields.get_mut(name) {
                *field = value.into();
            }
        }
        if let Some(seconds) = fields.get_mut("seconds") {
            *seconds = 0.2.into();
        }
        fields.remove("phases");
        format!("{}\n", Value::Object(fields))
    };
    if text.starts_with('{') {
        fs::write(file, text.lines().map(line).collect::<String>()).expect("ours");
    }
}

/// Replaces durations and operations, which are never the same, and leaves out the phases of what took a second or more.
fn steady(screen: &str) -> String {
    let is_operation = |word: &str| word.len() == 8 && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (mut text, mut is_left_out) = (String::new(), false);
    for line in screen.lines() {
        is_left_out = line.starts_with("phases: ") || is_left_out && line.starts_with("  ");
        if is_left_out {
            continue;
        }
        let mut parts = line.split('(');
        let mut steady = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let inner = part.split(')').next().unwrap_or_default();
            let is_duration = inner.starts_with(|c: char| c.is_ascii_digit()) && inner.ends_with(" s");
            steady += "(";
            steady += &if is_duration { part.replacen(inner, "N s", 1) } else { part.to_owned() };
        }
        let words = steady.split_inclusive([' ', ':', '`']).map(|word| {
            let end = word.trim_end_matches([' ', ':', '`']).len();
            if is_operation(&word[..end]) { format!("01234567{}", &word[end..]) } else { word.to_owned() }
        });
        text += &words.collect::<String>();
        text += "\n";
    }
    text
}

/// Runs every command whose screen is kept, and compares the screens with the file.
fn screens(columns: u16) {
    let mut ground = Ground::new(columns);
    ground.run("the first deploy", &["deploy", "build-16", "--name", "build-16"], 0);
    let go_on = ground.hold_up("web3");
    let slow = ground.terminal(&["deploy", "build-17", "--name", "build-17"]);
    ground.keep("a deploy whose hook is slow on web3", &slow.shows("prepare 2/3, waiting for web3"));
    go_on();
    let (code, screen) = slow.end();
    assert_eq!(code, Some(0), "{screen}");
    ground.keep("the same, at its end", &screen);
    ground.run("a deploy whose hook fails on web2", &["deploy", "build-18", "--name", "build-18"], 3);
    ground.settle();
    ground.run("log", &["log", "--host", "web2"], 0);
    ground.run("diff", &["diff", "build-16", "build-17"], 0);
    ground.run("check", &["check"], 0);
    ground.run("a dry run", &["deploy", "build-19", "--name", "build-19", "--dry-run"], 0);
    ground.run("a wrong command line", &["rollback", "--to", "build/17"], 2);
    fs::write(ground.at("wrong.toml"), WRONG).expect("a file");
    ground.run("a wrong configuration", &["--config", "wrong.toml", "status"], 2);
    let mut asking = ground.terminal(&["--config", "new.toml", "init"]);
    for (question, answer) in
        [("Deploy root", "srv/shop\n"), ("expanded)\nDeploy", "/srv/shop\n"), ("Hosts,", "\n"), ("Paths that", "\u{4}")]
    {
        asking.shows(question);
        asking.press(answer);
    }
    let (code, screen) = asking.end();
    assert_eq!(code, Some(2), "{screen}");
    ground.keep("init", &screen);
    ground.run("a rollback", &["rollback"], 0);

    let held = ground.lock("web1");
    let mut waiting = ground.terminal(&["rollback", "--to", "build-17", "--wait", "5m"]);
    ground.keep("a rollback that waits for a lock", &waiting.shows("lock, waiting for the lock of"));
    waiting.press(INTERRUPT);
    let (code, screen) = waiting.end();
    assert_eq!(code, Some(130), "{screen}");
    ground.keep("the same after Ctrl-C", &screen);
    release(held);

    let go_on = ground.hold_up("web3");
    let mut interrupted = ground.terminal(&["deploy", "build-19", "--name", "build-19"]);
    interrupted.shows("prepare 2/3, waiting for web3");
    interrupted.press(INTERRUPT);
    ground.keep("Ctrl-C while a hook runs", &interrupted.shows("stopping, waiting for prepare on web3"));
    go_on();
    let (code, screen) = interrupted.end();
    assert_eq!(code, Some(130), "{screen}");
    ground.keep("the same, at its end", &screen);

    ground.settle();
    ground.run("status", &["status"], 0);
    ground.run("releases", &["releases"], 0);
    ground.run("history", &["history"], 0);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/screens/{columns}.txt"));
    snapbox::assert_data_eq!(ground.screens, snapbox::Data::read_from(&file, None).raw());
}

#[test]
fn of_60_columns() {
    screens(60);
}

#[test]
fn of_80_columns() {
    screens(80);
}

#[test]
fn of_200_columns() {
    screens(200);
}

/// The live line is cut where the terminal ends, and follows it; nothing is left of it in the end.
#[test]
fn the_live_line_follows_the_terminal() {
    let ground = Ground::new(60);
    assert_eq!(ground.terminal(&["deploy", "build-16", "--name", "build-16"]).end().0, Some(0));
    let held = ground.lock("web1");
    let mut waiting = ground.terminal(&["deploy", "build-17", "--name", "build-17", "--wait", "5m"]);
    let narrow = waiting.shows("lock, waiting for the lock of ann@ci-runner-17.example.…");
    assert!(!narrow.contains("on web1 ("), "{narrow}");
    waiting.resize(100);
    let wide = waiting.shows("lock, waiting for the lock of ann@ci-runner-17.example.com on web1 (");
    assert!(!wide.contains('…'), "{wide}");
    waiting.press(INTERRUPT);
    let (code, screen) = waiting.end();
    assert_eq!(code, Some(130), "{screen}");
    assert!(!screen.contains("lock, waiting"), "{screen}");
    release(held);
}

/// A command that only reads has no handler that stops it at a safe point: it ends at once, and its line is gone.
#[test]
fn a_command_that_reads_leaves_no_line_when_it_is_interrupted() {
    let ground = Ground::new(80);
    assert_eq!(ground.terminal(&["deploy", "build-16", "--name", "build-16"]).end().0, Some(0));
    let config = fs::read_to_string(ground.at("switchback.toml")).expect("a file");
    let data = "[data]\nversion = 'cat ../../../wait-data'\napply = 'true'\nrevert = 'true'\n";
    fs::write(ground.at("switchback.toml"), config + data).expect("ours");
    let go_on = ground.hold_up("data");
    let root = ground.at("web1");
    let listing = ["--root", root.to_str().expect("UTF-8"), "--hosts-from", "sleep 600", "status"];
    for (arguments, line) in [(&["check"][..], "ask 2/3, waiting for web1"), (&listing, "listing the hosts (")] {
        let mut command = ground.terminal(arguments);
        command.shows(line);
        command.press(INTERRUPT);
        let (code, screen) = command.end();
        assert_eq!(code, Some(130), "{screen}");
        assert!(!screen.contains(line), "{screen}");
    }
    go_on();
}

/// Neither `-q` nor a dumb terminal gets a live line, while another terminal shows one for the same wait.
#[test]
fn no_line_where_none_is_wanted() {
    let deploy = ["deploy", "build-16", "--name", "build-16"];
    let starts = |with: &str, value: &str, more: &[&str]| {
        let ground = Ground::new(80);
        let go_on = ground.hold_up("web3");
        let mut command = ground.command(&[more, &deploy].concat());
        let terminal = Terminal::start(command.env(with, value), 80);
        until("the hook", || fs::exists(ground.at("web3/releases/build-16")).is_ok_and(|exists| exists));
        (ground, terminal, go_on)
    };
    let without = [starts("TERM", "dumb", &[]), starts("TERM", "xterm", &["-q"])];
    let (_ground, with, go_on) = starts("TERM", "xterm", &[]);
    with.shows("prepare 2/3, waiting for web3");
    go_on();
    assert_eq!(with.end().0, Some(0));
    for (_ground, terminal, go_on) in without {
        assert!(!terminal.output().contains("waiting for"), "{}", terminal.output());
        go_on();
        assert_eq!(terminal.end().0, Some(0));
    }
}
