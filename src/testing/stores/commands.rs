//! Cases about the optional parts: commands on the host, and adoption.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{
    hook::HookKind,
    store::{HookDirectory, HookRun, StoreError},
    transport::{HookEnd, Secrets, Stream},
};

use super::{
    Outcome,
    subject::{Subject, done, finish, holds, name, same},
};

pub(super) async fn they_run_or_are_refused(on: Subject) -> Outcome {
    on.deploy("a").await?;
    let command = HookRun {
        kind: HookKind::AfterSwitch,
        release: name("a"),
        directory: HookDirectory::Release,
        script: "exit 0".to_owned(),
        environment: Vec::new(),
        secrets: Secrets::default(),
        timeout: None,
    };
    let lines = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lines);
    let sink = move |_: Stream, _: &[u8]| {
        counted.fetch_add(1, Ordering::Relaxed);
    };
    let mut guard = on.lock().await?;
    match guard.run(&command, &sink).await {
        Ok(exit) => same("the end of the command", &exit.end, &HookEnd::Exited(0))?,
        Err(StoreError::Unsupported { .. }) => {}
        Err(other) => return Err(format!("neither run nor refused: {other:?}")),
    }
    same("the lines that it printed", &lines.load(Ordering::Relaxed), &0)?;
    done("nothing is left to settle", guard.settle_hooks(false, &|_| ()).await)?;
    finish(guard).await
}

pub(super) async fn adoption_is_offered_by_both(on: Subject) -> Outcome {
    let store = on.client();
    let mut guard = on.lock().await?;
    let (by_store, by_guard) = (store.adoption().is_some(), guard.adoption().is_some());
    finish(guard).await?;
    holds(by_store == by_guard, || format!("store: {by_store}, guard: {by_guard}"))?;
    let Some(store) = store.adoption() else { return Ok(()) };
    let traces = done("the traces are read", store.traces().await)?;
    holds(traces.revisions_log.is_none() && traces.releases_log.is_none(), || format!("{traces:?}"))
}
