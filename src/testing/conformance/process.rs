//! Process marks, and whether their processes are alive.

use crate::transport::{
    EntryKind, FailureKind, Found, Liveness, Op, Reply,
    process::{ProcessMark, Realm},
};

use super::{
    Outcome,
    ops::{check_process, make_dir, make_link, mark_process, read, write},
    subject::Subject,
};

async fn mark(on: &Subject) -> Result<ProcessMark, String> {
    on.done([mark_process("mark")]).await?;
    match on.ask(read("mark", 4096)).await? {
        Reply::Content(Some(Found::Content(content))) => ProcessMark::parse(&content)
            .ok_or_else(|| format!("no mark is written so: {:?}", String::from_utf8_lossy(&content))),
        other => Err(format!("no mark: {other:?}")),
    }
}

/// Whether the host identifies its boots, without which it cannot tell whether a process is alive.
async fn identifies_boots(on: &Subject) -> Result<bool, String> {
    match on.ask(Op::Identify).await? {
        Reply::Identity(identity) => Ok(identity.boot.is_some()),
        other => Err(format!("no identity: {other:?}")),
    }
}

/// The reason to skip the rules about the processes of a host.
const NO_BOOTS: &str = "the host does not identify its boots";

pub(super) async fn a_mark_is_alive(on: Subject) -> Outcome {
    if !identifies_boots(&on).await? {
        on.skip(NO_BOOTS);
        return Ok(());
    }
    let replies = on.done([make_dir("d"), mark_process("d/mark"), check_process("d/mark")]).await?;
    super::subject::same("the same batch", &replies[2], &Reply::Process(Liveness::Alive))?;
    on.answers(check_process("d/mark"), Reply::Process(Liveness::Alive)).await?;
    on.stands("d/mark", EntryKind::File, 0o600).await
}

pub(super) async fn a_mark_replaces_nothing(on: Subject) -> Outcome {
    on.done([write("f", "kept"), make_link("gone", "none"), make_link("l", "f")]).await?;
    for path in ["f", "gone", "l"] {
        on.refuses(mark_process(path), FailureKind::Exists).await?;
    }
    on.holds("f", "kept").await?;
    on.refuses(mark_process("none/mark"), FailureKind::Missing).await
}

pub(super) async fn only_a_mark_says_anything(on: Subject) -> Outcome {
    if !identifies_boots(&on).await? {
        on.skip(NO_BOOTS);
        return Ok(());
    }
    let alive = mark(&on).await?;
    on.done([make_dir("d"), make_link("l", "mark"), write("empty", ""), write("cut", &alive.to_string())]).await?;
    on.done([write("more", &format!("{alive}\n{alive}\n")), write("words", "who knows what\n")]).await?;
    on.done([write("injected", "1 1 $(touch x)\n"), write("negative", "-1 1 x\n")]).await?;
    on.done([write("four", "1 1 x 1\n"), write("six", "1 1 x 1 y z\n"), write("first", "1 1 x y z\n")]).await?;
    let words = ["words", "injected", "negative", "four", "six", "first"];
    for path in ["none", "none/below", "d", "l", "empty", "cut", "more"].into_iter().chain(words) {
        let reply = on.ask(check_process(path)).await.map_err(|error| format!("{path}: {error}"))?;
        super::subject::same(path, &reply, &Reply::Process(Liveness::Unknown))?;
    }
    Ok(())
}

pub(super) async fn other_processes_are_gone(on: Subject) -> Outcome {
    if !identifies_boots(&on).await? {
        on.skip(NO_BOOTS);
        return Ok(());
    }
    let alive = mark(&on).await?;
    let others = [
        ProcessMark { start: alive.start + 1, ..alive.clone() },
        ProcessMark { pid: 0x3fff_fff0, ..alive.clone() },
        ProcessMark { boot: "another-boot".to_owned(), ..alive },
    ];
    for (index, other) in others.iter().enumerate() {
        let name = format!("mark{index}");
        on.done([write(&name, &other.to_content())]).await?;
        on.answers(check_process(&name), Reply::Process(Liveness::Gone)).await?;
    }
    Ok(())
}

pub(super) async fn what_is_marked_elsewhere_is_not_proven_gone(on: Subject) -> Outcome {
    if !identifies_boots(&on).await? {
        on.skip(NO_BOOTS);
        return Ok(());
    }
    let gone = ProcessMark { pid: 0x3fff_fff0, ..mark(&on).await? };
    let realm = gone.realm.clone().ok_or("a mark says among whom its id is its own")?;
    let first = realm.first.ok_or("the first process of a host can be seen")?;
    let elsewhere = |realm: Realm| ProcessMark { realm: Some(realm), ..gone.clone() };
    let other_boot = |realm: Realm| ProcessMark { boot: "another-boot".to_owned(), ..elsewhere(realm) };
    let marks = [
        elsewhere(Realm { first: Some(first + 1), ..realm.clone() }),
        elsewhere(Realm { first: None, ..realm.clone() }),
        other_boot(Realm { host: Some("another-host".to_owned()), ..realm.clone() }),
        other_boot(Realm { host: None, ..realm }),
    ];
    for (index, other) in marks.iter().enumerate() {
        let name = format!("elsewhere{index}");
        on.done([write(&name, &other.to_content())]).await?;
        let reply = on.ask(check_process(&name)).await?;
        super::subject::same(&other.to_string(), &reply, &Reply::Process(Liveness::Unknown))?;
    }
    Ok(())
}

/// Accepts marks of the old format, which did not record the namespace of the process ID.
pub(super) async fn marks_of_three_words(on: Subject) -> Outcome {
    if !identifies_boots(&on).await? {
        on.skip(NO_BOOTS);
        return Ok(());
    }
    let alive = ProcessMark { realm: None, ..mark(&on).await? };
    let gone = ProcessMark { start: alive.start + 1, ..alive.clone() };
    on.done([write("alive", &alive.to_content()), write("gone", &gone.to_content())]).await?;
    on.answers(check_process("alive"), Reply::Process(Liveness::Alive)).await?;
    on.answers(check_process("gone"), Reply::Process(Liveness::Gone)).await
}
