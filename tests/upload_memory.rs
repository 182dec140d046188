//! Memory of a large upload, and of a login that prints without end. A process of its own, so that nothing else counts.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{fs, sync::Arc};

use support::local_shell::LocalShell;
use switchback::{
    HostPath, Transport,
    transport::raw::{Batch, Op, Upload},
    tree::Tree,
};
use tempfile::TempDir;
use tokio::sync::Mutex;

fn kib(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Only one test at a time: they measure the whole process.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Forgets the peak so far, and returns the memory in use in KiB.
fn start_measuring() -> u64 {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    kib("VmRSS:")
}

/// The peak since `start_measuring` returned `before`, in KiB above it.
fn peak_above(before: u64) -> u64 {
    kib("VmHWM:").saturating_sub(before)
}

#[tokio::test]
async fn a_hundred_megabytes_take_a_few() {
    let _alone = ALONE.lock().await;
    let shell = LocalShell::new("dash", "gnu").expect("dash");
    let dir = TempDir::new().unwrap();
    let tree = Arc::new(Tree::from_memory([("big", &vec![7; 100 << 20][..])]).unwrap());
    let root: HostPath = dir.path().to_str().unwrap().parse().unwrap();
    let transport = shell.transport();
    // With which the host says that it takes what is compressed.
    let mut batch = Batch::new(root.clone());
    batch.push(Op::MakeDir { path: "into".parse().unwrap(), mode: 0o700, existing_is_fine: false });
    transport.execute(&batch).await.unwrap();
    let upload =
        Upload { root, into: "into".parse().unwrap(), tree, lists: Vec::new(), unlisted: Vec::new(), base: None };
    let before = start_measuring();
    let uploaded = transport.upload(&upload, &|_, _| ()).await.unwrap();
    assert_eq!(uploaded.bytes, 100 << 20);
    assert_eq!(fs::metadata(dir.path().join("into/big")).unwrap().len(), 100 << 20);
    let grown = peak_above(before);
    assert!(grown < 8 << 10, "{grown} KiB more");
}

#[tokio::test]
async fn a_flood_before_the_shell_takes_a_few() {
    let _alone = ALONE.lock().await;
    let shell = LocalShell::new("dash", "gnu").expect("dash");
    let dir = TempDir::new().unwrap();
    let root: HostPath = dir.path().to_str().unwrap().parse().unwrap();
    for flood in ["head -c 300000000 /dev/zero", "yes 'ab cd' | head -c 50000000; yes | head -c 50000000 >&2"] {
        let transport = shell.clone().wrapped(&["sh", "-c", &format!("{flood}; exec \"$@\""), "sh"]).transport();
        let mut batch = Batch::new(root.clone());
        batch.push(Op::Identify);
        let before = start_measuring();
        transport.execute(&batch).await.unwrap();
        let grown = peak_above(before);
        assert!(grown < 8 << 10, "{grown} KiB more: {flood}");
        transport.close().await;
    }
}
