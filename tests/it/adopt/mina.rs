//! `adopt` of a tree that the real Mina made: both tools work on it afterwards, and Mina goes on deploying.
//!
//! Debian's package leaves out a file that Mina needs to run, and ships it as an example; the test puts both together.
//! Mina prints the script that it would send over SSH, and the test runs it here as it is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The place of Mina's library in Debian's package.
const PACKAGE: &str = "/usr/lib/ruby/vendor_ruby";
const TEMPLATE: &str = "/usr/share/doc/mina/examples/deploy.sh.erb";

/// A Mina project that deploys to this machine.
struct Project {
    directory: tempfile::TempDir,
}

impl Project {
    /// Creates a project; prints that the test is skipped, and returns `None`, without Mina or git.
    fn new() -> Option<Self> {
        let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
        if !(has("ruby") && has("git") && Path::new(PACKAGE).join("mina.rb").exists() && Path::new(TEMPLATE).exists()) {
            #[expect(clippy::print_stderr, reason = "a skip is said in words")]
            {
                eprintln!("skipped: there is no git, or no Mina as Debian packages it");
            }
            return None;
        }
        let project = Self { directory: tempfile::tempdir().expect("a directory") };
        let at = |path: &str| project.directory.path().join(path);
        for place in ["mina/lib", "mina/data", "config", "app"] {
            fs::create_dir_all(at(place)).expect("made");
        }
        project.sh(&format!("cp -R {PACKAGE}/mina {PACKAGE}/mina.rb mina/lib && cp {TEMPLATE} mina/data"));
        let settings = format!(
            "require 'mina/git'\nset :domain, 'localhost'\nset :deploy_to, '{0}/root'\nset :repository, '{0}/app'\n\
             set :branch, 'main'\nset :shared_paths, ['log']\ntask :environment do\nend\n\
             task :deploy => :environment do\n  deploy do\n    invoke :'git:clone'\n    invoke :'deploy:link_shared_paths'\n\
             invoke :'deploy:cleanup'\n  end\nend\n",
            project.directory.path().display()
        );
        fs::write(at("config/deploy.rb"), settings).expect("written");
        fs::write(at("app/index.html"), "hello").expect("written");
        project
            .sh("cd app && git init -q -b main && git add -A && git -c user.name=x -c user.email=x@x commit -qm one");
        project.mina("setup");
        Some(project)
    }

    fn sh(&self, script: &str) -> String {
        let output = Command::new("bash").args(["-c", script]).current_dir(self.directory.path()).output();
        let output = output.expect("bash runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {said}");
        said
    }

    /// Runs a task, and returns the current release afterwards, if any.
    fn mina(&self, task: &str) -> Option<String> {
        let script = "ruby -I mina/lib /usr/bin/mina \"$0\" --simulate | grep -v 'Elapsed time' >script && bash script";
        self.sh(&script.replace("$0", task));
        fs::read_link(self.root().join("current")).ok().map(|link| name(&link))
    }

    fn deploy(&self) -> String {
        self.mina("deploy").expect("a link")
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// Runs our own command, and returns the current release afterwards.
    fn switchback(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV").arg("--root").arg(self.root());
        let output = command.args(arguments).current_dir(self.directory.path()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        name(&fs::read_link(self.root().join("current")).expect("a link"))
    }
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_str().expect("UTF-8").to_owned()
}

#[test]
fn both_tools_work_on_the_tree_afterwards() {
    let Some(project) = Project::new() else { return };
    assert_eq!([(); 3].map(|()| project.deploy()), ["1", "2", "3"]);
    let last = fs::read(project.root().join("last_version")).expect("Mina counts");
    assert_eq!(project.switchback(&["adopt"]), "3");
    assert_eq!(fs::read(project.root().join("last_version")).expect("it is there"), last);
    let record = |release: &str| {
        let record = project.root().join("releases").join(release).join("previousVersion");
        name(Path::new(fs::read_to_string(record).expect("a record").trim_end()))
    };
    assert_eq!(["3", "2", "1"].map(record), ["2", "1", "none"]);
    assert_eq!(project.switchback(&["rollback"]), "2");
    assert_eq!(project.switchback(&["deploy", "app", "--name", "ours"]), "ours");
    assert_eq!(project.switchback(&["rollback"]), "2");
    // Mina still deploys, and its new release can be adopted too.
    assert_eq!(project.deploy(), "4");
    assert_eq!(project.switchback(&["adopt"]), "4");
    assert_ne!(project.switchback(&["rollback"]), "4");
}
