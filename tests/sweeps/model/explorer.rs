//! Explores every order of calls, losses, crashes and thefts, breadth first.

use std::{
    collections::{HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

use switchback::transport::MemoryHost;

use crate::model::{
    HOSTS, START,
    command::{Command, Planted},
    ground::at,
    invariants::{On, Step, Trace, Verdict, reported},
    memo::Memo,
    puppet::host_name,
};

/// The node of a crashed command.
const DEAD: u32 = u32::MAX;

/// The limit on each kind of mishap along one path through the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Budget {
    /// A call is executed and its answer lost.
    pub(crate) lost: u8,
    /// The same, and the process dies with the connection.
    pub(crate) hung_up: u8,
    /// A call arrives at any later time, and its sender does not wait.
    pub(crate) delayed: u8,
    /// A process dies after some steps of a batch.
    pub(crate) cut: u8,
    pub(crate) crashes: u8,
    /// A lock is taken from a live holder.
    pub(crate) steals: u8,
    /// Somebody links `current` by hand.
    pub(crate) by_hand: u8,
}

/// A state of the whole model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    hosts: [u32; HOSTS],
    nodes: [u32; 2],
    /// The process of each controller on each host; 0 for none.
    processes: [[u32; HOSTS]; 2],
    /// Calls in transit: controller, host, call.
    late: Vec<(usize, usize, u32)>,
    traces: [Trace; 2],
    left: Budget,
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Begin,
    Answer(usize, usize),
    Lose(usize, usize, bool),
    Cut(usize, usize, usize),
    Delay(usize, usize),
    Arrive(usize),
    Crash(usize),
    Steal(usize),
    ByHand(usize),
}

/// The result of an exploration.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    /// Whether every state was explored.
    pub(crate) exhausted: bool,
    pub(crate) places: usize,
    pub(crate) hosts: usize,
    /// The number of times that a command was replayed from its beginning.
    pub(crate) runs: usize,
    /// The violated invariant, with the actions that led to it.
    pub(crate) wrong: Option<String>,
}

pub(crate) struct Explorer {
    memo: Memo,
    commands: [Command; 2],
    steals: bool,
    /// Known states that are not explored yet, each with its number.
    ahead: VecDeque<(u32, State)>,
    /// The state and the action that each state came from.
    ways: Vec<(u32, Action)>,
    /// Hashes of known states: at two million states, the chance that two share a hash is about one in ten million.
    known: HashSet<u64>,
    steps: usize,
}

impl Explorer {
    pub(crate) fn new(commands: [Command; 2], planted: Planted, left: Budget) -> Self {
        let mut memo = Memo::new(commands, planted);
        let (host, processes) = START.with(|host| {
            let host = host.snapshot();
            let process = || {
                let over = host.connect(host_name(0));
                let look = switchback::transport::raw::Batch::new(crate::model::puppet::ROOT.parse().expect("a path"));
                crate::model::puppet::Call::Execute(look).carry_out(&over);
                over.leave().expect("it has one")
            };
            let processes = [[process(); HOSTS], [process(); HOSTS]];
            (memo.host(&host), processes)
        });
        let nodes = [memo.beginning(0), memo.beginning(1)];
        let state = State { hosts: [host; HOSTS], nodes, processes, late: Vec::new(), traces: [Trace::new(); 2], left };
        let known = HashSet::from([print(&state)]);
        let steals = left.steals > 0 || left.hung_up > 0;
        Self { memo, commands, steals, ahead: [(0, state)].into(), ways: vec![(0, Action::Begin)], known, steps: 0 }
    }

    /// Explores until all states are explored, `limit` states are known, or an invariant is violated.
    pub(crate) fn explore(&mut self, limit: usize) -> Found {
        let mut wrong = None;
        while wrong.is_none()
            && self.known.len() < limit
            && let Some((at, state)) = self.ahead.pop_front()
        {
            wrong = self.expand(at, &state).err();
        }
        Found {
            states: self.known.len(),
            steps: self.steps,
            exhausted: self.ahead.is_empty(),
            places: self.memo.nodes.len(),
            hosts: self.memo.hosts(),
            runs: self.memo.runs,
            wrong,
        }
    }

    fn expand(&mut self, at: u32, state: &State) -> Verdict {
        for action in self.actions(state) {
            self.steps += 1;
            let mut next = state.clone();
            self.act(&mut next, action).map_err(|why| format!("{why}\n{}", self.way_to(at, action)))?;
            if self.known.insert(print(&next)) {
                self.ahead.push_back((u32::try_from(self.ways.len()).expect("they fit"), next));
                self.ways.push((at, action));
            }
        }
        Ok(())
    }

    /// Returns the actions that led to the state `at`, and the next one.
    fn way_to(&self, mut at: u32, last: Action) -> String {
        let mut way = vec![format!("{last:?}")];
        while at > 0 {
            let (before, action) = &self.ways[at as usize];
            way.push(format!("{action:?}"));
            at = *before;
        }
        way.reverse();
        way.join(" ")
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        let (mut actions, left) = (Vec::new(), state.left);
        for (controller, node) in state.nodes.iter().enumerate().filter(|(_, node)| **node != DEAD) {
            let node = &self.memo.nodes[*node as usize];
            if node.reports.is_some() {
                continue;
            }
            for (host, call) in node.waiting.iter().enumerate().filter_map(|(host, call)| Some((host, (*call)?))) {
                actions.push(Action::Answer(controller, host));
                let call = self.memo.call(call);
                let may = |budget: u8, action: Action| (budget > 0).then_some(action);
                actions.extend(may(left.lost, Action::Lose(controller, host, false)));
                actions.extend(may(left.hung_up, Action::Lose(controller, host, true)));
                if call.changes() {
                    actions.extend(may(left.delayed, Action::Delay(controller, host)));
                    let cuts =
                        (1..call.steps()).filter_map(|steps| may(left.cut, Action::Cut(controller, host, steps)));
                    actions.extend(cuts);
                }
            }
            actions.extend((left.crashes > 0).then_some(Action::Crash(controller)));
        }
        actions.extend((0..state.late.len()).map(Action::Arrive));
        for host in 0..HOSTS {
            let held = self.memo.ground(state.hosts[host]).lock.is_some();
            actions.extend((left.steals > 0 && held).then_some(Action::Steal(host)));
            actions.extend((left.by_hand > 0).then_some(Action::ByHand(host)));
        }
        actions
    }

    fn act(&mut self, state: &mut State, action: Action) -> Verdict {
        match action {
            Action::Begin => Ok(()),
            Action::Answer(controller, host) => self.call(state, controller, host, None),
            Action::Lose(controller, host, hang_up) => {
                let budget = if hang_up { &mut state.left.hung_up } else { &mut state.left.lost };
                *budget -= 1;
                self.call(state, controller, host, Some(usize::MAX))?;
                if hang_up {
                    self.end_process(state, controller, host);
                }
                Ok(())
            }
            Action::Cut(controller, host, steps) => {
                state.left.cut -= 1;
                self.call(state, controller, host, Some(steps))?;
                self.end_process(state, controller, host);
                Ok(())
            }
            Action::Delay(controller, host) => {
                state.left.delayed -= 1;
                let call = self.memo.nodes[state.nodes[controller] as usize].waiting[host].expect("it waits");
                on_its_way(state, (controller, host, call));
                let unknown = self.memo.unknown();
                self.told(state, controller, host, unknown)
            }
            Action::Arrive(which) => {
                let (controller, host, call) = state.late.remove(which);
                self.carry_out(state, controller, host, call).map(drop)
            }
            Action::Crash(controller) => {
                state.left.crashes -= 1;
                self.crash(state, controller);
                Ok(())
            }
            Action::Steal(host) => {
                state.left.steals -= 1;
                let token = self.memo.ground(state.hosts[host]).lock.clone().expect("it is held");
                let (held, journal) = (format!(".switchback/lock/{token}"), format!(".switchback/journal/{token}"));
                self.by_hand(state, host, |copy| copy.rename(&at(&held), &at(&journal)));
                Ok(())
            }
            Action::ByHand(host) => {
                state.left.by_hand -= 1;
                self.by_hand(state, host, |copy| copy.link(&at("current"), "releases/a"));
                Ok(())
            }
        }
    }

    /// Crashes a controller; calls that it has sent may still arrive.
    fn crash(&mut self, state: &mut State, controller: usize) {
        let waiting = self.memo.nodes[state.nodes[controller] as usize].waiting;
        for (host, call) in waiting.into_iter().enumerate() {
            if let Some(call) = call.filter(|call| self.memo.call(*call).changes()) {
                on_its_way(state, (controller, host, call));
            }
        }
        self.is_over(state, controller);
        state.nodes[controller] = DEAD;
    }

    /// Changes a host by hand.
    fn by_hand(&mut self, state: &mut State, host: usize, deed: impl FnOnce(&MemoryHost)) {
        let copy = self.memo.copy(state.hosts[host]);
        deed(&copy);
        state.hosts[host] = self.memo.host(&copy);
    }

    /// Executes the waiting call: in full, with its answer; or, with `lost_after`, only that many steps, without an
    /// answer.
    fn call(&mut self, state: &mut State, controller: usize, host: usize, lost_after: Option<usize>) -> Verdict {
        let call = self.memo.nodes[state.nodes[controller] as usize].waiting[host].expect("it waits");
        let Some(steps) = lost_after else {
            let answer = self.carry_out(state, controller, host, call)?;
            return self.told(state, controller, host, answer);
        };
        let part = if steps == usize::MAX { call } else { self.memo.part(call, steps) };
        self.carry_out(state, controller, host, part)?;
        let unknown = self.memo.unknown();
        self.told(state, controller, host, unknown)
    }

    /// Executes a call on its host and returns the answer.
    fn carry_out(&mut self, state: &mut State, controller: usize, host: usize, call: u32) -> Result<u32, String> {
        let process = state.processes[controller][host];
        let before = state.hosts[host];
        let done = self.memo.carry_out(before, process, call);
        state.hosts[host] = done.host;
        if done.host != before {
            let step = Step {
                controller,
                command: self.commands[controller],
                host,
                call: self.memo.call(call),
                before: self.memo.ground(before),
                after: state.hosts.map(|host| self.memo.ground(host)),
                steals: self.steals,
            };
            step.check(&mut state.traces[controller])?;
        }
        if self.memo.shows_current(call, done.answer) {
            state.traces[controller].view[host] = On::of(self.memo.ground(done.host).on());
        }
        let over =
            state.nodes[controller] == DEAD || self.memo.nodes[state.nodes[controller] as usize].reports.is_some();
        state.processes[controller][host] = done.process;
        if over {
            self.end_process(state, controller, host);
        }
        Ok(done.answer)
    }

    fn told(&mut self, state: &mut State, controller: usize, host: usize, answer: u32) -> Verdict {
        let place = self.memo.told(controller, state.nodes[controller], host, answer);
        state.nodes[controller] = place;
        if let Some(reports) = &self.memo.nodes[place as usize].reports {
            reported(&state.traces[controller], reports)?;
            self.is_over(state, controller);
        }
        Ok(())
    }

    /// Ends a controller's processes, and forgets what it saw, which matters no more.
    fn is_over(&mut self, state: &mut State, controller: usize) {
        for host in 0..HOSTS {
            self.end_process(state, controller, host);
        }
        state.traces[controller].view = [On::NotSeen; HOSTS];
    }

    fn end_process(&mut self, state: &mut State, controller: usize, host: usize) {
        let process = std::mem::take(&mut state.processes[controller][host]);
        if process != 0 {
            state.hosts[host] = self.memo.ended(state.hosts[host], process);
        }
    }
}

fn print(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Adds a call in transit. Sorted, since the order of sending does not matter.
fn on_its_way(state: &mut State, late: (usize, usize, u32)) {
    state.late.push(late);
    state.late.sort_unstable();
}
