//! A host that counts its utilities, and loses one of them, or its `sh`, at a given call.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use tempfile::TempDir;

use super::support::{
    sshd::{Sshd, text},
    wait,
};

/// The utilities that the scripts run on a host, and its `sh`. `tail` runs beside `tar`, so its calls have no order.
const UTILITIES: [&str; 19] = [
    "sh", "cat", "chmod", "date", "find", "id", "ln", "mkdir", "mv", "od", "readlink", "rm", "rmdir", "stat", "sync",
    "uname", "tar", "head", "touch",
];

/// The process to kill at the planned call, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    /// The shell, before it runs the utility; the utility does not run.
    ShellBefore,
    /// The shell, after the utility has ended and before the shell knows.
    ShellAfter,
    /// The utility, before it has done anything.
    UtilityBefore,
    /// The utility, after its work and before it reports success.
    UtilityAfter,
    /// The shell; the utility does its work later, when the controller has missed the shell.
    ShellThenLate,
}

impl Kill {
    pub(crate) const ALL: [Self; 5] =
        [Self::ShellBefore, Self::ShellAfter, Self::UtilityBefore, Self::UtilityAfter, Self::ShellThenLate];

    fn word(self) -> &'static str {
        match self {
            Self::ShellBefore => "shell-before",
            Self::ShellAfter => "shell-after",
            Self::UtilityBefore => "utility-before",
            Self::UtilityAfter => "utility-after",
            Self::ShellThenLate => "shell-then-late",
        }
    }
}

/// A wrapper that counts its calls in a file and acts at the planned one. Calls come one at a time.
const SHIM: &str = r#"#!/bin/dash
if [ -e DIR/plan ]; then
    read -r at how <DIR/plan
    read -r n <DIR/count
    n=$((n + 1))
    echo "$n" >DIR/count
    echo "TOOL $*" >>DIR/log
    if [ "$n" = "$at" ]; then
        case $how in
        shell-before) kill -9 $PPID; exit 1;;
        shell-after) REAL "$@"; kill -9 $PPID; exit 1;;
        utility-before) kill -9 $$;;
        utility-after) REAL "$@"; kill -9 $$;;
        shell-then-late) : >DIR/late; kill -9 $PPID; sleep 0.2; REAL "$@"; command -p rm -f DIR/late; exit 1;;
        esac
    fi
fi
exec REAL "$@"
"#;

/// A host over a real sshd, with wrapped utilities.
pub(crate) struct Host {
    dir: TempDir,
    sshd: Sshd,
}

impl Host {
    /// Starts the host. Without an sshd, prints that and returns `None`.
    pub(crate) fn start() -> Option<Self> {
        let dir = TempDir::new().expect("a directory");
        for utility in UTILITIES {
            let real = ["/usr/bin", "/bin"].map(|place| format!("{place}/{utility}"));
            let real = real.iter().find(|path| fs::exists(path).unwrap_or(false)).expect("a usual machine");
            let shim = SHIM.replace("DIR", text(dir.path())).replace("TOOL", utility).replace("REAL", real);
            let path = dir.path().join(utility);
            fs::write(&path, shim).expect("a shim");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
        }
        // A home without start-up files: the commands in the user's own are not ours to kill.
        let sshd = Sshd::start(&format!("SetEnv PATH={0}:/usr/bin:/bin HOME={0}", text(dir.path())))?;
        Some(Self { dir, sshd })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts to count calls, and kills at call `at`; 0 only counts.
    pub(crate) fn plan(&self, at: usize, kill: Kill) {
        fs::write(self.file("count"), "0\n").expect("a file");
        fs::write(self.file("log"), "").expect("a file");
        fs::write(self.file("plan"), format!("{at} {}\n", kill.word())).expect("a file");
    }

    /// Stops counting and returns the calls.
    pub(crate) fn unplan(&self) -> Vec<String> {
        fs::remove_file(self.file("plan")).expect("ours");
        fs::read_to_string(self.file("log")).expect("a file").lines().map(str::to_owned).collect()
    }

    /// Waits for a late utility to end.
    pub(crate) fn ends(&self) {
        wait::until("the end of a utility without its shell", || !self.file("late").exists());
    }

    /// Returns the host's table of the configuration.
    pub(crate) fn toml(&self, name: &str, root: &str) -> String {
        format!("[[host]]\nname = \"{name}\"\naddress = \"{}\"\nroot = {root:?}\n", self.sshd.address("root"))
    }

    /// Returns the `[ssh]` table. It applies to all hosts, so that one file of known keys serves them all.
    pub(crate) fn ssh(hosts: &[Self]) -> String {
        let known: String = hosts.iter().map(|host| read(&host.sshd, "known hosts")).collect();
        let keys: String = hosts.iter().map(|host| read(&host.sshd, "authorized_keys")).collect();
        for host in hosts {
            fs::write(host.sshd.path("authorized_keys"), &keys).expect("keys");
        }
        let first = &hosts[0].sshd;
        fs::write(first.path("known hosts"), known).expect("known hosts");
        let (config, known) = (first.path("config file"), first.path("known hosts"));
        format!(
            "[ssh]\nconfig = {:?}\nknown_hosts_file = {:?}\nconnect_timeout = \"60s\"\nexchange_timeout = \"10s\"\n",
            text(&config),
            text(&known)
        )
    }
}

fn read(sshd: &Sshd, name: &str) -> String {
    fs::read_to_string(sshd.path(name)).expect("it was written when the sshd started")
}
