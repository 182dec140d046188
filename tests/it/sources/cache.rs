//! The digest cache: what it saves, and that it never hides a change.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    sync::atomic::Ordering,
    thread::sleep,
    time::{Duration, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};
use switchback::{
    manifest::{Digest, ManifestNode},
    tree::{Node, SourceOptions, Tree, TreeError},
};

use super::Place;

const FILES: u64 = 80;

/// A source of many files, and the place of its digests.
struct Kept {
    place: Place,
    cache: Utf8PathBuf,
}

impl Kept {
    fn new() -> Self {
        let place = Place::new();
        for n in 0..FILES {
            place.write(&format!("source/d{}/{n}", n % 5), format!("content {n:3}"));
        }
        let cache = place.path().join("home/.cache");
        Self { place, cache }
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        self.place.path().join("source").join(name)
    }

    fn open(&self) -> Tree {
        let mut options = SourceOptions::default();
        options.digest_cache = Some(self.cache.clone());
        Tree::open_with(&self.path(""), &options).unwrap()
    }

    /// Returns the digest of `name` in the manifest, and how many files were read for it.
    fn digest(&self, name: &str) -> (Digest, u64) {
        let (tree, read) = self.open().counted();
        let manifest = tree.manifest().unwrap();
        let ManifestNode::File { digest, .. } = manifest.entry(name.as_bytes()).unwrap().node else {
            panic!("no file")
        };
        (digest, read.load(Ordering::Relaxed))
    }

    /// Returns the only file in the cache.
    fn file(&self) -> Utf8PathBuf {
        let mut files = self.cache.read_dir_utf8().unwrap();
        let file = files.next().unwrap().unwrap().into_path();
        assert!(files.next().is_none());
        file
    }

    /// Waits until every file is old enough for its digest to be kept, by the same clock.
    fn settle(&self) {
        let newest = fs::metadata(self.path("d4/79")).unwrap().ctime();
        let settled = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(newest).unwrap() + 4);
        while let Ok(left) = settled.duration_since(SystemTime::now()) {
            sleep(left);
        }
    }
}

/// Writes other content of the same length, and restores the modification time.
fn change_unseen(path: &Utf8Path, content: &str) {
    let before = fs::metadata(path).unwrap();
    assert_eq!(before.len(), content.len() as u64);
    fs::write(path, content).unwrap();
    File::open(path).unwrap().set_modified(before.modified().unwrap()).unwrap();
}

#[test]
fn files_that_have_just_been_written_are_read_again() {
    let kept = Kept::new();
    assert_eq!(kept.digest("d2/7"), (Digest::of(b"content   7"), FILES));
    assert!(!kept.cache.exists() || kept.cache.read_dir_utf8().unwrap().next().is_none());
    change_unseen(&kept.path("d2/7"), "CONTENT   7");
    assert_eq!(kept.digest("d2/7"), (Digest::of(b"CONTENT   7"), FILES));
}

#[test]
fn what_has_not_changed_is_not_read_to_know_it() {
    let kept = Kept::new();
    kept.settle();
    assert_eq!(kept.digest("d2/7"), (Digest::of(b"content   7"), FILES));
    assert_eq!(kept.digest("d2/7"), (Digest::of(b"content   7"), 0));
    assert_eq!(fs::metadata(kept.file()).unwrap().mode() & 0o7777, 0o600);
    // Size and time are the same, as for a file that a tool has put there.
    change_unseen(&kept.path("d2/7"), "CONTENT   7");
    assert_eq!(kept.digest("d2/7"), (Digest::of(b"CONTENT   7"), 1));
    let other = kept.place.write("other", "cOntent   7");
    let at = fs::metadata(kept.path("d2/7")).unwrap().modified().unwrap();
    File::open(&other).unwrap().set_modified(at).unwrap();
    fs::rename(&other, kept.path("d2/7")).unwrap();
    assert_eq!(kept.digest("d2/7"), (Digest::of(b"cOntent   7"), 1));
    // It is too new to be kept.
    assert_eq!(kept.digest("d2/7").1, 1);
    // Without the option, the cache is not used.
    let (tree, read) = Tree::open(&kept.path("")).unwrap().counted();
    tree.manifest().unwrap();
    assert_eq!(read.load(Ordering::Relaxed), FILES);
}

#[test]
fn what_is_sent_is_held_against_the_digest_and_a_wrong_one_is_forgotten() {
    let kept = Kept::new();
    kept.settle();
    kept.digest("d2/7");
    // Forged: a digest that is not the file's.
    let text = fs::read(kept.file()).unwrap();
    let text = String::from_utf8(text[..text.len() - 64].to_vec()).unwrap();
    let wrong = text.replace(&Digest::of(b"content   7").to_string(), &Digest::of(b"another").to_string());
    assert_ne!(wrong, text);
    fs::write(kept.file(), format!("{wrong}{}", Digest::of(wrong.as_bytes()))).unwrap();
    assert_eq!(kept.digest("d2/7"), (Digest::of(b"another"), 0));
    let tree = kept.open();
    tree.manifest().unwrap();
    match tree.visit_only(&|entry| entry.path == b"d2/7", &mut |_, _| Ok(())) {
        Err(TreeError::Changed { path }) => assert_eq!(path, "d2/7"),
        other => panic!("{other:?}"),
    }
    assert_eq!(kept.digest("d2/7"), (Digest::of(b"content   7"), FILES));
}

#[test]
fn a_file_that_is_not_wanted_is_not_read_but_still_looked_at() {
    let kept = Kept::new();
    let (tree, read) = kept.open().counted();
    let mut seen = Vec::new();
    let mut visit = |wanted: &[u8]| {
        seen.clear();
        let visited = tree.visit_only(&|entry| entry.path == wanted, &mut |entry, content| {
            let mut text = Vec::new();
            content.read_to_end(&mut text)?;
            if matches!(entry.node, Node::File { .. }) && !text.is_empty() {
                seen.push(text);
            }
            Ok(())
        });
        visited.map(|()| seen.clone())
    };
    assert_eq!(visit(b"d2/7").unwrap(), [b"content   7"]);
    assert_eq!(read.load(Ordering::Relaxed), FILES);
    assert_eq!(visit(b"d3/8").unwrap(), [b"content   8"]);
    assert_eq!(read.load(Ordering::Relaxed), FILES + 1);
    fs::write(kept.path("d4/9"), "longer than before").unwrap();
    match visit(b"d3/8") {
        Err(TreeError::Changed { path }) => assert_eq!(path, "d4/9"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_place_that_cannot_be_used_is_passed_over() {
    let kept = Kept::new();
    kept.settle();
    kept.place.write("home", "no directory");
    assert_eq!((kept.digest("d2/7").1, kept.digest("d2/7").1), (FILES, FILES));
}
