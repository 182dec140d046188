//! Sources that change between the scan and the reading, or during it. FAULTS.md A12.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    time::SystemTime,
};

use camino::Utf8Path;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use switchback::tree::{Tree, TreeError};

use super::{
    Place,
    maker::{Maker, gzip},
    seen, symlink,
};

/// Returns the error for a directory with `d/a`, `b` and the symlink `l` after `change`.
fn after(change: impl FnOnce(&Utf8Path)) -> String {
    let place = Place::new();
    place.write("d/a", "content");
    place.write("b", "");
    symlink("b", &place.path().join("l"));
    let tree = Tree::open(place.path()).unwrap();
    seen(&tree).unwrap();
    change(place.path());
    match seen(&tree) {
        Err(TreeError::Changed { path }) => path,
        other => panic!("not seen: {other:?}"),
    }
}

fn set_modified(path: &Utf8Path, at: SystemTime) {
    File::open(path).unwrap().set_modified(at).unwrap();
}

#[test]
fn a12_files_that_changed_since_the_scan() {
    assert_eq!(after(|path| fs::write(path.join("d/a"), "longer content").unwrap()), "d/a");
    assert_eq!(after(|path| fs::write(path.join("d/a"), "").unwrap()), "d/a");
    assert_eq!(after(|path| set_modified(&path.join("d/a"), SystemTime::UNIX_EPOCH)), "d/a");
    assert_eq!(after(|path| fs::remove_file(path.join("d/a")).unwrap()), "d/a");
}

/// Detected even if size and time are unchanged: the second reading is checked against the first.
#[test]
fn a12_a_change_that_hides() {
    let hidden = |path: &Utf8Path| {
        let at = fs::metadata(path.join("d/a")).unwrap().modified().unwrap();
        fs::write(path.join("d/a"), "CONTENT").unwrap();
        set_modified(&path.join("d/a"), at);
    };
    assert_eq!(after(hidden), "d/a");
}

#[test]
fn a12_entries_that_became_something_else() {
    let replace = |path: &Utf8Path, make: &dyn Fn(&Utf8Path)| {
        fs::remove_file(path).unwrap();
        make(path);
    };
    assert_eq!(after(|path| replace(&path.join("d/a"), &|path| symlink("/etc/passwd", path))), "d/a");
    assert_eq!(after(|path| replace(&path.join("d/a"), &|path| fs::create_dir(path).unwrap())), "d/a");
    assert_eq!(after(|path| replace(&path.join("l"), &|path| symlink("/etc", path))), "l");
    assert_eq!(after(|path| replace(&path.join("l"), &|path| fs::write(path, "b").unwrap())), "l");
    let pipe = |path: &Utf8Path| mknodat(CWD, path.as_std_path(), FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert_eq!(after(|path| replace(&path.join("d/a"), &pipe)), "d/a");
}

#[test]
fn a12_a_directory_that_became_a_link_is_not_followed() {
    let elsewhere = Place::new();
    elsewhere.write("a", "content");
    let swapped = after(|path| {
        fs::remove_dir_all(path.join("d")).unwrap();
        symlink(elsewhere.path().as_str(), &path.join("d"));
    });
    assert_eq!(swapped, "d");
}

#[test]
fn a12_files_that_change_while_they_are_read() {
    for change in [grow as fn(&Utf8Path), shrink] {
        let place = Place::new();
        let path = place.write("a", vec![1; 100_000]);
        let tree = Tree::open(place.path()).unwrap();
        let result = tree.visit(&mut |_, content| {
            content.read_exact(&mut [0; 1000])?;
            change(&path);
            io::copy(content, &mut io::sink()).map(drop)
        });
        assert!(matches!(&result, Err(TreeError::Changed { path }) if path == "a"), "{result:?}");
    }
}

fn grow(path: &Utf8Path) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(b"more").unwrap();
}

fn shrink(path: &Utf8Path) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(2000).unwrap();
}

#[test]
fn a12_a_visitor_that_hides_the_failure_does_not_hide_the_change() {
    let place = Place::new();
    let path = place.write("a", vec![1; 100_000]);
    let tree = Tree::open(place.path()).unwrap();
    let result = tree.visit(&mut |_, content| {
        shrink(&path);
        io::copy(content, &mut io::sink()).map(drop).or(Ok(()))
    });
    assert!(matches!(result, Err(TreeError::Changed { .. })), "{result:?}");
}

#[test]
fn a12_archives_that_changed_since_the_scan() {
    let first = Maker::default().directory("d").file("d/a", "one").end();
    for second in [
        Maker::default().directory("d").file("d/a", "longer than a block".repeat(100)).end(),
        Maker::default().directory("d").file("d/b", "one").end(),
        Maker::default().directory("e").file("d/a", "one").end(),
        Maker::default().directory("d").file("d/a", "seven").end(),
        Maker::default().directory("d").member(b'0', b"d/a", 0o755, b"", b"one").end(),
        Maker::default().directory("d").directory("d/a").padded(&[0; 512]).end(),
        Maker::default().file("d/a", "one").padded(&[0; 512]).end(),
        Maker::default().file("d/a", "one").directory("d").end(),
        vec![b'x'; first.len()],
    ] {
        for keep_time in [true, false] {
            let place = Place::new();
            let path = place.write("source.tar", &first);
            set_modified(&path, SystemTime::UNIX_EPOCH);
            let tree = Tree::open(&path).unwrap();
            fs::write(&path, &second).unwrap();
            if keep_time {
                set_modified(&path, SystemTime::UNIX_EPOCH);
            }
            let result = seen(&tree);
            assert!(matches!(result, Err(TreeError::Changed { .. })), "{result:?}");
        }
    }
}

#[test]
fn a12_an_archive_that_is_gone_says_so() {
    let place = Place::new();
    let path = place.write("source.tgz", gzip(&Maker::default().file("a", "x").end()));
    let tree = Tree::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(matches!(seen(&tree), Err(TreeError::Read { .. })));
}

#[test]
fn the_visitors_own_failure_is_told_apart() {
    let place = Place::new();
    place.write("site/a", "x");
    let archive = place.write("source.tar", Maker::default().file("a", "x").end());
    for source in [place.path().join("site"), archive] {
        let tree = Tree::open(&source).unwrap();
        let result = tree.visit(&mut |_, _| Err(io::Error::other("the host hung up")));
        assert!(matches!(result, Err(TreeError::Visit(_))), "{result:?}");
    }
}
