//! Symlinks in archives and in directories. FAULTS.md A13.

use std::fs;

use switchback::tree::{Refusal, Tree, TreeError};

use super::{Place, maker::Maker, refusal, seen, symlink};

/// Opens the source as a directory and as an archive: `(path, None)` is a directory, else a symlink.
fn both(place: &Place, entries: &[(&str, Option<&str>)]) -> [Result<Tree, TreeError>; 2] {
    let mut archive = Maker::default();
    fs::create_dir(place.path().join("site")).unwrap();
    for (path, target) in entries {
        let at = place.path().join("site").join(path);
        match target {
            None => fs::create_dir(at).unwrap(),
            Some(target) => symlink(target, &at),
        }
        archive = match target {
            None => archive.directory(path),
            Some(target) => archive.link(path, target),
        };
    }
    [Tree::open(&place.path().join("site")), place.open(archive.end())]
}

#[test]
fn a13_links_out_of_the_release_are_refused_and_named() {
    for target in ["..", "../../x", "d/../../x", "deep/../../.."] {
        for result in both(&Place::new(), &[("d", None), ("d/e", None), ("deep", Some("d/e")), ("out", Some(target))]) {
            let message = result.as_ref().expect_err(target).to_string();
            assert!(message.starts_with("out "), "{message}");
            assert_eq!(refusal(result), Refusal::LinkEscapes { target: target.into() });
        }
    }
    for result in both(&Place::new(), &[("out", Some("/srv/shared"))]) {
        assert_eq!(refusal(result), Refusal::LinkAbsolute { target: "/srv/shared".into() });
    }
    for result in both(&Place::new(), &[("a", Some("b")), ("b", Some("a"))]) {
        assert!(matches!(refusal(result), Refusal::LinkUnclear { .. }));
    }
}

#[test]
fn a13_links_within_the_release_are_kept_as_they_are() {
    let place = Place::new();
    let entries = [("d", None), ("d/up", Some("../x")), ("here", Some(".")), ("x", Some("gone/some/day"))];
    for result in both(&place, &entries) {
        let found = seen(&result.unwrap()).unwrap();
        let wanted = entries.map(|(path, target)| (path.to_owned(), target.map(|text| text.as_bytes().to_vec())));
        assert_eq!(found, wanted);
    }
}

#[test]
fn a13_a_link_is_never_followed_into_a_directory() {
    let place = Place::new();
    place.write("site/d/a", "x");
    symlink("d", &place.path().join("site/e"));
    let tree = Tree::open(&place.path().join("site")).unwrap();
    assert_eq!(super::paths(&tree), ["d", "d/a", "e"]);
}
