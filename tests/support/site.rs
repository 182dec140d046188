//! A root on this machine, the commands that are disturbed on it, and what must hold there.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// A command, what was there before it, and where it leads.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    /// What was deployed, first to last.
    pub(crate) before: &'static [&'static str],
    /// What was staged after that.
    pub(crate) staged: &'static [&'static str],
    pub(crate) arguments: &'static [&'static str],
    /// The release that is current when it is done.
    pub(crate) to: &'static str,
}

pub(crate) const FIRST_DEPLOY: Case =
    Case { what: "first deploy", before: &[], staged: &[], arguments: &["deploy", "new", "--name", "new"], to: "new" };
pub(crate) const DEPLOY: Case = Case {
    what: "deploy",
    before: &["o", "a"],
    staged: &[],
    arguments: &["deploy", "new", "--name", "new"],
    to: "new",
};
pub(crate) const ACTIVATE: Case =
    Case { what: "activate", before: &["o", "a"], staged: &["new"], arguments: &["activate", "new"], to: "new" };
pub(crate) const ROLLBACK: Case =
    Case { what: "rollback", before: &["o", "a", "b"], staged: &[], arguments: &["rollback"], to: "a" };

/// The files of every release, each with the name of its release in it.
const FILES: [&str; 4] = ["index.html", "assets/style.css", "assets/deep/er/logo.svg", "bin/run"];

impl Case {
    /// The release that is current before.
    pub(crate) fn from(&self) -> Option<&'static str> {
        self.before.last().copied()
    }

    pub(crate) fn is_rollback(&self) -> bool {
        self.arguments[0] == "rollback"
    }
}

/// A directory with the sources of releases, a root as it is before a case, and the root itself.
pub(crate) struct Site {
    dir: TempDir,
}

impl Site {
    /// A site on which all that comes before `case` was done.
    pub(crate) fn before(case: &Case) -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
        let site = Self { dir };
        for name in ["o", "a", "b", "new", "next"] {
            write_release(&site.directory().join(name), name);
        }
        for name in case.before {
            site.done(&["deploy", name, "--name", name]);
        }
        for name in case.staged {
            site.done(&["stage", name, "--name", name]);
        }
        match fs::rename(site.root(), site.directory().join("kept")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed.expect("the root is ours"),
        }
        site
    }

    pub(crate) fn directory(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory().join("root")
    }

    /// Makes the root what it is before the case. Records hold absolute paths, so it always stands in one place.
    pub(crate) fn restore(&self) {
        match fs::remove_dir_all(self.root()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.expect("the root is ours"),
        }
        let kept = self.directory().join("kept");
        if kept.exists() {
            let copied = Command::new("cp").arg("-a").args([&kept, &self.root()]).status().expect("cp runs");
            assert!(copied.success());
        }
    }

    /// The words of a command on the root.
    pub(crate) fn words<'w>(&'w self, arguments: &[&'w str]) -> Vec<&'w str> {
        [&["-q", "--root", self.root_text()][..], arguments].concat()
    }

    fn root_text(&self) -> &'static str {
        // Every command runs in the directory, but a root must be absolute.
        Box::leak(self.root().to_str().expect("a plain path").to_owned().into_boxed_str())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_switchback"))
            .args(self.words(arguments))
            .current_dir(self.directory())
            .env_remove("SWITCHBACK_CONFIG")
            .env_remove("SWITCHBACK_ENV")
            .output()
            .expect("the command runs")
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    }

    /// The release that `current` leads to.
    pub(crate) fn current(&self) -> Option<String> {
        let link = match fs::read_link(self.root().join("current")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            link => link.expect("current is a link"),
        };
        Some(link.strip_prefix("releases").expect("a relative link").to_str().expect("a name").to_owned())
    }

    /// The names in a directory of the root.
    fn names(&self, place: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root().join(place)) else { return Vec::new() };
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("a plain name")).collect()
    }

    /// Holds at every instant: `current` is absent before the first deploy or leads to a complete release, and every
    /// name in the releases directory is of a complete one.
    #[track_caller]
    pub(crate) fn holds(&self, case: &Case, at: &str) {
        let current = self.current();
        let may_be_absent = case.before.is_empty();
        let allowed = [case.from(), Some(case.to)];
        assert!(current.is_none() && may_be_absent || allowed.contains(&current.as_deref()), "{at}: on {current:?}");
        for name in self.names("releases") {
            self.complete(&name, at);
        }
        if let Some(current) = current {
            self.complete(&current, at);
            let record = fs::read_to_string(self.root().join("current/previousVersion"));
            assert!(record.is_ok_and(|line| line.ends_with('\n')), "{at}: {current} has no record");
        }
    }

    #[track_caller]
    fn complete(&self, name: &str, at: &str) {
        let release = self.root().join("releases").join(name);
        for file in FILES {
            let content = fs::read_to_string(release.join(file)).unwrap_or_default();
            assert_eq!(content, content_of(name, file), "{at}: half of {name}");
        }
        let mode = fs::metadata(release.join("bin/run")).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o755, "{at}: {name}");
    }

    /// The next runs converge: a rollback, when there is something to go back to and `back` says so, and a deploy.
    #[track_caller]
    pub(crate) fn converges(&self, case: &Case, back: bool, at: &str) {
        if back && !case.before.is_empty() {
            let goal = self.goal(case);
            let output = self.run(&["rollback"]);
            assert!(output.status.success(), "{at}: the next rollback: {}", said(&output));
            assert_eq!(self.current().as_deref(), Some(goal), "{at}: the next rollback");
            assert_eq!(self.names(".switchback/lock"), [""; 0], "{at}: locked after the next rollback");
            assert_eq!(self.names(".switchback/journal"), [""; 0], "{at}: after the next rollback");
        }
        let output = self.run(&["deploy", "next", "--name", "next"]);
        assert!(output.status.success(), "{at}: the next deploy: {}", said(&output));
        assert_eq!(self.current().as_deref(), Some("next"), "{at}: the next deploy");
        for place in ["lock", "live", "tmp", "staging", "journal", "trash"] {
            assert_eq!(self.names(&format!(".switchback/{place}")), [""; 0], "{at}: {place} after the next deploy");
        }
    }

    /// Where the next rollback goes from what a disturbed run left: where that was going, and never further.
    fn goal(&self, case: &Case) -> &'static str {
        let current = self.current();
        let held = !self.names(".switchback/lock").is_empty() || !self.names(".switchback/journal").is_empty();
        match (case.is_rollback(), current.as_deref()) {
            (true, Some("b")) | (false, Some("new")) => "a",
            (true, _) if held => "a",
            _ => "o",
        }
    }
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

/// All that a run said.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{:?} {}{}", output.status, text(&output.stdout), text(&output.stderr))
}
