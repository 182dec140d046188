//! The time and the bytes on the wire of an upload, compared with the usual tools.
//!
//! Those are `rsync --copy-dest` where the host has most of a release, and `tar | zstd | ssh` where it has nothing.
//!
//! `cargo bench --bench delta`; words on the command line select lines by their names. Runs in memory (`/dev/shm`)
//! unless `TMPDIR` is set. Needs about 600 MB.
#![expect(clippy::print_stdout, reason = "a bench says what it cannot measure")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use support::{
    pairs::{Pairs, Table, time},
    site::Site,
};
use switchback::{manifest::Form, tree::Tree};

/// Half a round trip between continents, or over a mobile network.
const FAR: Duration = Duration::from_millis(25);

/// The limit on the number of pairs: each writes a release twice.
const PAIRS: usize = 7;

/// The trees: their names, the number of files, and the bytes of each file.
const TREES: [(&str, usize, usize); 2] =
    [("2,000 files, 100 MB", 2_000, 50_000), ("20,000 files, 80 MB", 20_000, 4_000)];

/// The limit on bytes on the wire besides the changed content.
const BESIDES: u64 = 64 << 10;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |what: &str| asked.is_empty() || asked.iter().any(|word| what.contains(word.as_str()));
    let mut table = Table::new();
    for (tree, files, size) in TREES {
        for (wire, delay) in [("0 ms", Duration::ZERO), ("50 ms", FAR)] {
            let lines = ["delta", "bytes", "first"].map(|kind| format!("{kind}, {tree}, {wire}"));
            if !lines.iter().any(|line| wanted(line)) {
                continue;
            }
            let Some(site) = Site::new(1, Some(delay)) else { return };
            let bench = Bench::new(site, files, size);
            if wanted(&lines[0]) {
                bench.delta(&mut table, &lines[0]);
            }
            if wanted(&lines[1]) && delay.is_zero() {
                bench.bytes(&mut table, &lines[1]);
            }
            if wanted(&lines[2]) {
                bench.first(&mut table, &lines[2]);
            }
        }
    }
    table.end();
}

/// Two trees. The host has the first: as the current release, and next to it for the rival.
struct Bench {
    site: Site,
    /// `ssh` with the right options, and the host.
    ssh: (PathBuf, String),
}

impl Bench {
    fn new(site: Site, files: usize, each: usize) -> Self {
        let ssh = site.ssh_program();
        let bench = Self { site, ssh };
        make_files(&bench.source("one"), (0..files).map(|at| (at, at, each)));
        run(Command::new("cp").arg("-a").arg(bench.source("one")).arg(bench.source("two")));
        // One of every hundred files differs, in length too, since rsync compares only sizes and times.
        make_files(&bench.source("two"), (7..files).step_by(100).map(|at| (at, at + files, each + 7)));
        bench.ours("deploy", "one");
        bench.rival(&format!("mkdir -p '{}'", bench.there("").display()));
        run(Command::new("cp").arg("-a").arg(bench.source("one")).arg(bench.there("one")));
        bench
    }

    fn source(&self, name: &str) -> PathBuf {
        self.site.roots.dir().join("source").join(name)
    }

    /// Returns the path of the rival's upload.
    fn there(&self, name: &str) -> PathBuf {
        self.site.roots.dir().join("rival").join(name)
    }

    fn ours(&self, command: &str, name: &str) {
        let source = self.source(name);
        let source = source.to_str().expect("a plain path");
        let output = self.site.command(&[command, source, "--name", name, "--quiet"]).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Removes all traces of a staged release.
    fn forget(&self, name: &str) {
        let root = self.site.roots.root(1);
        for place in ["releases", ".switchback/releases"] {
            fs::remove_dir_all(root.join(place).join(name)).expect("it was staged");
        }
    }

    /// Runs a command line of the rival, in which `$SSH` is `ssh` and the host.
    fn rival(&self, line: &str) {
        let (program, host) = &self.ssh;
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).env("RSH", program).env("HOST", host).stdin(Stdio::null()).stdout(Stdio::null());
        run(&mut shell);
    }

    /// Stages the second tree, and times it; then removes it again.
    fn stage(&self) -> Duration {
        let took = time(|| self.ours("stage", "two"));
        assert_same(&self.source("two"), &self.site.roots.root(1).join("releases/two"));
        self.forget("two");
        took
    }

    fn with_rival(&self, line: &str) -> Duration {
        let took = time(|| self.rival(line));
        assert_same(&self.source("two"), &self.there("two"));
        fs::remove_dir_all(self.there("two")).expect("it was brought");
        took
    }

    fn delta(&self, table: &mut Table, what: &str) {
        if Command::new("rsync").arg("--version").stdout(Stdio::null()).status().is_err() {
            println!("{what}: not measured, since there is no rsync on this machine");
            return;
        }
        let (from, to) = (self.source("two"), self.there("two"));
        let line = format!("rsync -a --copy-dest=../one -e \"$RSH\" '{}/' \"$HOST:{}/\"", from.display(), to.display());
        let pairs = Pairs::take_up_to(PAIRS, || self.stage(), || self.with_rival(&line));
        table.ratio(&format!("{what} / rsync --copy-dest"), &pairs, 0.7);
    }

    fn first(&self, table: &mut Table, what: &str) {
        let (from, to) = (self.source("two"), self.there("two"));
        let (from, to) = (from.display(), to.display());
        let line = format!(
            "tar -C '{from}' -c . | zstd -q -3 | \"$RSH\" \"$HOST\" \"mkdir '{to}' && zstd -q -d | tar -x -C '{to}'\""
        );
        // Compare on an empty root, where there is nothing to look up or to copy.
        let root = self.site.roots.root(1);
        fs::remove_dir_all(&root).expect("it was deployed to");
        fs::create_dir(root).expect("a directory");
        let stage = || {
            // Forget the digests of earlier runs too.
            fs::remove_dir_all(self.site.roots.dir().join(".cache")).expect("it was used");
            self.stage()
        };
        let pairs = Pairs::take_up_to(PAIRS, stage, || self.with_rival(&line));
        table.ratio(&format!("{what} / tar | zstd -3 | ssh"), &pairs, 1.1);
    }

    /// Measures the bytes in both directions, including those that set up the connection.
    fn bytes(&self, table: &mut Table, what: &str) {
        let proxy = &self.site.proxies[0];
        let counted = |work: &dyn Fn()| {
            let before = proxy.bytes();
            work();
            let after = proxy.bytes();
            (after.0 - before.0, after.1 - before.1)
        };
        let (sent, received) = counted(&|| self.ours("stage", "two"));
        self.forget("two");
        let bare = counted(&|| self.site.bare());
        let changed = changed(&self.source("one"), &self.source("two"));
        let remark =
            format!("{sent} up, {received} down; what changed {changed}; `ssh host true` {} and {}", bare.0, bare.1);
        table.count(what, sent + received, changed + BESIDES, &remark);
    }
}

/// Returns the compressed size of the changed files and the changed lines of the manifest, in bytes.
fn changed(old: &Path, new: &Path) -> u64 {
    let manifest = |path: &Path| {
        let tree = Tree::open(path.to_str().expect("a plain path").into()).expect("a tree");
        tree.manifest().expect("it can be read")
    };
    let (old, changed) = (manifest(old), manifest(new));
    let mut all = Vec::new();
    for entry in changed.entries().iter().filter(|entry| old.entry(&entry.path) != Some(entry)) {
        let path = std::str::from_utf8(&entry.path).expect("a plain path");
        all.extend(fs::read(new.join(path)).expect("a changed file"));
    }
    let text = |manifest: &switchback::manifest::Manifest| {
        String::from_utf8(manifest.in_form(Form::Manifest)).expect("it is text")
    };
    let (old, changed) = (text(&old), text(&changed));
    let old: std::collections::BTreeSet<&str> = old.lines().collect();
    all.extend(changed.lines().filter(|line| !old.contains(line)).flat_map(|line| [line.as_bytes(), b"\n"].concat()));
    zstd::encode_all(&all[..], 3).expect("memory").len() as u64
}

/// Creates files from their numbers, content seeds and sizes. Half of them hold text, half noise.
fn make_files(path: &Path, files: impl Iterator<Item = (usize, usize, usize)>) {
    for (at, seed, size) in files {
        let dir = path.join(format!("part {}/section-{}", at % 20, at % 200 / 20));
        fs::create_dir_all(&dir).expect("a directory");
        let seed = seed as u64;
        let content = if (seed / 100).is_multiple_of(2) { text(seed, size) } else { noise(seed, size) };
        fs::write(dir.join(format!("file-{at}.bin")), content).expect("a file");
    }
}

fn text(seed: u64, size: usize) -> Vec<u8> {
    let words = ["release", "current", "previous", "switch", "host", "manifest", "record", "lock"];
    let random = noise(seed, size);
    let bytes = random.iter().flat_map(|byte| [words[usize::from(byte % 8)].as_bytes(), &[b' ' + byte / 8]].concat());
    bytes.take(size).collect()
}

/// Returns incompressible bytes.
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes());
    }
    bytes.truncate(size);
    bytes
}

fn assert_same(one: &Path, other: &Path) {
    let mut diff = Command::new("diff");
    run(diff.args(["-r", "-q", "-x", "previousVersion"]).arg(one).arg(other));
}

fn run(command: &mut Command) {
    let status = command.status().expect("it runs");
    assert!(status.success(), "{command:?}: {status}");
}
