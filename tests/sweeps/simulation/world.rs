//! A simulated world: hosts, competing controllers, and mishaps between them.

use switchback::{
    Timestamp,
    fleet::Cancel,
    transport::{
        MemoryHost, MemoryTransport,
        raw::{Batch, Op},
    },
};

use crate::simulation::{
    checker::{Checker, Trace, Verdict, reported, signature},
    command::Command,
    counts::Counts,
    ground::at,
    names::Names,
    oracle::Diary,
    puppet::{Answer, Call, Controller, Desk, host_name},
    rng::Rng,
    weather::{Fate, Weather},
};

/// The number of log lines to keep for a failure.
const LINES: usize = 80;

/// A running command.
struct Running {
    controller: Controller,
    trace: Trace,
    /// Its connection to each host.
    lines: Vec<MemoryTransport>,
    cancel: Cancel,
}

/// A call in transit whose sender already has an unknown result.
struct Late {
    /// The command that sent it; its trace is in `over` once it has ended.
    sender: usize,
    host: usize,
    call: Call,
}

pub(crate) struct World {
    rng: Rng,
    weather: Weather,
    hosts: Vec<MemoryHost>,
    checker: Checker,
    diary: Diary,
    running: Vec<Running>,
    over: Vec<Trace>,
    late: Vec<Late>,
    known: Vec<String>,
    log: Vec<String>,
    /// Whether to keep the whole log.
    told: bool,
    pub(crate) counts: Counts,
}

impl World {
    pub(crate) fn new(seed: u64, told: bool) -> Self {
        let mut rng = Rng::new(seed);
        let weather = Weather::draw(&mut rng);
        let count = match rng.below(20) {
            0 => 1 + rng.below(50),
            1..4 => 4 + rng.below(8),
            _ => 1 + rng.below(3),
        };
        let log = vec![format!("{count} hosts, {weather:?}")];
        Self {
            checker: Checker::new(count, weather.people > 0),
            hosts: (0..count).map(|_| MemoryHost::new()).collect(),
            rng,
            weather,
            diary: Diary::default(),
            running: Vec::new(),
            over: Vec::new(),
            late: Vec::new(),
            known: Vec::new(),
            log,
            told,
            counts: Counts { worlds: 1, ..Counts::default() },
        }
    }

    /// Runs `commands` commands, and then checks that the world can be put in order.
    pub(crate) fn live(&mut self, commands: usize) -> Result<(), String> {
        let result = self.events(commands).and_then(|()| self.settle());
        result.map_err(|why| format!("{why}\n\n{}", self.log.join("\n")))
    }

    fn events(&mut self, commands: usize) -> Verdict {
        while self.counts.commands < commands || !self.running.is_empty() {
            let room = self.running.len() < self.weather.controllers && self.counts.commands < commands;
            if self.running.is_empty() || room && self.rng.happens(60) {
                self.begin();
            }
            self.mishap()?;
            // After a crash, no command may be running.
            if !self.running.is_empty() {
                let at = self.rng.below(self.running.len());
                self.advance(at)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, line: String) {
        if self.log.len() > LINES && !self.told {
            self.log.remove(1);
        }
        self.log.push(line);
    }

    /// Starts a random command.
    fn begin(&mut self) {
        self.counts.commands += 1;
        let command = Command::draw(&mut self.rng, &self.known, self.counts.commands);
        self.known.extend(command.names().map(ToOwned::to_owned));
        self.start(command);
    }

    fn start(&mut self, command: Command) {
        // Every command is in exactly one of the two lists, so the sum is a fresh number.
        let id = self.over.len() + self.running.len() + 1;
        let (mut tokens, mut clock) = (self.rng.split(), self.rng.split());
        let draw = move |_| format!("{:016x}{:010x}{}", tokens.next(), tokens.next() >> 24, signature(id));
        let time = move || Timestamp::from_unix(clock.seconds(), 0).map_or_else(String::new, |time| time.to_string());
        let desk = Desk::new(Names::new(draw, time), ());
        let cancel = Cancel::new();
        self.note(format!("#{id} begins: {command:?}"));
        let fleet = desk.fleet(0..self.hosts.len());
        let controller = Controller::begin(&desk, command.clone().run(fleet, cancel.clone()));
        let lines = self.hosts.iter().enumerate().map(|(at, host)| host.connect(host_name(at))).collect();
        let trace = Trace::new(id, command, self.hosts.len());
        self.running.push(Running { controller, trace, lines, cancel });
    }

    /// Decides the fate of one call of a command.
    fn advance(&mut self, at: usize) -> Verdict {
        let waiting = self.running[at].controller.waiting();
        if waiting == 0 {
            return if self.running[at].controller.reports.is_some() {
                self.end(at)
            } else {
                Err(format!("#{} waits for nothing", self.running[at].trace.id))
            };
        }
        let which = self.rng.below(waiting);
        let fate = self.weather.fate(&mut self.rng);
        self.meet(at, which, fate)?;
        if self.running[at].controller.reports.is_some() { self.end(at) } else { Ok(()) }
    }

    fn meet(&mut self, at: usize, which: usize, fate: Fate) -> Verdict {
        let (host, call) = self.running[at].controller.call(which);
        let id = self.running[at].trace.id;
        self.counts.mishaps += usize::from(fate != Fate::Answered);
        self.counts.exchanges += usize::from(fate != Fate::Unreachable);
        self.note(format!("#{id} {}: {fate:?}: {}", host_name(host), describe(&call)));
        let answer = match fate {
            Fate::Answered => self.execute(at, host, &call)?,
            Fate::Lost { hang_up } => {
                self.execute(at, host, &call)?;
                self.hang_up(at, host, hang_up);
                Answer::Unknown
            }
            Fate::Cut => {
                let part = self.part_of(&call);
                self.execute(at, host, &part)?;
                self.hang_up(at, host, true);
                Answer::Unknown
            }
            Fate::Delayed { hang_up } => {
                self.hang_up(at, host, hang_up);
                self.late.push(Late { sender: id, host, call });
                Answer::Unknown
            }
            Fate::Unreachable => Answer::Unreachable,
        };
        self.running[at].controller.answer(which, answer);
        Ok(())
    }

    fn hang_up(&mut self, at: usize, host: usize, really: bool) {
        if really {
            self.running[at].lines[host].kill();
        }
    }

    /// Cuts a batch off after a random number of steps.
    fn part_of(&mut self, call: &Call) -> Call {
        match call {
            Call::Upload(upload) => Call::Upload(upload.clone()),
            Call::Execute(batch) => {
                let steps = batch.steps[..self.rng.below(batch.steps.len() + 1)].to_vec();
                Call::Execute(Batch { steps, ..batch.clone() })
            }
        }
    }

    fn execute(&mut self, at: usize, host: usize, call: &Call) -> Result<Answer, String> {
        self.counts.steps += call.steps();
        let running = &mut self.running[at];
        let answer = call.carry_out(&running.lines[host]);
        let verdict = self.checker.carried_out(&mut running.trace, host, &self.hosts[host], call);
        verdict.map_err(|why| format!("#{} on {}: {why}", running.trace.id, host_name(host)))?;
        self.checker.answered(&mut running.trace, host, call, &answer);
        Ok(answer)
    }

    /// Ends a command and checks its report.
    fn end(&mut self, at: usize) -> Verdict {
        let running = self.running.swap_remove(at);
        let report = running.controller.reports.as_ref().and_then(|reports| reports.first()).ok_or("no report")?;
        let why = report.error.as_ref().map_or("", |error| &error.message);
        let line = format!("#{} ends: {:?} {why}", running.trace.id, report.outcome);
        self.note(line);
        reported(&running.trace, report).map_err(|why| format!("#{}: {why}", running.trace.id))?;
        if self.weather.is_calm() {
            let grounds = (0..self.hosts.len()).map(|host| self.checker.ground(host));
            self.diary.check(&running.trace.command, report, grounds)?;
        }
        self.over.push(running.trace);
        Ok(())
    }

    /// Draws the other mishaps.
    fn mishap(&mut self) -> Verdict {
        if self.rng.happens(self.weather.clock) {
            let (host, seconds) = (self.rng.below(self.hosts.len()), self.rng.seconds());
            self.hosts[host].set_clock(Timestamp::from_unix(seconds, 0).ok_or("a time")?);
        }
        if self.rng.happens(self.weather.crash) && !self.running.is_empty() {
            let at = self.rng.below(self.running.len());
            self.crash(at);
        }
        if self.rng.happens(self.weather.cancel)
            && let Some(running) = self.running.first_mut()
        {
            running.cancel.request();
            running.controller.advance();
            let line = format!("#{} is asked to stop", running.trace.id);
            self.note(line);
        }
        if self.rng.happens(200) && !self.late.is_empty() {
            let at = self.rng.below(self.late.len());
            self.arrive(at)?;
        }
        if self.rng.happens(self.weather.people) {
            self.person();
        }
        Ok(())
    }

    /// Crashes a controller with its processes. Calls that it has sent arrive at some time, or never.
    fn crash(&mut self, at: usize) {
        self.counts.mishaps += 1;
        let Running { controller, trace, .. } = self.running.swap_remove(at);
        let (id, waiting) = (trace.id, controller.waiting());
        self.note(format!("#{id} crashes"));
        for which in 0..waiting {
            if self.rng.happens(500) {
                let (host, call) = controller.call(which);
                self.late.push(Late { sender: id, host, call });
            }
        }
        self.over.push(trace);
    }

    /// Executes a call long after it was sent.
    fn arrive(&mut self, at: usize) -> Verdict {
        let Late { sender, host, call } = self.late.swap_remove(at);
        self.counts.exchanges += 1;
        self.note(format!("#{sender} {}: late: {}", host_name(host), describe(&call)));
        if let Some(at) = self.running.iter().position(|running| running.trace.id == sender) {
            let running = &mut self.running[at];
            call.carry_out(&running.lines[host]);
            let verdict = self.checker.carried_out(&mut running.trace, host, &self.hosts[host], &call);
            return verdict.map_err(|why| format!("late from #{sender} on {}: {why}", host_name(host)));
        }
        self.counts.steps += call.steps();
        call.carry_out(&self.hosts[host].connect(host_name(host)));
        let trace = self.over.iter_mut().find(|trace| trace.id == sender).ok_or("nobody sent it")?;
        let verdict = self.checker.carried_out(trace, host, &self.hosts[host], &call);
        verdict.map_err(|why| format!("late from #{sender}, which is over, on {}: {why}", host_name(host)))
    }

    /// Lets a person with a shell interfere.
    fn person(&mut self) {
        self.counts.mishaps += 1;
        let which = self.rng.below(self.hosts.len());
        let host = self.hosts[which].clone();
        let releases: Vec<String> = self.checker.ground(which).releases.keys().cloned().collect();
        let release = self.rng.one_of(&releases).cloned();
        let deed = self.rng.below(100);
        self.note(format!("somebody on {}: deed {deed} on {release:?}", host_name(which)));
        match (deed, release) {
            (0..40, Some(release)) => {
                host.remove(&at("current"));
                let text = if deed < 30 { format!("releases/{release}") } else { at(&format!("releases/{release}")) };
                host.link(&at("current"), text);
            }
            (40..55, Some(release)) => host.remove(&at(&format!("releases/{release}"))),
            (55..60, _) => host.remove(&at("current")),
            (60..70, _) => host.reboot(),
            (70.., _) => {
                // Takes the lock away, as the tool itself does from a dead holder.
                if let Some(token) = self.checker.ground(which).lock.clone() {
                    host.rename(
                        &at(&format!(".switchback/lock/{token}")),
                        &at(&format!(".switchback/journal/{token}")),
                    );
                }
            }
            _ => {}
        }
        self.checker.meddled(which, &host);
    }

    /// Checks that the next deploy succeeds when all others have ended and people have repaired what they broke.
    /// FAULTS.md I27.
    fn settle(&mut self) -> Verdict {
        while !self.late.is_empty() {
            self.arrive(0)?;
        }
        for host in 0..self.hosts.len() {
            self.mend(host);
        }
        let calm = std::mem::replace(&mut self.weather, Weather::afterwards());
        let serial = self.counts.commands + 1;
        self.start(Command::Deploy { name: format!("last{serial}"), serial, split: true });
        self.run_to_its_end()?;
        self.weather = calm;
        for host in 0..self.hosts.len() {
            let ground = self.checker.ground(host);
            if ground.on() != Some(&format!("last{serial}")) || ground.lock.is_some() || !ground.intents.is_empty() {
                return Err(format!("I27: {} is not in order after the last deploy: {ground:?}", host_name(host)));
            }
        }
        Ok(())
    }

    fn run_to_its_end(&mut self) -> Verdict {
        while !self.running.is_empty() {
            self.advance(0)?;
        }
        Ok(())
    }

    /// Links `current` to a release again, as the person who broke it must.
    fn mend(&mut self, host: usize) {
        let ground = self.checker.ground(host);
        let leads = ground.on().is_some_and(|on| ground.releases.contains_key(on));
        let some = ground.releases.keys().next().cloned();
        if !leads {
            self.hosts[host].remove(&at("current"));
            if let Some(release) = some {
                self.hosts[host].link(&at("current"), format!("releases/{release}"));
            }
            let host_now = self.hosts[host].clone();
            self.checker.meddled(host, &host_now);
        }
    }
}

/// Describes a call: what it moves, removes and writes, with shortened tokens.
fn describe(call: &Call) -> String {
    let Call::Execute(batch) = call else { return "upload".to_owned() };
    let steps = batch.steps.iter().map(|step| match &step.op {
        Op::MoveInto { from, into } => format!("{from} into {into}; "),
        Op::RemoveFile { path } | Op::RemoveTree { path } => format!("rm {path}; "),
        Op::WriteNew { path, .. } | Op::MarkProcess { path } => format!("write {path}; "),
        Op::MakeLink { path, text } => format!("link {path} {}; ", String::from_utf8_lossy(text)),
        _ => String::new(),
    });
    let words = steps.collect::<String>().replace(".switchback/", "");
    let shorter = words
        .split('/')
        .map(|part| if part.len() > 31 { format!("{}{}", &part[..4], &part[26..]) } else { part.to_owned() });
    let words = shorter.collect::<Vec<_>>().join("/");
    if words.is_empty() { "only looks".to_owned() } else { words }
}
