//! A fleet in memory whose second host has data: a number that releases take forward and back.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use switchback::{
    DirStore, Event, ExitCode, Fleet, Host, HostPath, Layout, ReleaseName, Report,
    commands::{Commands, DataCommands, DataPlace, RevertWhen, Validation},
    event::Silent,
    fleet::{
        ActivateOptions, DeployOptions, Direction, DrillOptions, RecoverOptions, RollbackOptions, RollbackTarget,
        RunOptions,
    },
    testing::{Collected, Cut, Faults, WholeReport as _},
    transport::{HookEnd, HookExit, MemoryHost, raw::HookCall},
};

use crate::data::fixture::{ROOT, assert_code, at, going_back, name, release, wait};

/// The data, and the log of hooks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Data {
    /// The version: the number of the last applied release.
    pub(crate) version: u32,
    /// Every hook that ran, as `HOST KIND RELEASE`.
    pub(crate) log: Vec<String>,
    /// Hooks that fail, as spelled in the log.
    pub(crate) failing: Vec<String>,
    /// Hooks that stop half-way: they fail, and leave the data in between.
    pub(crate) half: Vec<String>,
    /// Hooks that report success without doing anything.
    pub(crate) lying: Vec<String>,
    /// Hooks that leave remains which no version shows, and report success.
    pub(crate) littering: Vec<String>,
    /// Whether `version` finds no data, as in a database that was never used.
    pub(crate) lost: bool,
    /// Whether `version` prints something else each time.
    pub(crate) noisy: bool,
    /// Remains of a failed hook that no version shows.
    pub(crate) debris: String,
    /// The same remains for every hook that stops half-way.
    pub(crate) debris_of_failures: String,
}

/// Two hosts in memory; the data is on the second.
pub(crate) struct World {
    pub(crate) hosts: Vec<MemoryHost>,
    pub(crate) data: Arc<Mutex<Data>>,
    pub(crate) commands: Commands,
}

/// A change of the default options of a run.
pub(crate) type Change<'c, O> = &'c dyn Fn(O) -> O;

impl World {
    pub(crate) fn new() -> Self {
        Self::of((0..2).map(|_| MemoryHost::new()).collect(), Data::default(), commands(RevertWhen::AfterSwitch))
    }

    fn of(hosts: Vec<MemoryHost>, data: Data, commands: Commands) -> Self {
        let data = Arc::new(Mutex::new(data));
        for host in &hosts {
            let data = Arc::clone(&data);
            host.on_hook(move |call| answer(&data, call));
        }
        Self { hosts, data, commands }
    }

    /// Copies the hosts and the data in their present state.
    pub(crate) fn copy(&self) -> Self {
        Self::of(self.hosts.iter().map(MemoryHost::snapshot).collect(), self.data().clone(), self.commands.clone())
    }

    /// A world whose rollbacks revert before the switch.
    pub(crate) fn reverting_first() -> Self {
        Self { commands: commands(RevertWhen::BeforeSwitch), ..Self::new() }
    }

    pub(crate) fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().expect("no test panics with it")
    }

    /// Returns the log since the last call.
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
        let fleet = Fleet::new(self.hosts.iter().enumerate().map(host).collect()).expect("a fleet");
        fleet.version_pause(Duration::ZERO)
    }

    fn run_options(&self) -> RunOptions {
        RunOptions::new().by("jane@laptop").commands(self.commands.clone())
    }

    pub(crate) fn deploy(&self, text: &str) -> Report {
        self.deploy_with(text, &|options| options, &Cut::never())
    }

    pub(crate) fn deploy_with(&self, text: &str, change: Change<'_, DeployOptions>, cut: &Cut) -> Report {
        let options = change(DeployOptions::default().run(self.run_options()));
        wait(self.fleet(cut).deploy(release(text), &options, Silent).report())
    }

    pub(crate) fn deploy_observed(&self, text: &str, observer: impl Fn(&Event) + Send + Sync + 'static) -> Report {
        let options = DeployOptions::default().run(self.run_options());
        wait(self.fleet(&Cut::never()).deploy(release(text), &options, observer).report())
    }

    /// Deploys, and returns the warnings too.
    pub(crate) fn deploy_told(&self, text: &str, change: Change<'_, DeployOptions>) -> (Report, Vec<String>) {
        let options = change(DeployOptions::default().run(self.run_options()));
        let warnings = warnings();
        (wait(self.fleet(&Cut::never()).deploy(release(text), &options, warnings.clone()).report()), warnings.take())
    }

    /// Rolls back without a configuration.
    pub(crate) fn rollback(&self) -> Report {
        self.rollback_with(RollbackTarget::Steps(1), &|options| options, &Cut::never())
    }

    pub(crate) fn rollback_with(
        &self,
        target: RollbackTarget,
        change: Change<'_, RollbackOptions>,
        cut: &Cut,
    ) -> Report {
        let options = change(going_back(target));
        wait(self.fleet(cut).rollback(&options, Silent).report())
    }

    pub(crate) fn recover(&self, direction: Direction) -> Report {
        wait(
            self.fleet(&Cut::never())
                .recover(&RecoverOptions::new().direction(direction).run(RunOptions::new().by("jane@laptop")), Silent)
                .report(),
        )
    }

    /// Returns the release that the newest operation in the history of the first host went to.
    pub(crate) fn last_went_to(&self) -> Option<ReleaseName> {
        let report = wait(self.fleet(&Cut::never()).history(Silent).report());
        let history = report.hosts[0].status.as_ref().and_then(|has| has.history.as_ref());
        history.and_then(|entries| entries.first()?.to.clone())
    }

    pub(crate) fn activate(&self, text: &str) -> Report {
        self.activate_with(text, &|options| options)
    }

    pub(crate) fn activate_with(&self, text: &str, change: Change<'_, ActivateOptions>) -> Report {
        let options = change(ActivateOptions::default().run(self.run_options()));
        wait(self.fleet(&Cut::never()).activate(&name(text), &options, Silent).report())
    }

    pub(crate) fn activate_cut(&self, text: &str, cut: &Cut) -> Report {
        let options = ActivateOptions::default().run(self.run_options());
        wait(self.fleet(cut).activate(&name(text), &options, Silent).report())
    }

    pub(crate) fn drill(&self, text: &str) -> Report {
        self.drill_told(text).0
    }

    pub(crate) fn drill_told(&self, text: &str) -> (Report, Vec<String>) {
        let options = DrillOptions::default().run(self.run_options());
        let warnings = warnings();
        (wait(self.fleet(&Cut::never()).drill(release(text), &options, warnings.clone()).report()), warnings.take())
    }

    /// Rewrites the data record of a release on every host.
    pub(crate) fn rewrite(&self, text: &str, change: impl Fn(&mut serde_json::Value)) {
        let path = at(&format!(".switchback/releases/{text}/data"));
        for host in &self.hosts {
            let Some(content) = host.read(&path) else { continue };
            let mut record = serde_json::from_slice(&content).expect("a record");
            change(&mut record);
            host.write(&path, record.to_string());
        }
    }

    /// Turns the records and the ledger into those of an older program, which did not compare versions.
    pub(crate) fn forget_what_older_programs_lack(&self) {
        for number in 1..=9 {
            self.rewrite(&format!("r{number}"), |record| {
                let record = record.as_object_mut().expect("an object");
                record.remove("known");
                record.remove("kept");
                if let Some(change) = record.get_mut("change").and_then(serde_json::Value::as_object_mut) {
                    change.remove("found");
                }
            });
        }
        for host in &self.hosts {
            let Some(ledger) = host.read(&at(".switchback/ledger")) else { continue };
            let text = String::from_utf8(ledger).expect("JSON lines");
            let lines = text
                .lines()
                .filter(|line| !["kept", "decided", "accepted"].iter().any(|step| line.contains(&format!("{step:?}"))));
            host.write(&at(".switchback/ledger"), lines.fold(String::new(), |all, line| all + line + "\n"));
        }
    }

    /// Deploys `r1`, `r2`, ... up to this one.
    pub(crate) fn deployed(self, last: u32) -> Self {
        for number in 1..=last {
            assert_code(&self.deploy(&format!("r{number}")), ExitCode::DONE);
        }
        self.took();
        self
    }

    /// Whether the next rollback finishes an interrupted one: a host moved, or every host knows its target.
    pub(crate) fn is_begun(&self) -> bool {
        self.hosts.iter().any(has_moved) || self.is_known_everywhere()
    }

    /// Whether every host has its own intent, or moved.
    pub(crate) fn is_known_everywhere(&self) -> bool {
        let holds = |host: &MemoryHost, place: &str| {
            let place = at(&format!(".switchback/{place}"));
            let holders = host.list(&place).unwrap_or_default();
            holders.iter().any(|holder| host.exists(&format!("{place}/{holder}/intent")))
        };
        self.hosts.iter().all(|host| has_moved(host) || holds(host, "lock") || holds(host, "journal"))
    }

    /// Checks the target of every `current`, and the data version.
    #[track_caller]
    pub(crate) fn is_at(&self, text: &str, version: u32, what: &str) {
        for (place, host) in self.hosts.iter().enumerate() {
            let link = host.read_link(&at("current"));
            assert_eq!(link, Some(format!("releases/{text}")), "{what}: web{}", place + 1);
        }
        assert_eq!(self.data().version, version, "{what}: {}", self.described());
    }

    /// Checks that no leftovers remain.
    #[track_caller]
    pub(crate) fn is_clean(&self, what: &str) {
        self.is_without(what, &["live", "tmp", "staging", "journal", "trash"]);
    }

    /// Checks that there is no lock or journal; the next deploy removes the private files of a dead run.
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

/// Whether a host left `r3`, from which the rollbacks here start.
fn has_moved(host: &MemoryHost) -> bool {
    host.read_link(&at("current")) != Some("releases/r3".into())
}

/// Returns an observer that collects the warnings with their hints.
fn warnings() -> Collected<String> {
    Collected::new(|event| match event {
        Event::Warning { message, .. } => Some(format!("{message} {:?}", message.hints)),
        _ => None,
    })
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

/// Simulates the commands of a host: each is its own name.
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
    let litters = is(&data.littering);
    data.log.push(line);
    let number: u32 = release.trim_start_matches('r').parse().unwrap_or_default();
    if litters {
        data.debris.push_str("litter");
    }
    if half {
        let left = data.debris_of_failures.clone();
        data.debris += &left;
    }
    if !fails && !lies {
        match call.script.as_str() {
            "apply" => data.version = if half { number * 10 } else { number },
            "revert" if half => data.version *= 10,
            "revert" => data.version = variable("SWITCHBACK_DATA_TARGET").parse().expect("a version"),
            _ => {}
        }
    }
    let asked = data.log.len();
    let stdout = match call.script.as_str() {
        "version" if data.lost => String::new(),
        "version" if data.noisy => format!("{} after {asked} steps\n", data.version),
        "version" => format!("{}\n", data.version),
        "fingerprint" => format!("{}{}\n", data.version, data.debris),
        _ => String::new(),
    };
    let end = HookEnd::Exited(u8::from(fails || half));
    HookExit::new(end, stdout, "")
}
