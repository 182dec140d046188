//! The progress of a run, for the message when a second signal ends it.

use std::sync::{Arc, Mutex, PoisonError};

use switchback::{
    ErrorKind, Event,
    event::Phase,
    report::{Command, crowd},
};

/// Tracks a run by its events. Clones share the progress.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<Came>>);

/// The progress of the run. A drill runs several commands, one after the other.
#[derive(Debug, Default)]
struct Came {
    command: Option<Command>,
    /// The number of hosts that take part.
    hosts: usize,
    /// The phase of the present command.
    phase: Option<Phase>,
    /// Hosts whose `current` was switched, each with its release now.
    switched: Vec<(String, String)>,
    /// The number of hosts that switch in this phase.
    switching: usize,
    /// Those of them that have ended it.
    ended: Vec<String>,
    /// Hosts whose switch failed, so that they may have switched.
    doubtful: Vec<(String, ErrorKind)>,
}

impl UnderWay {
    pub(crate) fn note(&self, event: &Event) {
        let mut came = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { command, hosts, .. } => {
                (came.command, came.hosts) = (Some(*command), *hosts);
                came.enter(None, 0);
            }
            Event::Phase { phase, hosts } => came.enter(Some(*phase), *hosts),
            Event::Switched { host, after, .. } => {
                let after = after.as_ref().map_or("no release".to_owned(), ToString::to_string);
                came.switched.retain(|(other, _)| other != host);
                came.switched.push((host.clone(), after));
                came.end(host);
            }
            Event::HostFailed { host, error, .. } if came.is_switching() => {
                // A hook may fail after the revert; a revert that failed for certain leaves the host where it was.
                let is_settled =
                    !came.end(host) || came.phase == Some(Phase::PutBack) && error.kind != ErrorKind::Unknown;
                came.doubtful.extend((!is_settled).then(|| (host.clone(), error.kind)));
            }
            Event::HostDone { host, .. } if came.is_switching() => {
                came.end(host);
            }
            _ => {}
        }
    }

    /// Describes what the run leaves if it ends now, with the next command. `again` is `switchback` with the flags that
    /// select the same fleet.
    pub(crate) fn left(&self, again: &str) -> String {
        let came = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if came.command.is_none() {
            return "Ended at once: nothing had begun.\n".to_owned();
        }
        let phase = came.phase.map(|phase| format!(", in {}", phase.as_str())).unwrap_or_default();
        let locks = match came.phase {
            // `unlock` has no phase of its own.
            _ if came.command == Some(Command::Unlock) => ". The next command takes over any locks left on the hosts",
            None | Some(Phase::Ask) => ", and no lock is held",
            Some(Phase::Stage) => ", and no lock is held. The next deploy removes the upload",
            _ => ". The next command takes over any locks left on the hosts",
        };
        let next = "shows where each host is, and then";
        format!("Ended at once{phase}: {}{locks}.\nnext: `{again} status` {next} `{again} recover`\n", came.places())
    }
}

impl Came {
    fn enter(&mut self, phase: Option<Phase>, hosts: usize) {
        self.phase = phase;
        self.switching = if self.is_switching() { hosts } else { 0 };
        self.ended.clear();
        if phase == Some(Phase::PutBack) {
            // A switch that took effect before it failed is one of those to revert.
            self.doubtful.retain(|(_, why)| *why == ErrorKind::Unknown);
        }
    }

    /// Whether this phase moves `current`.
    fn is_switching(&self) -> bool {
        match self.phase {
            Some(Phase::Switch | Phase::PutBack) => true,
            // It links a directory that was adopted.
            Some(Phase::Prepare) => self.command == Some(Command::Adopt),
            _ => false,
        }
    }

    /// Notes that a host ended its switch; `false` if it had before.
    fn end(&mut self, host: &str) -> bool {
        self.doubtful.retain(|(other, _)| other != host);
        let is_new = !self.ended.iter().any(|other| other == host);
        self.ended.extend(is_new.then(|| host.to_owned()));
        is_new
    }

    /// Describes where the run switched hosts to, and whether more may switch.
    fn places(&self) -> String {
        let is_open = self.ended.len() < self.switching;
        let mut places: Vec<(&str, Vec<&str>)> = Vec::new();
        for (host, on) in &self.switched {
            let may_move =
                is_open && !self.ended.contains(host) || self.doubtful.iter().any(|(other, _)| other == host);
            match places.iter_mut().find(|(other, _)| other == on) {
                _ if may_move => {}
                Some((_, hosts)) => hosts.push(host),
                None => places.push((on, vec![host])),
            }
        }
        let told = places.iter().map(|(on, hosts)| format!("{} on {on}", crowd(hosts, 4)));
        let told = told.collect::<Vec<_>>().join(", ");
        if !is_open && self.doubtful.is_empty() {
            return if told.is_empty() { "no `current` was changed".to_owned() } else { told };
        }
        let (had, will) =
            if self.phase == Some(Phase::PutBack) { ("switched back", "switch back") } else { ("switched", "switch") };
        match (self.hosts, told.as_str()) {
            (1, _) => format!("the host may have {had}, or may still {will}"),
            (_, "") => format!("hosts may have {had}, or may still {will}"),
            (_, told) => format!("{told}; other hosts may have {had} too, or may still {will}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use switchback::Error;

    use super::*;

    fn started(command: Command, hosts: usize) -> Event {
        Event::Started { command, hosts, release: None }
    }

    fn phase(phase: Phase, hosts: usize) -> Event {
        Event::Phase { phase, hosts }
    }

    fn switched(host: &str, after: &str) -> Event {
        Event::Switched { host: host.to_owned(), before: None, after: after.parse().ok(), at: None }
    }

    fn failed(host: &str, phase: Phase, kind: ErrorKind) -> Event {
        Event::HostFailed { host: host.to_owned(), phase, error: Error::new(kind, "it failed").into() }
    }

    /// Returns what is left after these events, up to the locks.
    fn left(events: &[Event]) -> String {
        let run = UnderWay::default();
        for event in events {
            run.clone().note(event);
        }
        run.left("switchback").lines().next().expect("a line").trim_start_matches("Ended at once").to_owned()
    }

    #[test]
    fn what_is_left_depends_on_how_far_it_came() {
        let deploy = |hosts| started(Command::Deploy, hosts);
        let locks = "The next command takes over any locks left on the hosts.";
        assert_eq!(left(&[]), ": nothing had begun.");
        let upload = ", in stage: no `current` was changed, and no lock is held. The next deploy removes the upload.";
        assert_eq!(left(&[deploy(2), phase(Phase::Stage, 2)]), upload);
        assert_eq!(
            left(&[deploy(1), phase(Phase::Lock, 1), phase(Phase::Data, 1)]),
            format!(", in data: no `current` was changed. {locks}")
        );
        assert_eq!(
            left(&[started(Command::Prune, 2), phase(Phase::Lock, 2), phase(Phase::Prune, 2)]),
            format!(", in prune: no `current` was changed. {locks}")
        );
        let one = [deploy(1), phase(Phase::Switch, 1)];
        assert_eq!(left(&one), format!(", in switch: the host may have switched, or may still switch. {locks}"));
        let two = [deploy(2), phase(Phase::Switch, 2), switched("web1", "b-17")];
        assert_eq!(
            left(&two),
            format!(", in switch: web1 on b-17; other hosts may have switched too, or may still switch. {locks}")
        );
        let all = [&two[..], &[switched("web2", "b-17"), phase(Phase::Validate, 2)]].concat();
        assert_eq!(left(&all), format!(", in validate: web1, web2 on b-17. {locks}"));
        let back = [&all[..], &[phase(Phase::PutBack, 2), switched("web2", "b-16")]].concat();
        assert_eq!(
            left(&back),
            format!(
                ", in put-back: web2 on b-16; other hosts may have switched back too, or may still switch back. {locks}"
            )
        );
        let run = UnderWay::default();
        run.note(&deploy(1));
        assert!(run.left("switchback -e staging").contains("`switchback -e staging recover`"));
    }

    #[test]
    fn a_failed_switch_is_doubtful_until_it_is_settled() {
        let begun = [started(Command::Deploy, 1), phase(Phase::Switch, 1)];
        let lost =
            [&begun[..], &[failed("web1", Phase::Switch, ErrorKind::Unknown), phase(Phase::PutBack, 0)]].concat();
        assert!(left(&lost).contains("may have switched back"), "{}", left(&lost));
        let refused = [&begun[..], &[failed("web1", Phase::Switch, ErrorKind::Conflict)]].concat();
        assert!(left(&refused).contains("may have switched"), "{}", left(&refused));
        let settled = [&refused[..], &[phase(Phase::PutBack, 0)]].concat();
        assert!(left(&settled).contains("no `current` was changed"), "{}", left(&settled));
        let stays =
            [switched("web1", "b-17"), phase(Phase::PutBack, 1), failed("web1", Phase::PutBack, ErrorKind::HostFailed)];
        let stays = [&begun[..], &stays].concat();
        assert!(left(&stays).contains(": web1 on b-17."), "{}", left(&stays));
    }

    /// The baseline of a drill was switched by an earlier command of the same run.
    #[test]
    fn the_legs_of_a_drill_are_one_run() {
        let deploy = |name: &str| {
            let phases = [phase(Phase::Stage, 1), phase(Phase::Prepare, 1), phase(Phase::Switch, 1)];
            [&[started(Command::Deploy, 1)][..], &phases, &[switched("local", name)]].concat()
        };
        let status = [started(Command::Status, 1)];
        let drill = [&deploy("base")[..], &status, &deploy("n1")[..3]].concat();
        assert!(left(&drill).starts_with(", in prepare: local on base. The next command"), "{}", left(&drill));
        let between = [&deploy("base")[..], &status].concat();
        assert_eq!(left(&between), ": local on base, and no lock is held.");
    }
}
