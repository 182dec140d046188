//! Sources beyond the limits, and as large as they may be. FAULTS.md A08, A15.

use std::{
    fs::{self, File},
    io::Write,
};

use camino::Utf8Path;
use switchback::tree::{Exceeded, Limits, SourceOptions, Tree, TreeError};

use super::{
    Place,
    maker::{END, Maker, gzip, zstandard},
    paths, seen,
};

fn exceeded(result: Result<Tree, TreeError>) -> Exceeded {
    match result {
        Err(TreeError::TooLarge { limit, .. }) => limit,
        other => panic!("within the limits: {other:?}"),
    }
}

fn limits(set: impl FnOnce(&mut Limits)) -> SourceOptions {
    let mut options = SourceOptions::default();
    set(&mut options.limits);
    options
}

#[test]
fn a08_content_that_is_only_declared() {
    let place = Place::new();
    let ten_terabytes = Maker::default().declared(b'0', b"a", 10 << 40);
    assert_eq!(exceeded(place.open(ten_terabytes.end())), Exceeded::Bytes(64 << 30));
    let overflow = Maker::default().file("b", "x").extended(b'x', &[("size", b"18446744073709551615")]);
    assert!(place.open(overflow.declared(b'0', b"a", 0).end()).is_err());
}

#[test]
fn a08_a_few_bytes_that_grow() {
    let place = Place::new();
    let small = limits(|limits| limits.bytes = 1 << 20);
    let zeros = Maker::default().file("a", vec![0; 4 << 20]).end();
    for (name, packed) in [("a.tar.gz", gzip(&zeros)), ("a.tar.zst", zstandard(&zeros))] {
        assert!(packed.len() < 100_000);
        assert_eq!(exceeded(Tree::open_with(&place.write(name, packed), &small)), Exceeded::Bytes(1 << 20));
    }
    // Endless padding after the end.
    let few = limits(|limits| (limits.bytes, limits.entries) = (1 << 20, 10));
    let padding = gzip(&[Maker::default().file("a", "x").end(), vec![0; 4 << 20]].concat());
    assert_eq!(exceeded(Tree::open_with(&place.write("b.tgz", padding), &few)), Exceeded::Bytes(1 << 20));
}

#[test]
fn a08_an_archive_that_grows_out_of_all_proportion() {
    let place = Place::new();
    let megabyte = vec![0; 1 << 20];
    let zeros = (0..120).fold(Maker::default(), |archive, at| archive.file(at.to_string(), &megabyte)).end();
    let archive = place.write("zeros.tar.zst", zstandard(&zeros));
    assert_eq!(exceeded(Tree::open(&archive)), Exceeded::Ratio(200));
    assert!(Tree::open_with(&archive, &limits(|limits| limits.ratio = 1_000_000)).is_ok(), "who knows it may say so");
    let fewer = (0..90).fold(Maker::default(), |archive, at| archive.file(at.to_string(), &megabyte)).end();
    assert!(Tree::open(&place.write("fewer.tar.zst", zstandard(&fewer))).is_ok(), "a hundred megabytes harm nobody");
}

#[test]
fn a08_headers_that_grow() {
    let place = Place::new();
    for kind in [b'L', b'K', b'x', b'g'] {
        let archive = Maker::default().member(kind, b"long", 0o644, b"", &vec![b'n'; 2 << 20]).file("a", "x");
        assert_eq!(exceeded(place.open(archive.end())), Exceeded::Header(1 << 20), "{}", char::from(kind));
    }
}

#[test]
fn a08_too_many_entries() {
    let three = limits(|limits| limits.entries = 3);
    let place = Place::new();
    let of_four = Maker::default().file("a/b/c/d", "");
    let archive = place.write("source.tar", of_four.end());
    assert_eq!(exceeded(Tree::open_with(&archive, &three)), Exceeded::Entries(3));
    place.write("wide/1", "");
    for name in ["2", "3", "4", "5"] {
        place.write(&format!("wide/{name}"), "");
    }
    assert_eq!(exceeded(Tree::open_with(&place.path().join("wide"), &three)), Exceeded::Entries(3));
    place.write("deep/a/b/c", "");
    assert_eq!(paths(&Tree::open_with(&place.path().join("deep"), &three).unwrap()).len(), 3);
}

#[test]
fn a08_names_that_are_too_long_too_deep_or_too_many() {
    let place = Place::new();
    let named = |name: String| {
        let name = name.into_bytes();
        Maker::default().member(b'L', b"././@LongLink", 0o644, b"", &name).file("a", "").end()
    };
    assert_eq!(exceeded(place.open(named("n".repeat(256)))), Exceeded::Name(255));
    assert_eq!(exceeded(place.open(named("d/".repeat(2047) + "ddd"))), Exceeded::Path(4096));
    assert_eq!(exceeded(place.open(named("d/".repeat(2000) + "d"))), Exceeded::Depth(256));
    assert!(place.open(named("d/".repeat(256) + "d")).is_ok());
    let target = Maker::default().member(b'K', b"././@LongLink", 0o644, b"", &[b't'; 4097]).link("a", "b");
    assert_eq!(exceeded(place.open(target.end())), Exceeded::Path(4096));
    let ten = limits(|limits| limits.names = 10);
    let archive = place.write("names.tar", Maker::default().file("abcde", "").link("b", "abcde").end());
    assert_eq!(exceeded(Tree::open_with(&archive, &ten)), Exceeded::Names(10));
}

#[test]
fn a08_a_directory_four_thousand_deep() {
    let place = Place::new();
    make_deep(place.path(), 4000);
    assert_eq!(exceeded(Tree::open(place.path())), Exceeded::Depth(256));
}

/// Creates a chain of directories that is too long for one path.
fn make_deep(path: &Utf8Path, depth: usize) {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
    let mut directory = openat(CWD, path.as_std_path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..depth {
        mkdirat(&directory, "d", Mode::RWXU).unwrap();
        directory = openat(&directory, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
}

#[test]
fn a15_a_release_of_nothing() {
    let place = Place::new();
    fs::create_dir(place.path().join("nothing")).unwrap();
    let archives = [("a.tar", END.to_vec()), ("a.tar.gz", gzip(&END)), ("a.tar.zst", zstandard(&END))];
    let mut sources: Vec<_> = archives.map(|(name, bytes)| place.write(name, bytes)).into();
    sources.push(place.path().join("nothing"));
    for source in sources {
        let tree = Tree::open(&source).unwrap();
        assert_eq!((tree.entries(), tree.files(), tree.bytes()), (&[][..], 0, 0), "{source}");
        assert_eq!(seen(&tree).unwrap(), []);
    }
}

#[test]
fn a15_a_file_of_five_gigabytes() {
    const SIZE: u64 = 5 << 30;
    let place = Place::new();
    File::create(place.path().join("large")).unwrap().set_len(SIZE).unwrap();
    let tree = Tree::open(place.path()).unwrap();
    assert_eq!((tree.files(), tree.bytes()), (1, SIZE));
    let mut start = [1; 4096];
    tree.visit(&mut |_, content| content.read_exact(&mut start)).unwrap();
    assert_eq!(start, [0; 4096]);
}

#[test]
fn a15_two_hundred_thousand_files() {
    const FILES: usize = 200_000;
    let place = Place::new();
    let path = place.path().join("many.tar.zst");
    let mut packed = zstd::Encoder::new(File::create(&path).unwrap(), 1).unwrap();
    for directory in 0..FILES / 1000 {
        let files = (0..1000).fold(Maker::default(), |maker, file| maker.file(format!("{directory}/{file}"), ""));
        packed.write_all(&files.open_ended()).unwrap();
    }
    packed.write_all(&END).unwrap();
    packed.finish().unwrap();
    let tree = Tree::open(&path).unwrap();
    assert_eq!((tree.files(), tree.entries().len()), (FILES as u64, FILES + FILES / 1000));
    let mut visited = 0;
    tree.visit(&mut |_, _| {
        visited += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(visited, tree.entries().len());
}

#[test]
fn a15_content_is_not_kept_in_memory() {
    let place = Place::new();
    let archive = place.write("a.tar.zst", zstandard(&Maker::default().file("a", vec![7; 8 << 20]).end()));
    let tree = Tree::open(&archive).unwrap();
    let mut read = 0;
    tree.visit(&mut |_, content| {
        let mut buffer = [0; 1000];
        loop {
            match content.read(&mut buffer)? {
                0 => return Ok(()),
                count => read += count,
            }
        }
    })
    .unwrap();
    assert_eq!(read, 8 << 20);
}
