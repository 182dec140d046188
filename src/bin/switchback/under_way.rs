//! The progress of a run, for the message when a second signal ends it.

use std::sync::{Arc, Mutex, PoisonError};

use switchback::{Event, event::Phase, report::crowd};

/// Tracks a run by its events. Clones share the progress.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<Came>>);

/// The progress of the run.
#[derive(Debug, Default)]
struct Came {
    phase: Option<Phase>,
    /// Hosts whose `current` was switched, each with its release now.
    switched: Vec<(String, String)>,
}

impl UnderWay {
    pub(crate) fn note(&self, event: &Event) {
        let mut came = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Phase { phase, .. } => came.phase = Some(*phase),
            Event::Switched { host, after, .. } => {
                let after = after.as_ref().map_or("no release".to_owned(), ToString::to_string);
                came.switched.retain(|(other, _)| other != host);
                came.switched.push((host.clone(), after));
            }
            _ => {}
        }
    }

    /// Describes what the run leaves if it ends now, with the next command. `again` is `switchback` with the flags that
    /// select the same fleet.
    pub(crate) fn left(&self, again: &str) -> String {
        let came = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(phase) = came.phase else { return "Ended at once: nothing had begun.\n".to_owned() };
        let left = match phase {
            Phase::Ask | Phase::Stage => {
                "no `current` was changed, and no lock is held. The next deploy removes the upload".to_owned()
            }
            Phase::Lock | Phase::Prepare => {
                "no `current` was changed. The next command takes over the locks left on the hosts".to_owned()
            }
            _ => format!("{}. The next command takes over any locks left on the hosts", came.places()),
        };
        let next = "shows where each host is, and then";
        format!("Ended at once, in {}: {left}.\nnext: `{again} status` {next} `{again} recover`\n", phase.as_str())
    }
}

impl Came {
    fn places(&self) -> String {
        let mut places: Vec<(&str, Vec<&str>)> = Vec::new();
        for (host, on) in &self.switched {
            match places.iter_mut().find(|(other, _)| other == on) {
                Some((_, hosts)) => hosts.push(host),
                None => places.push((on, vec![host])),
            }
        }
        let seen: Vec<String> = places.iter().map(|(on, hosts)| format!("{} on {on}", crowd(hosts, 4))).collect();
        let others = "other hosts may have switched too, or may still switch";
        if seen.is_empty() { others.to_owned() } else { format!("{}; {others}", seen.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_depends_on_how_far_it_came() {
        let run = UnderWay::default();
        assert_eq!(run.left("switchback"), "Ended at once: nothing had begun.\n");
        run.note(&Event::Phase { phase: Phase::Stage, hosts: 2 });
        assert!(run.left("switchback").contains("no lock is held"));
        run.note(&Event::Phase { phase: Phase::Lock, hosts: 2 });
        assert!(run.left("switchback").contains("no `current` was changed. The next command takes over the locks"));
        run.note(&Event::Phase { phase: Phase::Switch, hosts: 2 });
        let after = "b-17".parse().ok();
        run.clone().note(&Event::Switched { host: "web1".to_owned(), before: None, after, at: None });
        let left = run.left("switchback -e staging");
        assert!(left.starts_with("Ended at once, in switch: web1 on b-17; other hosts may have switched"), "{left}");
        assert!(left.contains("`switchback -e staging recover`"), "{left}");
    }
}
