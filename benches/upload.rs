//! The memory of an upload, which must not grow with its size.
//!
//! `cargo bench --bench upload`; `SWITCHBACK_BENCH_MIB` sets the size (1024), and `TMPDIR` the filesystem, by default
//! `/dev/shm` where it exists. Needs twice the size.

mod support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use support::{pairs::Table, site::Site};

/// The limit on the command's memory, in MiB.
const MOST: u64 = 64;

fn main() {
    let mib = std::env::var("SWITCHBACK_BENCH_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(1024);
    let Some(site) = Site::new(1, None) else { return };
    let source = site.roots.dir().join("source");
    make_source(&source, mib);
    let mut table = Table::new();
    let line = ["deploy", "source", "--name", "large", "--quiet"];
    let started = Instant::now();
    let mut command = site.command(&line);
    let child = command.stdout(Stdio::null()).spawn().expect("it runs");
    let peak = peak(child);
    let took = started.elapsed().as_secs_f64();
    assert_eq!(
        fs::metadata(site.roots.root(1).join("current/large.bin")).expect("the release is current").len(),
        mib << 20
    );
    table.count(
        &format!("{mib} MiB to one host: peak RSS in MiB"),
        peak.div_ceil(1 << 10),
        MOST,
        &format!("{took:.1} s"),
    );
    table.end();
}

/// Creates a source with one incompressible file.
fn make_source(source: &Path, mib: u64) {
    fs::create_dir(source).expect("a directory");
    let mut file = fs::File::create(source.join("large.bin")).expect("a file");
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut block = Vec::with_capacity(1 << 20);
    for _ in 0..mib {
        block.clear();
        while block.len() < 1 << 20 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend_from_slice(&state.to_ne_bytes());
        }
        file.write_all(&block).expect("room");
    }
}

/// Returns the highest resident size of `child` alone, in KiB. The kernel's figure only grows, and is read
/// often.
fn peak(mut child: Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0).max(peak);
        if let Some(ended) = child.try_wait().expect("it is ours") {
            assert!(ended.success(), "the deploy failed");
            return peak;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
