//! [`Progress`]: what a run is doing and waiting for, as one line.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use switchback::{Event, event::Phase, hook::HookKind};

use super::{escape, moment};

/// The time that a phase must take before it is worth a line.
const WORTH: Duration = Duration::from_millis(500);

/// The progress of a run, by its events.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The hosts of the run that have not failed, in the order of the configuration.
    hosts: Vec<String>,
    /// The activity before the first phase, if it may take long.
    first: Option<&'static str>,
    since: Instant,
    phase: Option<Phase>,
    /// The number of hosts in the phase.
    of: usize,
    connected: HashSet<String>,
    /// The hosts that are done with the phase.
    done: HashSet<String>,
    /// The hosts on which a command of the phase has begun, and that are not done.
    begun: HashSet<String>,
    /// The commands that run now.
    hooks: HashMap<String, HookKind>,
    /// The locked hosts, with the lock holders.
    locked: HashMap<String, String>,
    /// The bytes of the upload to each host, sent and in all.
    bytes: HashMap<String, (u64, u64)>,
    interrupted: bool,
}

impl Progress {
    /// A run on these hosts that begins at `now`; `first` is its activity before the first phase, if that may take long.
    pub(crate) fn new(hosts: Vec<String>, first: Option<&'static str>, now: Instant) -> Self {
        Self {
            hosts,
            first,
            since: now,
            phase: None,
            of: 0,
            connected: HashSet::new(),
            done: HashSet::new(),
            begun: HashSet::new(),
            hooks: HashMap::new(),
            locked: HashMap::new(),
            bytes: HashMap::new(),
            interrupted: false,
        }
    }

    /// Notes that the run was asked to stop.
    pub(crate) fn interrupt(&mut self) {
        self.interrupted = true;
    }

    pub(crate) fn note(&mut self, event: &Event, now: Instant) {
        match event {
            // A leg of a drill has connections of its own.
            Event::Started { .. } => self.connected.clear(),
            Event::Phase { phase, hosts } => self.enter(*phase, *hosts, now),
            Event::Connected { host } => drop(self.connected.insert(host.clone())),
            Event::Waiting { host, lock, .. } => {
                let holder = lock.owner.as_ref().map_or("an unknown user", |owner| &owner.by);
                self.locked.insert(host.clone(), holder.to_owned());
            }
            Event::Progress { host, bytes, bytes_total, .. } => {
                self.bytes.insert(host.clone(), (*bytes, *bytes_total));
            }
            Event::HookStarted { host, hook } => {
                self.hooks.insert(host.clone(), *hook);
                self.begun.insert(host.clone());
                // `check` runs commands on a host after it has read its state.
                self.done.remove(host);
            }
            Event::HookEnded { host, .. } => drop(self.hooks.remove(host)),
            Event::HostDone { host, .. } | Event::Switched { host, .. } => self.finish(host),
            Event::HostFailed { host, .. } => {
                self.finish(host);
                self.hosts.retain(|other| other != host);
            }
            _ => {}
        }
    }

    fn enter(&mut self, phase: Phase, hosts: usize, now: Instant) {
        (self.phase, self.of, self.since) = (Some(phase), hosts, now);
        self.done.clear();
        self.begun.clear();
        self.hooks.clear();
        self.locked.clear();
        self.bytes.clear();
    }

    fn finish(&mut self, host: &str) {
        self.done.insert(host.to_owned());
        self.begun.remove(host);
        self.hooks.remove(host);
        self.locked.remove(host);
    }

    /// Describes the phase once it takes long: `prepare 4/5, waiting for web3 (9 s)`.
    pub(crate) fn text(&self, now: Instant) -> Option<String> {
        let took = now.saturating_duration_since(self.since);
        if took < WORTH {
            return None;
        }
        let Some(phase) = self.phase else { return Some(format!("{} ({})", self.first?, moment::whole(took))) };
        let what = match (self.interrupted, self.commands()) {
            (true, Some(commands)) => format!("stopping, waiting for {commands}"),
            (true, None) => format!("stopping: {}", self.described(phase)),
            (false, _) => self.described(phase),
        };
        Some(format!("{what} ({})", moment::whole(took)))
    }

    fn described(&self, phase: Phase) -> String {
        let all = self.of >= self.hosts.len();
        let connecting = self.missing(&self.connected);
        if matches!(phase, Phase::Ask | Phase::Lock) && all && !connecting.is_empty() {
            return counted("connect", self.hosts.len() - connecting.len(), self.of, &connecting);
        }
        if let Some((host, holder)) = self.hosts.iter().find_map(|host| self.locked.get_key_value(host)) {
            let (host, holder) = (escape::line(host), escape::line(holder));
            return format!("{}, waiting for the lock of {holder} on {host}", phase.as_str());
        }
        let bytes = self.bytes.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let name = match bytes {
            (_, 0) => phase.as_str().to_owned(),
            (sent, of) => format!("{}, {} of {},", phase.as_str(), moment::size(sent), moment::size(of)),
        };
        match phase {
            Phase::Data | Phase::PutBack | Phase::Prune | Phase::Finish | Phase::Other => {
                self.commands().map_or(name.clone(), |commands| format!("{name}, waiting for {commands}"))
            }
            // Only these hosts are known to take part.
            _ if !all => counted(&name, self.done.len(), self.of, &self.names(&self.begun)),
            _ => counted(&name, self.done.len(), self.of, &self.missing(&self.done)),
        }
    }

    /// Returns the commands that run now: `prepare on web3`.
    fn commands(&self) -> Option<String> {
        let hook = self.hooks.values().min_by_key(ToString::to_string)?;
        let on: Vec<&String> = self.hooks.iter().filter(|(_, other)| *other == hook).map(|(host, _)| host).collect();
        let mut names: Vec<&str> = self.hosts.iter().filter(|host| on.contains(host)).map(String::as_str).collect();
        // Not a host: the controller.
        names.extend(on.into_iter().filter(|host| !self.hosts.contains(host)).map(String::as_str));
        Some(format!("{hook} on {}", few(&names)))
    }

    /// Returns the hosts that are not in `done`.
    fn missing(&self, done: &HashSet<String>) -> Vec<&str> {
        self.hosts.iter().filter(|host| !done.contains(*host)).map(String::as_str).collect()
    }

    /// Returns the hosts in `set`.
    fn names(&self, set: &HashSet<String>) -> Vec<&str> {
        self.hosts.iter().filter(|host| set.contains(*host)).map(String::as_str).collect()
    }
}

fn counted(what: &str, done: usize, of: usize, missing: &[&str]) -> String {
    match missing {
        [] => format!("{what} {}/{of}", done.min(of)),
        _ => format!("{what} {}/{of}, waiting for {}", done.min(of), few(missing)),
    }
}

/// Shortens names: `web3 and 38 others`.
fn few(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => escape::line(one),
        [one, other] => format!("{} and {}", escape::line(one), escape::line(other)),
        [one, others @ ..] => format!("{} and {} others", escape::line(one), others.len()),
    }
}

#[cfg(test)]
mod tests {
    use switchback::{
        Token,
        lock::{LockHolder, LockOwner},
        report::Command,
        transport::Liveness,
    };

    use super::*;

    /// A run on hosts called web1, web2, ..., which began nine seconds ago.
    struct Run {
        progress: Progress,
        began: Instant,
    }

    impl Run {
        fn on(hosts: usize) -> Self {
            let began = Instant::now();
            let hosts = (1..=hosts).map(|number| format!("web{number}")).collect();
            Self { progress: Progress::new(hosts, Some("reading the source"), began), began }
        }

        fn note(&mut self, event: &Event) {
            self.progress.note(event, self.began);
        }

        fn phase(&mut self, phase: Phase, hosts: usize) {
            self.note(&Event::Phase { phase, hosts });
        }

        fn done(&mut self, host: &str, phase: Phase) {
            self.note(&Event::HostDone { host: host.to_owned(), phase });
        }

        fn connected(&mut self, hosts: &[&str]) {
            for host in hosts {
                self.note(&Event::Connected { host: (*host).to_owned() });
            }
        }

        fn starts(&mut self, host: &str, hook: HookKind) {
            self.note(&Event::HookStarted { host: host.to_owned(), hook });
        }

        fn text(&self) -> String {
            self.progress.text(self.began + Duration::from_secs(9)).expect("a line")
        }
    }

    #[test]
    fn a_phase_is_worth_a_line_after_half_a_second() {
        let mut run = Run::on(1);
        assert_eq!(run.text(), "reading the source (9 s)");
        run.phase(Phase::Finish, 1);
        assert_eq!(run.progress.text(run.began + WORTH / 2), None);
        assert_eq!(run.progress.text(run.began + WORTH).as_deref(), Some("finish (0 s)"));
    }

    #[test]
    fn connections_come_before_the_question() {
        let mut run = Run::on(40);
        run.phase(Phase::Ask, 40);
        assert_eq!(run.text(), "connect 0/40, waiting for web1 and 39 others (9 s)");
        run.connected(&["web1", "web2"]);
        assert_eq!(run.text(), "connect 2/40, waiting for web3 and 37 others (9 s)");
        let mut run = Run::on(2);
        run.phase(Phase::Ask, 2);
        run.connected(&["web1", "web2"]);
        run.done("web2", Phase::Ask);
        assert_eq!(run.text(), "ask 1/2, waiting for web1 (9 s)");
    }

    #[test]
    fn a_hook_is_waited_for() {
        let mut run = Run::on(5);
        run.phase(Phase::Prepare, 5);
        (2..=3).for_each(|number| run.starts(&format!("web{number}"), HookKind::Prepare));
        for number in [1, 4, 5] {
            run.done(&format!("web{number}"), Phase::Prepare);
        }
        assert_eq!(run.text(), "prepare 3/5, waiting for web2 and web3 (9 s)");
        run.progress.interrupt();
        assert_eq!(run.text(), "stopping, waiting for prepare on web2 and web3 (9 s)");
        run.phase(Phase::PutBack, 5);
        assert_eq!(run.text(), "stopping: put-back (9 s)");
    }

    #[test]
    fn only_some_hosts_take_part() {
        let mut run = Run::on(3);
        run.phase(Phase::Validate, 1);
        assert_eq!(run.text(), "validate 0/1 (9 s)");
        run.starts("web2", HookKind::Validate);
        run.note(&Event::HookEnded { host: "web2".to_owned(), hook: HookKind::Validate, end: String::new() });
        assert_eq!(run.text(), "validate 0/1, waiting for web2 (9 s)", "between two attempts");
        run.phase(Phase::Data, 1);
        run.starts("controller", HookKind::Apply);
        assert_eq!(run.text(), "data, waiting for apply on controller (9 s)");
    }

    #[test]
    fn a_lock_names_its_holder() {
        let mut run = Run::on(2);
        run.connected(&["web1", "web2"]);
        run.phase(Phase::Lock, 2);
        let owner = LockOwner::new(Command::Deploy, "ann\u{1b}");
        let lock = Box::new(LockHolder::new(Token::random(), owner, Liveness::Alive));
        run.note(&Event::Waiting { host: "web2".to_owned(), lock, seconds: 60.0 });
        assert_eq!(run.text(), "lock, waiting for the lock of ann\\u{1b} on web2 (9 s)");
        run.done("web2", Phase::Lock);
        assert_eq!(run.text(), "lock 1/2, waiting for web1 (9 s)");
    }

    #[test]
    fn an_upload_counts_bytes_and_a_failed_host_is_not_waited_for() {
        let mut run = Run::on(3);
        run.phase(Phase::Stage, 3);
        for host in ["web1", "web2"] {
            let (files, files_total, bytes, bytes_total) = (0, 1, 12_300_000, 57_000_000);
            run.note(&Event::Progress { host: host.to_owned(), files, files_total, bytes, bytes_total });
        }
        run.done("web3", Phase::Stage);
        assert_eq!(run.text(), "stage, 24.6 MB of 114.0 MB, 1/3, waiting for web1 and web2 (9 s)");
        let error = switchback::Error::new(switchback::ErrorKind::UploadFailed, "cut").into();
        run.note(&Event::HostFailed { host: "web1".to_owned(), phase: Phase::Stage, error });
        assert_eq!(run.text(), "stage, 24.6 MB of 114.0 MB, 2/3, waiting for web2 (9 s)");
    }
}
