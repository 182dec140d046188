//! [`Faults`]: cuts a transport off after a given step, or loses one of its answers.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    future::BoxFuture,
    transport::{
        Batch, Effect, HookCall, HookExit, LineSink, Progress, Reply, Transport, TransportError, Upload, Uploaded,
    },
};

/// The plan for cutting a run off. Clones share the count: give one to the [`Faults`] of every host of a fleet
/// to cut off the whole run, as when the controller dies.
///
/// Steps are counted over all batches, in the order in which they are sent, and an upload or a command is one step. To
/// try every crash point of a run: run it once with [`Cut::never`], read the [`steps`](Self::steps), and run it again
/// with [`Cut::after`] for each smaller number.
#[derive(Debug, Clone)]
pub struct Cut(Arc<Mutex<State>>);

/// The behaviour of a transport after it lost an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterLoss {
    /// Later calls are answered: the fault was transient.
    Answers,
    /// Later calls fail with [`TransportError::Unreachable`].
    Dead,
}

#[derive(Debug)]
struct State {
    plan: Plan,
    steps: usize,
    exchanges: usize,
    dead: bool,
}

#[derive(Debug, Clone, Copy)]
enum Plan {
    Nothing,
    CutAfter(usize),
    LoseAnswer(usize, AfterLoss),
}

/// The decision about one call.
enum Sentence {
    /// Send it, and answer.
    Send,
    /// Send only this many of its steps, and lose the answer.
    SendPrefix(usize),
    /// Send it, and lose the answer.
    LoseAnswer,
    /// Send nothing.
    Refuse,
}

impl Cut {
    /// Cuts nothing, and only counts.
    #[must_use]
    pub fn never() -> Self {
        Self::with(Plan::Nothing)
    }

    /// Cuts the run off after `steps` steps. The batch that reaches this number is sent only up to it, and fails
    /// with [`TransportError::Unknown`]; every later call fails with [`TransportError::Unreachable`]. A batch that ends
    /// exactly there is still answered.
    #[must_use]
    pub fn after(steps: usize) -> Self {
        Self::with(Plan::CutAfter(steps))
    }

    /// Sends the `exchange`th call (batch, upload or command, counted from 1) and loses its answer
    /// ([`TransportError::Unknown`]).
    #[must_use]
    pub fn losing_answer(exchange: usize, then: AfterLoss) -> Self {
        Self::with(Plan::LoseAnswer(exchange, then))
    }

    /// Loses the answer to the next call, once; later calls are answered.
    pub fn lose_next(&self) {
        let mut state = self.state();
        state.plan = Plan::LoseAnswer(state.exchanges + 1, AfterLoss::Answers);
    }

    /// Returns the number of steps done so far.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.state().steps
    }

    /// Returns the number of calls sent so far: batches, uploads and commands.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        self.state().exchanges
    }

    fn with(plan: Plan) -> Self {
        Self(Arc::new(Mutex::new(State { plan, steps: 0, exchanges: 0, dead: false })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides about a call with this many steps, and counts it.
    fn judge(&self, steps: usize) -> Sentence {
        let mut state = self.state();
        let sentence = state.judge(steps);
        state.exchanges += usize::from(!matches!(sentence, Sentence::Refuse));
        state.steps += match sentence {
            Sentence::Send | Sentence::LoseAnswer => steps,
            Sentence::SendPrefix(first) => first,
            Sentence::Refuse => 0,
        };
        sentence
    }

    /// Subtracts steps that were sent but not done.
    fn uncount(&self, steps: usize) {
        self.state().steps -= steps;
    }
}

impl State {
    fn judge(&mut self, steps: usize) -> Sentence {
        match self.plan {
            _ if self.dead => Sentence::Refuse,
            Plan::CutAfter(limit) if limit <= self.steps => Sentence::Refuse,
            Plan::CutAfter(limit) if limit - self.steps < steps => Sentence::SendPrefix(limit - self.steps),
            Plan::LoseAnswer(exchange, then) if exchange == self.exchanges + 1 => {
                self.dead = then == AfterLoss::Dead;
                Sentence::LoseAnswer
            }
            Plan::Nothing | Plan::CutAfter(_) | Plan::LoseAnswer(..) => Sentence::Send,
        }
    }
}

/// A transport that cuts off the one that it wraps, according to its [`Cut`].
#[derive(Debug)]
pub struct Faults<T> {
    inner: T,
    cut: Cut,
}

impl<T> Faults<T> {
    /// Wraps `inner`.
    #[must_use]
    pub fn new(inner: T, cut: Cut) -> Self {
        Self { inner, cut }
    }

    /// Returns the wrapped transport.
    #[must_use]
    pub fn inner(&self) -> &T {
        &self.inner
    }
}

impl<T: Transport> Faults<T> {
    fn unreachable(&self) -> TransportError {
        TransportError::Unreachable { host: self.to_string(), source: "the connection was cut before".into() }
    }

    fn lost(&self) -> TransportError {
        TransportError::unknown(self, "the answer was lost on purpose")
    }

    async fn send(&self, batch: &Batch) -> Result<Vec<Reply>, TransportError> {
        let result = self.inner.execute(batch).await;
        if let Err(error) = &result {
            self.cut.uncount(match error.effect() {
                Effect::Nothing => batch.steps.len(),
                Effect::Steps(done) => batch.steps.len() - done,
                Effect::Unknown => 0,
            });
        }
        result
    }
}

impl<T: fmt::Display> fmt::Display for Faults<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: Transport> Transport for Faults<T> {
    fn connect(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        self.inner.connect()
    }

    fn expect_upload(&self) -> BoxFuture<'_, ()> {
        self.inner.expect_upload()
    }

    fn try_upload(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        self.inner.try_upload()
    }

    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(async move {
            match self.cut.judge(batch.steps.len()) {
                Sentence::Send => self.send(batch).await,
                Sentence::SendPrefix(first) => {
                    let prefix = Batch { steps: batch.steps[..first].to_vec(), ..batch.clone() };
                    // A step that fails ends the batch before the cut.
                    self.send(&prefix).await.and(Err(self.lost()))
                }
                Sentence::LoseAnswer => self.send(batch).await.and(Err(self.lost())).map_err(|_| self.lost()),
                Sentence::Refuse => Err(self.unreachable()),
            }
        })
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
        Box::pin(async move {
            match self.cut.judge(1) {
                Sentence::Send | Sentence::SendPrefix(_) => self.inner.upload(upload, progress).await,
                Sentence::LoseAnswer => {
                    // This result is the answer that gets lost.
                    let _ = self.inner.upload(upload, progress).await;
                    Err(self.lost())
                }
                Sentence::Refuse => Err(self.unreachable()),
            }
        })
    }

    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>> {
        Box::pin(async move {
            match self.cut.judge(1) {
                Sentence::Send | Sentence::SendPrefix(_) => {
                    let result = self.inner.run(call, output).await;
                    if result.as_ref().is_err_and(|error| error.effect() == Effect::Nothing) {
                        self.cut.uncount(1);
                    }
                    result
                }
                Sentence::LoseAnswer => {
                    // This result is the answer that gets lost.
                    let _ = self.inner.run(call, output).await;
                    Err(self.lost())
                }
                Sentence::Refuse => Err(self.unreachable()),
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        path::HostPath,
        transport::{FailureKind, HookEnd, MemoryHost, Op, Secrets, Stream},
    };

    fn batch(names: &[&str]) -> Batch {
        let mut batch = Batch::new("/srv".parse().unwrap());
        for name in names {
            batch.push(Op::MakeDir { path: name.parse().unwrap(), mode: 0o755, existing_is_fine: false });
        }
        batch
    }

    async fn run(cut: Cut) -> (Vec<String>, Vec<Option<Effect>>) {
        let host = MemoryHost::new();
        host.make_dir("/srv");
        let one = Faults::new(host.connect("one"), cut.clone());
        let other = Faults::new(host.connect("other"), cut);
        let mut effects = Vec::new();
        for (transport, names) in [(&one, &["a", "b"][..]), (&other, &["c", "d"]), (&one, &["e"])] {
            effects.push(transport.execute(&batch(names)).await.err().map(|error| error.effect()));
        }
        (host.list("/srv").unwrap(), effects)
    }

    #[tokio::test]
    async fn a_run_is_cut_after_every_step() {
        let cut = Cut::never();
        let (whole, _) = run(cut.clone()).await;
        assert_eq!((cut.steps(), cut.exchanges()), (5, 3));
        for steps in 0..5 {
            let (names, effects) = run(Cut::after(steps)).await;
            assert_eq!(names, whole[..steps]);
            let expected: Vec<_> = [(0, 2), (2, 4), (4, 5)]
                .map(|(begin, end)| match steps {
                    _ if steps <= begin => Some(Effect::Nothing),
                    _ if steps < end => Some(Effect::Unknown),
                    _ => None,
                })
                .into();
            assert_eq!(effects, expected, "cut after {steps}");
        }
        assert_eq!(run(Cut::after(5)).await, (whole, vec![None; 3]));
    }

    #[tokio::test]
    async fn an_answer_is_lost_and_its_steps_are_not() {
        let (names, effects) = run(Cut::losing_answer(2, AfterLoss::Answers)).await;
        assert_eq!((names.len(), effects), (5, vec![None, Some(Effect::Unknown), None]));
        let (names, effects) = run(Cut::losing_answer(2, AfterLoss::Dead)).await;
        assert_eq!((names.len(), effects), (4, vec![None, Some(Effect::Unknown), Some(Effect::Nothing)]));
    }

    #[tokio::test]
    async fn a_step_that_fails_before_the_cut_is_answered() {
        let host = MemoryHost::new();
        host.make_dir("/srv/a");
        let cut = Cut::after(2);
        let error = Faults::new(host.connect("one"), cut.clone()).execute(&batch(&["a", "b", "c"])).await.unwrap_err();
        assert_eq!(error.failure().map(|failure| failure.kind), Some(FailureKind::Exists));
        assert_eq!(cut.steps(), 0);
    }

    #[tokio::test]
    async fn a_command_is_one_step_and_its_end_is_found_again() {
        let (host, call) = (MemoryHost::new(), hook());
        host.make_dir("/srv");
        let ran = |host: &MemoryHost| host.exists("/srv/r/result");
        let refused = Faults::new(host.connect("one"), Cut::after(0));
        let sink = |_: Stream, _: &[u8]| {};
        assert_eq!(refused.run(&call, &sink).await.unwrap_err().effect(), Effect::Nothing);
        assert!(!ran(&host));
        let cut = Cut::losing_answer(1, AfterLoss::Answers);
        let losing = Faults::new(host.connect("one"), cut.clone());
        assert_eq!(losing.run(&call, &sink).await.unwrap_err().effect(), Effect::Unknown);
        assert!(ran(&host));
        assert_eq!(losing.run(&call, &sink).await.unwrap().end, HookEnd::Exited(0));
        assert_eq!((cut.steps(), cut.exchanges()), (2, 2));
    }

    fn hook() -> HookCall {
        let root: HostPath = "/srv".parse().unwrap();
        HookCall {
            root: root.clone(),
            record: "r".parse().unwrap(),
            directory: root,
            script: String::new(),
            environment: Vec::new(),
            secrets: Secrets::default(),
            timeout: None,
            output_limit: 0,
            ends: false,
        }
    }
}
