//! Roots on this machine, of which each host's is the directory of its name.

use std::{fs, future::Future, path::PathBuf, sync::Arc, time::Duration};

use switchback::{
    DirStore, Fleet, Host, HostPath, Layout, ReleaseName, Report,
    commands::{Commands, DataCommands, DataPlace, Validation},
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, Direction, RecoverOptions, RollbackOptions, RollbackTarget, RunOptions},
    release::NewRelease,
    testing::{Cut, Faults, WholeReport as _},
    transport::LocalTransport,
    tree::Tree,
};

/// Hosts that are directories of this machine.
pub(super) struct Roots {
    pub(super) directory: tempfile::TempDir,
    pub(super) hosts: Vec<String>,
}

pub(super) fn name(text: &str) -> ReleaseName {
    text.parse().expect("a release name")
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

fn run(commands: Option<Commands>) -> RunOptions {
    RunOptions::new().by("jane@laptop").commands(commands)
}

/// A release whose data version is the position of its name's first letter in the alphabet.
fn release(text: &str) -> Arc<NewRelease> {
    let schema = format!("{}\n", text.as_bytes()[0] - b'a' + 1);
    let files = [("index.html", text.as_bytes()), ("bin/schema", schema.as_bytes())];
    Arc::new(NewRelease::new(name(text), Tree::from_memory(files).expect("a tree")))
}

/// Commands that leave a trace in the release or the root. The data is the file `data` of the first host's root.
fn commands() -> Commands {
    let mut commands = Commands::default();
    commands.prepare = Some("echo built >built".to_owned());
    commands.after_switch = Some("echo $SWITCHBACK_RELEASE >$SWITCHBACK_ROOT/served".to_owned());
    commands.validation = Some(Validation::new("cp $SWITCHBACK_ROOT/served $SWITCHBACK_ROOT/healthy"));
    let place = DataPlace::Host("web1".to_owned());
    let mut data = DataCommands::new(place, "cat $SWITCHBACK_ROOT/data", "cp bin/schema $SWITCHBACK_ROOT/data");
    data.revert = Some("echo $SWITCHBACK_DATA_TARGET >$SWITCHBACK_ROOT/data".to_owned());
    commands.data = Some(data);
    commands
}

impl Roots {
    pub(super) fn empty() -> Self {
        // In memory if possible: nothing here outlives the test.
        let memory = tempfile::tempdir_in("/dev/shm");
        Self { directory: memory.or_else(|_| tempfile::tempdir()).expect("a directory"), hosts: Vec::new() }
    }

    /// Roots of hosts web1, web2, ..., of which the first has data at version 0 if `data`.
    pub(super) fn new(hosts: usize, data: bool) -> Self {
        let mut roots = Self::empty();
        roots.hosts = (1..=hosts).map(|number| format!("web{number}")).collect();
        for host in 0..hosts {
            fs::create_dir(roots.path(host, "")).expect("a new root");
        }
        if data {
            fs::write(roots.path(0, "data"), "0\n").expect("a file");
        }
        roots
    }

    pub(super) fn path(&self, host: usize, inner: &str) -> PathBuf {
        let root = self.directory.path().join(&self.hosts[host]);
        // An empty path would end in a slash.
        if inner.is_empty() { root } else { root.join(inner) }
    }

    pub(super) fn text(&self, host: usize, inner: &str) -> String {
        fs::read_to_string(self.path(host, inner)).unwrap_or_default()
    }

    pub(super) fn names(&self, host: usize, inner: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(host, inner)) else { return Vec::new() };
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Returns the release that `current` names on a host; `-` without one.
    pub(super) fn current(&self, host: usize) -> String {
        let link = fs::read_link(self.path(host, "current"));
        link.map_or("-".to_owned(), |link| link.file_name().expect("a name").to_str().expect("UTF-8").to_owned())
    }

    /// A fleet whose hosts fail once `cut` is reached, and whose host `away`, if any, is unreachable.
    pub(super) fn fleet(&self, cut: &Cut, away: Option<usize>) -> Fleet {
        let host = |(place, name): (usize, &String)| {
            let cut = if away == Some(place) { Cut::after(0) } else { cut.clone() };
            let root = HostPath::new(self.path(place, "").to_str().expect("UTF-8"));
            let transport = Faults::new(LocalTransport::named(name), cut);
            Host::new(name, DirStore::new(transport, root.expect("a path"), Layout::default()))
        };
        let fleet = Fleet::new(self.hosts.iter().enumerate().map(host).collect()).expect("a fleet");
        fleet.version_pause(Duration::ZERO)
    }

    fn whole(&self) -> Fleet {
        self.fleet(&Cut::never(), None)
    }

    /// The commands of a configuration, in roots that have data.
    pub(super) fn configured(&self) -> RunOptions {
        run(self.path(0, "data").exists().then(commands))
    }

    pub(super) fn status(&self) -> Report {
        wait(self.whole().status(Silent).report())
    }

    pub(super) fn history(&self) -> Report {
        wait(self.whole().history(Silent).report())
    }

    pub(super) fn check(&self) -> Report {
        wait(self.whole().check(&self.configured(), Silent).report())
    }

    pub(super) fn deploy(&self, text: &str) -> Report {
        self.deploy_on(&self.whole(), text)
    }

    pub(super) fn deploy_on(&self, fleet: &Fleet, text: &str) -> Report {
        let options = DeployOptions::default().run(self.configured()).skip_unreachable(true);
        wait(fleet.deploy(release(text), &options, Silent).report())
    }

    pub(super) fn stage(&self, text: &str) -> Report {
        wait(self.whole().stage(release(text), &self.configured(), Silent).report())
    }

    pub(super) fn activate_on(&self, fleet: &Fleet, text: &str) -> Report {
        let options = ActivateOptions::default().run(self.configured());
        wait(fleet.activate(&name(text), &options, Silent).report())
    }

    pub(super) fn rollback(&self, change: impl Fn(RollbackOptions) -> RollbackOptions) -> Report {
        Self::rollback_on(&self.whole(), change)
    }

    pub(super) fn rollback_on(fleet: &Fleet, change: impl Fn(RollbackOptions) -> RollbackOptions) -> Report {
        let options = change(
            RollbackOptions::default().run(run(None)).reason("errors in the log").target(RollbackTarget::Steps(1)),
        );
        wait(fleet.rollback(&options, Silent).report())
    }

    pub(super) fn recover(&self) -> Report {
        wait(self.whole().recover(&RecoverOptions::new().direction(Direction::Safest).run(run(None)), Silent).report())
    }

    pub(super) fn unlock(&self, force: bool) -> Report {
        wait(self.whole().unlock(force, &run(None), Silent).report())
    }

    pub(super) fn pin(&self, text: &str) -> Report {
        wait(self.whole().pin(&name(text), &run(None), Silent).report())
    }

    pub(super) fn adopt(&self) -> Report {
        wait(self.whole().adopt(None, &run(None), Silent).report())
    }
}
