//! Cases about the lock: one holder, the state read under it, and its end.

use futures_util::future::join_all;

use crate::{
    outcome::Command,
    store::{Current, Preparation, RootState, StoreError},
    token::Token,
};

use super::{
    Outcome,
    subject::{Subject, done, fails, finish, holds, is_lock_lost, name, owner, record, same},
};

pub(super) async fn an_empty_root_is_an_empty_state(on: Subject) -> Outcome {
    let state = on.state().await?;
    same("`current`", &state.current, &Current::Absent)?;
    holds(state.lock.is_none() && state.releases.is_empty() && state.interrupted.is_empty(), || format!("{state:?}"))?;
    let history = done("a history is read", on.client().history(None).await)?;
    holds(history.0.is_empty() && history.1 == 0, || format!("{history:?}"))?;
    done("it may be written", on.client().may_write(Some(&name("a"))).await)
}

pub(super) async fn is_exclusive(on: Subject) -> Outcome {
    let (one, other) = (on.client(), on.client());
    let (first, second) = (owner(Command::Deploy), owner(Command::Rollback));
    let guard = done("the lock is free", one.lock(&first, None).await)?;
    let is_first = |error: &StoreError| match error {
        StoreError::Locked { holder, .. } => holder.owner.as_ref() == Some(&first),
        _ => false,
    };
    fails("a second lock", other.lock(&second, None).await.map(drop), is_first)?;
    fails("a second lock of one's own", one.lock(&second, None).await.map(drop), is_first)?;
    let holder = done("it is read", other.state().await)?.lock;
    same("the holder that others read", &holder.and_then(|holder| holder.owner), &Some(first.clone()))?;
    same("the holder in the holder's own state", &guard.state().lock, &None)?;
    finish(guard).await?;
    same("the holder after the end", &on.state().await?.lock, &None)?;
    finish(done("the lock is free again", other.lock(&second, None).await)?).await
}

pub(super) async fn one_of_many_gets_it(on: Subject) -> Outcome {
    let (clients, owner) = ([(); 8].map(|()| on.client()), owner(Command::Deploy));
    let taken = join_all(clients.iter().map(|client| client.lock(&owner, None))).await;
    let mut held = Vec::new();
    for taken in taken {
        match taken {
            Ok(guard) => held.push(guard),
            other => fails("one of many", other.map(drop), |error| matches!(error, StoreError::Locked { .. }))?,
        }
    }
    same("the number of holders", &held.len(), &1)?;
    for guard in held {
        finish(guard).await?;
    }
    Ok(())
}

pub(super) async fn the_state_is_read_under_it(on: Subject) -> Outcome {
    let early = on.client();
    same("`current`", &done("it is read", early.state().await)?.current, &Current::Absent)?;
    on.deploy("a").await?;
    let guard = done("the lock is free", early.lock(&owner(Command::Rollback), None).await)?;
    same("the current release", &guard.state().current.release().cloned(), &Some(name("a")))?;
    holds(guard.state().release(&name("a")).is_some(), || "there is no a in the state under the lock".to_owned())?;
    finish(guard).await
}

/// Returns the token of the present holder.
async fn holder(on: &Subject) -> Result<Token, String> {
    let holder = on.state().await?.lock.ok_or("nobody holds the lock")?;
    holder.token.ok_or_else(|| "the holder has no token".to_owned())
}

pub(super) async fn is_taken_over_from_its_holder(on: Subject) -> Outcome {
    on.deploy("a").await?;
    let old = on.lock().await?;
    let (token, new) = (holder(&on).await?, owner(Command::Recover));
    let guard = done("it is taken over", on.client().steal(&new, &token).await)?;
    same("the state under it", &guard.state().current.release().cloned(), &Some(name("a")))?;
    let now = on.state().await?.lock.ok_or("nobody holds the lock")?;
    same("the new owner", &now.owner, &Some(new))?;
    holds(now.token.is_some_and(|now| now != token), || "the new holder has the token of the old one".to_owned())?;
    drop(old);
    finish(guard).await
}

pub(super) async fn is_not_taken_over_from_another(on: Subject) -> Outcome {
    let (client, stranger) = (on.client(), owner(Command::Unlock));
    let guard = on.lock().await?;
    let before = holder(&on).await?;
    fails(
        "from somebody who does not hold it",
        client.steal(&stranger, &Token::random()).await.map(drop),
        is_lock_lost,
    )?;
    same("the holder", &holder(&on).await?, &before)?;
    finish(guard).await?;
    fails("from a holder who has ended", client.steal(&stranger, &before).await.map(drop), is_lock_lost)?;
    same("the holder", &on.state().await?.lock, &None)
}

/// The parts of a state that an operation changes.
fn visible(state: &RootState) -> impl PartialEq + std::fmt::Debug + use<> {
    let releases: Vec<_> = state
        .releases
        .iter()
        .map(|release| (release.name.clone(), release.previous.clone(), release.bad.clone(), release.data.clone()))
        .collect();
    (state.current.clone(), releases, state.lock.clone(), state.intent.clone())
}

pub(super) async fn an_old_guard_changes_nothing(on: Subject) -> Outcome {
    on.deploy("a").await?;
    on.deploy("b").await?;
    let staged = on.stage("c").await?;
    let mut old = on.lock().await?;
    let back = done("a is there", old.ready(&name("a")))?;
    let guard = done("it is taken over", on.client().steal(&owner(Command::Recover), &holder(&on).await?).await)?;
    let before = visible(&on.state().await?);
    let current = old.state().current.clone();
    let publish = Preparation::of(staged).record(record(Some("b")));
    fails("it prepares", old.prepare(&publish).await.map(drop), is_lock_lost)?;
    fails("it announces", old.announce(&name("a")).await, is_lock_lost)?;
    let activated = old.activate(&current, &back).await;
    fails("it activates", activated.map(drop).map_err(|failed| failed.error), is_lock_lost)?;
    fails("it prunes", old.prune(&[name("a")]).await.map(drop), is_lock_lost)?;
    holds(old.deactivate().await.is_err(), || "it removes `current`".to_owned())?;
    fails("it takes a new lock", old.fence().await, is_lock_lost)?;
    let failed = match old.finish(&crate::store::Finish::default()).await {
        Ok(finished) => return Err(format!("it released the lock of another: {finished:?}")),
        Err(failed) => failed,
    };
    fails("it ends", Err::<(), _>(failed.error), is_lock_lost)?;
    same("the state after all that", &visible(&on.state().await?), &before)?;
    finish(guard).await
}

pub(super) async fn a_fence_keeps_it(on: Subject) -> Outcome {
    on.deploy("a").await?;
    on.deploy("b").await?;
    let mut guard = on.lock().await?;
    let before = holder(&on).await?;
    done("it is fenced", guard.fence().await)?;
    holds(holder(&on).await? != before, || "earlier requests are not fenced off: the token is the same".to_owned())?;
    holds(guard.state().interrupted.is_empty(), || "the guard takes itself for an interrupted run".to_owned())?;
    let (current, ready) = (guard.state().current.clone(), done("a is there", guard.ready(&name("a")))?);
    super::subject::switched(guard.activate(&current, &ready).await)?;
    finish(guard).await?;
    on.is_on(Some("a")).await
}
