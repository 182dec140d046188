//! Cases about answers that are lost after the request took effect.

use crate::{
    outcome::Command,
    store::{Current, Finish, Preparation, StoreError, TookEffect},
    transport::Effect,
};

use super::{
    Outcome,
    subject::{Subject, done, finish, holds, name, owner, record, same, switched, tree},
};

pub(super) async fn a_switch(on: Subject) -> Outcome {
    on.deploy("a").await?;
    on.deploy("b").await?;
    let (client, lose) = on.losing_client()?;
    let mut guard = done("the lock is free", client.lock(&owner(Command::Rollback), None).await)?;
    let (current, ready) = (guard.state().current.clone(), done("a is there", guard.ready(&name("a")))?);
    lose();
    match guard.activate(&current, &ready).await {
        // A store may ask again by itself.
        Ok(activated) => same("after", &activated.after.release().cloned(), &Some(name("a")))?,
        Err(failed) => {
            let is_honest = failed.took_effect != TookEffect::No;
            holds(is_honest, || format!("it claims that nothing took effect: {failed:?}"))?;
            done("it is fenced", guard.fence().await)?;
        }
    }
    same("the state and what others read", &guard.state().current, &on.state().await?.current)?;
    let current = guard.state().current.clone();
    switched(guard.activate(&current, &ready).await)?;
    finish(guard).await?;
    on.is_on(Some("a")).await
}

pub(super) async fn a_preparation(on: Subject) -> Outcome {
    on.deploy("a").await?;
    let preparation = Preparation::of(on.stage("b").await?).record(record(Some("a")));
    let (client, lose) = on.losing_client()?;
    let mut guard = done("the lock is free", client.lock(&owner(Command::Deploy), None).await)?;
    lose();
    if let Err(error) = guard.prepare(&preparation).await {
        same("how much took effect", &error.effect(), &Effect::Unknown)?;
        done("it is fenced", guard.fence().await)?;
    }
    done("it is taken back", guard.unprepare(&preparation).await)?;
    finish(guard).await?;
    holds(on.state().await?.release(&name("b")).is_none(), || "the release is still there".to_owned())?;
    on.publish("b", Some("a")).await?;
    on.holds("b", &tree("b")?).await
}

pub(super) async fn a_lock(on: Subject) -> Outcome {
    let (client, lose) = on.losing_client()?;
    lose();
    match client.lock(&owner(Command::Deploy), None).await {
        Ok(guard) => {
            let other = on.client().lock(&owner(Command::Deploy), None).await;
            holds(matches!(other, Err(StoreError::Locked { .. })), || format!("two hold the lock: {other:?}"))?;
            same("`current`", &guard.state().current, &Current::Absent)?;
            finish(guard).await
        }
        Err(error) => same("how much took effect", &error.effect(), &Effect::Unknown),
    }
}

pub(super) async fn the_end(on: Subject) -> Outcome {
    let (client, lose) = on.losing_client()?;
    let guard = done("the lock is free", client.lock(&owner(Command::Deploy), None).await)?;
    lose();
    if let Err(failed) = guard.finish(&Finish::default()).await {
        same("how much took effect", &failed.error.effect(), &Effect::Unknown)?;
        // The guard comes back, to find out who holds the lock.
        let mut guard = failed.guard;
        match guard.fence().await {
            Ok(()) => finish(guard).await?,
            Err(StoreError::LockLost { .. }) => {}
            Err(other) => return Err(format!("the lock is neither held nor lost: {other:?}")),
        }
    }
    finish(on.lock().await?).await
}
