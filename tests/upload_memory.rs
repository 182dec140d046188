//! An upload takes no more memory the larger it is. Alone in its process, so that nothing else counts.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{fs, sync::Arc};

use support::local_shell::LocalShell;
use switchback::{
    HostPath, Transport,
    transport::{Batch, Op, Upload},
    tree::Tree,
};
use tempfile::TempDir;

fn kib(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_hundred_megabytes_take_a_few() {
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
    // Forgets the peak of making the tree.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = kib("VmRSS:");
    let uploaded = transport.upload(&upload, &|_, _| ()).await.unwrap();
    assert_eq!(uploaded.bytes, 100 << 20);
    assert_eq!(fs::metadata(dir.path().join("into/big")).unwrap().len(), 100 << 20);
    let grown = kib("VmHWM:").saturating_sub(before);
    assert!(grown < 8 << 10, "{grown} KiB more");
}
