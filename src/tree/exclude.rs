//! [`Exclude`]: patterns for the paths of a source to exclude.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{TreeError, error::PatternError};

/// Patterns in the syntax of `.gitignore`, relative to the top of the source. The last one that matches decides.
#[derive(Debug)]
pub(super) struct Exclude {
    globs: GlobSet,
    /// The rule of each glob.
    rules: Vec<Rule>,
}

/// The effect of a pattern on the paths that its glob matches.
#[derive(Debug, Clone, Copy)]
struct Rule {
    includes: bool,
    only_directories: bool,
}

impl Exclude {
    /// Compiles the patterns; none match nothing.
    pub(super) fn new(patterns: &[String]) -> Result<Self, TreeError> {
        let bad = |pattern: String, error: &globset::Error| TreeError::Pattern {
            pattern,
            why: PatternError(error.kind().to_string()),
        };
        let (mut globs, mut rules) = (GlobSetBuilder::new(), Vec::new());
        for pattern in patterns {
            let Some((glob, rule)) = parse(pattern) else { continue };
            let mut glob = GlobBuilder::new(&glob);
            // A `[` that nothing closes stands for itself.
            glob.literal_separator(true).backslash_escape(true).allow_unclosed_class(true);
            globs.add(glob.build().map_err(|error| bad(pattern.clone(), &error))?);
            rules.push(rule);
        }
        let globs = globs.build().map_err(|error| bad(patterns.join("`, `"), &error))?;
        Ok(Self { globs, rules })
    }

    /// Whether the entry at `path` is excluded, if no directory above it is.
    pub(super) fn matches(&self, path: &[u8], is_directory: bool) -> bool {
        let matching = self.globs.matches(Path::new(OsStr::from_bytes(path)));
        let mut rules = matching.into_iter().rev().map(|index| self.rules[index]);
        rules.find(|rule| is_directory || !rule.only_directories).is_some_and(|rule| !rule.includes)
    }

    /// Whether `path` or a directory above it is excluded.
    pub(super) fn matches_or_above(&self, path: &[u8], is_directory: bool) -> bool {
        super::entry_path::above(path).any(|directory| self.matches(directory, true))
            || self.matches(path, is_directory)
    }
}

/// Translates a line of a `.gitignore` to a glob for whole paths; `None` for a comment or an empty line.
fn parse(line: &str) -> Option<(String, Rule)> {
    let line = without_trailing_spaces(line);
    if line.starts_with('#') {
        return None;
    }
    let escaped = line.strip_prefix('\\').filter(|rest| rest.starts_with(['!', '#']));
    let included = line.strip_prefix('!');
    let text = escaped.or(included).unwrap_or(line);
    let from_top = text.strip_prefix('/').filter(|_| escaped.is_none());
    let text = from_top.unwrap_or(text);
    if text.is_empty() {
        return None;
    }
    let directory = text.strip_suffix('/');
    // A backslash before that slash escapes nothing.
    let text = directory.map_or(text, |text| text.strip_suffix('\\').unwrap_or(text));
    // Without a slash in it, a pattern matches the name at any depth.
    let anywhere = from_top.is_none() && !text.contains('/') && text != "**";
    let mut glob = if anywhere { format!("**/{text}") } else { text.to_owned() };
    // The content of a directory, without the directory.
    if glob.ends_with("/**") {
        glob.push_str("/*");
    }
    Some((glob, Rule { includes: included.is_some(), only_directories: directory.is_some() }))
}

/// Removes spaces at the end of a line, unless a backslash escapes them.
fn without_trailing_spaces(line: &str) -> &str {
    let trimmed = line.trim_end_matches(' ');
    let backslashes = trimmed.len() - trimmed.trim_end_matches('\\').len();
    // An odd number of them escapes the first space.
    let end = trimmed.len() + usize::from(backslashes % 2 == 1 && trimmed.len() < line.len());
    &line[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// The `ignore` crate is the matcher of ripgrep.
        #[test]
        fn it_excludes_what_ripgrep_ignores(
            patterns in prop::collection::vec(r"[!#]?/?[ab*?/\\ \[\]!#-]{0,6}[ /*\\]{0,2}", 0..4),
            path in "[ab #!-]{1,2}(/[ab \\\\!]{1,2}){0,2}",
            is_directory: bool,
        ) {
            let mut theirs = ignore::gitignore::GitignoreBuilder::new("");
            let added = patterns.iter().try_for_each(|pattern| theirs.add_line(None, pattern).map(drop));
            let (theirs, ours) = (added.and_then(|()| theirs.build()), Exclude::new(&patterns));
            prop_assert_eq!(theirs.is_ok(), ours.is_ok());
            if let (Ok(theirs), Ok(ours)) = (theirs, ours) {
                let ignored = theirs.matched(&path, is_directory).is_ignore();
                prop_assert_eq!(ours.matches(path.as_bytes(), is_directory), ignored);
            }
        }
    }
}
