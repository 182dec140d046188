//! `adopt` of a tree that the real Capistrano made: both tools work on it afterwards, and Capistrano's own
//! rollback does too.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A Capistrano project that deploys to this machine, without SSH.
struct Project {
    directory: tempfile::TempDir,
}

const CAPFILE: &str = "require 'capistrano/setup'\nrequire 'capistrano/deploy'\nrequire 'capistrano/scm/git'\n\
                       install_plugin Capistrano::SCM::Git\n";

impl Project {
    /// Creates a project; prints that the test is skipped, and returns `None`, without Capistrano or git.
    fn new() -> Option<Self> {
        for program in ["cap", "git"] {
            if !Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success()) {
                #[expect(clippy::print_stderr, reason = "a skip is said in words")]
                {
                    eprintln!("skipped: there is no `{program}`");
                }
                return None;
            }
        }
        let project = Self { directory: tempfile::tempdir().expect("a directory") };
        let write = |path: &str, text: &str| {
            let path = project.directory.path().join(path);
            fs::create_dir_all(path.parent().expect("a file")).expect("made");
            fs::write(path, text).expect("written");
        };
        write("app/index.html", "hello");
        write("Capfile", CAPFILE);
        let settings = format!(
            "set :application, 'shop'\nset :repo_url, 'file://{0}/app'\nset :branch, 'main'\nset :deploy_to, '{0}/root'\n\
             set :sshkit_backend, SSHKit::Backend::Local\nappend :linked_dirs, 'log'\n",
            project.directory.path().display()
        );
        write("config/deploy.rb", &settings);
        write("config/deploy/production.rb", "server 'localhost', roles: %w{app}\n");
        project.git(&["init", "-q", "-b", "main"]);
        project.git(&["add", "-A"]);
        project.git(&["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "-m", "one"]);
        Some(project)
    }

    fn git(&self, arguments: &[&str]) {
        let output = Command::new("git").args(arguments).current_dir(self.directory.path().join("app")).output();
        assert!(output.expect("git runs").status.success(), "git {arguments:?}");
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// Runs a task, and returns the current release afterwards.
    fn cap(&self, task: &str) -> String {
        let output = Command::new("cap").args(["production", task]).current_dir(self.directory.path()).output();
        let output = output.expect("cap runs");
        assert!(output.status.success(), "{task}: {}", String::from_utf8_lossy(&output.stdout));
        self.current()
    }

    fn current(&self) -> String {
        name(&fs::read_link(self.root().join("current")).expect("a link"))
    }

    fn switchback(&self, arguments: &[&str]) -> String {
        let root = self.root();
        let output = Command::new(env!("CARGO_BIN_EXE_switchback"))
            .env_remove("SWITCHBACK_CONFIG")
            .arg("--root")
            .arg(&root)
            .args(arguments)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_str().expect("UTF-8").to_owned()
}

#[test]
fn both_tools_work_on_the_tree_afterwards() {
    let Some(project) = Project::new() else { return };
    let mut releases = Vec::new();
    while releases.len() < 3 {
        let current = project.cap("deploy");
        // Two deploys within a second are one release.
        if releases.last() != Some(&current) {
            releases.push(current);
        }
    }
    let log = fs::read(project.root().join("revisions.log")).expect("a log");
    let plan = project.switchback(&["adopt", "--dry-run"]);
    assert!(plan.contains("capistrano") && plan.contains("revisions.log"), "{plan}");
    assert!(!project.root().join(".switchback").exists());
    project.switchback(&["adopt"]);
    assert_eq!(fs::read(project.root().join("revisions.log")).expect("a log"), log);
    let link = fs::read_link(project.root().join("current")).expect("a link");
    assert!(link.is_absolute(), "the link is still Capistrano's: {}", link.display());
    let record = |release: &str| {
        let path = project.root().join("releases").join(release).join("previousVersion");
        name(Path::new(fs::read_to_string(path).expect("a record").trim_end()))
    };
    assert_eq!(
        (record(&releases[2]), record(&releases[1]), record(&releases[0])),
        (releases[1].clone(), releases[0].clone(), "none".into())
    );

    // Capistrano's rollback goes by the times of the directories: their order is unchanged.
    assert_eq!(project.cap("deploy:rollback"), releases[1]);
    // The target of its rollback has a record, so a further rollback is possible.
    project.switchback(&["rollback"]);
    assert_eq!(project.current(), releases[0]);
    let source = project.directory.path().join("app");
    project.switchback(&["deploy", source.to_str().expect("UTF-8"), "--name", "ours"]);
    assert_eq!(project.current(), "ours");
    project.switchback(&["rollback"]);
    assert_eq!(project.current(), releases[0]);
    // Capistrano still deploys.
    let next = project.cap("deploy");
    assert!(!releases.contains(&next) && next != "ours");
    project.switchback(&["adopt"]);
    project.switchback(&["rollback"]);
    assert_ne!(project.current(), next);
}
