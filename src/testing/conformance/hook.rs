//! Commands: the rules that a host without a shell can show too.

use crate::transport::{Effect, EntryKind, FailureKind, HookCall, HookEnd, HookExit, Secrets, Stream, TransportError};

use super::{
    Outcome,
    ops::{at, make_dir, make_link, move_into, write},
    subject::{Heard, Subject, holds, in_words, same},
};

impl Subject {
    /// A call of `script`, in the root, with the record `record`.
    pub(super) fn call(&self, record: &str, script: &str) -> HookCall {
        HookCall {
            root: self.root.clone(),
            record: at(record),
            directory: self.root.clone(),
            script: script.to_owned(),
            environment: Vec::new(),
            secrets: Secrets::default(),
            timeout: None,
            output_limit: 1 << 20,
            ends: false,
        }
    }

    /// Runs a command, and collects its lines.
    pub(super) async fn hear(&self, call: &HookCall) -> Result<(HookExit, Heard), String> {
        let heard = Heard::default();
        let exit = self.transport.run(call, &heard).await.map_err(|error| in_words(&error))?;
        Ok((exit, heard))
    }

    /// Runs `script` and returns how it ended.
    pub(super) async fn run(&self, record: &str, script: &str) -> Result<HookExit, String> {
        Ok(self.hear(&self.call(record, script)).await?.0)
    }

    /// Checks that the command cannot be started for this reason, and that nothing ran.
    async fn never_runs(&self, call: &HookCall, kind: FailureKind) -> Outcome {
        match self.transport.run(call, &Heard::default()).await {
            Err(error @ TransportError::Hook { .. }) => {
                same(&in_words(&error), &error.failure().map(|failure| failure.kind), &Some(kind))?;
                same("what took effect", &error.effect(), &Effect::Nothing)
            }
            other => Err(format!("expected that nothing was run, got {other:?}")),
        }
    }
}

pub(super) async fn a_record_is_private(on: Subject) -> Outcome {
    on.done([make_dir("d")]).await?;
    same("the end", &on.run("d/r", "true").await?.end, &HookEnd::Exited(0))?;
    on.stands("d/r", EntryKind::Directory, 0o700).await?;
    on.stands("d/r/command", EntryKind::File, 0o600).await?;
    on.holds("d/r/command", "true").await?;
    on.holds("d/r/result", "exit 0\n").await?;
    on.lists(".", &["d"]).await
}

pub(super) async fn a_record_needs_a_parent(on: Subject) -> Outcome {
    on.done([make_dir("d"), make_link("l", "d"), write("f", "x"), make_link("d/gone", "none")]).await?;
    on.never_runs(&on.call("none/r", "true"), FailureKind::Missing).await?;
    on.never_runs(&on.call("l/r", "true"), FailureKind::WrongType).await?;
    on.never_runs(&on.call("f/r", "true"), FailureKind::WrongType).await?;
    // An existing entry that is not a record is refused, and stays.
    for place in ["f", "l", "d/gone"] {
        on.never_runs(&on.call(place, "true"), FailureKind::WrongType).await?;
    }
    on.lists("d", &["gone"]).await?;
    on.lists(".", &["d", "f", "l"]).await
}

pub(super) async fn a_working_directory_must_be_there(on: Subject) -> Outcome {
    let missing = HookCall { directory: on.root.join(&at("none")), ..on.call("r", "true") };
    on.never_runs(&missing, FailureKind::Missing).await?;
    // A failed call leaves nothing that would keep the next from starting the command.
    on.lists(".", &[]).await?;
    on.done([make_dir("none")]).await?;
    same("the end", &on.hear(&missing).await?.0.end, &HookEnd::Exited(0))
}

pub(super) async fn a_missing_root_runs_nothing(on: Subject) -> Outcome {
    let call = HookCall { root: on.root.join(&at("none")), ..on.call("r", "true") };
    match on.transport.run(&call, &Heard::default()).await {
        Err(error @ TransportError::Root { .. }) => {
            same("the kind", &error.failure().map(|failure| failure.kind), &Some(FailureKind::Missing))?;
            on.lists(".", &[]).await
        }
        other => Err(format!("expected no root, got {other:?}")),
    }
}

pub(super) async fn what_no_shell_takes_is_refused(on: Subject) -> Outcome {
    let variables = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let calls = [
        on.call("r", "true\0"),
        on.call(".", "true"),
        HookCall { environment: variables("A", "\0"), ..on.call("r", "true") },
        HookCall { environment: variables("A B", ""), ..on.call("r", "true") },
        HookCall { secrets: Secrets::new([("A;id", "hush")]), ..on.call("r", "true") },
        HookCall { secrets: Secrets::new([("A", "hush\0")]), ..on.call("r", "true") },
    ];
    for call in &calls {
        match on.transport.run(call, &Heard::default()).await {
            Err(error @ TransportError::Unsuitable { .. }) => {
                holds(!in_words(&error).contains("hush"), || format!("a secret leaks: {error}"))?;
            }
            other => return Err(format!("expected a refusal of {call:?}, got {other:?}")),
        }
    }
    on.lists(".", &[]).await
}

pub(super) async fn a_second_call_finds_the_first(on: Subject) -> Outcome {
    on.done([make_dir("d"), make_dir("e")]).await?;
    let first = on.run("d/r", "true").await?;
    let again = on.run("d/r", "exit 9").await?;
    same("what the second call tells", &again, &first)?;
    on.holds("d/r/command", "true").await?;
    on.done([move_into("d", "e")]).await?;
    same("the end, asked from elsewhere", &on.run("e/d/r", "exit 9").await?, &first)
}

pub(super) async fn a_runner_that_is_gone_is_lost(on: Subject) -> Outcome {
    on.done([make_dir("r"), make_dir("r/begun"), write("r/runner", "1 1 another-boot\n")]).await?;
    same("the end", &on.run("r", "true").await?.end, &HookEnd::Lost)?;
    on.absent("r/result").await?;
    // It was never started, and never will be.
    on.done([make_dir("s"), write("s/starter", "1 1 another-boot\n")]).await?;
    for _ in 0..2 {
        same("the end", &on.run("s", "true").await?.end, &HookEnd::Lost)?;
    }
    on.absent("s/result").await
}

pub(super) async fn ending_starts_nothing(on: Subject) -> Outcome {
    let ends = |record| HookCall { ends: true, ..on.call(record, "true") };
    on.never_runs(&ends("r"), FailureKind::Missing).await?;
    on.lists(".", &[]).await?;
    let first = on.run("r", "exit 3").await?;
    same("what is over", &on.hear(&ends("r")).await?.0, &first)
}

/// Sends many calls at once: exactly one starts the command, and all report the same end.
pub(super) async fn one_of_many_starts_it(on: Subject) -> Outcome {
    let call = on.call("r", "mkdir once && echo done");
    let (one, two, three, four) = tokio::join!(on.hear(&call), on.hear(&call), on.hear(&call), on.hear(&call));
    let first = one?.0;
    same("the end", &first.end, &HookEnd::Exited(0))?;
    for other in [two, three, four] {
        let (exit, heard) = other?;
        same("what another tells", &exit, &first)?;
        let told = heard.of(Stream::Stdout).len();
        holds(told <= 1, || format!("it was told {told} times"))?;
    }
    Ok(())
}
