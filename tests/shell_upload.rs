//! Uploads as tar streams, under every shell and with every set of utilities that this machine has.

mod support;

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use support::local_shell::LocalShell;
use switchback::{
    HostPath, InnerPath, Transport,
    transport::{Effect, FailureKind, TransportError, Upload},
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

/// Files of which some names and paths are longer than a tar header holds.
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
            // A script that did not come whole is a shell that did nothing, which is as certain.
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
