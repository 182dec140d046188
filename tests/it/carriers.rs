//! The conformance suite on every carrier that needs no network: memory, local and the decorators.
#![expect(clippy::print_stdout, reason = "a run says how many cases it tried")]

mod local;
mod model;
mod own;
use crate::support::mounts;

use std::{fs::Permissions, os::unix::fs::PermissionsExt, sync::Arc};

use switchback::{
    HostPath,
    testing::{
        Cut, Faults, Recording, Unreadable, Verdict,
        conformance::{self, Fixture},
    },
    transport::{LocalTransport, MemoryHost, MemoryTransport, Transport},
};
use tempfile::TempDir;

/// Returns a temporary directory as a deploy root.
fn root_of(directory: &TempDir) -> HostPath {
    directory.path().to_str().expect("temporary directories have plain names").parse().expect("and absolute ones")
}

/// A fixture on a temporary directory of this machine.
fn local(wrap: impl Fn(LocalTransport) -> Box<dyn Transport>) -> Fixture {
    let directory = TempDir::new().expect("a temporary directory can be made");
    // Independent of the umask, which some tests set to extremes.
    fs_err::set_permissions(directory.path(), Permissions::from_mode(0o700)).expect("it is ours");
    let root = root_of(&directory);
    let fixture = Fixture::new(wrap(LocalTransport::named("this machine")), root).keeping(directory);
    if mounts::are_allowed() { fixture.with_mounts() } else { fixture }
}

/// A fixture on a host in memory.
fn memory(wrap: impl Fn(MemoryTransport) -> Box<dyn Transport>) -> Fixture {
    let host = MemoryHost::new();
    host.make_dir("/srv/shop");
    Fixture::new(wrap(host.connect("memory")), "/srv/shop".parse().expect("a root")).without_scripts()
}

#[tokio::test]
async fn memory_conforms() {
    println!("memory: {}", conformance::transport(|| memory(|inner| Box::new(inner))).await);
}

#[tokio::test]
async fn local_conforms() {
    println!("local: {}", conformance::transport(|| local(|inner| Box::new(inner))).await);
}

/// Wraps a transport without changing what it does.
fn decorated(decorator: usize, inner: impl Transport) -> Box<dyn Transport> {
    match decorator {
        0 => Box::new(Recording::new(inner)),
        1 => Box::new(Faults::new(inner, Cut::never())),
        2 => Box::new(Unreadable::new(inner)),
        _ => Box::new(Arc::new(Box::new(inner))),
    }
}

/// Runs every case on each decorator in memory, and on one of them on this machine.
#[tokio::test]
async fn decorators_conform() {
    for decorator in 0..4 {
        let ran = conformance::transport(|| memory(|inner| decorated(decorator, inner))).await;
        let share = conformance::cases().iter().skip(decorator).step_by(4);
        let ran_here = conformance::all_of(share, || local(|inner| decorated(decorator, inner))).await;
        println!("{}: {ran}; {ran_here}", ["recording", "faults", "unreadable", "pointers"][decorator]);
    }
}

/// The suite must be able to fail: it detects a transport that breaks the contract, by the name of the case.
#[tokio::test]
async fn a_transport_that_loses_answers_does_not_conform() {
    for case in conformance::cases() {
        let cut = Cut::after(0);
        let broken = case.run(local(|inner| Box::new(Faults::new(inner, cut.clone())))).await;
        let is_named = broken.as_ref().is_err_and(|what| what.starts_with(case.name()));
        assert!(is_named || matches!(broken, Ok(Verdict::Skipped(_))), "{}: {broken:?}", case.name());
    }
}
