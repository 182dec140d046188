//! Cases about the switch.

use crate::{
    status::ReleaseState,
    store::{Current, StoreError, TookEffect},
};

use super::{
    Outcome,
    subject::{Subject, done, fails, finish, holds, name, none_ready, record, same, switched},
};

pub(super) async fn it_switches_and_says_from_where(on: Subject) -> Outcome {
    on.publish("a", None).await?;
    let mut guard = on.lock().await?;
    let ready = done("a is there", guard.ready(&name("a")))?;
    let first = switched(guard.activate(&Current::Absent, &ready).await)?;
    same("before", &first.before, &Current::Absent)?;
    same("after", &first.after.release().cloned(), &Some(name("a")))?;
    same("the state", &guard.state().current, &first.after)?;
    on.is_on(Some("a")).await?;
    same("what others read", &on.state().await?.current, &first.after)?;
    finish(guard).await?;
    on.is_on(Some("a")).await
}

pub(super) async fn it_compares_and_swaps(on: Subject) -> Outcome {
    on.deploy("a").await?;
    on.deploy("b").await?;
    let mut guard = on.lock().await?;
    let (current, ready) = (guard.state().current.clone(), done("a is there", guard.ready(&name("a")))?);
    for expected in [Current::Absent, Current::Release { name: name("a"), link: b"releases/a".to_vec() }] {
        let failed = match guard.activate(&expected, &ready).await {
            Ok(activated) => return Err(format!("switched from {expected:?}, which was not current: {activated:?}")),
            Err(failed) => failed,
        };
        same("whether it took effect", &failed.took_effect, &TookEffect::No)?;
        fails("the error", Err::<(), _>(failed.error), |error| matches!(error, StoreError::Conflict { .. }))?;
        on.is_on(Some("b")).await?;
    }
    same("the state", &guard.state().current, &current)?;
    switched(guard.activate(&current, &ready).await)?;
    finish(guard).await?;
    on.is_on(Some("a")).await
}

pub(super) async fn it_needs_the_release(on: Subject) -> Outcome {
    on.deploy("a").await?;
    let mut guard = on.lock().await?;
    let current = guard.state().current.clone();
    let failed = match guard.activate(&current, &none_ready()).await {
        Ok(activated) => return Err(format!("switched to a release that is not there: {activated:?}")),
        Err(failed) => failed,
    };
    same("whether it took effect", &failed.took_effect, &TookEffect::No)?;
    fails("the error", Err::<(), _>(failed.error), |error| matches!(error, StoreError::NoSuchRelease { .. }))?;
    finish(guard).await?;
    on.is_on(Some("a")).await
}

pub(super) async fn it_goes_back(on: Subject) -> Outcome {
    for release in ["a", "b", "c"] {
        on.deploy(release).await?;
    }
    let mut guard = on.lock().await?;
    let (current, ready) = (guard.state().current.clone(), done("b is there", guard.ready(&name("b")))?);
    let back = switched(guard.activate(&current, &ready).await)?;
    same("before", &back.before, &current)?;
    done("it is read again", guard.look().await)?;
    same("the state", &guard.state().current, &back.after)?;
    finish(guard).await?;
    on.is_on(Some("b")).await?;
    // A rollback rewrites no record: the chain behind the release is as it was.
    same("the record of b", &on.hosted("b").await?.previous, &Ok(record(Some("a"))))?;
    same("the record of c", &on.hosted("c").await?.previous, &Ok(record(Some("b"))))
}

pub(super) async fn a_first_one_is_undone(on: Subject) -> Outcome {
    on.publish("a", None).await?;
    let mut guard = on.lock().await?;
    let ready = done("a is there", guard.ready(&name("a")))?;
    switched(guard.activate(&Current::Absent, &ready).await)?;
    done("`current` is removed", guard.deactivate().await)?;
    same("the state", &guard.state().current, &Current::Absent)?;
    on.is_on(None).await?;
    done("removing it again changes nothing", guard.deactivate().await)?;
    finish(guard).await
}

pub(super) async fn what_was_current_is_good(on: Subject) -> Outcome {
    on.deploy("a").await?;
    on.deploy("b").await?;
    let state = on.state().await?;
    let states = state.states();
    let found: Vec<_> = state.releases.iter().map(|release| (release.name.as_str(), states.of(release))).collect();
    same("the states", &found, &vec![("a", ReleaseState::Good), ("b", ReleaseState::Current)])?;
    holds(state.lock.is_none(), || "a deploy that ended holds the lock".to_owned())
}
