//! The text forms of manifests, for storage and for comparison on a host.

use std::{fmt::Arguments, io::Write};

use thiserror::Error;

use super::{Manifest, ManifestEntry, ManifestNode};

/// The first line of a manifest.
const HEADER: &str = "switchback manifest 1";

/// A form of a manifest on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// Everything, in UTF-8: a header line, then a line per entry with tab-separated fields: `d`, mode, path; `f`,
    /// mode, size, digest, path; `l`, path, target. In paths and targets, backslashes, control characters and bytes
    /// that are not UTF-8 are written byte by byte as `\xNN`.
    Manifest,
    /// The digests of the files, as `sha256sum` writes and checks them: digest, two spaces, path. If the path
    /// contains a backslash, a newline or a carriage return, the line begins with a backslash and has these escaped.
    Sums,
    /// Types, modes and sizes, as `find` prints them on a host: `d 755 ./path`, `f 644 12 ./path`, `l 6 ./path`.
    Listing,
}

/// An error in the text of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The first line is not the header.
    #[error("it does not start with `{HEADER}`, so another program wrote it")]
    Header,
    /// A line is invalid, or repeats a path or breaks the order of paths.
    #[error("line {line} is not valid")]
    Line {
        /// The number of the line, counted from 1.
        line: usize,
    },
}

impl Form {
    /// Returns the text before the first entry.
    pub(crate) fn header(self) -> String {
        if self == Self::Manifest { format!("{HEADER}\n") } else { String::new() }
    }
}

impl ManifestEntry {
    /// Appends the text of the entry in this form: one line, or several if the path contains newlines; nothing in a
    /// form that does not list its kind.
    pub(crate) fn write(&self, form: Form, text: &mut Vec<u8>) {
        match form {
            Form::Manifest => write_kept(self, text),
            Form::Sums => write_sum(self, text),
            Form::Listing => write_listed(&self.path, &self.node, text),
        }
    }

    /// Returns how many lines [`write`](Self::write) appends.
    pub(crate) fn lines(&self, form: Form) -> usize {
        match form {
            Form::Manifest => 1,
            Form::Sums => matches!(self.node, ManifestNode::File { .. }).into(),
            Form::Listing => self.path.split(|byte| *byte == b'\n').count(),
        }
    }
}

impl Manifest {
    /// Formats the manifest in this form.
    #[must_use]
    pub fn in_form(&self, form: Form) -> Vec<u8> {
        let mut text = form.header().into_bytes();
        self.entries.iter().for_each(|entry| entry.write(form, &mut text));
        text
    }

    /// Parses the output of [`in_form`](Self::in_form) for [`Form::Manifest`].
    ///
    /// # Errors
    ///
    /// [`ManifestError`] with the place of the error.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let text = std::str::from_utf8(text).map_err(|error| {
            let before = &text[..error.valid_up_to()];
            ManifestError::Line { line: before.split(|byte| *byte == b'\n').count() }
        })?;
        let mut lines = text.split_inclusive('\n');
        if lines.next() != Some(&format!("{HEADER}\n")) {
            return Err(ManifestError::Header);
        }
        let mut entries: Vec<ManifestEntry> = Vec::new();
        for (at, line) in lines.enumerate() {
            // The last line must end too: a line without an end was cut off.
            let entry = line.strip_suffix('\n').and_then(parsed);
            let follows = |entry: &ManifestEntry| entries.last().is_none_or(|last| last.path < entry.path);
            entries.push(entry.filter(follows).ok_or(ManifestError::Line { line: at + 2 })?);
        }
        Ok(Self { entries })
    }
}

fn parsed(line: &str) -> Option<ManifestEntry> {
    let fields: Vec<&str> = line.split('\t').collect();
    let mode = |text: &str| u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
    let (path, node) = match fields[..] {
        ["d", bits, path] => (path, ManifestNode::Directory { mode: mode(bits)? }),
        ["f", bits, size, digest, path] => {
            let (size, digest) = (size.parse().ok()?, digest.parse().ok()?);
            (path, ManifestNode::File { mode: mode(bits)?, size, digest })
        }
        ["l", path, target] => (path, ManifestNode::Link { target: unescaped(target)? }),
        _ => return None,
    };
    Some(ManifestEntry { path: unescaped(path)?, node })
}

/// Appends the line of an entry in [`Form::Manifest`].
fn write_kept(ManifestEntry { path, node }: &ManifestEntry, text: &mut Vec<u8>) {
    match node {
        ManifestNode::Directory { mode } => put(text, format_args!("d\t{mode:o}\t")),
        ManifestNode::File { mode, size, digest } => put(text, format_args!("f\t{mode:o}\t{size}\t{digest}\t")),
        ManifestNode::Link { .. } => put(text, format_args!("l\t")),
    }
    write_escaped(path, text);
    if let ManifestNode::Link { target } = node {
        text.push(b'\t');
        write_escaped(target, text);
    }
    text.push(b'\n');
}

fn put(text: &mut Vec<u8>, words: Arguments<'_>) {
    text.write_fmt(words).expect("memory takes all");
}

/// Escapes bytes so that none acts on a terminal or ends a line or field.
fn write_escaped(bytes: &[u8], text: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        let (valid, mut written) = (chunk.valid(), 0);
        for (at, odd) in valid.match_indices(is_escaped) {
            text.extend_from_slice(&valid.as_bytes()[written..at]);
            odd.bytes().for_each(|byte| put(text, format_args!("\\x{byte:02x}")));
            written = at + odd.len();
        }
        text.extend_from_slice(&valid.as_bytes()[written..]);
        chunk.invalid().iter().for_each(|byte| put(text, format_args!("\\x{byte:02x}")));
    }
}

fn is_escaped(c: char) -> bool {
    c == '\\' || c.is_control()
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.strip_prefix('x').and_then(|part| part.get(..2))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[3..]);
    }
    Some(bytes)
}

/// Appends the line of an entry in [`Form::Sums`]; nothing for anything but a file.
fn write_sum(entry: &ManifestEntry, text: &mut Vec<u8>) {
    let ManifestNode::File { digest, .. } = &entry.node else { return };
    if entry.path.iter().any(|byte| b"\\\n\r".contains(byte)) {
        text.push(b'\\');
    }
    put(text, format_args!("{digest}  ./"));
    for byte in &entry.path {
        match byte {
            b'\\' => text.extend(b"\\\\"),
            b'\n' => text.extend(b"\\n"),
            b'\r' => text.extend(b"\\r"),
            other => text.push(*other),
        }
    }
    text.push(b'\n');
}

/// Appends the line of an entry in [`Form::Listing`].
fn write_listed(path: &[u8], node: &ManifestNode, text: &mut Vec<u8>) {
    match node {
        ManifestNode::Directory { mode } => listing_line(text, format_args!("d {mode:o}"), path),
        ManifestNode::File { mode, size, .. } => listing_line(text, format_args!("f {mode:o} {size}"), path),
        ManifestNode::Link { target } => listing_line(text, format_args!("l {}", target.len()), path),
    }
}

/// Returns the path in a line of a listing.
pub(crate) fn listed_path(line: &[u8]) -> Option<&[u8]> {
    let end = line.windows(3).position(|bytes| bytes == b" ./")?;
    Some(&line[end + 3..])
}

fn listing_line(text: &mut Vec<u8>, what: Arguments<'_>, path: &[u8]) {
    put(text, format_args!("{what} ./"));
    text.extend_from_slice(path);
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::Digest;

    fn manifest() -> Manifest {
        let file = |path: &[u8], content: &[u8]| {
            let digest = Digest::of(content);
            let node = ManifestNode::File { mode: 0o644, size: content.len() as u64, digest };
            ManifestEntry { path: path.to_vec(), node }
        };
        let directory = ManifestEntry { path: b"d".to_vec(), node: ManifestNode::Directory { mode: 0o700 } };
        let link = ManifestEntry { path: b"l".to_vec(), node: ManifestNode::Link { target: b"d/a\tb".to_vec() } };
        Manifest::new(vec![file(b"d/caf\xc3\xa9", b"x"), file(b"d/\\n\n\xff", b""), directory, link])
    }

    #[test]
    fn it_reads_as_it_is_documented() {
        let (empty, x) = (Digest::of(b""), Digest::of(b"x"));
        let kept = format!(
            "switchback manifest 1\nd\t700\td\nf\t644\t0\t{empty}\td/\\x5cn\\x0a\\xff\nf\t644\t1\t{x}\td/café\nl\tl\td/a\\x09b\n"
        );
        assert_eq!(String::from_utf8(manifest().in_form(Form::Manifest)).expect("text"), kept);
        let sums =
            [format!("\\{empty}  ./d/\\\\n\\n").as_bytes(), b"\xff\n", format!("{x}  ./d/café\n").as_bytes()].concat();
        assert_eq!(manifest().in_form(Form::Sums), sums);
        let listing = [&b"d 700 ./d\nf 644 0 ./d/\\n\n\xff\n"[..], "f 644 1 ./d/café\nl 5 ./l\n".as_bytes()].concat();
        assert_eq!(manifest().in_form(Form::Listing), listing);
        assert_eq!(Manifest::parse(kept.as_bytes()), Ok(manifest()));
    }

    #[test]
    fn what_was_cut_or_meddled_with_is_none() {
        let text = manifest().in_form(Form::Manifest);
        for end in 0..text.len() {
            let cut = Manifest::parse(&text[..end]);
            // A cut between two lines is a shorter manifest, whose digest differs.
            assert!(cut.is_err() || text[end - 1] == b'\n', "{end}");
        }
        for bad in
            ["", "x\n", "\nd\t755\ta\n", "d\t99\ta\n", "d\t755\ta\nd\t755\ta\n", "l\ta\n", "l\ta\t\\q\n", "l\ta\t\\x\n"]
        {
            assert!(Manifest::parse(format!("{HEADER}\n{bad}").as_bytes()).is_err() || bad.is_empty(), "{bad:?}");
        }
        assert_eq!(Manifest::parse(b"switchback manifest 2\n"), Err(ManifestError::Header));
        let error = Manifest::parse(b"switchback manifest 1\nd\t755\ta\nd\t755\t\xff\n");
        assert_eq!(error, Err(ManifestError::Line { line: 3 }));
    }

    proptest! {
        #[test]
        fn any_name_comes_back(paths in proptest::collection::btree_set(proptest::collection::vec(1_u8.., 1..20), 1..5)) {
            let link = |path: &Vec<u8>| ManifestEntry { path: path.clone(), node: ManifestNode::Link { target: path.clone() } };
            let manifest = Manifest::new(paths.iter().map(link).collect());
            prop_assert_eq!(Manifest::parse(&manifest.in_form(Form::Manifest)), Ok(manifest));
        }
    }
}
