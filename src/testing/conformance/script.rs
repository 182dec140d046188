//! Commands: the rules for a host with a shell.

use std::time::Duration;

use crate::transport::{
    EntryKind, FailureKind, Found, HookCall, HookEnd, HookExit, Op, Reply, Secrets, Stream, process::ProcessMark,
};

use super::{
    Outcome,
    hostile::HOSTILE,
    ops::{at, inspect, list, make_dir, move_into, read, write},
    subject::{Subject, holds, same},
};

pub(super) use super::grammar::{drawn_lines_and_places, drawn_names_of_users};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Subject {
    /// Runs `script` with a record of its own, and checks how it ends.
    async fn ends(&self, record: &str, script: &str, end: HookEnd) -> Result<HookExit, String> {
        let exit = self.run(record, script).await?;
        same(&format!("the end of {script:?} ({})", text(&exit.stderr)), &exit.end, &end)?;
        Ok(exit)
    }

    /// Runs `script` with a time limit in seconds.
    async fn limited(&self, record: &str, script: &str, limit: u64) -> Result<HookExit, String> {
        let call = HookCall { timeout: Some(Duration::from_secs(limit)), ..self.call(record, script) };
        self.hear(&call).await.map(|(exit, _)| exit)
    }

    /// Waits until an entry exists at `path`; fails after a long time.
    async fn appears(&self, path: &str) -> Outcome {
        for _ in 0..6000 {
            if self.entry(path).await?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(format!("nothing appears at {path:?}"))
    }

    /// Waits until the file at `path` holds a whole mark. A shell creates the file before it writes to it.
    async fn marked(&self, path: &str) -> Result<ProcessMark, String> {
        let mut reply = None;
        for _ in 0..6000 {
            reply = Some(self.ask(read(path, 4096)).await?);
            if let Some(Reply::Content(Some(Found::Content(content)))) = &reply
                && let Some(mark) = ProcessMark::parse(content)
            {
                return Ok(mark);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(format!("no mark: {reply:?}"))
    }
}

pub(super) async fn ends_are_told_apart(on: Subject) -> Outcome {
    for (record, script, end) in [
        ("a", "exit 0", HookEnd::Exited(0)),
        ("b", "exit 1", HookEnd::Exited(1)),
        ("c", "exit 255", HookEnd::Exited(255)),
        ("d", "false", HookEnd::Exited(1)),
        ("e", "no-such-command-anywhere", HookEnd::Exited(127)),
        ("f", "kill -KILL $$", HookEnd::Killed(9)),
        ("g", "kill -TERM $$", HookEnd::Killed(15)),
        ("h", "", HookEnd::Exited(0)),
    ] {
        let _ = on.ends(record, script, end).await?;
    }
    Ok(())
}

pub(super) async fn streams_are_kept_apart(on: Subject) -> Outcome {
    let script = "echo one; echo two >&2; printf 'three\\n\\nfour'; printf five >&2; exit 3";
    let (exit, heard) = on.hear(&on.call("r", script)).await?;
    same("the end", &exit.end, &HookEnd::Exited(3))?;
    same("standard output", &text(&exit.stdout), &"one\nthree\n\nfour".to_owned())?;
    same("standard error", &text(&exit.stderr), &"two\nfive".to_owned())?;
    same("the lines of one", &heard.texts(Stream::Stdout), &["one", "three", "", "four"].map(str::to_owned).to_vec())?;
    same("the lines of the other", &heard.texts(Stream::Stderr), &["two", "five"].map(str::to_owned).to_vec())
}

/// Delivers lines immediately: the command waits for a directory that the test creates only after the first
/// line.
pub(super) async fn lines_come_as_they_are_printed(on: Subject) -> Outcome {
    let call = on.call("r", "echo first; until [ -d go ]; do sleep 1; done; echo last");
    let heard = super::subject::Heard::default();
    let mut run = on.transport.run(&call, &heard);
    let go = async {
        while heard.texts(Stream::Stdout).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        on.done([make_dir("go")]).await
    };
    tokio::select! {
        exit = &mut run => return Err(format!("it ended before it was told to: {exit:?}")),
        went = go => went?,
    };
    let exit = run.await.map_err(|error| super::subject::in_words(&error))?;
    same("the end", &exit.end, &HookEnd::Exited(0))?;
    same("the lines", &heard.texts(Stream::Stdout), &vec!["first".to_owned(), "last".to_owned()])
}

pub(super) async fn any_bytes_are_told_as_they_are(on: Subject) -> Outcome {
    let script = "printf '\\377\\376\\000\\033[31m\\r\\n'; echo 'SB1 n 0 result exit 0'; echo 'SB1 n 0 end'; printf '\\n'; exit 7";
    let (exit, heard) = on.hear(&on.call("r", script)).await?;
    same("the end", &exit.end, &HookEnd::Exited(7))?;
    let expected = [&b"\xff\xfe\0\x1b[31m\r"[..], b"SB1 n 0 result exit 0", b"SB1 n 0 end", b""].map(<[u8]>::to_vec);
    same("the lines", &heard.of(Stream::Stdout), &expected.to_vec())
}

pub(super) async fn standard_input_is_empty(on: Subject) -> Outcome {
    let exit = on.ends("r", "cat; read line; echo \"$? [$line]\"; cat | wc -c", HookEnd::Exited(0)).await?;
    let words = text(&exit.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    same("what was read", &words, &"1 [] 0".to_owned())
}

pub(super) async fn output_is_capped_and_the_rest_is_taken(on: Subject) -> Outcome {
    let script = "i=0; while [ $i -lt 10 ]; do head -c 1000000 /dev/zero; i=$((i + 1)); done; echo last >&2; exit 5";
    let call = HookCall { output_limit: 100_000, ..on.call("r", script) };
    let (exit, heard) = on.hear(&call).await?;
    same("the end", &exit.end, &HookEnd::Exited(5))?;
    same("what is kept at the end", &exit.stdout.len(), &(64 << 10))?;
    let told: usize = heard.of(Stream::Stdout).iter().map(Vec::len).sum();
    same("the lines delivered", &told, &100_000)?;
    same("the other stream", &text(&exit.stderr), &"last\n".to_owned())?;
    let none = HookCall { output_limit: 0, ..on.call("s", "echo nothing; exit 6") };
    let (exit, heard) = on.hear(&none).await?;
    same("the end", &exit.end, &HookEnd::Exited(6))?;
    holds(exit.stdout.is_empty() && heard.of(Stream::Stdout).is_empty(), || format!("kept: {exit:?}"))
}

pub(super) async fn the_environment_is_given(on: Subject) -> Outcome {
    on.done([make_dir("d")]).await?;
    let quoted = HOSTILE.join("|");
    let call = HookCall {
        environment: variables(&[("SB_QUOTED", &quoted)]),
        secrets: Secrets::new([("SB_SECRET", "it's \"hidden\" $(here)\n")]),
        ..on.call("r", "printf '%s|%s' \"$SB_QUOTED\" \"$SB_SECRET\"; [ -n \"$SWITCHBACK_HOOK\" ]")
    };
    let (exit, _) = on.hear(&call).await?;
    same(&format!("the end ({})", text(&exit.stderr)), &exit.end, &HookEnd::Exited(0))?;
    same("what the command sees", &text(&exit.stdout), &format!("{quoted}|it's \"hidden\" $(here)\n"))?;
    let directory = on.root.join(&at("d"));
    let call = HookCall {
        directory: directory.clone(),
        environment: variables(&[("PATH", "/no/such/place")]),
        ..on.call("s", "echo \"$PATH|$PWD\"")
    };
    same("where it runs", &text(&on.hear(&call).await?.0.stdout), &format!("/no/such/place|{}\n", directory.as_str()))
}

pub(super) async fn secrets_are_in_no_file(on: Subject) -> Outcome {
    let call = HookCall { secrets: Secrets::new([("SB_SECRET", "hush-hush")]), ..on.call("r", "[ \"$SB_SECRET\" ]") };
    same("the end", &on.hear(&call).await?.0.end, &HookEnd::Exited(0))?;
    let names = on.names("r").await?;
    holds(names.len() > 3, || format!("only {names:?}"))?;
    for name in names {
        if let Reply::Content(Some(Found::Content(content))) = on.ask(read(&format!("r/{name}"), 1 << 20)).await? {
            holds(!text(&content).contains("hush"), || format!("{name} holds the secret"))?;
        }
    }
    Ok(())
}

pub(super) async fn a_script_may_be_long(on: Subject) -> Outcome {
    let script = format!("{}echo \"it's done\"\n", ": 'a line that does nothing $(at all) \\'\n".repeat(5200));
    holds(script.len() > 200 << 10, || format!("{} bytes", script.len()))?;
    let exit = on.ends("r", &script, HookEnd::Exited(0)).await?;
    same("what it prints", &text(&exit.stdout), &"it's done\n".to_owned())
}

/// Does not wait for a background process, which waits for a directory that the test creates later.
pub(super) async fn a_process_left_behind_holds_nothing_up(on: Subject) -> Outcome {
    let script = "(until [ -d stop ]; do sleep 1; done; mkdir stopped) & echo started";
    let exit = on.ends("r", script, HookEnd::Exited(0)).await?;
    same("what it prints", &text(&exit.stdout), &"started\n".to_owned())?;
    on.answers(inspect("stopped"), Reply::Entry(None)).await?;
    on.done([make_dir("stop")]).await?;
    on.appears("stopped").await
}

/// Enforces the limit on a command that obeys the signal, one that ignores it, and one that has left the process
/// group. Raises the limit until all of them have begun within it: on a loaded machine that takes a while.
pub(super) async fn a_time_limit_is_kept(on: Subject) -> Outcome {
    same("one that is in time", &on.limited("quick", "exit 4", 60).await?.end, &HookEnd::Exited(4))?;
    for limit in [1, 5, 25, 125] {
        let [obeys, ignores, leaves, go, left] =
            ["obeys", "ignores", "leaves", "go", "left"].map(|name| format!("{name}{limit}"));
        let has_left =
            format!("setsid sh -c 'echo $$ >&2; until [ -d {go} ]; do sleep 1; done; mkdir {left}' & sleep 500");
        let (obeys, ignores, leaves) = tokio::try_join!(
            on.limited(&obeys, "echo before; sleep 500 & wait; echo after", limit),
            on.limited(&ignores, "trap '' TERM; echo before; (sleep 500; mkdir undead) & sleep 500; sleep 500", limit),
            on.limited(&leaves, &has_left, limit),
        )?;
        on.done([make_dir(&go)]).await?;
        if obeys.stdout.is_empty() || ignores.stdout.is_empty() || leaves.stderr.is_empty() {
            continue;
        }
        let alone = HookEnd::TimedOut { survivors: Vec::new() };
        same("one that obeys", &obeys.end, &alone)?;
        same("what it printed", &text(&obeys.stdout), &"before\n".to_owned())?;
        same("one that ignores it", &ignores.end, &alone)?;
        on.appears(&left).await?;
        let HookEnd::TimedOut { survivors } = &leaves.end else {
            return Err(format!("it ended otherwise: {leaves:?}"));
        };
        let told = text(&leaves.stderr).lines().next().unwrap_or("").parse();
        let told = told.map_err(|_| format!("no process: {leaves:?}"))?;
        return holds(survivors.contains(&told), || format!("{told} is not among {survivors:?}"));
    }
    Err("no command begins within two minutes".to_owned())
}

/// Kills a process that ignores the signal; does not touch a process that a finished command left behind.
pub(super) async fn what_runs_is_ended(on: Subject) -> Outcome {
    let calls = [
        on.call("obeys", "mkdir one; sleep 100 & wait; mkdir undead"),
        on.call("ignores", "trap '' TERM; (sleep 100; mkdir undead) & mkdir two; sleep 100; sleep 100"),
        on.call("over", "(until [ -d stop ]; do sleep 1; done; mkdir stopped) & mkdir three; exit 3"),
    ];
    for (call, begun) in calls.iter().zip(["one", "two", "three"]) {
        let heard = super::subject::Heard::default();
        tokio::select! {
            exit = on.transport.run(call, &heard) => same("an end", &exit.map(|exit| exit.end).ok(), &Some(HookEnd::Exited(3)))?,
            appeared = on.appears(begun) => appeared?,
        }
    }
    same("what is over", &on.run("over", "true").await?.end, &HookEnd::Exited(3))?;
    let [obeys, ignores, over] = calls.map(|call| HookCall { ends: true, ..call });
    let (obeys, ignores, over) = tokio::join!(on.hear(&obeys), on.hear(&ignores), on.hear(&over));
    same("one that obeys", &obeys?.0.end, &HookEnd::Killed(15))?;
    same("one that ignores it", &ignores?.0.end, &HookEnd::Killed(9))?;
    same("one that is over", &over?.0.end, &HookEnd::Exited(3))?;
    on.done([make_dir("stop")]).await?;
    on.appears("stopped").await?;
    on.answers(inspect("undead"), Reply::Entry(None)).await
}

/// Ends nobody if the record names a process whose ID another process has now, or one of another boot.
pub(super) async fn only_the_process_of_the_record_is_ended(on: Subject) -> Outcome {
    let call = on.call("r", "mkdir begun; until [ -d stop ]; do sleep 1; done; mkdir stopped");
    tokio::select! {
        exit = on.run("r", &call.script) => return Err(format!("it ended: {exit:?}")),
        appeared = on.appears("begun") => appeared?,
    }
    let mark = on.marked("r/child").await?;
    let others = [
        ProcessMark { start: mark.start + 1, ..mark.clone() }.to_content(),
        ProcessMark { boot: "another-boot".to_owned(), ..mark.clone() }.to_content(),
        format!("{mark}"),
        String::new(),
    ];
    for (at, other) in others.iter().enumerate() {
        let record = format!("other{at}");
        let child = format!("{record}/child");
        on.done([make_dir(&record), make_dir(&format!("{record}/begun")), write(&child, other)]).await?;
        let ends = HookCall { ends: true, ..on.call(&record, "true") };
        same("the end", &on.hear(&ends).await?.0.end, &HookEnd::Lost)?;
    }
    on.done([make_dir("stop")]).await?;
    on.appears("stopped").await
}

/// Keeps a command running when its future is dropped; a second call finds it, wherever its record is by then.
pub(super) async fn a_dropped_call_goes_on(on: Subject) -> Outcome {
    on.done([make_dir("d"), make_dir("e")]).await?;
    let script = "mkdir once || exit 9; echo begun; until [ -d go ]; do sleep 1; done; echo ended; exit 8";
    let call = on.call("d/r", script);
    let heard = super::subject::Heard::default();
    {
        let run = on.transport.run(&call, &heard);
        tokio::select! {
            exit = run => return Err(format!("it ended: {exit:?}")),
            appeared = on.appears("once") => appeared?,
        }
    }
    on.transport.close().await;
    on.done([move_into("d", "e"), make_dir("go")]).await?;
    let (exit, heard) = on.hear(&on.call("e/d/r", "exit 7")).await?;
    same("the end", &exit.end, &HookEnd::Exited(8))?;
    same("the lines", &heard.texts(Stream::Stdout), &vec!["begun".to_owned(), "ended".to_owned()])?;
    on.stands("e/d/r", EntryKind::Directory, 0o700).await
}

/// Confines the damage of a command that removes or overwrites its own record.
pub(super) async fn a_hostile_command_harms_itself_only(on: Subject) -> Outcome {
    let call = on.call("r", "cd r && echo nonsense >>result.new && rm -f out && ln -s / out; exit 0");
    // Any reply will do, as long as there is one; entries beside the record must be intact.
    let _ = on.transport.run(&call, &super::subject::Heard::default()).await;
    match on.ask(list(".")).await? {
        Reply::Listing(Some(listed)) => same("what there is", &listed.len(), &1)?,
        other => return Err(format!("no list: {other:?}")),
    }
    on.refuses(Op::MakeDir { path: at("r"), mode: 0o700, existing_is_fine: false }, FailureKind::Exists).await
}
