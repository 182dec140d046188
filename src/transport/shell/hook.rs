//! Commands: a script that starts or follows one and reports its output, over a channel of its own.

use std::time::Duration;

use crate::{
    token::Token,
    transport::{HookCall, HookEnd, HookExit, LineSink, StepFailure, Stream, TransportError, hook::Output},
};

use super::{
    channel::{Shell, ShellCommand},
    frame::Frame,
    prelude,
    reply::{Misfit, failed},
    script,
    wire::{Replying, Wire},
};

/// The extra time for which the host may be silent once the command runs: it sends a heartbeat every few
/// seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// Implements [`Transport::run`](crate::Transport::run) over a channel that `shell` opens.
pub(in crate::transport) async fn run<S: Shell>(
    shell: &S,
    start: Duration,
    call: &HookCall,
    output: &dyn LineSink,
) -> Result<HookExit, TransportError> {
    let host = || shell.to_string();
    let unsuitable = |lacks| TransportError::Unsuitable { host: host(), lacks };
    if let Some(flaw) = call.flaw() {
        return Err(unsuitable(flaw));
    }
    let mut wire = Wire::new();
    // If something other than a shell printed this, it may be the script itself, with all its secrets.
    wire.is_secret = !call.secrets.is_empty();
    let (prelude, runner, marker) = (prelude::hook(&wire.nonce), prelude::runner(), Token::random());
    let script = script::hook(&prelude, &runner, call, marker.as_str(), wire.nonce.as_str())
        .map_err(|nul| unsuitable(nul.to_string()))?;
    let mut channel = shell.open(ShellCommand::batches()).await?;
    let mut output = Output::new(output);
    let reply = Following { output: &mut output, start, runs: false, end: None };
    let reply = wire.ask(&mut channel, (&script, true), 0, reply).await;
    match wire.settle(reply, channel, start).await {
        Ok(end) => Ok(output.exit(end)),
        Err(failure) => {
            Err(failure.into_error(shell, &call.root, |host, failure| TransportError::Hook { host, failure }))
        }
    }
}

/// The output of a command, and its end.
struct Following<'f, 'o> {
    output: &'f mut Output<'o>,
    start: Duration,
    /// Whether the command runs.
    runs: bool,
    end: Option<Result<HookEnd, StepFailure>>,
}

impl Replying for Following<'_, '_> {
    type Reply = HookEnd;
    type Failed = StepFailure;

    fn line(&mut self, line: Frame) -> Result<(), Misfit> {
        match (&line.words()[..], &line.values[..]) {
            (["out"], [bytes]) => self.output.push(Stream::Stdout, bytes),
            (["err"], [bytes]) => self.output.push(Stream::Stderr, bytes),
            (["begun" | "beat"], []) => {}
            (["result"], [result]) => self.end = Some(Ok(HookEnd::parse(result).ok_or(Misfit)?)),
            (["lost"], []) => self.end = Some(Ok(HookEnd::Lost)),
            (["0", failure @ ..], values) => self.end = Some(Err(failed(failure, values)?)),
            _ => return Err(Misfit),
        }
        self.runs = true;
        Ok(())
    }

    fn end(self) -> Result<Result<HookEnd, StepFailure>, Misfit> {
        self.end.ok_or(Misfit)
    }

    fn silence(&self) -> Option<Duration> {
        Some(if self.runs { self.start.saturating_add(SILENCE) } else { self.start })
    }
}
