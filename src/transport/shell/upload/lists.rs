//! [`Lists`]: the parts of an upload other than content: its lists, and the files to copy.

use std::io::{self, Write};

use crate::{
    manifest::{Digest, Form, Manifest, ManifestEntry},
    path::InnerPath,
    transport::{Base, Upload, shell::quote::ShellWord},
    tree::TreeError,
};

use super::edit::Edit;

/// The work for a file in bytes, in addition to its content.
const WORK_OF_FILE: u64 = 16 << 10;

/// The work in bytes below which copying in one part is faster.
const WORTH_PARTS: u64 = 16 << 20;

/// Files of ours in the stream, and the script that the host runs on them.
///
/// Each list comes as `marker-INDEX`. If the host has the list of the base, the [`Edit`] comes instead, as
/// `marker-INDEX-edit`, and `marker-digests` holds the digests of the results. `marker-skip`, an edit of the new list,
/// then selects the files to copy; else `marker-copied` lists them, and `marker-mode-MODE` those of each mode.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) files: Vec<(String, Vec<u8>)>,
    pub(super) script: Vec<u8>,
}

impl Lists {
    /// Builds the lists of `upload`. Reads its tree unless it was read before. Blocks.
    pub(super) fn of(upload: &Upload, marker: &str) -> Result<Self, TreeError> {
        let manifest = upload.listed()?;
        let mut lists = Self::default();
        lists.lists(upload, &manifest, marker).map_err(TreeError::Visit)?;
        if let Some(base) = &upload.base {
            lists.copied(upload, base, &manifest, marker).map_err(TreeError::Visit)?;
        }
        Ok(lists)
    }

    fn add(&mut self, name: String, content: Vec<u8>) {
        self.files.push((name, content));
    }

    fn lists(&mut self, upload: &Upload, manifest: &Manifest, marker: &str) -> io::Result<()> {
        let (mut digests, mut edits) = (Vec::new(), Vec::new());
        for (index, (_, form)) in upload.lists.iter().enumerate() {
            let (name, list) = (format!("{marker}-{index}"), manifest.in_form(*form));
            match edit(upload, manifest, *form) {
                Some((place, edit)) if edit.len() < list.len() => {
                    writeln!(digests, "{}  ./{name}", Digest::of(&list))?;
                    write!(edits, " {index} ")?;
                    edits.extend_from_slice(ShellWord::operand(place).as_bytes());
                    self.add(format!("{name}-edit"), edit);
                }
                _ => self.add(name, list),
            }
        }
        if !digests.is_empty() {
            self.add(format!("{marker}-digests"), digests);
            self.script.extend([b"sb_edit", &edits[..], b"\n"].concat());
        }
        Ok(())
    }

    /// Adds the selection of the files to copy, by the new lists where these suffice.
    fn copied(&mut self, upload: &Upload, base: &Base, manifest: &Manifest, marker: &str) -> io::Result<()> {
        let index = |wanted| upload.lists.iter().position(|(_, form)| *form == wanted);
        let told = base.files.entries().iter().all(|entry| manifest.entry(&entry.path) == Some(entry));
        // A path with a newline takes two lines of a listing, and the second might look like another entry's.
        let told = told && !manifest.entries().iter().any(|entry| entry.path.contains(&b'\n'));
        let skip = |_: &usize| Edit::only(manifest, Form::Sums, |entry| base.file(&entry.path).is_some());
        let by_lists = index(Form::Sums).zip(index(Form::Listing)).filter(|_| told);
        if let Some(((sums, listing), skip)) = by_lists.and_then(|found| Some((found, skip(&found.0)?))) {
            self.add(format!("{marker}-skip"), skip);
            writeln!(self.script, "sb_select_copied {sums}\n{}", copy(base))?;
            return base.modes().iter().try_for_each(|mode| writeln!(self.script, "sb_modes {mode:o} {listing}"));
        }
        self.add(format!("{marker}-copied"), base.files.in_form(Form::Sums));
        writeln!(self.script, "{}", copy(base))?;
        for mode in base.modes() {
            let line = |entry: &ManifestEntry| [b"./", &entry.path[..], b"\n"].concat();
            self.add(format!("{marker}-mode-{mode:o}"), base.of_mode(mode).flat_map(line).collect());
            writeln!(self.script, "sb_modes {mode:o} ''")?;
        }
        Ok(())
    }
}

/// Returns the line that copies, in two parts of about the same work where that is worth a second process of
/// each kind.
fn copy(base: &Base) -> String {
    let files = base.files.entries();
    let (_, bytes) = base.size();
    let work = |files: u64, bytes: u64| files * WORK_OF_FILE + bytes;
    let all = work(files.len() as u64, bytes);
    if all < WORTH_PARTS || files.len() < 2 {
        return "sb_copy".to_owned();
    }
    let mut before = 0;
    let is_first = |entry: &&ManifestEntry| {
        before += work(1, entry.size());
        before <= all / 2
    };
    let first = files.iter().take_while(is_first).count();
    format!("sb_copy {}", first.clamp(1, files.len() - 1))
}

/// Returns the base's list that a list of this form is made from, and the edit.
fn edit<'u>(upload: &'u Upload, manifest: &Manifest, form: Form) -> Option<(&'u InnerPath, Vec<u8>)> {
    let lists = upload.base.as_ref()?.lists.as_ref()?;
    let (place, _) = lists.places.iter().find(|(_, kept)| *kept == form)?;
    Some((place, Edit::between(&lists.manifest, manifest, form)?))
}
