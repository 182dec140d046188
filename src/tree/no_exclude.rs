//! [`Exclude`] in a build without the feature `config`: refuses every pattern.

use super::TreeError;

/// No patterns.
#[derive(Debug)]
pub(super) struct Exclude(());

impl Exclude {
    pub(super) fn new(patterns: &[String]) -> Result<Self, TreeError> {
        let Some(pattern) = patterns.first() else { return Ok(Self(())) };
        Err(TreeError::NotBuilt { what: format!("the exclude pattern `{pattern}`"), feature: "config" })
    }

    #[expect(clippy::unused_self, reason = "as with patterns")]
    pub(super) fn matches(&self, _: &[u8], _: bool) -> bool {
        false
    }

    pub(super) fn matches_or_above(&self, path: &[u8], is_directory: bool) -> bool {
        self.matches(path, is_directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn a_pattern_is_never_ignored() {
        assert!(Exclude::new(&[]).is_ok());
        let error = Error::from(Exclude::new(&["*.log".to_owned()]).expect_err("it cannot be read"));
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("the exclude pattern `*.log` needs the feature `config`"), "{error}");
    }
}
