//! [`Exclude`]: patterns for the paths of a source to exclude.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{TreeError, error::PatternError};

/// Patterns in the syntax of `.gitignore`, relative to the top of the source. The last one that matches decides.
#[derive(Debug)]
pub(super) struct Exclude(Gitignore);

impl Exclude {
    /// Compiles the patterns; none match nothing.
    pub(super) fn new(patterns: &[String]) -> Result<Self, TreeError> {
        let mut builder = GitignoreBuilder::new("");
        for pattern in patterns {
            let bad = |source: ignore::Error| TreeError::Pattern {
                pattern: pattern.clone(),
                why: PatternError(source.to_string()),
            };
            builder.add_line(None, pattern).map_err(bad)?;
        }
        let bad = |source: ignore::Error| TreeError::Pattern {
            pattern: patterns.join("`, `"),
            why: PatternError(source.to_string()),
        };
        builder.build().map(Self).map_err(bad)
    }

    /// Whether the entry at `path` is excluded, if no directory above it is.
    pub(super) fn matches(&self, path: &[u8], is_directory: bool) -> bool {
        self.0.matched(Path::new(OsStr::from_bytes(path)), is_directory).is_ignore()
    }

    /// Whether `path` or a directory above it is excluded.
    pub(super) fn matches_or_above(&self, path: &[u8], is_directory: bool) -> bool {
        super::entry_path::above(path).any(|directory| self.matches(directory, true))
            || self.matches(path, is_directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exclude(patterns: &[&str]) -> Exclude {
        Exclude::new(&patterns.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>()).expect("patterns")
    }

    #[test]
    fn it_reads_patterns_as_git_does() {
        let patterns = exclude(&["*.log", "!keep.log", "/build", "cache/", "a/**/z", "# a comment", ""]);
        for (path, is_directory, out) in [
            ("x.log", false, true),
            ("d/x.log", false, true),
            ("keep.log", false, false),
            ("build", true, true),
            ("d/build", true, false),
            ("d/cache", true, true),
            ("d/cache", false, false),
            ("d/cache/x", false, true),
            ("a/b/c/z", false, true),
            ("# a comment", false, false),
        ] {
            assert_eq!(patterns.matches_or_above(path.as_bytes(), is_directory), out, "{path}");
        }
        assert!(!exclude(&[]).matches(b"vendor", true) && !exclude(&[]).matches(b"node_modules", true));
        assert!(exclude(&["caf*"]).matches("caf\u{e9}".as_bytes(), false));
        assert!(exclude(&["*"]).matches(b"\xff", false));
    }

    #[test]
    fn a_pattern_that_means_nothing_is_named() {
        let error = Exclude::new(&["[z-a]".to_owned()]).expect_err("no range");
        assert!(matches!(&error, TreeError::Pattern { pattern, .. } if pattern == "[z-a]"), "{error:?}");
    }
}
