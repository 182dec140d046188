//! Commands: a script that starts or follows one and reports its output, over a channel of its own.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWriteExt},
    time::timeout,
};

use crate::{
    token::Token,
    transport::{HookCall, HookEnd, HookExit, LineSink, StepFailure, Stream, TransportError, hook::Output},
};

use super::{
    channel::{Channel, Shell, ShellCommand, Streams, beside, drain},
    frame::{Frame, Frames},
    prelude,
    reply::{Misfit, failure, words_of},
    script,
    session::{Hello, Lost, Wire, lacking},
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
    let (prelude, runner, marker) = (prelude::hook(&wire.nonce), prelude::runner(), Token::random());
    let script = script::hook(&prelude, &runner, call, marker.as_str(), wire.nonce.as_str())
        .map_err(|nul| unsuitable(nul.to_string()))?;
    let mut channel = shell.open(ShellCommand::batches()).await?;
    let mut output = Output::new(output);
    let answer = wire.follow(&mut channel, &script, start, &mut output).await;
    // If something other than a shell printed this, it may be the script itself, with all its secrets.
    if !call.secrets.is_empty() {
        wire.forget_noise();
    }
    match answer {
        Ok(Some(Answer::Ended(end))) => Ok(output.exit(end)),
        Ok(Some(Answer::Failed(failure))) => Err(TransportError::Hook { host: host(), failure }),
        Ok(Some(Answer::Root(failure))) => Err(TransportError::Root { host: host(), root: call.root.clone(), failure }),
        Ok(Some(Answer::Lacks(lacks))) => Err(unsuitable(lacks)),
        Ok(None) => match wire.ended(channel, start).await {
            Ok(lacks) => Err(unsuitable(lacks)),
            Err(lost) => Err(TransportError::unknown(host(), lost)),
        },
        Err(lost) => Err(TransportError::unknown(host(), lost)),
    }
}

/// The final reply of the host.
enum Answer {
    Ended(HookEnd),
    Failed(StepFailure),
    Root(StepFailure),
    Lacks(String),
}

impl Wire {
    /// Sends the script and passes on output until the end is reported; `None` when the channel ended before.
    async fn follow(
        &mut self,
        channel: &mut Channel,
        script: &[u8],
        start: Duration,
        output: &mut Output<'_>,
    ) -> Result<Option<Answer>, Lost> {
        let Streams { stdin, stdout, stderr } = channel.streams();
        let send = async {
            if let Some(mut stdin) = stdin.take() {
                // A failure shows as a missing reply.
                let _: io::Result<()> = stdin.write_all(script).await;
                let _: io::Result<()> = stdin.shutdown().await;
            }
        };
        let Self { frames, stderr: tail, hello, .. } = self;
        let read = read_answer(frames, hello, stdout, start, output);
        beside(beside(read, send), drain(stderr, tail)).await
    }
}

async fn read_answer(
    frames: &mut Frames,
    hello: &mut Option<Hello>,
    stdout: &mut (dyn AsyncRead + Send + Unpin),
    start: Duration,
    output: &mut Output<'_>,
) -> Result<Option<Answer>, Lost> {
    let (mut answer, mut patience) = (None, start);
    loop {
        frames.begin();
        let next = timeout(patience, Wire::frame(frames, hello, stdout)).await;
        let Some(frame) = next.map_err(|_| Lost::Late(patience, String::new()))?? else { return Ok(None) };
        match told(&frame, output)? {
            Told::Runs => patience = start.saturating_add(SILENCE),
            Told::Answer(told) => answer = Some(told),
            Told::End => {
                let lacks = hello.as_ref().map(|hello| &hello.lacks[..]).filter(|lacks| !lacks.is_empty());
                return answer.or(lacks.map(lacking).map(Answer::Lacks)).ok_or(Misfit.into()).map(Some);
            }
        }
    }
}

/// The meaning of one frame.
enum Told {
    Runs,
    Answer(Answer),
    End,
}

fn told(frame: &Frame, output: &mut Output<'_>) -> Result<Told, Misfit> {
    let words: Vec<&str> = words_of(frame, 0).ok_or(Misfit)?.iter().map(String::as_str).collect();
    Ok(match (&words[..], &frame.values[..]) {
        (["out"], [bytes]) => {
            output.push(Stream::Stdout, bytes);
            Told::Runs
        }
        (["err"], [bytes]) => {
            output.push(Stream::Stderr, bytes);
            Told::Runs
        }
        (["begun" | "beat"], []) => Told::Runs,
        (["result"], [result]) => Told::Answer(Answer::Ended(HookEnd::parse(result).ok_or(Misfit)?)),
        (["lost"], []) => Told::Answer(Answer::Ended(HookEnd::Lost)),
        (["root", "fail", kind], [detail]) => Told::Answer(Answer::Root(failure(kind, detail))),
        (["0", "fail", kind], [detail]) => Told::Answer(Answer::Failed(failure(kind, detail))),
        (["end"], []) => Told::End,
        _ => return Err(Misfit),
    })
}
