//! Cases about staged releases, until they are ready for a switch.

use crate::{
    outcome::Command,
    record::BadRecord,
    status::ReleaseState,
    store::{Preparation, StoreError},
};

use super::{
    Outcome,
    subject::{Subject, done, fails, finish, holds, name, owner, record, same, tree},
};

pub(super) async fn staging_needs_no_lock_and_shows_nothing(on: Subject) -> Outcome {
    let guard = on.lock().await?;
    let staged = on.stage("a").await?;
    same("the name", staged.name(), &name("a"))?;
    holds(on.state().await?.releases.is_empty(), || "a staged release has its name before it is published".to_owned())?;
    finish(guard).await?;
    done("it is discarded", on.client().discard(staged).await)
}

pub(super) async fn what_is_discarded_is_not_published(on: Subject) -> Outcome {
    let staged = on.stage("a").await?;
    done("it is discarded", on.client().discard(staged.clone()).await)?;
    let mut guard = on.lock().await?;
    let prepared = guard.prepare(&Preparation::of(staged)).await;
    holds(prepared.is_err(), || format!("what was discarded is ready: {prepared:?}"))?;
    holds(on.state().await?.releases.is_empty(), || "what was discarded is published".to_owned())?;
    finish(guard).await
}

pub(super) async fn a_prepared_release_is_complete(on: Subject) -> Outcome {
    let staged = on.stage("a").await?;
    let mut guard = on.lock().await?;
    let ready = done("it is prepared", guard.prepare(&Preparation::of(staged)).await)?;
    same("the name", ready.name(), &name("a"))?;
    finish(guard).await?;
    let state = on.state().await?;
    let hosted = on.hosted("a").await?;
    same("its state", &state.state_of(&hosted), &ReleaseState::Staged)?;
    same("its record", &hosted.previous, &Err(BadRecord::Missing))?;
    same("the number of files in its staging record", &hosted.staged.record().map(|staged| staged.files), &Some(2))?;
    on.holds("a", &tree("a")?).await?;
    on.is_on(None).await
}

pub(super) async fn a_taken_name_is_refused(on: Subject) -> Outcome {
    on.publish("a", None).await?;
    let staged = on.stage_tree("a", tree("another")?).await?;
    let mut guard = on.lock().await?;
    let prepared = guard.prepare(&Preparation::of(staged.clone())).await.map(drop);
    fails("a second release of that name", prepared, |error| matches!(error, StoreError::NameTaken { .. }))?;
    finish(guard).await?;
    done("it is discarded", on.client().discard(staged).await)?;
    on.holds("a", &tree("a")?).await
}

pub(super) async fn unprepare_frees_the_name(on: Subject) -> Outcome {
    let preparation = Preparation::of(on.stage("a").await?).record(record(None));
    let mut guard = on.lock().await?;
    done("it is prepared", guard.prepare(&preparation).await)?;
    done("it is taken back", guard.unprepare(&preparation).await)?;
    finish(guard).await?;
    holds(on.state().await?.releases.is_empty(), || "the release is still there".to_owned())?;
    let other = Preparation::of(on.stage_tree("a", tree("another")?).await?);
    let mut guard = on.lock().await?;
    done("the name is free", guard.prepare(&other).await)?;
    finish(guard).await?;
    on.holds("a", &tree("another")?).await
}

pub(super) async fn unprepare_puts_the_record_back(on: Subject) -> Outcome {
    on.deploy("a").await?;
    on.publish("b", None).await?;
    let preparation = Preparation::new(name("b")).record(record(Some("a")));
    let mut guard = on.lock().await?;
    done("it is prepared", guard.prepare(&preparation).await)?;
    same("the new record", &on.hosted("b").await?.previous, &Ok(record(Some("a"))))?;
    done("it is taken back", guard.unprepare(&preparation).await)?;
    finish(guard).await?;
    same("the record", &on.hosted("b").await?.previous, &Ok(record(None)))?;
    on.holds("b", &tree("b")?).await
}

pub(super) async fn the_current_release_stays(on: Subject) -> Outcome {
    let preparation = Preparation::of(on.stage("a").await?).record(record(None));
    let mut guard = on.lock().await?;
    let ready = done("it is prepared", guard.prepare(&preparation).await)?;
    let before = guard.state().current.clone();
    super::subject::switched(guard.activate(&before, &ready).await)?;
    let undone = guard.unprepare(&preparation).await;
    fails("the current release is taken back", undone, |error| matches!(error, StoreError::Conflict { .. }))?;
    finish(guard).await?;
    on.is_on(Some("a")).await?;
    on.holds("a", &tree("a")?).await
}

pub(super) async fn only_what_is_there_is_ready(on: Subject) -> Outcome {
    on.publish("a", None).await?;
    let mut guard = done("the lock is free", on.client().lock(&owner(Command::Rollback), None).await)?;
    same("the name", done("a is ready", guard.ready(&name("a")))?.name(), &name("a"))?;
    let is_missing = |error: &StoreError| matches!(error, StoreError::NoSuchRelease { .. });
    fails("a release that is not there", guard.ready(&name("missing")).map(drop), is_missing)?;
    fails("to prepare it", guard.prepare(&Preparation::new(name("missing"))).await.map(drop), is_missing)?;
    finish(guard).await
}
