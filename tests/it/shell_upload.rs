//! Uploads as tar streams, under every shell and set of utilities of this machine.

use crate::support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use support::local_shell::LocalShell;
use switchback::{
    HostPath, InnerPath, Transport,
    transport::{
        Effect, FailureKind, Progress, TransportError,
        raw::{Batch, Op, Upload},
    },
    tree::Tree,
};
use tempfile::TempDir;

fn upload(root: &Path, into: &str, tree: Tree) -> Upload {
    let root: HostPath = root.to_str().expect("a plain path").parse().expect("a path");
    Upload {
        root,
        into: into.parse::<InnerPath>().expect("an inner path"),
        tree: Arc::new(tree),
        lists: Vec::new(),
        unlisted: Vec::new(),
        base: None,
    }
}

/// Returns files of which some names and paths are longer than a tar header allows.
fn many() -> Vec<(String, Vec<u8>)> {
    let deep = ["d".repeat(90), "e".repeat(90), "f".repeat(90)].join("/");
    let odd = ["it's", "new\nline", "-rf", "*", "$(id)", " ", "\\", "é"];
    let named = (0..2000).map(|n| (format!("a/{}/{n}.txt", n % 40), vec![b'x'; n % 700]));
    let odd = odd.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec()));
    named.chain(odd).chain([(format!("{deep}/{}", "n".repeat(200)), b"deep".to_vec())]).collect()
}

#[tokio::test]
async fn every_file_arrives() {
    let files = many();
    for shell in LocalShell::some() {
        let dir = TempDir::new().unwrap();
        fs::create_dir_all(dir.path().join("it's/into")).unwrap();
        let tree = Tree::from_memory(files.iter().map(|(path, content)| (&path[..], &content[..]))).unwrap();
        let (seen, transport) = (AtomicU64::new(0), shell.transport());
        let progress = |files, _| seen.store(files, Ordering::Relaxed);
        let uploaded = transport.upload(&upload(dir.path(), "it's/into", tree), &progress).await;
        let uploaded = uploaded.unwrap_or_else(|error| panic!("{shell}: {error:?}"));
        assert_eq!(uploaded.files, files.len() as u64, "{shell}");
        assert_eq!(seen.into_inner(), uploaded.files, "{shell}");
        for (path, content) in &files {
            let found = fs::read(dir.path().join("it's/into").join(path));
            assert_eq!(found.ok().as_ref(), Some(content), "{shell}: {path}");
        }
        let marker = |name: &fs::DirEntry| name.file_name().to_string_lossy().starts_with(".switchback");
        assert!(!fs::read_dir(dir.path().join("it's/into")).unwrap().flatten().any(|name| marker(&name)), "{shell}");
    }
}

/// A file much larger than what is sent at once. FAULTS.md S13.
#[tokio::test]
async fn the_bytes_of_a_large_file_count_as_they_are_sent() {
    const SIZE: u64 = 3_000_001;
    let content = vec![b'x'; usize::try_from(SIZE).unwrap()];
    for shell in LocalShell::some() {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("into")).unwrap();
        let tree = Tree::from_memory([("large", &content[..])]).unwrap();
        let told = Mutex::new(Vec::new());
        let tell = |files, bytes| told.lock().unwrap().push((files, bytes));
        shell.transport().upload(&upload(dir.path(), "into", tree), &tell).await.unwrap();
        let told = told.into_inner().unwrap();
        assert!(told.is_sorted() && told.last() == Some(&(1, SIZE)), "{shell}: {told:?}");
        assert!(told.iter().filter(|(files, bytes)| *files == 0 && *bytes > 0).count() > 10, "{shell}: {told:?}");
        assert_eq!(fs::read(dir.path().join("into/large")).unwrap(), content, "{shell}");
    }
}

#[tokio::test]
async fn a_cut_stream_leaves_only_what_stands_in_its_directory() {
    let files = many();
    for shell in LocalShell::some() {
        let dir = TempDir::new().unwrap();
        for cut in [0, 100, 4000, 300_000, 700_000] {
            let into = format!("into-{cut}");
            fs::create_dir(dir.path().join(&into)).unwrap();
            let tree = Tree::from_memory(files.iter().map(|(path, content)| (&path[..], &content[..]))).unwrap();
            let transport = shell.clone().wrapped(&["sh", "-c", &format!("head -c {cut} | \"$@\""), "sh"]).transport();
            let error = transport.upload(&upload(dir.path(), &into, tree), &|_, _| ()).await.unwrap_err();
            // A truncated script is not run at all, which is a certain result too.
            let arrived = fs::read_dir(dir.path().join(&into)).unwrap().count();
            assert!(error.effect() == Effect::Unknown || arrived == 0, "{shell}: {cut}: {error:?}");
            assert_eq!(cut < 8000, arrived == 0, "{shell}: {cut}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5, "{shell}");
    }
}

#[tokio::test]
async fn a_place_that_is_not_ours_to_fill_is_refused() {
    for shell in LocalShell::some() {
        let (dir, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        fs::create_dir(dir.path().join("full")).unwrap();
        fs::write(dir.path().join("full/.x"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        for (into, expected) in
            [("full", FailureKind::Exists), ("link", FailureKind::WrongType), ("none", FailureKind::Missing)]
        {
            let tree = Tree::from_memory([("f", &vec![b'x'; 1 << 20][..])]).unwrap();
            let error = shell.transport().upload(&upload(dir.path(), into, tree), &|_, _| ()).await.unwrap_err();
            let is = matches!(&error, TransportError::Upload { failure, .. } if failure.kind == expected);
            assert!(is, "{shell}: {into}: {error:?}");
        }
        let tree = Tree::from_memory([("f", &b"x"[..])]).unwrap();
        let error = shell.transport().upload(&upload(&dir.path().join("no"), "x", tree), &|_, _| ()).await.unwrap_err();
        assert!(matches!(error, TransportError::Root { .. }), "{shell}: {error:?}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "{shell}");
    }
}

/// Counts the bytes sent.
#[derive(Default)]
struct Sent(AtomicU64);

impl Progress for Sent {
    fn advanced(&self, _: u64, _: u64) {}

    fn transferred(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// Text of about two megabytes.
fn text() -> Vec<(String, Vec<u8>)> {
    let line = |n: usize| format!("line {} of the file {n} \n", n * 7919 % 1000).into_bytes();
    (0..300).map(|n| (format!("d{}/{n}", n % 9), (0..300).flat_map(|at| line(n * at)).collect())).collect()
}

fn tree(files: &[(String, Vec<u8>)]) -> Tree {
    Tree::from_memory(files.iter().map(|(path, content)| (&path[..], &content[..]))).expect("a tree")
}

/// Creates the directory `into`; the shell then reports its capabilities.
async fn make(transport: &impl Transport, root: &Path, into: &str) {
    let mut batch = Batch::new(root.to_str().and_then(|path| path.parse().ok()).expect("a plain path"));
    batch.push(Op::MakeDir { path: into.parse().expect("a path"), mode: 0o700, existing_is_fine: false });
    transport.execute(&batch).await.expect("a directory");
}

/// Returns each set of programs, with the first bytes of the stream sent to it.
fn decompressors() -> Vec<(LocalShell, &'static [u8])> {
    let gnu = || LocalShell::new("dash", "gnu");
    let (zstd, gzip): (&[u8], &[u8]) = (b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08");
    let mut all: Vec<_> = ["dash", "bash", "busybox", "mksh", "zsh"]
        .into_iter()
        .filter_map(|shell| Some((LocalShell::new(shell, "gnu")?, zstd)))
        .collect();
    all.extend(gnu().map(|shell| (shell.lacking(&["zstd"]), gzip)));
    all.extend(gnu().map(|shell| (shell.lacking(&["zstd", "gzip", "gunzip"]), &b""[..])));
    all.extend(LocalShell::new("busybox", "busybox").map(|shell| (shell, gzip)));
    all.extend(LocalShell::new("dash", "toybox").map(|shell| (shell, gzip)));
    all
}

#[tokio::test]
async fn it_is_compressed_as_the_host_can_take_it() {
    let files = text();
    let size: u64 = files.iter().map(|(_, content)| content.len() as u64).sum();
    for (shell, magic) in decompressors() {
        let dir = TempDir::new().unwrap();
        let counted = dir.path().join("sent");
        let tee = format!("/usr/bin/tee -a '{}' | \"$@\"", counted.display());
        let transport = shell.clone().wrapped(&["/bin/sh", "-c", &tee, "sh"]).transport();
        make(&transport, dir.path(), "into").await;
        let told = Sent::default();
        let uploaded = transport.upload(&upload(dir.path(), "into", tree(&files)), &told).await;
        assert_eq!(uploaded.unwrap_or_else(|error| panic!("{shell}: {error:?}")).bytes, size, "{shell}");
        for (path, content) in &files {
            assert_eq!(fs::read(dir.path().join("into").join(path)).ok().as_ref(), Some(content), "{shell}: {path}");
        }
        let (sent, bytes) = (fs::read(&counted).unwrap(), told.0.into_inner());
        assert!(bytes > 0 && bytes < sent.len() as u64, "{shell}: {bytes} bytes, not {}", sent.len());
        if magic.is_empty() {
            assert!(bytes > size, "{shell}: {bytes} of {size} bytes");
        } else {
            assert!(bytes < size / 3, "{shell}: {bytes} of {size} bytes");
            assert!(sent.windows(magic.len()).any(|window| window == magic), "{shell}");
        }
    }
}

#[tokio::test]
async fn a_little_is_not_compressed_and_nothing_for_a_host_that_is_near() {
    let shell = LocalShell::new("dash", "gnu").expect("dash");
    let dir = TempDir::new().unwrap();
    let plain = shell.clone().near().transport();
    make(&plain, dir.path(), "plain").await;
    let told = Sent::default();
    plain.upload(&upload(dir.path(), "plain", tree(&text())), &told).await.unwrap();
    assert!(told.0.into_inner() > 2 << 20);
    let transport = shell.transport();
    make(&transport, dir.path(), "little").await;
    let told = Sent::default();
    let little = tree(&[("f".to_owned(), vec![b'x'; 50_000])]);
    transport.upload(&upload(dir.path(), "little", little), &told).await.unwrap();
    assert!(told.0.into_inner() > 50_000);
}

/// The decompressor is killed, stops, or fails, before or after all output; or the unpacker does.
#[tokio::test]
async fn a_decompressor_that_fails_is_found() {
    let part = "head -c 100000";
    for shell in LocalShell::some().into_iter().filter(|shell| shell.to_string().ends_with("gnu")) {
        for (program, script, words) in [
            ("zstd", format!("/usr/bin/zstd \"$@\" | {part}; kill -9 $$"), "zstd ended with 137"),
            ("zstd", format!("/usr/bin/zstd \"$@\" | {part}"), "tar ended with 2"),
            ("zstd", format!("/usr/bin/zstd \"$@\" | {part}; echo odd >&2; exit 3"), "odd"),
            ("zstd", "/usr/bin/zstd \"$@\"; exit 3".to_owned(), "zstd ended with 3"),
            ("zstd", "/usr/bin/zstd \"$@\"; kill -9 $$".to_owned(), "zstd ended with 137"),
            ("zstd", "exit 0".to_owned(), "ended with"),
            ("zstd", "cat".to_owned(), "ended with"),
            ("zstd", "/usr/bin/zstd \"$@\"; kill -9 $PPID".to_owned(), "zstd ended with nothing said"),
            ("tar", "head -c 1000 >/dev/null; kill -9 $$".to_owned(), "tar ended with 137"),
            ("tar", "/bin/tar \"$@\"; exit 1".to_owned(), "tar ended with 1"),
            ("tar", "exit 0".to_owned(), "zstd ended with 0"),
        ] {
            let (dir, programs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
            let place = programs.path().join(program);
            fs::write(&place, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
            let transport = shell.clone().preferring(programs.path()).transport();
            make(&transport, dir.path(), "into").await;
            let error = transport.upload(&upload(dir.path(), "into", tree(&text())), &|_, _| ()).await.unwrap_err();
            let on = format!("{shell}: {program}: {script}");
            let TransportError::Upload { failure, .. } = &error else { panic!("{on}: {error:?}") };
            assert!(failure.detail.contains(words), "{on}: {failure}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{on}");
        }
    }
}

#[tokio::test]
async fn a_killed_shell_leaves_the_outcome_unknown() {
    let (dir, programs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let tar = programs.path().join("tar");
    fs::write(&tar, "#!/bin/sh\nhead -c 1000 >/dev/null; kill -9 $TOP\n").unwrap();
    fs::set_permissions(&tar, fs::Permissions::from_mode(0o755)).unwrap();
    let shell = LocalShell::new("dash", "gnu").expect("dash").preferring(programs.path());
    let transport = shell.wrapped(&["/bin/sh", "-c", "export TOP=$$; exec \"$@\"", "sh"]).transport();
    make(&transport, dir.path(), "into").await;
    let error = transport.upload(&upload(dir.path(), "into", tree(&text())), &|_, _| ()).await.unwrap_err();
    assert!(matches!(error, TransportError::Unknown { .. }), "{error:?}");
}
