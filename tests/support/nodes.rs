//! Hosts for other engines: names that all lead to one private sshd, and a root on this machine for each.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

use super::sshd::{Sshd, text};

/// Hosts `web01`, `web02`, ..., each with a root that release `v1` is current in.
pub(crate) struct Nodes {
    pub(crate) sshd: Sshd,
    dir: TempDir,
    count: usize,
}

/// Stands for the program on each host. It fails commands, holds them before they begin, loses the connection after
/// them, or before them and with it the controller whose process a file names, as files beside the root say.
const STAND_IN: &str = r#"#!/bin/sh
root= command=
for word; do
    case $word in
    --root=*) root=${word#--root=} ;;
    stage | activate | rollback) command=$word ;;
    esac
done
case " $* " in *" --dry-run "*) command= ;; esac
# Ends the connection of this host: the sshd above.
cut() {
    pid=$$
    until [ "$(cat /proc/$pid/comm)" = sshd ] || [ "$(cat /proc/$pid/comm)" = sshd-session ]; do
        pid=$(awk '/^PPid/ { print $2 }' "/proc/$pid/status")
    done
    kill -KILL "$pid"
}
if [ -n "$command" ] && [ -e "$root.fail-$command" ]; then
    echo "no $command today" >&2
    exit 1
fi
while [ -n "$command" ] && [ -e "$root.hold-$command" ]; do
    touch "$root.held-$command"
    sleep 0.1
done
if [ -n "$command" ] && [ -e "$root.lose-$command" ]; then
    rm "$root.lose-$command"
    PROGRAM "$@" >/dev/null 2>&1
    # A port that nobody listens on.
    [ ! -e "$root.vanish" ] || echo 1 >"$root.port"
    cut
    exit 1
fi
if [ -n "$command" ] && [ -e "$root.orphan-$command" ]; then
    kill -KILL "$(cat "$root.orphan-$command")"
    rm "$root.orphan-$command"
    cut
fi
exec PROGRAM "$@"
"#;

/// Commands that fail where a file beside the root says so. They run in the directory of a release.
const SETTINGS: &str = r#"root = "/nowhere"
[hooks]
prepare = "test ! -e $SWITCHBACK_ROOT.fail-prepare"
after_switch = "test ! -e $SWITCHBACK_ROOT.fail-after"
[validate]
command = "test ! -e $SWITCHBACK_ROOT.fail-validate || test $SWITCHBACK_DIRECTION = rollback"
start_within = "1s"
"#;

/// Whether a program is installed. If not, prints that the test is skipped.
pub(crate) fn is_here(program: &str) -> bool {
    let here = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !here {
        eprintln!("skipped: there is no {program} on this machine");
    }
    here
}

impl Nodes {
    /// Starts the sshd and deploys `v1`; `None` where there is no sshd.
    pub(crate) fn start(count: usize) -> Option<Self> {
        let sshd = Sshd::start("AcceptEnv NODE_ROOT\n")?;
        let nodes = Self { sshd, dir: TempDir::new().expect("a directory"), count };
        nodes.write("stand-in", &STAND_IN.replace("PROGRAM", env!("CARGO_BIN_EXE_switchback")));
        let executable = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(nodes.path("stand-in"), executable).expect("it is ours");
        nodes.write("host.toml", SETTINGS);
        for release in ["v1", "v2", "v3"] {
            fs_err::create_dir(nodes.path(release)).expect("a directory");
            nodes.write(&format!("{release}/index.html"), release);
        }
        for node in nodes.names() {
            nodes.switchback(&node, &["deploy", text(&nodes.path("v1")), "--name", "v1"]);
            nodes.write(&format!("{node}.port"), &nodes.sshd.port().to_string());
        }
        Some(nodes)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        (1..=self.count).map(|number| format!("web{number:02}")).collect()
    }

    /// Returns a path in the directory that the roots are in.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        fs_err::write(self.path(name), content).expect("a file is written");
    }

    /// Runs the command on the root of a node, without SSH.
    pub(crate) fn switchback(&self, node: &str, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.arg("--root").arg(self.path(node)).args(words).current_dir(self.dir.path());
        command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV").output().expect("it runs")
    }

    /// Returns the release that a node is on.
    pub(crate) fn current(&self, node: &str) -> String {
        let link = fs_err::read_link(self.path(node).join("current")).expect("a link");
        Path::new(&link).file_name().expect("a name").to_str().expect("a plain name").to_owned()
    }

    #[track_caller]
    pub(crate) fn all_on(&self, release: &str, said: &str) {
        for node in self.names() {
            assert_eq!(self.current(&node), release, "{node}: {said}");
            let status = self.switchback(&node, &["status", "--check"]);
            assert!(status.status.success(), "{node}: {}{said}", String::from_utf8_lossy(&status.stdout));
        }
    }
}
