//! A fleet in memory whose second host has data: a number, which releases take forward and back.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard},
};

use switchback::{
    DirStore, ExitCode, Fleet, Host, HostPath, Layout, Report,
    commands::{Commands, DataCommands, DataPlace, RevertWhen, Validation},
    engine::{ActivateOptions, DeployOptions, DrillOptions, RecoverOptions, RollbackOptions, RunOptions},
    event::Silent,
    plan::{Direction, RollbackTarget},
    testing::{Cut, Faults},
    transport::{HookCall, HookEnd, HookExit, MemoryHost},
};

use crate::fixture::{ROOT, assert_code, at, going_back, name, release, wait};

/// The data, and all that was done to it.
#[derive(Debug, Default)]
pub(crate) struct Data {
    /// Its version: the number of the last release that was applied.
    pub(crate) version: u32,
    /// Every hook that ran, as `HOST KIND RELEASE`.
    pub(crate) log: Vec<String>,
    /// Hooks that fail, as they stand in the log.
    pub(crate) failing: Vec<String>,
    /// Hooks that stop half-way: they fail, and leave the data in between.
    pub(crate) half: Vec<String>,
    /// Hooks that say that they did it, and did nothing.
    pub(crate) lying: Vec<String>,
}

/// Two hosts in memory; the data is on the second.
pub(crate) struct World {
    pub(crate) hosts: Vec<MemoryHost>,
    pub(crate) data: Arc<Mutex<Data>>,
    pub(crate) commands: Commands,
}

/// What a run can be asked besides.
pub(crate) type Change<'c, O> = &'c dyn Fn(&mut O);

impl World {
    pub(crate) fn new() -> Self {
        let data = Arc::<Mutex<Data>>::default();
        let hosts: Vec<MemoryHost> = (0..2).map(|_| MemoryHost::new()).collect();
        for host in &hosts {
            let data = Arc::clone(&data);
            host.on_hook(move |call| answer(&data, call));
        }
        Self { hosts, data, commands: commands(RevertWhen::AfterSwitch) }
    }

    /// One whose rollbacks revert before the switch.
    pub(crate) fn reverting_first() -> Self {
        Self { commands: commands(RevertWhen::BeforeSwitch), ..Self::new() }
    }

    pub(crate) fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().expect("no test panics with it")
    }

    /// The log since the last time, each hook once for all hosts when it ran on both.
    pub(crate) fn took(&self) -> Vec<String> {
        std::mem::take(&mut self.data().log)
    }

    pub(crate) fn fleet(&self, cut: &Cut) -> Fleet {
        let root: HostPath = ROOT.parse().expect("a path");
        let host = |(place, host): (usize, &MemoryHost)| {
            let name = format!("web{}", place + 1);
            let transport = Faults::new(host.connect(&name), cut.clone());
            Host::new(&name, DirStore::new(transport, root.clone(), Layout::default()))
        };
        Fleet::new(self.hosts.iter().enumerate().map(host).collect()).expect("a fleet")
    }

    fn run_options(&self) -> RunOptions {
        let mut options = RunOptions::by("jane@laptop");
        options.commands = Some(self.commands.clone());
        options
    }

    pub(crate) fn deploy(&self, text: &str) -> Report {
        self.deploy_with(text, &|_| {}, &Cut::never())
    }

    pub(crate) fn deploy_with(&self, text: &str, change: Change<'_, DeployOptions>, cut: &Cut) -> Report {
        let mut options = DeployOptions::default();
        options.run = self.run_options();
        change(&mut options);
        wait(self.fleet(cut).deploy(release(text), &options, &Silent))
    }

    /// As somebody does who has no configuration.
    pub(crate) fn rollback(&self) -> Report {
        self.rollback_with(RollbackTarget::Steps(1), &|_| {}, &Cut::never())
    }

    pub(crate) fn rollback_with(
        &self,
        target: RollbackTarget,
        change: Change<'_, RollbackOptions>,
        cut: &Cut,
    ) -> Report {
        let mut options = going_back(target);
        change(&mut options);
        wait(self.fleet(cut).rollback(&options, &Silent))
    }

    pub(crate) fn recover(&self, direction: Direction) -> Report {
        wait(self.fleet(&Cut::never()).recover(&RecoverOptions::new(direction, RunOptions::by("jane@laptop")), &Silent))
    }

    pub(crate) fn activate(&self, text: &str) -> Report {
        let mut options = ActivateOptions::default();
        options.run = self.run_options();
        wait(self.fleet(&Cut::never()).activate(&name(text), &options, &Silent))
    }

    pub(crate) fn drill(&self, text: &str) -> Report {
        let mut options = DrillOptions::default();
        options.run = self.run_options();
        wait(self.fleet(&Cut::never()).drill(release(text), &options, &Silent))
    }

    /// Deploys `r1`, `r2`, ... up to this one.
    pub(crate) fn deployed(self, last: u32) -> Self {
        for number in 1..=last {
            assert_code(&self.deploy(&format!("r{number}")), ExitCode::DONE);
        }
        self.took();
        self
    }

    /// Asserts where every `current` leads, and the data version.
    #[track_caller]
    pub(crate) fn is_at(&self, text: &str, version: u32, what: &str) {
        for (place, host) in self.hosts.iter().enumerate() {
            let link = host.read_link(&at("current"));
            assert_eq!(link, Some(format!("releases/{text}")), "{what}: web{}", place + 1);
        }
        assert_eq!(self.data().version, version, "{what}: {}", self.described());
    }

    /// Asserts that nothing half done lies about.
    #[track_caller]
    pub(crate) fn is_clean(&self, what: &str) {
        self.is_without(what, &["live", "tmp", "staging", "journal", "trash"]);
    }

    /// Asserts that nothing is locked or open; what was private to a run that died is removed by the next deploy.
    #[track_caller]
    pub(crate) fn is_settled(&self, what: &str) {
        self.is_without(what, &["journal"]);
    }

    #[track_caller]
    fn is_without(&self, what: &str, places: &[&str]) {
        for host in &self.hosts {
            assert!(!host.exists(&at(".switchback/lock")), "{what}: a lock was left");
            for place in places {
                let left = host.list(&at(&format!(".switchback/{place}"))).unwrap_or_default();
                assert!(left.is_empty(), "{what}: {place} holds {left:?}");
            }
        }
    }

    pub(crate) fn described(&self) -> String {
        self.data().log.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "  {line}");
            text
        })
    }
}

fn commands(when: RevertWhen) -> Commands {
    let mut commands = Commands::default();
    commands.prepare = Some("prepare".into());
    commands.after_switch = Some("after_switch".into());
    commands.validation = Some(Validation::new("validate"));
    let mut data = DataCommands::new(DataPlace::Host("web2".into()), "version", "apply");
    data.revert = Some("revert".into());
    data.revert_when = when;
    commands.data = Some(data);
    commands.fingerprint = Some("fingerprint".into());
    commands
}

/// What the commands of a host do: each is its own name.
fn answer(data: &Mutex<Data>, call: &HookCall) -> HookExit {
    let variable = |name: &str| {
        let found = call.environment.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let mut data = data.lock().expect("no test panics with it");
    let (host, release) = (variable("SWITCHBACK_HOST"), variable("SWITCHBACK_RELEASE"));
    let line = format!("{host} {} {release}", call.script);
    let is = |list: &[String]| list.contains(&line);
    let (fails, half, lies) = (is(&data.failing), is(&data.half), is(&data.lying));
    data.log.push(line);
    let number: u32 = release.trim_start_matches('r').parse().unwrap_or_default();
    if !fails && !lies {
        match call.script.as_str() {
            "apply" => data.version = if half { number * 10 } else { number },
            "revert" if half => data.version *= 10,
            "revert" => data.version = variable("SWITCHBACK_DATA_TARGET").parse().expect("a version"),
            _ => {}
        }
    }
    let stdout = match call.script.as_str() {
        "version" | "fingerprint" => format!("{}\n", data.version),
        _ => String::new(),
    };
    let end = HookEnd::Exited(u8::from(fails || half));
    HookExit { end, stdout: stdout.into_bytes(), stderr: Vec::new() }
}
