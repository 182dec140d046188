//! Cases about marks, history, debts, data records and commands.

use crate::{
    commands::Commands,
    data::{DataRecord, LedgerEntry, LedgerStep},
    debt::Debt,
    outcome::{Command, HostOutcome, Outcome as Ending},
    status::{BadMark, PinMark, ReleaseState},
    store::{Ended, Kept, Preparation},
    time::Timestamp,
    token::Token,
};

use super::{
    Outcome,
    subject::{Subject, done, finish, finish_with, holds, name, record, same},
};

fn bad(number: u64) -> BadMark {
    BadMark { at: Timestamp::UNIX_EPOCH, by: "suite@here".to_owned(), reason: Some("it broke".to_owned()), number }
}

pub(super) async fn bad_marks(on: Subject) -> Outcome {
    on.deploy("a").await?;
    on.deploy("b").await?;
    let mark = (name("a"), bad(1));
    finish_with(on.lock().await?, |finish| finish.bad = Some(mark)).await?;
    let marked = on.hosted("a").await?;
    same("the mark", &marked.bad, &Kept::Record(bad(1)))?;
    same("the state", &on.state().await?.state_of(&marked), &ReleaseState::Bad)?;
    finish_with(on.lock().await?, |finish| finish.cleared = Some(name("a"))).await?;
    same("the mark after it was cleared", &on.hosted("a").await?.bad, &Kept::Nothing)
}

pub(super) async fn pins(on: Subject) -> Outcome {
    on.deploy("a").await?;
    let mark = PinMark { at: Timestamp::UNIX_EPOCH, by: "suite@here".to_owned(), reason: None };
    let pin = (name("a"), mark.clone());
    finish_with(on.lock().await?, |finish| finish.pinned = Some(pin)).await?;
    same("the pin", &on.hosted("a").await?.pinned, &Kept::Record(mark))?;
    finish_with(on.lock().await?, |finish| finish.unpinned = Some(name("a"))).await?;
    same("the pin after it was removed", &on.hosted("a").await?.pinned, &Kept::Nothing)
}

pub(super) async fn history_comes_oldest_first(on: Subject) -> Outcome {
    let outcomes = [Ending::Done, Ending::Failed, Ending::PutBack];
    for outcome in outcomes {
        let mut ended = Ended::new(outcome, HostOutcome::Unchanged);
        (ended.from, ended.to, ended.pruned) = (Some(name("a")), Some(name("b")), vec![name("old")]);
        finish_with(on.lock().await?, |finish| finish.history = Some(ended)).await?;
    }
    let (entries, unreadable) = done("it is read", on.client().history(None).await)?;
    same("the unreadable lines", &unreadable, &0)?;
    same("the order", &entries.iter().map(|entry| entry.outcome).collect(), &outcomes.to_vec())?;
    let (newest, _) = done("the newest is read", on.client().history(Some(1)).await)?;
    same("the newest", &newest.last(), &entries.last())?;
    let entry = &entries[0];
    same("its owner", &(&entry.by[..], entry.reason.as_deref()), &("suite@here", Some("it conforms")))?;
    same("its command", &entry.command, &Command::Deploy)?;
    let releases = (entry.from.clone(), entry.to.clone(), entry.pruned.clone());
    same("its releases", &releases, &(Some(name("a")), Some(name("b")), vec![name("old")]))?;
    holds(entries[0].operation != entries[1].operation, || "two operations have one token".to_owned())
}

pub(super) async fn debts_stay_until_paid(on: Subject) -> Outcome {
    let debt = |host: &str, release: &str| Debt {
        format: 1,
        host: host.to_owned(),
        operation: Token::random(),
        command: Command::Deploy,
        release: name(release),
        at: Timestamp::UNIX_EPOCH,
    };
    let (old, new, other) = (debt("web1", "a"), debt("web1", "b"), debt("web2", "b"));
    finish_with(on.lock().await?, |finish| finish.debts = vec![old]).await?;
    let owed = vec![new.clone(), other.clone()];
    finish_with(on.lock().await?, |finish| finish.debts = owed).await?;
    let mut found = on.state().await?.debts;
    found.sort_by(|one, other| one.host.cmp(&other.host));
    holds(found.contains(&new) && found.contains(&other), || format!("a debt is missing: {found:?}"))?;
    finish_with(on.lock().await?, |finish| finish.paid = vec!["web1".to_owned()]).await?;
    same("what is owed still", &on.state().await?.debts, &vec![other])
}

pub(super) async fn data_and_its_ledger(on: Subject) -> Outcome {
    on.deploy("a").await?;
    let release = name("a");
    let data = DataRecord::new(Some("drops a table".to_owned()));
    let entry = |step| {
        let now = LedgerEntry::now(Token::random(), release.clone(), step, None);
        LedgerEntry { at: Timestamp::UNIX_EPOCH, ..now }
    };
    let (begun, applied) = (entry(LedgerStep::ApplyBegun), entry(LedgerStep::Applied));
    let mut guard = on.lock().await?;
    done("it is recorded", guard.record_data(&release, Some(&data), Some(&begun)).await)?;
    done("it is recorded", guard.record_data(&release, None, Some(&applied)).await)?;
    let ledger = done("the ledger is read", guard.ledger().await)?;
    same("the ledger", &ledger, &(vec![begun, applied], 0))?;
    finish(guard).await?;
    same("the record", &on.hosted("a").await?.data, &Kept::Record(data))
}

pub(super) async fn commands(on: Subject) -> Outcome {
    let commands = Commands::default();
    let mut preparation = Preparation::of(on.stage("a").await?).record(record(None));
    preparation.commands = Some(commands.clone());
    let mut guard = on.lock().await?;
    done("it is prepared", guard.prepare(&preparation).await)?;
    finish(guard).await?;
    same("the commands", &on.hosted("a").await?.commands, &Kept::Record(commands))
}
