//! `diff`: the entries that differ between two releases of a host, by their manifests.

use futures_util::{StreamExt, stream};

use crate::{
    error::{Error, ErrorKind},
    event::Phase,
    hint::{Hint, Notice},
    manifest::Manifest,
    name::ReleaseName,
    report::{Failure, HostOutcome, HostReport, ReleaseDiff, Report},
    run_blocking::run_blocking,
    store::RootState,
};

use crate::fleet::{
    Host,
    observe::{failed_host, failure, untouched},
    operations::{
        inspect::conclude,
        verify::{CHANGED, missing},
    },
    run::Run,
};

/// Compares two releases on every host.
pub(in crate::fleet) async fn diff(run: Run<'_>, from: &ReleaseName, to: &ReleaseName) -> Report {
    run.emit_started(None);
    let observed = run.observe().await;
    let looks = observed.states.iter().map(|(host, answer)| diff_on(&run, host, answer, from, to));
    // Collected first: with a closure in the stream, the compiler cannot prove the future `Send`.
    let looks: Vec<_> = looks.collect();
    let hosts: Vec<HostReport> = stream::iter(looks).buffered(run.parallel).collect().await;
    conclude(&run, hosts, |host| host.diff.is_none())
}

async fn diff_on(
    run: &Run<'_>,
    host: &Host,
    answer: &Result<RootState, Failure>,
    from: &ReleaseName,
    to: &ReleaseName,
) -> HostReport {
    let state = match answer {
        Ok(state) => state,
        Err(why) => return failed_host(&host.name, why.clone()),
    };
    let mut report = untouched(&host.name, state);
    let compared = compare(host, state, from, to).await;
    match run.report_phase(&host.name, Phase::Verify, compared) {
        Ok(diff) => report.diff = Some(diff),
        Err(why) => {
            let refused = matches!(why.kind, ErrorKind::NoManifest | ErrorKind::NoSuchRelease);
            report.outcome = if refused { HostOutcome::Refused } else { failed_host(&host.name, why.clone()).outcome };
            report.error = Some(why);
        }
    }
    let touched = |name: &&ReleaseName| state.release(name).is_some_and(|release| release.touched.record().is_some());
    let names = if from == to { vec![from] } else { vec![from, to] };
    for name in names.into_iter().filter(touched) {
        report.warnings.push(Notice::new(format!("{name}: {CHANGED}")).hint(Hint::Seal));
    }
    report
}

async fn compare(host: &Host, state: &RootState, from: &ReleaseName, to: &ReleaseName) -> Result<ReleaseDiff, Failure> {
    let (old, new) = (manifest(host, state, from).await?, manifest(host, state, to).await?);
    let (from, to) = (from.clone(), to.clone());
    let compared = run_blocking(move || ReleaseDiff::of((&from, &old), (&to, &new))).await;
    compared.ok_or_else(|| Error::new(ErrorKind::Internal, "the comparison of two manifests panicked").into())
}

async fn manifest(host: &Host, state: &RootState, name: &ReleaseName) -> Result<Manifest, Failure> {
    let Some(release) = state.release(name) else {
        return Err(Failure { hints: vec![Hint::Releases], ..missing(name) });
    };
    let found = host.store.manifest(release).await.map_err(failure)?;
    found.ok_or_else(|| {
        let message = format!("{name} has no manifest to compare: it was made by hand or by another tool");
        Error::new(ErrorKind::NoManifest, message).into()
    })
}
