//! Memoized results: of a call on a host, and of a command after its replies.
//!
//! A host is identified by its content, a command by its replies so far. So a state of the model is a few numbers,
//! although the real code took every step of it.

use std::collections::HashMap;

use switchback::{
    Report,
    transport::{MemoryHost, MemoryTransport, raw::Op},
};

use crate::model::{
    HOSTS,
    command::{Command, Planted},
    ground::Ground,
    puppet::{Answer, Call, Controller, host_name},
};

/// The maximum number of suspended commands to keep; the others are replayed from their beginning.
const ALIVE: usize = 4_000;

/// A point in the run of one command: the replies to it so far.
pub(crate) struct Node {
    /// The call that waits on each host.
    pub(crate) waiting: [Option<u32>; HOSTS],
    pub(crate) reports: Option<Vec<Report>>,
    story: Vec<(usize, u32)>,
    next: HashMap<(usize, u32), u32>,
}

/// Numbers for values with the same `Debug` text.
struct Interned<T> {
    by_words: HashMap<String, u32>,
    values: Vec<T>,
}

impl<T: std::fmt::Debug> Interned<T> {
    fn new() -> Self {
        Self { by_words: HashMap::new(), values: Vec::new() }
    }

    fn number(&mut self, value: T) -> u32 {
        let words = format!("{value:?}");
        if let Some(known) = self.by_words.get(&words) {
            return *known;
        }
        let number = u32::try_from(self.values.len()).expect("they fit");
        self.by_words.insert(words, number);
        self.values.push(value);
        number
    }
}

/// The effect of a call on a host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) host: u32,
    pub(crate) answer: u32,
    /// The process that executed it.
    pub(crate) process: u32,
}

pub(crate) struct Memo {
    commands: [Command; 2],
    planted: Planted,
    hosts: Vec<(MemoryHost, Ground)>,
    by_print: HashMap<u64, u32>,
    calls: Interned<Call>,
    answers: Interned<Answer>,
    done: HashMap<(u32, u32, u32), Done>,
    ended: HashMap<(u32, u32), u32>,
    /// Whether a call reads `current`.
    reads: HashMap<u32, bool>,
    pub(crate) nodes: Vec<Node>,
    /// Nodes by the replies and calls of each host, regardless of the order among hosts.
    by_story: HashMap<String, u32>,
    alive: HashMap<u32, Controller>,
    /// The number of times that a command was replayed from its beginning.
    pub(crate) runs: usize,
}

impl Memo {
    pub(crate) fn new(commands: [Command; 2], planted: Planted) -> Self {
        Self {
            commands,
            planted,
            hosts: Vec::new(),
            by_print: HashMap::new(),
            calls: Interned::new(),
            answers: Interned::new(),
            done: HashMap::new(),
            ended: HashMap::new(),
            reads: HashMap::new(),
            nodes: Vec::new(),
            by_story: HashMap::new(),
            alive: HashMap::new(),
            runs: 0,
        }
    }

    /// Returns the number for this content of a host.
    pub(crate) fn host(&mut self, host: &MemoryHost) -> u32 {
        let number = u32::try_from(self.hosts.len()).expect("they fit");
        let hosts = &mut self.hosts;
        *self.by_print.entry(host.fingerprint()).or_insert_with(|| {
            hosts.push((host.snapshot(), Ground::read(host)));
            number
        })
    }

    pub(crate) fn copy(&self, host: u32) -> MemoryHost {
        self.hosts[host as usize].0.snapshot()
    }

    pub(crate) fn ground(&self, host: u32) -> &Ground {
        &self.hosts[host as usize].1
    }

    pub(crate) fn hosts(&self) -> usize {
        self.hosts.len()
    }

    pub(crate) fn call(&self, call: u32) -> &Call {
        &self.calls.values[call as usize]
    }

    pub(crate) fn answer(&self, answer: u32) -> &Answer {
        &self.answers.values[answer as usize]
    }

    /// Returns the call with only the first `steps` steps of its batch.
    pub(crate) fn part(&mut self, call: u32, steps: usize) -> u32 {
        let mut part = self.call(call).clone();
        if let Call::Execute(batch) = &mut part {
            batch.steps.truncate(steps);
        }
        self.calls.number(part)
    }

    /// Returns the number of a lost answer.
    pub(crate) fn unknown(&mut self) -> u32 {
        self.answers.number(Answer::Unknown)
    }

    /// Executes a call on a host, in an existing process, or in a new one (0).
    pub(crate) fn carry_out(&mut self, host: u32, process: u32, call: u32) -> Done {
        if let Some(done) = self.done.get(&(host, process, call)) {
            return *done;
        }
        let copy = self.copy(host);
        let over: MemoryTransport =
            if process == 0 { copy.connect(host_name(0)) } else { copy.connect_as(host_name(0), process) };
        let answer = self.call(call).carry_out(&over);
        let after = over.leave().unwrap_or(0);
        let done = Done { host: self.host(&copy), answer: self.answers.number(answer), process: after };
        self.done.insert((host, process, call), done);
        done
    }

    /// Returns the host after a process has ended.
    pub(crate) fn ended(&mut self, host: u32, process: u32) -> u32 {
        if let Some(known) = self.ended.get(&(host, process)) {
            return *known;
        }
        let copy = self.copy(host);
        copy.end_process(process);
        let after = self.host(&copy);
        self.ended.insert((host, process), after);
        after
    }

    /// Whether the answer to a call shows `current`.
    pub(crate) fn shows_current(&mut self, call: u32, answer: u32) -> bool {
        let known = matches!(self.answer(answer), Answer::Replies(_));
        let calls = &self.calls;
        known && *self.reads.entry(call).or_insert_with(|| reads_current(&calls.values[call as usize]))
    }

    /// Returns the node at which a controller's command begins.
    pub(crate) fn beginning(&mut self, controller: usize) -> u32 {
        let begun = self.commands[controller].begin(controller, self.planted);
        self.place(controller, begun, Vec::new())
    }

    /// Returns the node that the command reaches from `node` by this answer of a host.
    pub(crate) fn told(&mut self, controller: usize, node: u32, host: usize, answer: u32) -> u32 {
        if let Some(known) = self.nodes[node as usize].next.get(&(host, answer)) {
            return *known;
        }
        let mut story = self.nodes[node as usize].story.clone();
        let mut command = match self.alive.remove(&node) {
            Some(alive) => alive,
            None => self.again(controller, &story),
        };
        self.tell(&mut command, host, answer);
        story.push((host, answer));
        let place = self.place(controller, command, story);
        self.nodes[node as usize].next.insert((host, answer), place);
        place
    }

    fn again(&mut self, controller: usize, story: &[(usize, u32)]) -> Controller {
        self.runs += 1;
        let mut command = self.commands[controller].begin(controller, self.planted);
        for (host, answer) in story {
            self.tell(&mut command, *host, *answer);
        }
        command
    }

    fn tell(&self, command: &mut Controller, host: usize, answer: u32) {
        let at = (0..command.waiting()).find(|at| command.call(*at).0 == host).expect("it waits for this host");
        command.answer(at, self.answer(answer).clone());
    }

    /// Returns the node of a command after this story. Two stories that differ only in the order among hosts share a
    /// node if the command makes the same calls after both.
    fn place(&mut self, controller: usize, command: Controller, story: Vec<(usize, u32)>) -> u32 {
        let mut waiting = [None; HOSTS];
        for at in 0..command.waiting() {
            let (host, call) = command.call(at);
            assert!(waiting[host].is_none(), "two calls to one host at once");
            waiting[host] = Some(self.calls.number(call));
        }
        let reports = command.reports.clone().map(|mut reports| {
            for report in &mut reports {
                // Irrelevant, and different in every run.
                (report.seconds, report.operation) = (0.0, None);
            }
            reports
        });
        let mut by_host = story.clone();
        by_host.sort_by_key(|(host, _)| *host);
        let words = format!("{controller} {by_host:?} {waiting:?} {reports:?}");
        if let Some(known) = self.by_story.get(&words) {
            return *known;
        }
        let number = u32::try_from(self.nodes.len()).expect("they fit");
        self.by_story.insert(words, number);
        self.nodes.push(Node { waiting, reports, story, next: HashMap::new() });
        if self.alive.len() == ALIVE {
            self.alive.clear();
        }
        self.alive.insert(number, command);
        number
    }
}

fn reads_current(call: &Call) -> bool {
    let Call::Execute(batch) = call else { return false };
    let reads = |op: &Op| matches!(op, Op::ReadLink { path } if path.as_str() == "current");
    batch.steps.iter().any(|step| reads(&step.op))
}
