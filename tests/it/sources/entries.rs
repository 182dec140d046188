//! Kinds and names of entries. FAULTS.md A01 to A07, A09 to A11.

use std::{
    fs::{self, Permissions},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt, net::UnixListener},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use switchback::tree::{Refusal, SourceOptions, Tree, TreeError};

use super::{
    Place,
    maker::{Maker, gzip, zstandard},
    paths, refusal, seen, symlink,
};

#[test]
fn a01_paths_that_are_no_plain_paths() {
    let place = Place::new();
    for (path, why) in [
        (&b"../x"[..], Refusal::Parent),
        (b"/abs", Refusal::Absolute),
        (b"a/../../x", Refusal::Parent),
        (b"C:\\x", Refusal::Drive),
        (b"//x", Refusal::Absolute),
        (b"", Refusal::EmptyName),
        (b".", Refusal::EmptyName),
        (b"./", Refusal::EmptyName),
        (b"a/./b", Refusal::DotName),
        (b"a//b", Refusal::EmptyName),
    ] {
        assert_eq!(refusal(place.open(Maker::default().file(path, "x").end())), why, "{}", path.escape_ascii());
    }
    // A long name with a NUL byte, at which other programs would end it.
    let long = Maker::default().member(b'L', b"././@LongLink", 0o644, b"", b"a\0/../../x\0").file("y", "");
    assert_eq!(refusal(place.open(long.end())), Refusal::Nul);
    assert_eq!(refusal(place.open(Maker::default().directory("/").end())), Refusal::EmptyName);
    assert_eq!(refusal(place.open(Maker::default().link(".", "a").end())), Refusal::EmptyName);
}

#[test]
fn a01_the_archives_own_directory_is_passed_over() {
    let tree = Place::new().open(Maker::default().directory("./").directory("./a/").file("./a/b", "x").end()).unwrap();
    assert_eq!(paths(&tree), ["a", "a/b"]);
}

#[test]
fn a02_files_through_a_link() {
    let place = Place::new();
    let out = Maker::default().link("a", "/etc").file("a/passwd", "x");
    assert_eq!(refusal(place.open(out.end())), Refusal::Through);
    let inside = Maker::default().directory("b").link("a", "b").file("a/c", "x");
    assert_eq!(refusal(place.open(inside.end())), Refusal::Through);
    let two_steps = Maker::default().link("a", "b").link("b", "/etc").file("c", "x");
    assert!(matches!(refusal(place.open(two_steps.end())), Refusal::LinkAbsolute { .. }));
    assert_eq!(refusal(place.open(Maker::default().file("a", "").file("a/b", "").end())), Refusal::Through);
}

#[test]
fn a03_a_link_and_a_directory_of_the_same_name() {
    let place = Place::new();
    let link_first = Maker::default().link("a", "b").directory("a");
    assert_eq!(refusal(place.open(link_first.end())), Refusal::Duplicate);
    let directory_first = Maker::default().directory("a").link("a", "b");
    assert_eq!(refusal(place.open(directory_first.end())), Refusal::Duplicate);
    let implied_first = Maker::default().file("a/x", "").link("a", "b");
    assert_eq!(refusal(place.open(implied_first.end())), Refusal::TwoKinds);
}

#[test]
fn a04_hard_links_to_what_did_not_come_before() {
    let place = Place::new();
    let link =
        |archive: Maker, path: &str, target: &str| archive.member(b'1', path.as_bytes(), 0o644, target.as_bytes(), b"");
    for (target, why) in [
        ("/etc/passwd", Refusal::Absolute),
        ("../x", Refusal::Parent),
        ("", Refusal::EmptyName),
        ("later", Refusal::HardLink { target: "later".into() }),
        ("b", Refusal::HardLink { target: "b".into() }),
        ("d", Refusal::HardLink { target: "d".into() }),
    ] {
        let archive = link(Maker::default().file("a", "x").directory("d"), "b", target).file("later", "x");
        assert_eq!(refusal(place.open(archive.end())), why, "{target}");
    }
    assert_eq!(refusal(place.open(link(Maker::default().file("a", "x"), "a", "a").end())), Refusal::Duplicate);
    let through = link(Maker::default().file("a", "x"), "b", "a").file("b/c", "x");
    assert_eq!(refusal(place.open(through.end())), Refusal::TwoKinds);
    let content = Maker::default().file("a", "x").member(b'1', b"b", 0o644, b"a", b"x");
    assert_eq!(refusal(place.open(content.end())), Refusal::UnexpectedContent);
}

#[test]
fn a04_hard_links_are_copies_of_what_came_before() {
    let place = Place::new();
    let link =
        |archive: Maker, path: &str, target: &str| archive.member(b'1', path.as_bytes(), 0o600, target.as_bytes(), b"");
    let large = "large".repeat(2 << 20);
    let archive = Maker::default().member(b'0', b"z/run", 0o755, b"", b"one").file("large", &large);
    let archive = link(link(archive, "a/b/large", "large"), "a/run", "z/run").link("l", "large").file("last", "x");
    let archive = link(link(link(archive, "again", "a/run"), "m", "l"), "./left/out", "z/run").end();
    let mut options = SourceOptions::default();
    options.exclude = vec!["left".to_owned()];
    for (name, archive) in [("a.tar", archive.clone()), ("a.tgz", gzip(&archive)), ("a.tar.zst", zstandard(&archive))] {
        let tree = Tree::open_with(&place.write(name, archive), &options).unwrap();
        let file = |name: &str, content: &str| (name.to_owned(), Some(content.as_bytes().to_vec()));
        let nothing = |name: &str| (name.to_owned(), None);
        let expected = [
            nothing("z"),
            file("z/run", "one"),
            file("large", &large),
            file("l", "large"),
            file("last", "x"),
            nothing("a"),
            file("a/run", "one"),
            file("again", "one"),
            nothing("a/b"),
            file("a/b/large", &large),
            file("m", "large"),
        ];
        assert!(seen(&tree).unwrap() == expected, "{name}: {:?}", paths(&tree));
        let modes: Vec<_> =
            tree.entries().iter().filter(|entry| entry.path.ends_with(b"run")).map(|run| run.mode).collect();
        assert_eq!(modes, [0o755, 0o755], "one file has one mode");
        assert_eq!(tree.bytes(), 2 * large.len() as u64 + 10, "each is counted");
        assert!(seen(&tree).unwrap() == expected, "{name}, held against what it was");
    }
}

#[test]
fn leading_directories_of_an_archive_are_taken_off() {
    let place = Place::new();
    let archive = Maker::default().directory("./shop-1/").file("shop-1/a", "x").file("shop-1/d/b", "y");
    let archive = archive.member(b'1', b"shop-1/c", 0o644, b"shop-1/a", b"").link("shop-1/d/l", "../a");
    let with = |strip: usize, archive: Maker| {
        let mut options = SourceOptions::default();
        options.strip = Some(strip);
        Tree::open_with(&place.write("source.tar", archive.end()), &options)
    };
    assert_eq!(paths(&with(1, archive.clone()).unwrap()), ["a", "d", "d/b", "d/l", "c"]);
    assert_eq!(seen(&with(1, archive.clone()).unwrap()).unwrap().last(), Some(&("c".to_owned(), Some(b"x".to_vec()))));
    assert_eq!(refusal(with(2, archive.clone())), Refusal::TooShallow(2));
    assert_eq!(refusal(with(1, archive.clone().file("README", ""))), Refusal::TooShallow(1));
    assert_eq!(refusal(with(1, archive.clone().file("other/a", ""))), Refusal::Duplicate);
    assert_eq!(refusal(with(1, archive.clone().file("shop-1/previousVersion", ""))), Refusal::Reserved);
    assert!(matches!(refusal(with(1, archive.link("shop-1/out", "../shop-1/a"))), Refusal::LinkEscapes { .. }));
}

#[test]
fn a04_hard_links_in_a_directory_are_files_of_their_own() {
    let place = Place::new();
    fs::hard_link(place.write("a", "x"), place.path().join("b")).unwrap();
    let tree = Tree::open(place.path()).unwrap();
    assert_eq!(seen(&tree).unwrap(), ["a", "b"].map(|name| (name.to_owned(), Some(b"x".to_vec()))));
}

#[test]
fn a05_what_is_no_file_in_an_archive() {
    let place = Place::new();
    for (kind, why) in [
        (b'3', Refusal::Device),
        (b'4', Refusal::Device),
        (b'6', Refusal::Fifo),
        (b'S', Refusal::Sparse),
        (b'D', Refusal::UnknownType(b'D')),
        (b'M', Refusal::UnknownType(b'M')),
        (b'V', Refusal::UnknownType(b'V')),
        (b'Z', Refusal::UnknownType(b'Z')),
    ] {
        let result = place.open(Maker::default().member(kind, b"odd", 0o644, b"", b"").end());
        let message = result.as_ref().expect_err("no file").to_string();
        assert!(message.starts_with("odd "), "{message}");
        assert_eq!(refusal(result), why);
    }
    for key in ["GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.name"] {
        let archive = Maker::default().extended(b'x', &[(key, b"1")]).file("a", "x");
        assert_eq!(refusal(place.open(archive.end())), Refusal::Sparse, "{key}");
    }
}

#[test]
fn a05_what_is_no_file_in_a_directory() {
    let make = |name: &str, kind| {
        let place = Place::new();
        let made = mknodat(CWD, place.path().join(name).as_std_path(), kind, Mode::RWXU, rustix::fs::makedev(1, 3));
        made.map(|()| place)
    };
    let pipe = make("pipe", FileType::Fifo).unwrap();
    assert_eq!(refusal(Tree::open(pipe.path())), Refusal::Fifo);
    let place = Place::new();
    let _listener = UnixListener::bind(place.path().join("socket")).unwrap();
    assert_eq!(refusal(Tree::open(place.path())), Refusal::Socket);
    // Only root may create one.
    if let Ok(device) = make("null", FileType::CharacterDevice) {
        assert_eq!(refusal(Tree::open(device.path())), Refusal::Device);
    }
    let path = pipe.path().join("pipe");
    assert!(matches!(Tree::open(&path), Err(TreeError::Unrecognised { .. })), "a pipe is no source either");
}

#[test]
fn a06_modes_in_an_archive() {
    let place = Place::new();
    for mode in [0o4755, 0o2755, 0o6000] {
        let archive = Maker::default().member(b'0', b"a", mode, b"", b"x");
        assert_eq!(refusal(place.open(archive.end())), Refusal::Setuid, "{mode:o}");
    }
    let archive = Maker::default()
        .member(b'5', b"closed", 0, b"", b"")
        .member(b'5', b"sticky", 0o1777, b"", b"")
        .member(b'5', b"shared", 0o2775, b"", b"")
        .member(b'0', b"closed/a", 0o400, b"", b"x")
        .member(b'0', b"b", 0o777, b"", b"x");
    let tree = place.open(archive.end()).unwrap();
    let modes: Vec<u32> = tree.entries().iter().map(|entry| entry.mode).collect();
    assert_eq!(modes, [0o700, 0o777, 0o775, 0o400, 0o777]);
}

#[test]
fn a06_modes_in_a_directory() {
    let place = Place::new();
    let set = |name: &str, mode| fs::set_permissions(place.path().join(name), Permissions::from_mode(mode)).unwrap();
    place.write("a", "x");
    place.write("d/b", "x");
    set("a", 0o4755);
    set("d/b", 0o640);
    set("d", 0o3575);
    let tree = Tree::open(place.path()).unwrap();
    let modes: Vec<u32> = tree.entries().iter().map(|entry| entry.mode).collect();
    set("d", 0o755);
    assert_eq!((paths(&tree), modes), (["a", "d", "d/b"].map(str::to_owned).to_vec(), vec![0o755, 0o775, 0o640]));
}

#[test]
fn a07_extended_headers_that_say_something_else() {
    let place = Place::new();
    // A size that overrides the header's is the one that counts, so that the next member is read at the right place.
    let mut hidden = Maker::default().file("hidden", "").open_ended();
    hidden.resize(512, 0);
    let archive = Maker::default().extended(b'x', &[("size", b"512")]).declared(b'0', b"a", 0).padded(&hidden);
    assert_eq!(seen(&place.open(archive.end()).unwrap()).unwrap(), [("a".to_owned(), Some(hidden))]);
    for records in [
        &[("size", &b"x"[..])][..],
        &[("size", b"1"), ("size", b"2")],
        &[("path", b"b"), ("path", b"c")],
        &[("path", b"b\nc")],
    ] {
        let archive = Maker::default().extended(b'x', records).file("a", "x");
        assert_eq!(refusal(place.open(archive.end())), Refusal::Malformed, "{records:?}");
    }
    let archive = Maker::default().extended(b'x', &[("path", b"../a")]).file("a", "x");
    assert_eq!(refusal(place.open(archive.end())), Refusal::Parent);
    let archive = Maker::default().extended(b'x', &[("linkpath", b"/etc")]).link("a", "b");
    assert!(matches!(refusal(place.open(archive.end())), Refusal::LinkAbsolute { .. }));
    for kind in [b'5', b'2'] {
        let archive = Maker::default().member(kind, b"a", 0o755, b"b", &[b'x'; 512]);
        assert_eq!(refusal(place.open(archive.end())), Refusal::UnexpectedContent);
    }
}

#[test]
fn a07_headers_for_all_entries() {
    let place = Place::new();
    let commit = Maker::default().extended(b'g', &[("comment", b"2f1c")]).file("a", "x").file("b", "y");
    let tree = place.open(commit.end()).unwrap();
    assert_eq!(seen(&tree).unwrap().len(), 2);
    for key in ["path", "linkpath", "size"] {
        let archive = Maker::default().extended(b'g', &[(key, b"1")]).file("a", "x");
        assert_eq!(refusal(place.open(archive.end())), Refusal::Malformed, "{key}");
    }
}

#[test]
fn a07_two_long_names_for_one_entry() {
    let long = |maker: Maker, kind| maker.member(kind, b"././@LongLink", 0o644, b"", b"name\0");
    for kind in [b'L', b'K'] {
        let archive = long(long(Maker::default(), kind), kind).file("a", "x");
        assert!(matches!(Place::new().open(archive.end()), Err(TreeError::Damaged { .. })));
    }
}

#[test]
fn a09_names_twice_and_names_of_the_tool() {
    let place = Place::new();
    assert_eq!(refusal(place.open(Maker::default().file("a", "1").file("./a", "2").end())), Refusal::Duplicate);
    assert_eq!(refusal(place.open(Maker::default().directory("a").directory("a/").end())), Refusal::Duplicate);
    let both_cases = place.open(Maker::default().file("a", "1").file("A", "2").end()).unwrap();
    assert_eq!(paths(&both_cases), ["a", "A"]);
    for name in ["previousVersion", ".switchback"] {
        assert_eq!(refusal(place.open(Maker::default().file(name, "x").end())), Refusal::Reserved);
        assert_eq!(refusal(place.open(Maker::default().file(format!("{name}/x"), "x").end())), Refusal::Reserved);
        let source = Place::new();
        source.write(name, "x");
        assert_eq!(refusal(Tree::open(source.path())), Refusal::Reserved);
    }
    let source = Place::new();
    source.write("a/previousVersion", "x");
    source.write(".switchback-irreversible", "x");
    assert_eq!(paths(&Tree::open(source.path()).unwrap()), [".switchback-irreversible", "a", "a/previousVersion"]);
}

#[test]
fn a10_names_are_kept_byte_for_byte() {
    let names = [&b"-rf"[..], b"a\nb", b"it's $(x)", b"\xc3\xa9", b"\xff\xfe", &[b'n'; 255]];
    let place = Place::new();
    let mut archive = Maker::default();
    for name in names {
        fs::write(place.0.path().join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
        archive = archive.member(b'L', b"././@LongLink", 0o644, b"", name).file("short", name);
    }
    let elsewhere = Place::new();
    for tree in [Tree::open(place.path()).unwrap(), elsewhere.open(archive.end()).unwrap()] {
        let mut found: Vec<&[u8]> = tree.entries().iter().map(|entry| &entry.path[..]).collect();
        let mut wanted = names;
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
        assert!(seen(&tree).unwrap().iter().all(|(name, content)| {
            content.as_ref().is_some_and(|content| content.escape_ascii().to_string() == *name)
        }));
    }
}

#[test]
fn a11_owners_and_attributes_are_dropped() {
    let place = Place::new();
    let records: &[(&str, &[u8])] =
        &[("uid", b"0"), ("gname", b"root"), ("SCHILY.xattr.security.capability", b"\x01\xff"), ("mtime", b"1.5")];
    let tree = place.open(Maker::default().extended(b'x', records).file("a", "x").end()).unwrap();
    let plain = place.open(Maker::default().file("a", "x").end()).unwrap();
    assert_eq!(tree.entries(), plain.entries());
}

#[test]
fn a_link_given_as_the_source_is_followed_once() {
    let place = Place::new();
    place.write("one/a", "1");
    place.write("two/a", "2");
    let link = place.path().join("source");
    symlink("one", &link);
    let tree = Tree::open(&link).unwrap();
    fs::remove_file(&link).unwrap();
    symlink("two", &link);
    assert_eq!(seen(&tree).unwrap(), [("a".to_owned(), Some(b"1".to_vec()))]);
}
