//! Honest sources, and the order of their entries.

use std::io::{self, Read};

use switchback::{
    manifest::Form,
    tree::{Exceeded, Limits, Refusal, SourceOptions, Tree, TreeEntry, TreeError},
};

use super::{
    Place, Seen,
    maker::{Maker, gzip, zstandard},
    paths, refusal, seen, symlink,
};

fn file(path: &str, content: &str) -> Seen {
    (path.to_owned(), Some(content.into()))
}

fn directory(path: &str) -> Seen {
    (path.to_owned(), None)
}

#[test]
fn a_directory_comes_by_name_and_parents_first() {
    let place = Place::new();
    for path in ["b/z", "b/a/x", "a", "b.c", "empty/d"] {
        place.write(path, path);
    }
    std::fs::remove_file(place.path().join("empty/d")).unwrap();
    let tree = Tree::open(place.path()).unwrap();
    let wanted = [
        file("a", "a"),
        directory("b"),
        directory("b/a"),
        file("b/a/x", "b/a/x"),
        file("b/z", "b/z"),
        file("b.c", "b.c"),
        directory("empty"),
    ];
    assert_eq!(seen(&tree).unwrap(), wanted);
    assert_eq!(seen(&tree).unwrap(), wanted, "it can be read again");
    assert_eq!((tree.files(), tree.bytes()), (4, 12));
}

#[test]
fn an_archive_comes_in_its_own_order_with_parents_first() {
    let archive = Maker::default()
        .file("b/deep/x", "1")
        .file("a", "2")
        .member(b'5', b"b/deep", 0o700, b"", b"")
        .file("b/y", "3")
        .member(b'5', b"b/", 0o750, b"", b"")
        .end();
    let place = Place::new();
    let wanted = [directory("b"), directory("b/deep"), file("b/deep/x", "1"), file("a", "2"), file("b/y", "3")];
    let packed = [
        place.write("a.tar", &archive),
        place.write("a.tar.gz", gzip(&archive)),
        place.write("a.TGZ", gzip(&archive)),
        place.write("a.tar.zst", zstandard(&archive)),
    ];
    for source in packed {
        let tree = Tree::open(&source).unwrap();
        assert_eq!(seen(&tree).unwrap(), wanted);
        assert_eq!(seen(&tree).unwrap(), wanted, "it can be read again");
        let modes: Vec<u32> = tree.entries().iter().map(|entry| entry.mode).collect();
        assert_eq!(modes, [0o750, 0o700, 0o644, 0o644, 0o644], "the mode of a directory's own entry counts");
    }
}

#[test]
fn a_visit_comes_by_exactly_the_entries() {
    let archive = Maker::default().file("a/b/c", "1").directory("a").link("a/l", "b").end();
    let tree = Place::new().open(&archive);
    // The archive was removed with its directory; the entries stay.
    assert_eq!(paths(&tree.unwrap()), ["a", "a/b", "a/b/c", "a/l"]);
    let place = Place::new();
    let tree = place.open(archive).unwrap();
    let mut visited: Vec<TreeEntry> = Vec::new();
    tree.visit(&mut |entry, _| {
        visited.push(entry.clone());
        Ok(())
    })
    .unwrap();
    assert_eq!(visited, tree.entries());
}

#[test]
fn directories_of_old_archives_are_known_by_their_slash() {
    let archive = Maker::default().member(0, b"d/", 0o755, b"", b"").member(0, b"d/a", 0o644, b"", b"x").end();
    let tree = Place::new().open(archive).unwrap();
    assert_eq!(paths(&tree), ["d", "d/a"]);
    assert_eq!((tree.files(), tree.bytes()), (1, 1));
}

#[test]
fn trees_are_read_from_several_threads_at_once() {
    let place = Place::new();
    let archive = place.write("a.tgz", gzip(&Maker::default().file("a", "x".repeat(100_000)).end()));
    let tree = Tree::open(&archive).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(seen(&tree).unwrap(), [file("a", &"x".repeat(100_000))]));
        }
    });
}

/// Yields its bytes one by one, and then the end.
struct Dribble<'b>(&'b [u8]);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(1);
        self.0.read(&mut buffer[..most])
    }
}

/// Fails to be read.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

#[test]
fn an_archive_from_a_reader_is_the_same_as_one_from_a_path() {
    let place = Place::new();
    let plain = Maker::default().file("b/c", "2").link("l", "b/c").file("a", "x".repeat(3000)).end();
    let digest = place.open(&plain).unwrap().digest().unwrap();
    for packed in [plain.clone(), gzip(&plain), zstandard(&plain)] {
        let tree = Tree::from_tar(Dribble(&packed)).unwrap();
        assert_eq!(tree.digest().unwrap(), digest);
        // One copy, read by several at once.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(seen(&tree).unwrap().last(), Some(&file("a", &"x".repeat(3000)))));
            }
        });
    }
    let mut options = SourceOptions::default();
    options.strip = Some(1);
    let tree = Tree::from_tar_with(&Maker::default().file("site/a", "1").end()[..], &options).unwrap();
    assert_eq!(paths(&tree), ["a"]);
}

#[test]
fn a_reader_of_no_archive_is_refused() {
    let absolute = Maker::default().file("/etc/passwd", "").end();
    assert_eq!(refusal(Tree::from_tar(&absolute[..])), Refusal::Absolute);
    let cut = Maker::default().file("a", "1").open_ended();
    for bytes in [&b""[..], b"no archive", &cut, &gzip(&cut)[..20]] {
        assert!(matches!(Tree::from_tar(bytes), Err(TreeError::Damaged { .. })), "{}", bytes.len());
    }
    // It is refused where the largest archive within the limits would have ended, and not read any further.
    let mut limits = Limits::default();
    (limits.bytes, limits.entries) = (1000, 1);
    let endless = Tree::from_tar_with(io::repeat(0), &limits.into());
    let is_too_large = matches!(endless, Err(TreeError::TooLarge { limit: Exceeded::Bytes(1000), .. }));
    assert!(is_too_large, "{endless:?}");
    assert!(matches!(Tree::from_tar(Broken), Err(TreeError::Read { .. })));
}

#[test]
fn the_example_site_is_three_releases() {
    for version in ["1", "2", "3"] {
        let path = format!("{}/examples/site/v{version}", env!("CARGO_MANIFEST_DIR"));
        let tree = Tree::open(path.as_str().into()).unwrap();
        let paths = paths(&tree);
        let pages: Vec<&String> = paths.iter().filter(|path| !path.starts_with("data")).collect();
        assert_eq!(pages, ["index.html", "style.css", "version.txt"]);
        // Each release has the migration scripts of its data, and of those before it.
        let last = format!("data/{version}.down");
        assert!(paths.contains(&"data/migrate".to_owned()) && paths.contains(&last), "{paths:?}");
        assert!(seen(&tree).unwrap().contains(&file("version.txt", &format!("{version}\n"))));
    }
}

/// Excluded entries are not inspected, in a directory and in an archive of it alike.
#[test]
fn what_is_excluded_is_no_part_of_it() {
    let place = Place::new();
    for name in ["a.log", "keep.log", "build/x", "d/cache/y", "d/build/z", "previousVersion"] {
        place.write(&format!("source/{name}"), name);
    }
    let source = place.path().join("source");
    symlink("/etc/passwd", &source.join("build/out"));
    let archive = Maker::default()
        .file("a.log", "a.log")
        .file("build/x", "build/x")
        .link("build/out", "/etc/passwd")
        .directory("d")
        .directory("d/cache")
        .file("d/cache/y", "d/cache/y")
        .directory("d/build")
        .file("d/build/z", "d/build/z")
        .file("keep.log", "keep.log")
        .file("previousVersion", "previousVersion");
    let archive = place.write("source.tar", archive.end());
    let mut options = SourceOptions::default();
    options.exclude = ["*.log", "!keep.log", "/build", "cache/", "/previousVersion"].map(str::to_owned).to_vec();
    let trees = [&source, &archive].map(|path| Tree::open_with(path, &options).unwrap());
    for tree in &trees {
        let mut found = paths(tree);
        found.sort();
        assert_eq!(found, ["d", "d/build", "d/build/z", "keep.log"]);
        assert_eq!(seen(tree).unwrap().len(), 4);
    }
    assert_eq!(trees[0].digest().unwrap(), trees[1].digest().unwrap());
    options.exclude = vec!["[z-a]".to_owned()];
    assert!(matches!(Tree::open_with(&source, &options), Err(TreeError::Pattern { .. })));
}

/// The digest does not depend on the order of an archive, or on whether a directory has an entry of its own in
/// it.
#[test]
fn a_digest_is_that_of_the_content() {
    let place = Place::new();
    place.write("source/b/c", "2");
    place.write("source/a", "1");
    let directory = Tree::open(&place.path().join("source")).unwrap();
    let archive = place.open(Maker::default().file("b/c", "2").file("a", "1").end()).unwrap();
    let memory = Tree::from_memory([("b/c", &b"2"[..]), ("a", b"1")]).unwrap();
    let digest = directory.digest().unwrap();
    assert_eq!((archive.digest().unwrap(), memory.digest().unwrap()), (digest, digest));
    let manifest = String::from_utf8(directory.manifest().unwrap().in_form(Form::Manifest)).unwrap();
    assert!(manifest.starts_with("switchback manifest 1\nf\t644\t1\t6b86b273"), "{manifest}");
    for other in [[("b/c", &b"2"[..]), ("a", b"2")], [("b/d", b"2"), ("a", b"1")]] {
        assert_ne!(Tree::from_memory(other).unwrap().digest().unwrap(), digest);
    }
}
