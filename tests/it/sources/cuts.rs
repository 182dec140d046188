//! Archives that are cut short, damaged or followed by something, and files that are no archive. FAULTS.md A14.

use switchback::tree::{Tree, TreeError};

use super::{
    Place,
    maker::{END, Maker, gzip, zstandard},
    paths, seen,
};

fn archive() -> Maker {
    Maker::default().directory("d").file("d/a", "x".repeat(700)).link("d/l", "a").file("b", "")
}

fn assert_damaged(result: &Result<Tree, TreeError>, what: &str) {
    assert!(matches!(result, Err(TreeError::Damaged { .. })), "{what}: {result:?}");
}

#[test]
fn a14_a_tar_archive_cut_anywhere() {
    let place = Place::new();
    let whole = archive().end();
    // One block of zeros suffices as the end marker, as for `tar`; everything before it must be there.
    let least = whole.len() - END.len() + 512;
    for length in (0..least).step_by(64).chain([least - 1]) {
        assert_damaged(&place.open(&whole[..length]), &format!("{length} bytes"));
    }
    assert!(place.open(&whole[..least]).is_ok());
}

#[test]
fn a14_a_tar_archive_cut_between_two_entries() {
    assert_damaged(&Place::new().open(archive().open_ended()), "no mark at its end");
}

#[test]
fn a14_a_packed_archive_cut_anywhere() {
    let place = Place::new();
    let packed = [("a.tar.gz", gzip(&archive().end())), ("a.tar.zst", zstandard(&archive().end()))];
    for (name, packed) in packed {
        for length in 4..packed.len() {
            assert_damaged(&Tree::open(&place.write(name, &packed[..length])), &format!("{name}, {length} bytes"));
        }
        assert!(Tree::open(&place.write(name, &packed)).is_ok());
    }
}

#[test]
fn a14_something_behind_the_end() {
    let place = Place::new();
    let two = [archive().end(), Maker::default().file("second", "x").end()].concat();
    assert_damaged(&place.open(&two), "two archives in one");
    assert_damaged(&Tree::open(&place.write("two.tar.gz", gzip(&two))), "two archives, packed");
    let packed = [("a.tar.gz", gzip(&archive().end())), ("a.tar.zst", zstandard(&archive().end()))];
    for (name, packed) in packed {
        assert_damaged(&Tree::open(&place.write(name, [&packed[..], b"garbage"].concat())), name);
    }
    let padded = [archive().end(), vec![0; 20 * 512]].concat();
    assert_eq!(paths(&place.open(padded).unwrap()).len(), 4);
}

#[test]
fn a14_a_damaged_checksum() {
    let place = Place::new();
    let mut packed = gzip(&archive().end());
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    assert_damaged(&Tree::open(&place.write("a.tgz", packed)), "of the content");
    let mut whole = archive().end();
    whole[0] ^= 1;
    assert_damaged(&place.open(whole), "of a header");
}

#[test]
fn a14_archives_of_several_parts_are_whole() {
    let place = Place::new();
    let whole = archive().end();
    let (one, two) = whole.split_at(1000);
    for (name, packed) in
        [("a.tar.gz", [gzip(one), gzip(two)].concat()), ("a.tar.zst", [zstandard(one), zstandard(two)].concat())]
    {
        let tree = Tree::open(&place.write(name, &packed)).unwrap();
        assert_eq!(seen(&tree).unwrap(), seen(&place.open(&whole).unwrap()).unwrap());
        assert_damaged(&Tree::open(&place.write(name, &packed[..packed.len() / 2])), name);
    }
}

#[test]
fn names_and_content_must_agree() {
    let place = Place::new();
    let (plain, gz, zst) = (archive().end(), gzip(&archive().end()), zstandard(&archive().end()));
    for (name, bytes) in [
        ("a.tar", &gz),
        ("a.tar", &zst),
        ("a.tar.gz", &plain),
        ("a.tgz", &zst),
        ("a.tar.zst", &plain),
        ("a.tar.zst", &gz),
    ] {
        let result = Tree::open(&place.write(name, bytes));
        assert!(matches!(result, Err(TreeError::Misnamed { .. })), "{name}: {result:?}");
    }
}

#[test]
fn what_is_no_source_is_refused_in_words() {
    let place = Place::new();
    for name in ["a.zip", "a.gz", "a", "a.tar.xz"] {
        let error = Tree::open(&place.write(name, archive().end())).expect_err(name);
        assert!(matches!(error, TreeError::Unrecognised { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains("neither a directory nor a .tar"), "{error}");
    }
    assert!(matches!(Tree::open("/no/such\nplace".into()), Err(TreeError::Read { path, .. }) if !path.contains('\n')));
    let file = place.write("file", "");
    assert!(matches!(Tree::from_directory(&file), Err(TreeError::Read { .. })));
    assert!(matches!(Tree::from_archive(place.path()), Err(TreeError::Unrecognised { .. })));
}
