//! Large uploads in two streams: everything arrives whatever becomes of the second, and a failure is reported
//! once under its own name. FAULTS.md U04.

use crate::support;

use std::{
    fmt, fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use camino::Utf8Path;
use support::local_shell::LocalShell;
use switchback::{
    BoxFuture, Transport,
    transport::{
        Batch, Op, Progress, ShellTransport, TransportError, Upload, Uploaded,
        shell::{Channel, Shell, ShellCommand},
    },
    tree::{Tree, TreeError},
};
use tempfile::TempDir;

/// The number of files, and their size: 18 MB in total, which is more than any queue holds.
const FILES: usize = 300;
const SIZE: usize = 60_000;

fn write_source(source: &Path) {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for n in 0..FILES {
        let path = source.join(format!("d{}/it's {}/{n}", n % 7, n % 3));
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        let noise = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        fs::write(&path, (0..SIZE).map(noise).collect::<Vec<u8>>()).expect("a file");
        let mode = if n % 5 == 0 { 0o755 } else { 0o640 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
    }
    for (n, mode) in [(0, 0o700), (1, 0o750), (2, 0o775)] {
        fs::set_permissions(source.join(format!("d{n}")), fs::Permissions::from_mode(mode)).expect("ours");
    }
    fs::create_dir(source.join("empty")).expect("a directory");
    std::os::unix::fs::symlink("d1", source.join("link")).expect("a link");
}

fn tree(source: &Path) -> Arc<Tree> {
    Arc::new(Tree::from_directory(Utf8Path::from_path(source).expect("UTF-8")).expect("a tree"))
}

fn upload(root: &Path, tree: &Arc<Tree>) -> Upload {
    Upload {
        root: root.to_str().and_then(|path| path.parse().ok()).expect("a plain path"),
        into: "into".parse().expect("a path"),
        tree: Arc::clone(tree),
        lists: Vec::new(),
        unlisted: Vec::new(),
        base: None,
    }
}

/// The fate of channels, counted from 1 as they open: the first carries batches.
#[derive(Debug, Clone)]
enum Fate {
    Fine,
    Refused(usize),
    /// Each goes through its script, which calls `"$@"`.
    Through(Vec<(usize, String)>),
}

/// A host that counts its channels.
#[derive(Debug, Clone)]
struct Host {
    shell: LocalShell,
    fate: Fate,
    opened: Arc<AtomicUsize>,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shell.fmt(f)
    }
}

impl Shell for Host {
    fn open(&self, command: ShellCommand) -> BoxFuture<'_, Result<Channel, TransportError>> {
        let place = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        Box::pin(async move {
            match &self.fate {
                Fate::Refused(nth) if *nth == place => {
                    Err(TransportError::Unreachable { host: self.to_string(), source: "no more sessions".into() })
                }
                Fate::Through(scripts) if let Some((_, script)) = scripts.iter().find(|(nth, _)| *nth == place) => {
                    self.shell.clone().wrapped(&["/bin/sh", "-c", script, "sh"]).open(command).await
                }
                _ => self.shell.open(command).await,
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.shell.close()
    }

    fn is_far(&self) -> bool {
        true
    }
}

/// Collects the progress of an upload.
#[derive(Default)]
struct Seen(Mutex<Vec<(u64, u64)>>);

impl Progress for Seen {
    fn advanced(&self, files: u64, bytes: u64) {
        self.0.lock().expect("no test panics with it").push((files, bytes));
    }
}

/// Uploads `tree` to a new root of such a host, and returns the number of channels too.
async fn bring(
    shell: &LocalShell,
    fate: Fate,
    tree: &Arc<Tree>,
) -> (TempDir, Result<Uploaded, TransportError>, Seen, usize) {
    let (dir, seen) = (TempDir::new().expect("a directory"), Seen::default());
    let host = Host { shell: shell.clone(), fate, opened: Arc::default() };
    let opened = Arc::clone(&host.opened);
    let transport = ShellTransport::new(host, Duration::from_secs(60));
    let upload = upload(dir.path(), tree);
    let mut batch = Batch::new(upload.root.clone());
    batch.push(Op::MakeDir { path: upload.into.clone(), mode: 0o700, existing_is_fine: false });
    transport.execute(&batch).await.expect("a directory");
    let result = transport.upload(&upload, &seen).await;
    (dir, result, seen, opened.load(Ordering::Relaxed))
}

/// Returns names, modes and contents of everything below a directory.
fn all(place: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut found = Vec::new();
    let mut ahead = vec![place.to_owned()];
    while let Some(directory) = ahead.pop() {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            let (path, is) = (entry.path(), entry.metadata().expect("it is there"));
            let content = if is.is_file() { fs::read(&path).expect("a file") } else { Vec::new() };
            let name = path.strip_prefix(place).expect("below").to_string_lossy().into_owned();
            found.push((name, is.mode(), content));
            if is.is_dir() {
                ahead.push(path);
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn all_arrives_as_it_was_and_both_take_their_part() {
    let source = TempDir::new().expect("a directory");
    write_source(source.path());
    for shell in LocalShell::some() {
        let (dir, uploaded, seen, opened) = bring(&shell, Fate::Fine, &tree(source.path())).await;
        let uploaded = uploaded.unwrap_or_else(|error| panic!("{shell}: {error:?}"));
        assert_eq!(uploaded, Uploaded { files: FILES as u64, bytes: (FILES * SIZE) as u64 }, "{shell}");
        assert_eq!(opened, 3, "{shell}: one for batches and two for streams");
        assert!(all(&dir.path().join("into")) == all(source.path()), "{shell}: what arrived is another tree");
        let seen = seen.0.into_inner().expect("no test panics with it");
        assert!(seen.is_sorted(), "{shell}: it went backwards");
        assert_eq!(seen.last(), Some(&(uploaded.files, uploaded.bytes)), "{shell}");
    }
}

#[tokio::test]
async fn without_a_second_channel_all_goes_over_the_first() {
    let source = TempDir::new().expect("a directory");
    write_source(source.path());
    let shell = LocalShell::new("dash", "gnu").expect("dash");
    let (dir, uploaded, ..) = bring(&shell, Fate::Refused(3), &tree(source.path())).await;
    assert_eq!(uploaded.expect("it arrives").files, FILES as u64);
    assert!(all(&dir.path().join("into")) == all(source.path()));
}

/// A host with room for only one more shell, or whose second is slow to start, gets no data on the second.
#[tokio::test]
async fn a_second_channel_that_never_begins_is_done_without() {
    let source = TempDir::new().expect("a directory");
    write_source(source.path());
    let shell = LocalShell::new("dash", "gnu").expect("dash");
    for never in ["exit 1", "kill -9 $$", "exec cat >/dev/null"] {
        let (dir, uploaded, ..) = bring(&shell, Fate::Through(vec![(3, never.to_owned())]), &tree(source.path())).await;
        assert_eq!(uploaded.unwrap_or_else(|error| panic!("{never}: {error:?}")).files, FILES as u64);
        assert!(all(&dir.path().join("into")) == all(source.path()), "{never}");
    }
}

#[tokio::test]
async fn little_goes_in_one_stream() {
    let shell = LocalShell::new("dash", "gnu").expect("dash");
    let little = Tree::from_memory([("f", &vec![b'x'; 7 << 20][..])]).expect("a tree");
    let (_dir, uploaded, _, opened) = bring(&shell, Fate::Fine, &Arc::new(little)).await;
    assert_eq!((uploaded.expect("it arrives").files, opened), (1, 2));
}

/// A channel that ends, or whose `tar` fails, fails the whole upload, without blame on the source.
#[tokio::test]
async fn either_may_fail() {
    let (source, programs) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    write_source(source.path());
    let shell = LocalShell::new("dash", "gnu").expect("dash");
    let place = |name: &str| programs.path().join(name).display().to_string();
    let tar = "#!/bin/sh\nhead -c 1000 >/dev/null\n: >\"$JOINED\"\ncase $HOW in kill) kill -9 $TOP;; esac\necho no room >&2\nexit 1\n";
    fs::write(place("tar"), tar).expect("a file");
    fs::set_permissions(place("tar"), fs::Permissions::from_mode(0o755)).expect("ours");
    let with_tar = |how: &str| {
        format!(
            "export TOP=$$ HOW={how} JOINED='{}'; PATH='{}':$PATH; exec \"$@\"",
            place("joined"),
            programs.path().display()
        )
    };
    // The second channel's part must not have gone over the first by then.
    let slow = "n=0; while [ ! -e 'JOINED' ] && [ $n -lt 500 ]; do head -c 50000; sleep 0.02; n=$((n + 1)); done";
    let slow = format!("{{ {slow}; cat; }} | \"$@\"").replace("JOINED", &place("joined"));
    // Byte by byte: `dd` must not hold back bytes that the test waits for.
    let cut = format!("dd bs=1 count=20000 2>/dev/null | \"$@\"; : >'{}'", place("joined"));
    for nth in [2, 3] {
        for (how, script) in [("fail", with_tar("fail")), ("kill", with_tar("kill")), ("cut", cut.clone())] {
            let _: std::io::Result<()> = fs::remove_file(place("joined"));
            let scripts = if nth == 2 { vec![(2, script)] } else { vec![(2, slow.clone()), (3, script)] };
            let (_dir, result, ..) = bring(&shell, Fate::Through(scripts), &tree(source.path())).await;
            match (how, &result) {
                ("fail", Err(TransportError::Upload { failure, .. })) => {
                    assert!(failure.detail.contains("no room"), "{nth}: {failure}");
                }
                ("cut", Err(TransportError::Upload { .. })) | ("kill", Err(TransportError::Unknown { .. })) => {}
                _ => panic!("{nth}: {how}: {result:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_source_that_changes_is_what_is_told() {
    let source = TempDir::new().expect("a directory");
    write_source(source.path());
    let shell = LocalShell::new("dash", "gnu").expect("dash");
    let tree = tree(source.path());
    fs::write(source.path().join("d6/it's 0/6"), "another").expect("a file");
    let (_dir, result, ..) = bring(&shell, Fate::Fine, &tree).await;
    match result {
        Err(TransportError::Source { source, .. }) => {
            assert!(matches!(&source, TreeError::Changed { path } if path.ends_with("0/6")), "{source:?}");
        }
        result => panic!("{result:?}"),
    }
}

/// An upload to several hosts is divided once for all of them.
#[tokio::test]
async fn a_fleet_shares_both() {
    let source = TempDir::new().expect("a directory");
    write_source(source.path());
    let tree = tree(source.path());
    let sharing = tree.share();
    let shell = LocalShell::new("dash", "gnu").expect("dash");
    let fates = [Fate::Fine, Fate::Fine, Fate::Refused(3)];
    let [one, other, refused] = fates.map(|fate| {
        let (shell, tree) = (shell.clone(), Arc::clone(&tree));
        async move { bring(&shell, fate, &tree).await }
    });
    let (one, other, refused) = tokio::join!(one, other, refused);
    // Without a second channel, its part follows when the first has ended.
    for ((dir, uploaded, _, opened), expected) in [(one, 3), (other, 3), (refused, 4)] {
        assert_eq!((uploaded.expect("it arrives").files, opened), (FILES as u64, expected));
        assert!(all(&dir.path().join("into")) == all(source.path()));
    }
    drop(sharing);
}
