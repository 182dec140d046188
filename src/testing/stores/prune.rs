//! Cases about removing releases.

use crate::{outcome::Command, release::NewRelease, store::StoreError};

use super::{
    Outcome,
    subject::{Subject, done, fails, finish, holds, name, owner, same, tree},
};

/// Prunes one release, and empties the trash.
async fn prune(on: &Subject, release: &str) -> Outcome {
    let mut guard = on.lock().await?;
    let pruned = done("it is pruned", guard.prune(&[name(release)]).await)?;
    same("what stayed", &pruned.failed, &Vec::new())?;
    same("what was moved", &pruned.moved.iter().map(|(name, _)| name.as_str()).collect(), &vec![release])?;
    holds(guard.state().release(&name(release)).is_none(), || "it is still in the state".to_owned())?;
    finish(guard).await?;
    for (_, trash) in pruned.moved {
        // Whoever stages meanwhile may have been faster.
        for _ in 0..2 {
            done("the trash is emptied", on.client().empty_trash(&trash).await)?;
        }
    }
    Ok(())
}

pub(super) async fn what_is_pruned_is_gone(on: Subject) -> Outcome {
    for release in ["a", "b", "c"] {
        on.deploy(release).await?;
    }
    prune(&on, "a").await?;
    let state = on.state().await?;
    let names: Vec<&str> = state.releases.iter().map(|release| release.name.as_str()).collect();
    same("the releases", &names, &vec!["b", "c"])?;
    on.is_on(Some("c")).await?;
    on.holds("b", &tree("b")?).await
}

pub(super) async fn names_are_reused_only_if_never_current(on: Subject) -> Outcome {
    on.deploy("a").await?;
    on.deploy("b").await?;
    let staged = on.stage("new").await?;
    let mut guard = on.lock().await?;
    done("it is prepared", guard.prepare(&crate::store::Preparation::of(staged)).await)?;
    finish(guard).await?;
    prune(&on, "a").await?;
    prune(&on, "new").await?;
    let is_pruned = |error: &StoreError| matches!(error, StoreError::NamePruned { .. });
    let release = NewRelease::new(name("a"), tree("a")?);
    let again = on.client().stage(&release, &owner(Command::Stage), &[], &|_: u64, _: u64| {}).await;
    fails("a name that was current", again.map(drop), is_pruned)?;
    fails("to ask for it", on.client().may_write(Some(&name("a"))).await, is_pruned)?;
    on.publish("new", Some("b")).await
}

pub(super) async fn a_survey_reads_everything(on: Subject) -> Outcome {
    for release in ["a", "b", "c"] {
        on.deploy(release).await?;
    }
    let surveyed = done("it is surveyed", on.client().survey().await)?;
    let mut guard = on.lock().await?;
    done("it is surveyed under the lock", guard.survey().await)?;
    for state in [&surveyed, guard.state()] {
        let names: Vec<&str> = state.releases.iter().map(|release| release.name.as_str()).collect();
        same("the releases", &names, &vec!["a", "b", "c"])?;
        same("the current release", &state.current.release().cloned(), &Some(name("c")))?;
    }
    same("the holder in the holder's own state", &guard.state().lock, &None)?;
    finish(guard).await
}
