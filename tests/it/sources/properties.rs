//! Properties of sources, for arbitrary bytes and trees.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, Permissions},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    process::Command,
};

use proptest::{collection::vec, prelude::*, sample::select};
use switchback::tree::{Node, Tree};
use tar::Header;

use super::{
    Place,
    maker::{END, gzip, zstandard},
    seen,
};

/// Checks what must hold for any accepted tree.
fn assert_sound(tree: &Tree) {
    let mut known: HashSet<&[u8]> = HashSet::from([&b""[..]]);
    for entry in tree.entries() {
        let path = &entry.path[..];
        let parent = path.iter().rposition(|byte| *byte == b'/').map_or(&b""[..], |slash| &path[..slash]);
        assert!(known.contains(parent), "{} comes before its directory", path.escape_ascii());
        assert!(!path.split(|byte| *byte == b'/').any(|name| matches!(name, b"" | b"." | b"..")));
        assert!(entry.mode <= 0o777 && !path.contains(&0));
        if entry.node == Node::Directory {
            assert!(known.insert(path), "{} comes twice", path.escape_ascii());
        }
    }
    assert_eq!(seen(tree).unwrap().len(), tree.entries().len());
}

/// A header that is well formed as a whole, of parts that need not be.
fn block() -> impl Strategy<Value = Vec<u8>> {
    let kind = select(b"0123456Lx5g2S7KDV\0".to_vec());
    let name = vec(select(b"ab/.\0\xff".to_vec()), 0..12);
    let size = select(vec![0_u64, 1, 9, 512, 513, 4096, 1 << 33, u64::MAX]);
    let parts = (kind, name.clone(), name, size, 0..0o10000_u32, any::<bool>(), any::<bool>());
    let header = parts.prop_map(|(kind, name, target, size, mode, is_gnu, is_raw_size)| {
        let mut header = if is_gnu { Header::new_gnu() } else { Header::new_ustar() };
        header.as_old_mut().name[..name.len()].copy_from_slice(&name);
        header.as_old_mut().linkname[..target.len()].copy_from_slice(&target);
        header.as_old_mut().linkflag = [kind];
        header.set_size(size);
        if is_raw_size {
            header.as_old_mut().size = *b"0000000\x00007\0";
        }
        header.set_mode(mode);
        header.set_cksum();
        header.as_bytes().to_vec()
    });
    let record = select(vec!["9 size=1\n", "8 path=a\n", "10 path=a/b\n", "12 linkpath=\n", "7 a=b\n\n", "99 x=\n"]);
    let text = vec(record, 1..4).prop_map(|records| {
        let mut block = records.concat().into_bytes();
        block.resize(512, 0);
        block
    });
    prop_oneof![4 => header, 1 => text, 1 => Just(vec![0; 512]), 1 => vec(any::<u8>(), 0..600)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_an_archive_or_an_error(bytes in vec(any::<u8>(), 0..2000)) {
        let place = Place::new();
        let magic = [("a.tar", &b""[..]), ("a.tar.gz", b"\x1f\x8b\x08\0"), ("a.tar.zst", b"\x28\xb5\x2f\xfd")];
        for (name, magic) in magic {
            if let Ok(tree) = Tree::open(&place.write(name, [magic, &bytes].concat())) {
                assert_sound(&tree);
            }
        }
    }

    #[test]
    fn any_headers_are_an_archive_or_an_error(blocks in vec(block(), 0..12)) {
        let place = Place::new();
        let archive = [blocks.concat(), END.to_vec()].concat();
        let sources =
            [("a.tar", archive.clone()), ("a.tar.gz", gzip(&archive)), ("a.tar.zst", zstandard(&archive))];
        for (name, bytes) in sources {
            if let Ok(tree) = Tree::open(&place.write(name, bytes)) {
                assert_sound(&tree);
            }
        }
    }

    #[test]
    fn a_tree_is_the_same_from_a_directory_and_through_tar(
        files in vec((path(), vec(any::<u8>(), 0..2000), 0..0o400_u32), 0..12),
        links in vec(path(), 0..3),
        format in select(vec!["gnu", "ustar", "posix"]),
    ) {
        // Without `tar` there is nothing to compare with.
        if Command::new("tar").arg("--version").output().is_err() {
            return Ok(());
        }
        // A newline in an extended header, which is how `posix` spells an odd name, is refused.
        let has_break = files.iter().map(|file| &file.0).chain(&links).any(|path| path.contains(&b'\n'));
        let format = if has_break { "gnu" } else { format };
        let place = Place::new();
        let site = place.path().join("site");
        fs::create_dir(&site).unwrap();
        for (path, content, mode) in &files {
            let path = site.as_std_path().join(OsStr::from_bytes(path));
            // A path that conflicts with another is skipped.
            drop(path.parent().map(fs::create_dir_all));
            if fs::write(&path, content).is_ok() {
                fs::set_permissions(&path, Permissions::from_mode(0o600 | mode)).unwrap();
            }
        }
        for path in &links {
            drop(std::os::unix::fs::symlink("dangling", site.as_std_path().join(OsStr::from_bytes(path))));
        }
        let archive = place.path().join("site.tar.gz");
        let status = Command::new("tar")
            .args(["-C", site.as_str(), "-czf", archive.as_str(), &format!("--format={format}"), "."])
            .status()
            .unwrap();
        prop_assert!(status.success());
        let (directory, archive) = (Tree::open(&site).unwrap(), Tree::open(&archive).unwrap());
        assert_sound(&archive);
        prop_assert_eq!(sorted(&directory), sorted(&archive));
        let (mut left, mut right) = (seen(&directory).unwrap(), seen(&archive).unwrap());
        left.sort_unstable();
        right.sort_unstable();
        prop_assert_eq!(left, right);
    }
}

/// A path of one to three odd names.
fn path() -> impl Strategy<Value = Vec<u8>> {
    let name = select(vec![
        b"a".to_vec(),
        b"b".to_vec(),
        b"-x y".to_vec(),
        b"n\nl".to_vec(),
        b"\xff\xfe".to_vec(),
        b"\\".to_vec(),
        vec![b'l'; 60],
    ]);
    vec(name, 1..4).prop_map(|names| names.join(&b'/'))
}

fn sorted(tree: &Tree) -> Vec<(Vec<u8>, u32, Node)> {
    let mut entries: Vec<_> =
        tree.entries().iter().map(|entry| (entry.path.clone(), entry.mode, entry.node.clone())).collect();
    entries.sort_by(|left, right| left.0.cmp(&right.0));
    entries
}
