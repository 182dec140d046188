//! The revision of a source in version control, from which a release was built.

use std::io::Read;

use camino::{Utf8Path, Utf8PathBuf};

use crate::limits;

/// The maximum length of a revision, in characters.
const LONGEST: usize = 200;

/// The variables in which CI systems name the commit of a job.
const VARIABLES: [&str; 11] = [
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "BUILDKITE_COMMIT",
    "CIRCLE_SHA1",
    "GIT_COMMIT",
    "BITBUCKET_COMMIT",
    "BUILD_SOURCEVERSION",
    "DRONE_COMMIT_SHA",
    "SEMAPHORE_GIT_SHA",
    "TRAVIS_COMMIT",
    "CODEBUILD_RESOLVED_SOURCE_VERSION",
];

/// Parses a revision: one line without control characters, of at most 200 characters.
///
/// # Errors
///
/// The reason why it is not a revision.
///
/// ```
/// use switchback::revision;
///
/// assert_eq!(revision::parse("v1.4.2"), Ok("v1.4.2".to_owned()));
/// assert!(revision::parse("two\nlines").is_err());
/// ```
pub fn parse(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("a revision is one line of text".to_owned());
    }
    if text.chars().count() > LONGEST {
        return Err(format!("a revision has {LONGEST} characters at most"));
    }
    Ok(text.to_owned())
}

/// Returns the commit that a CI system builds, from its variables.
#[must_use]
pub fn of_job(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    VARIABLES.iter().filter_map(|name| variable(name)).find_map(|value| parse(&value).ok())
}

/// Returns the commit that is checked out at `source`, a directory of a git repository or of a worktree.
///
/// Reads only files of git: runs no program, and does not look at the repository's configuration, which whoever made it
/// wrote. Returns `None` for a ref format other than loose and packed refs.
#[must_use]
pub fn of_checkout(source: &Utf8Path) -> Option<String> {
    let source = source.canonicalize_utf8().ok()?;
    let found = source.ancestors().find_map(git_directory).filter(|_| source.is_dir())?;
    let head = read(&found.join("HEAD"))?;
    let Some(name) = head.strip_prefix("ref: ") else { return commit(&head) };
    // HEAD is untrusted content: its ref must not lead out of the git directory.
    if !name.starts_with("refs/") || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return None;
    }
    // A worktree keeps its own HEAD and shares the rest.
    let common = read(&found.join("commondir")).map_or_else(|| found.clone(), |path| found.join(path));
    let loose = [&found, &common].into_iter().find_map(|directory| commit(&read(&directory.join(name))?));
    loose.or_else(|| {
        let packed = read(&common.join("packed-refs"))?;
        packed
            .lines()
            .find_map(|line| line.split_once(' ').filter(|(_, packed)| *packed == name))
            .and_then(|(id, _)| commit(id))
    })
}

/// Returns the git directory of a checkout at `path`: `.git`, or the directory that the file `.git` of a
/// worktree or submodule names.
fn git_directory(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let git = path.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    Some(path.join(read(&git)?.strip_prefix("gitdir: ")?))
}

/// Returns the text of a plain file, without trailing white space.
fn read(path: &Utf8Path) -> Option<String> {
    let file = fs_err::File::open(path).ok().filter(|file| file.metadata().is_ok_and(|found| found.is_file()))?;
    let mut text = String::new();
    file.take(limits::GIT).read_to_string(&mut text).ok()?;
    Some(text.trim_end().to_owned())
}

/// Returns the text if it is a commit ID, of SHA-1 or SHA-256.
fn commit(text: &str) -> Option<String> {
    let is_name = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_name.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";
    const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba98";

    fn checkout(head: &str) -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).expect("UTF-8");
        fs::create_dir_all(path.join(".git/refs/heads")).expect("a directory");
        fs::create_dir_all(path.join("dist")).expect("a directory");
        fs::write(path.join(".git/HEAD"), head).expect("a file");
        (dir, path)
    }

    #[test]
    fn what_is_checked_out_is_found_from_below() {
        let (_dir, path) = checkout("ref: refs/heads/main\n");
        assert_eq!(of_checkout(&path), None, "no commit yet");
        fs::write(path.join(".git/packed-refs"), format!("# pack-refs\n{OTHER} refs/heads/main\n^{ID}\n"))
            .expect("a file");
        assert_eq!(of_checkout(&path.join("dist")).as_deref(), Some(OTHER));
        fs::write(path.join(".git/refs/heads/main"), format!("{ID}\n")).expect("a file");
        assert_eq!(of_checkout(&path.join("dist")).as_deref(), Some(ID));
        fs::write(path.join("dist.tar"), "").expect("a file");
        assert_eq!(of_checkout(&path.join("dist.tar")), None, "an archive may come from anywhere");
    }

    #[test]
    fn a_worktree_has_a_head_of_its_own_and_shares_the_rest() {
        let (_dir, path) = checkout("ref: refs/heads/main\n");
        fs::write(path.join(".git/refs/heads/topic"), ID).expect("a file");
        let own = path.join(".git/worktrees/w");
        fs::create_dir_all(&own).expect("a directory");
        fs::write(own.join("HEAD"), "ref: refs/heads/topic\n").expect("a file");
        fs::write(own.join("commondir"), "../..\n").expect("a file");
        let tree = path.join("w");
        fs::create_dir(&tree).expect("a directory");
        fs::write(tree.join(".git"), format!("gitdir: {own}\n")).expect("a file");
        assert_eq!(of_checkout(&tree).as_deref(), Some(ID));
    }

    #[test]
    fn nothing_is_read_but_commits() {
        for head in [ID, "ref: ../../etc/passwd", "ref: refs/../../x", "", "garbage"] {
            let (_dir, path) = checkout(head);
            assert_eq!(of_checkout(&path).as_deref(), (head == ID).then_some(ID), "{head}");
        }
    }

    #[test]
    fn a_job_says_its_commit() {
        let job = |set: &'static [(&str, &str)]| {
            of_job(|name| set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(job(&[("CI_COMMIT_SHA", ID)]).as_deref(), Some(ID));
        assert_eq!(job(&[("GITHUB_SHA", ""), ("GIT_COMMIT", OTHER)]).as_deref(), Some(OTHER));
        assert_eq!(job(&[]), None);
    }
}
