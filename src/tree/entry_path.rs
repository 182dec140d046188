//! Validation of paths in an archive.

use super::error::Refusal;

/// The tool's own names at the top of a release.
const RESERVED: &[&[u8]] = &[b"previousVersion", b".switchback"];

/// Validates `raw`, and returns the path without a leading `./`; `None` for the release itself. Repairs nothing
/// else: a path that two programs could read differently is refused.
pub(super) fn checked(raw: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    if raw.contains(&0) {
        return Err(Refusal::Nul);
    }
    let mut path = raw;
    while let Some(rest) = path.strip_prefix(b"./") {
        path = rest;
    }
    if path == b"." || (path.is_empty() && !raw.is_empty()) {
        return Ok(None);
    }
    if path.starts_with(b"/") {
        return Err(Refusal::Absolute);
    }
    if starts_with_drive(path) {
        return Err(Refusal::Drive);
    }
    path.split(|byte| *byte == b'/').try_for_each(checked_name)?;
    Ok(Some(path))
}

fn checked_name(name: &[u8]) -> Result<(), Refusal> {
    match name {
        b"" => Err(Refusal::EmptyName),
        b"." => Err(Refusal::DotName),
        b".." => Err(Refusal::Parent),
        _ => Ok(()),
    }
}

fn starts_with_drive(path: &[u8]) -> bool {
    matches!(path, [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic())
}

/// Whether `path`, a validated one, is one of the tool's own names at the top of the release, or lies below one.
pub(super) fn is_reserved(path: &[u8]) -> bool {
    let top = path.split(|byte| *byte == b'/').next();
    top.is_some_and(|name| RESERVED.contains(&name))
}

/// Returns the directories above `path`, from the top down.
pub(super) fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| &path[..end])
}

/// Splits `path` into its directory, empty at the top, and the last name.
pub(super) fn split_last(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses paths that leave the release, or name nothing in it. FAULTS.md A01.
    #[test]
    fn refuses_what_is_no_plain_path() {
        for (raw, why) in [
            (&b"../x"[..], Refusal::Parent),
            (b"a/../../x", Refusal::Parent),
            (b"./..", Refusal::Parent),
            (b"/abs", Refusal::Absolute),
            (b"//x", Refusal::Absolute),
            (b".//x", Refusal::Absolute),
            (b"C:\\x", Refusal::Drive),
            (b"c:/x", Refusal::Drive),
            (b"", Refusal::EmptyName),
            (b"a//b", Refusal::EmptyName),
            (b"a/", Refusal::EmptyName),
            (b"a/./b", Refusal::DotName),
            (b"a/.", Refusal::DotName),
            (b"a\0b", Refusal::Nul),
        ] {
            assert_eq!(checked(raw), Err(why), "{}", raw.escape_ascii());
        }
    }

    /// Keeps any other byte as it is. FAULTS.md A10.
    #[test]
    fn keeps_every_other_byte() {
        for path in [&b"a"[..], b"a/b", b"...", b"..a", b"-rf", b"a\nb", b"\xff\xfe", b"a\\b", b"C:x", b" "] {
            assert_eq!(checked(path), Ok(Some(path)), "{}", path.escape_ascii());
        }
        assert_eq!(checked(b"././a/b"), Ok(Some(&b"a/b"[..])));
        assert_eq!((checked(b"."), checked(b"./"), checked(b"./.")), (Ok(None), Ok(None), Ok(None)));
    }

    /// Recognises the names that the tool itself uses in a release. FAULTS.md A09.
    #[test]
    fn knows_the_tools_own_names() {
        for path in [&b"previousVersion"[..], b"previousVersion/x", b".switchback", b".switchback/lock"] {
            assert!(is_reserved(path), "{}", path.escape_ascii());
        }
        for path in [&b"a/previousVersion"[..], b".switchback-irreversible", b"previousVersion2"] {
            assert!(!is_reserved(path), "{}", path.escape_ascii());
        }
    }

    #[test]
    fn paths_come_apart() {
        assert_eq!(above(b"a/b/c").collect::<Vec<_>>(), [&b"a"[..], b"a/b"]);
        assert_eq!(split_last(b"a/b/c"), (&b"a/b"[..], &b"c"[..]));
        assert_eq!(split_last(b"c"), (&b""[..], &b"c"[..]));
    }
}
