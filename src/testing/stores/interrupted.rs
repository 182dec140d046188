//! Cases about the leftovers of interrupted runs.

use crate::{
    outcome::{Command, HostOutcome, Outcome as Ending},
    status::ReleaseState,
    store::{Interrupted, Preparation, StoreGuard},
};

use super::{
    Outcome,
    subject::{Subject, done, finish, finish_with, holds, name, owner, record, same},
};

pub(super) async fn an_intent_is_seen(on: Subject) -> Outcome {
    on.deploy("a").await?;
    on.publish("b", Some("a")).await?;
    let (client, running) = (on.client(), owner(Command::Activate));
    let mut guard = done("the lock is free", client.lock(&running, None).await)?;
    same("the intent before it is written", &on.state().await?.intent.exists(), &false)?;
    done("it is announced", guard.announce(&name("b")).await)?;
    let state = on.state().await?;
    let intent = state.intent.record().ok_or("there is no intent")?;
    let found = (&intent.operation, intent.command, intent.from.clone(), &intent.to);
    same("the intent", &found, &(&running.operation, Command::Activate, Some(name("a")), &name("b")))?;
    finish(guard).await?;
    same("the intent after the end", &on.state().await?.intent.exists(), &false)
}

/// Takes the lock over from whoever holds it.
async fn taken_over(on: &Subject) -> Result<Box<dyn StoreGuard>, String> {
    let holder = on.state().await?.lock.and_then(|holder| holder.token).ok_or("nobody holds the lock")?;
    done("it is taken over", on.client().steal(&owner(Command::Recover), &holder).await)
}

/// Returns the only interrupted run.
fn only(guard: &dyn StoreGuard) -> Result<&Interrupted, String> {
    match &guard.state().interrupted[..] {
        [left] => Ok(left),
        left => Err(format!("expected one interrupted run, found {left:?}")),
    }
}

pub(super) async fn a_run_is_told_by_its_lock(on: Subject) -> Outcome {
    on.deploy("a").await?;
    let staged = on.stage("b").await?;
    let (client, killed) = (on.client(), owner(Command::Deploy));
    let mut guard = done("the lock is free", client.lock(&killed, None).await)?;
    done("it is prepared", guard.prepare(&Preparation::of(staged).record(record(Some("a")))).await)?;
    let next = taken_over(&on).await?;
    let left = only(&*next)?;
    same("its owner", &left.owner.record().map(|owner| owner.operation.clone()), &Some(killed.operation.clone()))?;
    let intent = left.intent.record().ok_or("it has no intent")?;
    same("its intent", &(intent.from.clone(), intent.to.clone()), &(Some(name("a")), name("b")))?;
    drop(guard);
    finish(next).await
}

pub(super) async fn an_unfinished_run_is_told_until_it_is_settled(on: Subject) -> Outcome {
    on.deploy("a").await?;
    on.publish("b", Some("a")).await?;
    let (client, running) = (on.client(), owner(Command::Activate));
    let mut guard = done("the lock is free", client.lock(&running, None).await)?;
    done("it is announced", guard.announce(&name("b")).await)?;
    finish_with(guard, |finish| finish.unfinished = true).await?;
    // Reads and other commands leave it as it is.
    finish(on.lock().await?).await?;
    let guard = on.lock().await?;
    same("the operation", &only(&*guard)?.operation().cloned(), &Some(running.operation.clone()))?;
    finish_with(guard, |finish| finish.settles = true).await?;
    let guard = on.lock().await?;
    holds(guard.state().interrupted.is_empty(), || format!("not settled: {:?}", guard.state().interrupted))?;
    finish(guard).await?;
    let (entries, _) = done("the history is read", on.client().history(None).await)?;
    let entry = entries.iter().find(|entry| entry.operation == running.operation).ok_or("the history lacks the run")?;
    same("its outcome", &(entry.outcome, entry.host), &(Ending::Interrupted, HostOutcome::Unknown))
}

pub(super) async fn a_settled_preparation_was_never_current(on: Subject) -> Outcome {
    on.deploy("a").await?;
    let staged = on.stage("b").await?;
    let mut guard = on.lock().await?;
    done("it is prepared", guard.prepare(&Preparation::of(staged).record(record(Some("a")))).await)?;
    let next = taken_over(&on).await?;
    drop(guard);
    finish_with(next, |finish| finish.settles = true).await?;
    let hosted = on.hosted("b").await?;
    same("the state of b", &on.state().await?.state_of(&hosted), &ReleaseState::Staged)?;
    on.is_on(Some("a")).await
}
