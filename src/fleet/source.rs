//! Questions about the source of a release. They come first, because they cost the hosts nothing.

use crate::{
    error::{Error, ErrorKind},
    hint::Hint,
    release::Release,
    report::{Outcome, Report},
    tree::Tree,
};

use super::{questions::Question, run::Run};

/// The maximum number of paths in a warning.
const MAX_NAMED: usize = 5;

impl Run<'_> {
    /// Reports that the source of `release` is refused, before any host is contacted.
    ///
    /// Warns of content that should be left out, once however often the tree is uploaded.
    pub(super) fn refuse_unfit_source(&self, release: &dyn Release) -> Option<Report> {
        if !self.asks(Question::Source) {
            return None;
        }
        let tree = release.content();
        if let Some(error) = self.refuses(&tree) {
            return Some(self.report(Outcome::Refused, Some(release.name()), Vec::new(), Some(error.into())));
        }
        if tree.is_new() {
            for warning in suspicious_content(&tree) {
                self.warn(None, warning);
            }
        }
        None
    }

    fn refuses(&self, tree: &Tree) -> Option<Error> {
        if tree.files() == 0 && !self.options.allow_empty {
            let what = "the source contains no files; nothing was touched";
            return Some(Error::new(ErrorKind::Source, what).hint(Hint::AllowEmpty));
        }
        let secrets = self.options.commands.as_ref()?.env_file.as_ref()?;
        let shipped = tree.ships(secrets.as_std_path())?;
        let what = format!(
            "the source contains the env_file {shipped}, whose secrets would be published; nothing was touched"
        );
        let hint = format!("keep it elsewhere, or leave it out with `[source] exclude = [\"/{shipped}\"]`");
        Some(Error::new(ErrorKind::Source, what).hint(hint))
    }
}

/// Describes content of a source that is hardly intended.
fn suspicious_content(tree: &Tree) -> Vec<String> {
    let repositories = tree.repositories();
    let repositories = (!repositories.is_empty()).then(|| {
        let more = repositories.len().saturating_sub(MAX_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let some = repositories.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        format!(
            "the source contains {some}{more}: the whole history is published; leave it out with `[source] exclude`"
        )
    });
    let only = tree.only_directory().map(|top| {
        format!(
            "everything in the archive is below {top}/, and will be in the release; `[source] strip = 1` removes that \
             directory, and `strip = 0` confirms it"
        )
    });
    repositories.into_iter().chain(only).collect()
}
