//! Roots on this machine, the commands that are disturbed on them, and what must hold there.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

pub(crate) use super::case::*;
use super::cut;

/// The files of every release, each with the name of its release in it.
const FILES: [&str; 4] = ["index.html", "assets/style.css", "assets/deep/er/logo.svg", "bin/run"];

/// A directory with the sources of releases, and the roots of one or several hosts, before a case and during it.
pub(crate) struct Site {
    dir: TempDir,
    /// The names of the roots in the directory.
    roots: Vec<String>,
    /// The first arguments of every command.
    words: Vec<String>,
    /// The first arguments of the next commands, which nothing disturbs.
    next: Vec<String>,
}

impl Site {
    /// A root on this machine in the state before `case`.
    pub(crate) fn local(case: &Case) -> Self {
        let mut site = Self::of(&["root"], case);
        site.words = words(&["-q", "--root", text(&site.root(0))]);
        site.next = site.words.clone();
        site
    }

    /// A number of roots, `web1` and so on, in the state before `case`; [`configure`](Self::configure) sets how to
    /// reach them.
    pub(crate) fn fleet(hosts: usize, case: &Case) -> Self {
        let names: Vec<String> = (1..=hosts).map(|host| format!("web{host}")).collect();
        Self::of(&names.iter().map(String::as_str).collect::<Vec<_>>(), case)
    }

    fn of(roots: &[&str], case: &Case) -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
        let site = Self { dir, roots: words(roots), words: Vec::new(), next: Vec::new() };
        for name in ["o", "a", "b", "new", "next"] {
            write_release(&site.directory().join(name), name);
        }
        for host in site.hosts() {
            let root = site.root(host);
            for (command, name) in case.history() {
                let arguments = ["--root", text(&root), command, name, "--name", name];
                let output = site.command(&arguments).output().expect("the command runs");
                assert!(output.status.success(), "{arguments:?}: {}", said(&output));
            }
            site.keep(host);
            if let Some(cut) = &case.cut {
                cut::off(&site, host, cut);
                site.keep(host);
            }
        }
        site
    }

    /// Sets the configurations for the disturbed command, and for the next commands.
    pub(crate) fn configure(&mut self, disturbed: &str, next: &str) {
        for (file, content) in [("disturbed.toml", disturbed), ("next.toml", next)] {
            fs::write(self.directory().join(file), content).expect("a configuration");
        }
        self.words = words(&["-q", "--config", "disturbed.toml"]);
        self.next = words(&["-q", "--config", "next.toml"]);
    }

    pub(crate) fn directory(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn hosts(&self) -> std::ops::Range<usize> {
        0..self.roots.len()
    }

    pub(crate) fn root(&self, host: usize) -> PathBuf {
        self.directory().join(&self.roots[host])
    }

    fn kept(&self, host: usize) -> PathBuf {
        self.directory().join(format!("{}-kept", self.roots[host]))
    }

    /// Keeps the root of `host` as the state before the case.
    fn keep(&self, host: usize) {
        remove(&self.kept(host));
        if self.root(host).exists() {
            fs::rename(self.root(host), self.kept(host)).expect("the root is ours");
        }
    }

    /// Restores the state before the case. Records contain absolute paths, so each root always has the same path.
    pub(crate) fn restore(&self) {
        for host in self.hosts() {
            self.restore_one(host);
        }
    }

    pub(crate) fn restore_one(&self, host: usize) {
        remove(&self.root(host));
        if self.kept(host).exists() {
            let copied = Command::new("cp").arg("-a").args([&self.kept(host), &self.root(host)]).status();
            assert!(copied.expect("cp runs").success());
        }
    }

    /// Returns the arguments of a disturbed command.
    pub(crate) fn words<'w>(&'w self, arguments: &[&'w str]) -> Vec<&'w str> {
        self.words.iter().map(String::as_str).chain(arguments.iter().copied()).collect()
    }

    /// Builds the command in the directory, without our variables in its environment.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.args(words).current_dir(self.directory());
        command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
        command.env("XDG_CACHE_HOME", self.directory().join(".cache"));
        command
    }

    fn run_next(&self, arguments: &[&str]) -> Output {
        let words: Vec<&str> = self.next.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        self.command(&words).output().expect("the command runs")
    }

    /// Returns the release that `current` of a host points to.
    pub(crate) fn current(&self, host: usize) -> Option<String> {
        let link = match fs::read_link(self.root(host).join("current")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            link => link.expect("current is a link"),
        };
        Some(text(link.strip_prefix("releases").expect("a relative link")).to_owned())
    }

    /// Whether every host is on this release.
    pub(crate) fn all_on(&self, release: Option<&str>) -> bool {
        self.hosts().all(|host| self.current(host).as_deref() == release)
    }

    /// Returns the names in a directory of a root.
    pub(crate) fn names(&self, host: usize, place: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root(host).join(place)) else { return Vec::new() };
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("a plain name")).collect()
    }

    /// Checks what must hold at every instant: `current` points to a complete release, or is absent before the first
    /// deploy, and every name in the releases directory belongs to a complete release, or is not a release name and its
    /// directory is empty.
    #[track_caller]
    pub(crate) fn holds(&self, case: &Case, at: &str) {
        for host in self.hosts() {
            let current = self.current(host);
            let may_be_absent = case.before.is_empty();
            let allowed = [case.from(), Some(case.to)];
            assert!(
                current.is_none() && may_be_absent || allowed.contains(&current.as_deref()),
                "{at}: host {host} is on {current:?}"
            );
            for name in self.names(host, "releases") {
                if name.starts_with('.') {
                    let held = self.names(host, &format!("releases/{name}"));
                    assert!(held.is_empty(), "{at}: host {host} has {held:?} in {name}");
                } else {
                    self.complete(host, &name, at);
                }
            }
            if let Some(current) = current {
                self.complete(host, &current, at);
                let record = fs::read_to_string(self.root(host).join("current/previousVersion"));
                assert!(record.is_ok_and(|line| line.ends_with('\n')), "{at}: host {host}: {current} has no record");
            }
        }
    }

    #[track_caller]
    fn complete(&self, host: usize, name: &str, at: &str) {
        let release = self.root(host).join("releases").join(name);
        for file in FILES {
            let content = fs::read_to_string(release.join(file)).unwrap_or_default();
            assert_eq!(content, content_of(name, file), "{at}: host {host} has half of {name}");
        }
        let mode = fs::metadata(release.join("bin/run")).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o755, "{at}: host {host}, {name}");
    }

    /// Checks that the next runs converge: they [settle](Self::settles) the interrupted run, and then one
    /// [deploys](Self::deploys_next).
    #[track_caller]
    pub(crate) fn converges(&self, case: &Case, turn: usize, at: &str) {
        self.settles(case, turn, at);
        self.deploys_next(at);
    }

    /// Settles by turns with a rollback, if there is a release to roll back to, or a recovery, or neither.
    #[track_caller]
    pub(crate) fn settles(&self, case: &Case, turn: usize, at: &str) {
        if case.cut.as_ref().is_some_and(|cut| cut.lives) {
            let output = self.run_next(&["unlock", "--force"]);
            assert!(output.status.success(), "{at}: the next unlock: {}", said(&output));
        }
        match turn % 3 {
            0 if !case.before.is_empty() => {
                let goal = self.goal(case);
                let output = self.run_next(&["rollback", "--wait", "20s"]);
                assert!(output.status.success(), "{at}: the next rollback: {}", said(&output));
                assert!(self.all_on(Some(goal)), "{at}: the next rollback does not lead to {goal}: {}", said(&output));
                self.without(&["lock", "journal"], &format!("{at}: after the next rollback"));
            }
            1 => self.recovers(case, at),
            _ => {}
        }
    }

    /// Checks that the next deploy leaves nothing behind, and cleans up the leftovers of earlier runs.
    #[track_caller]
    pub(crate) fn deploys_next(&self, at: &str) {
        let output = self.run_next(&["deploy", "next", "--name", "next", "--allow-split", "--wait", "20s"]);
        assert!(output.status.success(), "{at}: the next deploy: {}", said(&output));
        assert!(self.all_on(Some("next")), "{at}: the next deploy");
        self.without(&["lock", "live", "tmp", "staging", "journal", "trash"], &format!("{at}: after the next deploy"));
    }

    /// Checks that a recovery brings all hosts to one release that the case knows, and leaves nothing. It finishes a
    /// rollback.
    #[track_caller]
    fn recovers(&self, case: &Case, at: &str) {
        let begun = case.is_rollback() && self.hosts().any(|host| !self.names(host, ".switchback/journal").is_empty());
        let output = self.run_next(&["recover", "--wait", "20s"]);
        assert!(output.status.success(), "{at}: the next recovery: {}", said(&output));
        let before = case.before.last().copied();
        let to = Some(case.to);
        let back = case.is_rollback().then_some("a");
        let settled = [before, to, case.from(), back].into_iter().any(|release| self.all_on(release));
        assert!(settled, "{at}: the next recovery: {}", said(&output));
        assert!(!begun || self.all_on(Some("a")), "{at}: the next recovery finishes no rollback: {}", said(&output));
        self.without(&["lock", "journal"], &format!("{at}: after the next recovery"));
    }

    #[track_caller]
    fn without(&self, places: &[&str], at: &str) {
        for host in self.hosts() {
            for place in places {
                assert_eq!(self.names(host, &format!(".switchback/{place}")), [""; 0], "{at}: host {host}: {place}");
            }
        }
    }

    /// Returns the target of the next rollback after a disturbed run: the target of that run, and never further
    /// back.
    fn goal(&self, case: &Case) -> &'static str {
        if case.arguments[0] == "prune" {
            return "a";
        }
        let any_on = |release: &str| self.hosts().any(|host| self.current(host).as_deref() == Some(release));
        let left = |place: &str| self.hosts().any(|host| !self.names(host, &format!(".switchback/{place}")).is_empty());
        // If a recovery has finished and forgotten a rollback, and holds only its own lock, no rollback is left.
        let holds = left("journal") || case.cut.is_none() && left("lock");
        // A rollback undoes a deploy that had begun its upload, or an activation that had its lock, and does no more.
        // A run that ended by itself, and could not remove its upload, removed its mark: it has said that it failed.
        let is_marked = |host, name: &String| self.names(host, ".switchback/live").contains(name);
        let says = |host, place: &str| {
            let is_upload = place == "staging";
            let place = format!(".switchback/{place}");
            self.names(host, &place).iter().filter(|name| !is_upload || is_marked(host, name)).any(|name| {
                let owner = fs::read_to_string(self.root(host).join(&place).join(name).join("owner"));
                owner.is_ok_and(|owner| {
                    ["deploy", "activate"].iter().any(|word| owner.contains(&format!(":\"{word}\"")))
                })
            })
        };
        let says = |place: &str| self.hosts().any(|host| says(host, place));
        let begun = || any_on("new") || ["staging", "lock", "journal"].into_iter().any(says);
        let unfinished = if case.is_rollback() { any_on("b") || holds } else { begun() };
        if unfinished { "a" } else { "o" }
    }
}

fn remove(directory: &Path) {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed.expect("it is ours"),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn write_release(directory: &Path, name: &str) {
    for file in FILES {
        let path = directory.join(file);
        fs_err::create_dir_all(path.parent().expect("a file")).expect("a directory");
        fs_err::write(&path, content_of(name, file)).expect("a file");
        let mode = if file == "bin/run" { 0o755 } else { 0o644 };
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs_err::set_permissions(&path, permissions).expect("ours");
    }
}

fn content_of(release: &str, file: &str) -> String {
    format!("{file} of {release}\n")
}

/// Formats the exit status and all output of a run.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{:?} {}{}", output.status, text(&output.stdout), text(&output.stderr))
}
