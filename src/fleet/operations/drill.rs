//! `drill`: rehearses a rollback, each leg over fresh connections and with proofs after it.

use std::{sync::Arc, time::Instant};

use crate::{
    data::DataVersion,
    drill::{DrillReport, Leg, Proof},
    error::{Error, ErrorKind},
    event::Event,
    hint::Hint,
    name::ReleaseName,
    release::Release,
    report::{Command, HostReport, Outcome, Report},
    time::Timestamp,
    token::Token,
    tree::Tree,
};

use crate::fleet::{
    ActivateOptions, Call, DeployOptions, DrillOptions, Fleet, Retention, RollbackOptions, operations::probe::Probed,
};

/// The same content under another name.
#[derive(Debug)]
struct Renamed {
    name: ReleaseName,
    of: Arc<dyn Release>,
}

impl Release for Renamed {
    fn name(&self) -> &ReleaseName {
        &self.name
    }

    fn content(&self) -> Arc<Tree> {
        self.of.content()
    }

    fn irreversible(&self) -> Option<String> {
        self.of.irreversible()
    }
}

/// A rehearsal under way.
struct Drill<'d> {
    fleet: &'d Fleet,
    options: &'d DrillOptions,
    call: &'d Call,
    release: Arc<dyn Release>,
    began: Instant,
    report: DrillReport,
}

/// The state of the fleet at one moment, read over fresh connections.
#[derive(Debug, Clone)]
struct Snapshot {
    hosts: Vec<(String, Option<ReleaseName>)>,
    data: Probed,
}

/// The report of a rehearsal that stopped early.
type Aborted = Box<Report>;

/// Rehearses a rollback of `release`.
pub(in crate::fleet) async fn drill(
    fleet: &Fleet,
    release: Arc<dyn Release>,
    options: &DrillOptions,
    call: &Call,
) -> Report {
    let refused = |error: Error| {
        let mut report = Report::new(Command::Drill, Outcome::Refused);
        report.error = Some(error.into());
        report
    };
    if let Some(why) = release.irreversible() {
        let what =
            format!("the data of {} cannot be reverted: {why}; there is no rollback to rehearse", release.name());
        return refused(Error::new(ErrorKind::Irreversible, format!("{what}, and nothing was touched")));
    }
    let digest = match digest(release.as_ref()).await {
        Ok(digest) => digest,
        Err(error) => return refused(error),
    };
    let report = DrillReport::new(digest);
    let mut drill = Drill { fleet, options, call, release, began: Instant::now(), report };
    let last = match drill.run_legs().await {
        Ok(last) => last,
        Err(aborted) => return drill.end(*aborted),
    };
    drill.end(last)
}

/// Returns the digest of the release. Reads all of it.
async fn digest(release: &dyn Release) -> Result<String, Error> {
    let tree = release.content();
    let read = tokio::task::spawn_blocking(move || tree.digest()).await;
    let read = read.map_err(|error| Error::new(ErrorKind::Internal, "the source could not be read").because(error))?;
    Ok(read.map_err(Error::from)?.to_string())
}

impl Drill<'_> {
    /// Runs all legs, and returns the report of the last one.
    async fn run_legs(&mut self) -> Result<Report, Aborted> {
        if self.options.run.dry_run {
            return Ok(self.deploy(Arc::clone(&self.release)).await);
        }
        self.deploy_baseline().await?;
        let before = self.snapshot("before the drill").await?;
        let name = self.release.name().clone();

        let leg = self.deploy(Arc::clone(&self.release)).await;
        let deployed = self.leg("deploy", leg).await?;
        let forward = [on(&deployed.0, &name), moved(&before.data, &deployed.0.data)];
        self.prove(forward.into_iter().flatten().collect(), &deployed.1)?;

        let leg = self.roll_back(&name).await;
        self.report.time_to_restore = (leg.outcome == Outcome::Done).then_some(leg.seconds);
        let back = self.leg("rollback", leg).await?;
        let restored = [same_releases(&before, &back.0), same_data(&before.data, &back.0.data)];
        self.prove(restored.into_iter().flatten().collect(), &back.1)?;

        let leg = self.deploy_again(&name).await;
        let again = self.leg("deploy again", leg).await?;
        let forward = [on(&again.0, &name), same_version(&deployed.0.data, &again.0.data)];
        self.prove(forward.into_iter().flatten().collect(), &again.1)?;
        self.report.passed = true;
        Ok(again.1)
    }

    /// Deploys the source as a baseline if a host has no release to roll back to.
    async fn deploy_baseline(&mut self) -> Result<(), Aborted> {
        let status = self.fleet.run_status(self.call).await;
        if status.outcome != Outcome::Done {
            return Err(Box::new(status));
        }
        let has_current = |host: &HostReport| host.status.as_ref().is_some_and(|has| has.current.is_some());
        if status.hosts.iter().all(has_current) {
            return Ok(());
        }
        let name = ReleaseName::made_at(Timestamp::now(), &Token::random());
        let message =
            format!("there is no release to roll back to, so the source is deployed first as the baseline {name}");
        self.call.observer.event(&Event::Warning { host: None, message: message.into() });
        self.report.baseline = Some(name.clone());
        let baseline = Renamed { name: name.clone(), of: Arc::clone(&self.release) };
        let report = self.deploy(Arc::new(baseline)).await;
        if report.outcome != Outcome::Done {
            return Err(Box::new(report));
        }
        // Pinned, so that no later run prunes the release that the next drill rolls back to.
        let mut run = self.options.run.clone();
        run.reason = Some(format!("the baseline of the drill of {}", self.release.name()));
        let pinned = self.fleet.run_pin(&name, true, &run, self.call).await;
        self.fleet.disconnect().await;
        if pinned.error.is_none() { Ok(()) } else { Err(Box::new(pinned)) }
    }

    async fn deploy(&self, release: Arc<dyn Release>) -> Report {
        // A rehearsal removes no release.
        let (run, keep) = (self.options.run.clone(), Retention::All);
        let options = DeployOptions { run, keep, anew: true, ..DeployOptions::default() };
        self.fleet.run_deploy(release, &options, self.call).await
    }

    async fn roll_back(&self, from: &ReleaseName) -> Report {
        let mut run = self.options.run.clone();
        run.reason = Some(format!("the drill of {from}"));
        let options = RollbackOptions { run, from: Some(from.clone()), ..RollbackOptions::default() };
        self.fleet.run_rollback(&options, self.call).await
    }

    async fn deploy_again(&self, name: &ReleaseName) -> Report {
        let (run, keep) = (self.options.run.clone(), Retention::All);
        let options = ActivateOptions { run, keep, ..ActivateOptions::default() };
        self.fleet.run_activate(name, &options, self.call).await
    }

    /// Reads the state of the fleet over fresh connections.
    async fn snapshot(&self, when: &str) -> Result<Snapshot, Aborted> {
        self.fleet.disconnect().await;
        let status = self.fleet.run_status(self.call).await;
        if status.outcome != Outcome::Done {
            return Err(Box::new(status));
        }
        let at = |host: &HostReport| (host.host.clone(), host.status.as_ref().and_then(|has| has.current.clone()));
        let hosts = status.hosts.iter().map(at).collect();
        match crate::fleet::operations::probe::probe(self.fleet, &self.options.run, self.call).await {
            Ok(data) => Ok(Snapshot { hosts, data }),
            Err(mut report) => {
                if let Some(error) = &mut report.error {
                    *error = error.clone().reworded(format!("{when}, the data could not be read: {}", error.message));
                }
                Err(report)
            }
        }
    }

    /// Ends a leg: checks that its command succeeded, and reads the state of the fleet.
    async fn leg(&mut self, name: &str, report: Report) -> Result<(Snapshot, Report), Aborted> {
        let went = report.outcome == Outcome::Done;
        let said = report.error.as_ref().map_or_else(|| "done".to_owned(), |error| error.message.clone());
        let proof = Proof::new(format!("the {name} succeeded"), went, said);
        let (seconds, phases) = (report.seconds, report.phases.clone());
        self.report.legs.push(Leg { name: name.to_owned(), seconds, phases, data: None, proofs: vec![proof] });
        if !went {
            return Err(Box::new(report));
        }
        let snapshot = self.snapshot(&format!("after the {name}")).await?;
        if let Some(leg) = self.report.legs.last_mut() {
            leg.data.clone_from(&snapshot.data.shown);
        }
        Ok((snapshot, report))
    }

    /// Adds the proofs to the leg.
    fn prove(&mut self, proofs: Vec<Proof>, report: &Report) -> Result<(), Aborted> {
        let held = proofs.iter().all(|proof| proof.held);
        if let Some(leg) = self.report.legs.last_mut() {
            leg.proofs.extend(proofs);
        }
        if held { Ok(()) } else { Err(Box::new(report.clone())) }
    }

    /// Makes the report of the drill out of the last command's report.
    fn end(self, last: Report) -> Report {
        let dry = self.options.run.dry_run;
        let went = |leg: &Leg| leg.proofs.iter().all(|proof| proof.held);
        let first_failed = self.report.legs.first().is_none_or(|leg| self.report.legs.len() == 1 && !went(leg))
            && last.outcome != Outcome::Done;
        let outcome = match (self.report.passed || dry, first_failed) {
            // If nothing was rehearsed, the report of the first deploy says why.
            (true, _) | (false, true) => last.outcome,
            (false, false) if last.outcome == Outcome::Interrupted => Outcome::Interrupted,
            (false, false) => Outcome::Differs,
        };
        let error = if outcome == Outcome::Differs { Some(self.broken(&last).into()) } else { last.error };
        let drill = (!dry).then_some(self.report);
        let seconds = self.began.elapsed().as_secs_f64();
        // Those of the last command: each leg has its own.
        let phases = if drill.is_some() { Vec::new() } else { last.phases };
        Report { command: Command::Drill, outcome, error, drill, seconds, phases, ..last }
    }

    fn broken(&self, last: &Report) -> Error {
        let mut words: Vec<String> = self
            .report
            .broken()
            .map(|(leg, proof)| format!("after the {}: {}: {}", leg.name, proof.name, proof.seen))
            .collect();
        if words.is_empty() {
            words.extend(last.error.as_ref().map(|error| error.message.clone()));
        }
        let next = last.error.as_ref().map(|error| error.hints.clone()).filter(|hints| !hints.is_empty());
        let next = next.unwrap_or_else(|| vec![Hint::Status]);
        Error::new(ErrorKind::DrillFailed, format!("the drill did not hold: {}", words.join("; "))).hints(next)
    }
}

/// Proves that every host is on `name`.
fn on(snapshot: &Snapshot, name: &ReleaseName) -> Vec<Proof> {
    let odd: Vec<String> =
        snapshot.hosts.iter().filter(|(_, current)| current.as_ref() != Some(name)).map(described).collect();
    let words = if odd.is_empty() { format!("{} on it", snapshot.hosts.len()) } else { odd.join(", ") };
    vec![Proof::new(format!("every host is on {name}"), odd.is_empty(), words)]
}

/// Proves that every host is on the same release as before.
fn same_releases(before: &Snapshot, now: &Snapshot) -> Vec<Proof> {
    let odd: Vec<String> = now.hosts.iter().filter(|host| !before.hosts.contains(host)).map(described).collect();
    let words = if odd.is_empty() { format!("{} are", now.hosts.len()) } else { odd.join(", ") };
    vec![Proof::new("every host is back on its previous release", odd.is_empty(), words)]
}

fn described((host, current): &(String, Option<ReleaseName>)) -> String {
    format!("{host} is on {}", current.as_ref().map_or("nothing", |name| name.as_str()))
}

/// Proves that the fingerprint changed together with the data version.
fn moved(before: &Probed, now: &Probed) -> Vec<Proof> {
    let changed = before.version != now.version;
    let (Some(old), Some(new)) = (&before.fingerprint, &now.fingerprint) else { return Vec::new() };
    if !changed {
        return Vec::new();
    }
    let words = if old == new { "unchanged".to_owned() } else { "changed".to_owned() };
    vec![Proof::new("the data fingerprint changed with the data version", old != new, words)]
}

/// Proves that the data is the same as before.
fn same_data(before: &Probed, now: &Probed) -> Vec<Proof> {
    let mut proofs = same_version(before, now);
    if let (Some(old), Some(new)) = (&before.fingerprint, &now.fingerprint) {
        let words = difference(old, new);
        proofs.push(Proof::new("the data fingerprint is the same as before", old == new, words));
    }
    proofs
}

fn same_version(before: &Probed, now: &Probed) -> Vec<Proof> {
    let shown = |version: &Option<DataVersion>| version.as_ref().map_or("not known".to_owned(), ToString::to_string);
    if before.version.is_none() && now.version.is_none() {
        return Vec::new();
    }
    let words = format!("{}, and before {}", shown(&now.shown), shown(&before.shown));
    vec![Proof::new("the data version is the same as before", before.version == now.version, words)]
}

/// Describes the first line in which two fingerprints differ.
fn difference(old: &str, new: &str) -> String {
    let (mut old, mut new) = (old.lines(), new.lines());
    loop {
        match (old.next(), new.next()) {
            (None, None) => return "unchanged".to_owned(),
            (one, other) if one != other => {
                let shown = |line: Option<&str>| line.map_or("nothing".to_owned(), |line| format!("{:?}", cut(line)));
                return format!("it was {} and is {}", shown(one), shown(other));
            }
            _ => {}
        }
    }
}

fn cut(line: &str) -> &str {
    line.char_indices().nth(120).map_or(line, |(at, _)| &line[..at])
}
