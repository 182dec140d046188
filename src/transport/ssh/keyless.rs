//! [`Keyless`]: copies of the user's ssh configuration that name no keys.
//!
//! `[ssh] identity` means that key and no other. But `ssh` collects every `IdentityFile` that it reads, and no option
//! removes one, so that a host with `MaxAuthTries` refuses the right key after too many others. So the target's part of
//! our configuration includes copies that name no key. Jump hosts keep the user's own files.

use std::{
    fs::Metadata,
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use rustix::process::geteuid;

use super::failure::SshFailure;

/// The limit on nested includes, which `ssh` has too.
const DEEPEST: usize = 16;

/// The options that name a key, in lower case, as keywords are compared.
const KEYS: [&str; 3] = ["identityfile", "certificatefile", "pkcs11provider"];

/// Copies of configuration files in a private directory.
#[derive(Debug)]
pub(super) struct Keyless<'d> {
    directory: &'d Path,
    home: PathBuf,
    made: usize,
}

impl<'d> Keyless<'d> {
    /// Creates copies in `directory`, for a user with this home.
    pub(super) fn new(directory: &'d Path, home: PathBuf) -> Self {
        Self { directory, home, made: 0 }
    }

    /// Copies the files that an `Include` with this argument includes, and returns the copies.
    ///
    /// # Errors
    ///
    /// [`SshFailure`] when `ssh` would not include a file, or when the files cannot be determined.
    pub(super) fn included(&mut self, argument: &str) -> Result<Vec<PathBuf>, SshFailure> {
        self.copies(argument, 0)
    }

    fn copies(&mut self, argument: &str, depth: usize) -> Result<Vec<PathBuf>, SshFailure> {
        let files = self.files(argument)?;
        files.iter().filter_map(|file| self.copy(file, depth).transpose()).collect()
    }

    /// Copies `file` and returns the copy's path; `None` where there is no such file.
    fn copy(&mut self, file: &Path, depth: usize) -> Result<Option<PathBuf>, SshFailure> {
        let text = match fs_err::read(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(SshFailure::local(&error)),
        };
        let stat = fs_err::metadata(file).map_err(|error| SshFailure::local(&error))?;
        if depth > DEEPEST || is_others(&stat) {
            let why =
                if depth > DEEPEST { "Too many recursive configuration includes" } else { "Bad owner or permissions" };
            return Err(SshFailure::config(&format!("{why} on {}", file.display())));
        }
        let mut copy = Vec::with_capacity(text.len());
        for line in text.split(|byte| *byte == b'\n') {
            match keyword(line) {
                (word, _) if KEYS.contains(&&*word) => {}
                (word, rest) if word == "include" => {
                    for argument in arguments(&String::from_utf8_lossy(rest)) {
                        for file in self.copies(&argument, depth + 1)? {
                            copy.extend_from_slice(format!("Include \"{}\"\n", file.display()).as_bytes());
                        }
                    }
                }
                _ => {
                    copy.extend_from_slice(line);
                    copy.push(b'\n');
                }
            }
        }
        self.made += 1;
        let place = self.directory.join(format!("keyless-{}", self.made));
        fs_err::write(&place, copy).map_err(|error| SshFailure::local(&error))?;
        Ok(Some(place))
    }

    /// Returns the files that an argument of `Include` matches, as `ssh` finds them.
    fn files(&self, argument: &str) -> Result<Vec<PathBuf>, SshFailure> {
        let path = match argument.strip_prefix("~/") {
            Some(below) => self.home.join(below),
            None => self.home.join(".ssh").join(argument),
        };
        if argument.starts_with('~') && !argument.starts_with("~/") || argument.contains(['%', '$', '[', '\\']) {
            let why = "cannot be expanded, but `identity` requires its keys to be left out";
            return Err(SshFailure::config(&format!("Include {argument} {why}: write its path out")));
        }
        let mut found = vec![PathBuf::from("/")];
        for component in path.components() {
            match component {
                Component::Normal(name) => match name.to_str().filter(|name| name.contains(['*', '?'])) {
                    Some(pattern) => found = found.iter().flat_map(|above| matching(above, pattern)).collect(),
                    None => found.iter_mut().for_each(|path| path.push(name)),
                },
                Component::ParentDir => found.iter_mut().for_each(|path| path.push("..")),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Whether another user may have written it: `ssh` includes no such file.
fn is_others(stat: &Metadata) -> bool {
    (stat.uid() != 0 && stat.uid() != geteuid().as_raw()) || stat.mode() & 0o022 != 0
}

/// Returns the user's home from `/etc/passwd`, as `ssh` does, rather than from `HOME`.
///
/// Uses `HOME` only for a user that is not listed there.
pub(super) fn home() -> Result<PathBuf, SshFailure> {
    let uid = geteuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut homes = users.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2) == Some(&&*uid)).then(|| fields.get(5).map(PathBuf::from)).flatten()
    });
    let home = homes.next().or_else(std::env::home_dir).filter(|home| home.is_absolute());
    home.ok_or_else(|| SshFailure::local(&io::Error::other("the home directory is unknown")))
}

/// Splits off the first word of a line, in lower case.
fn keyword(line: &[u8]) -> (String, &[u8]) {
    let line = line.trim_ascii();
    let end = line.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'=').unwrap_or(line.len());
    let word = String::from_utf8_lossy(&line[..end]).trim_matches('"').to_ascii_lowercase();
    let rest = line[end..].trim_ascii_start();
    (word, rest.strip_prefix(b"=").unwrap_or(rest))
}

/// Splits a line into words, quoted or not, up to a comment.
fn arguments(text: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for c in text.chars().chain([' ']) {
        match c {
            '"' => (is_quoted, begun) = (!is_quoted, true),
            '#' if !begun => break,
            c if c.is_ascii_whitespace() && !is_quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    words
}

/// Returns the entries of the directory `above` that match `pattern`, sorted.
fn matching(above: &Path, pattern: &str) -> Vec<PathBuf> {
    let names = std::fs::read_dir(above).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let hidden = pattern.starts_with('.');
    let mut found: Vec<String> = names
        .filter(|name| (hidden || !name.starts_with('.')) && is_match(pattern.as_bytes(), name.as_bytes()))
        .collect();
    found.sort();
    found.into_iter().map(|name| above.join(name)).collect()
}

fn is_match(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|at| is_match(rest, &name[at..])),
        ([b'?', pattern @ ..], [_, name @ ..]) => is_match(pattern, name),
        ([one, pattern @ ..], [other, name @ ..]) => one == other && is_match(pattern, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn text(dir: &Path, file: &str, text: &str) {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }

    #[test]
    fn no_copy_names_a_key() {
        let (home, into) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        text(
            home.path(),
            ".ssh/config",
            "Include conf.d/*.conf none \"with blank\" # all\n\tIdentityFile ~/.ssh/a\nHost x\n  User me\n identityfile=/k\nCertificateFile /c",
        );
        text(home.path(), ".ssh/conf.d/1.conf", "IDENTITYFILE \"/x\"\nPort 7\n");
        text(home.path(), ".ssh/conf.d/.2.conf", "Port 8\n");
        text(home.path(), ".ssh/with blank", "PKCS11Provider /lib\nInclude = ~/other\n");
        text(home.path(), "other", "Compression yes\n");
        let made = Keyless::new(into.path(), home.path().into()).included("~/.ssh/config").expect("copies");
        let [main] = &made[..] else { panic!("{made:?}") };
        let place = |n: u32| into.path().join(format!("keyless-{n}")).display().to_string();
        let read = |path: &str| fs::read_to_string(path).expect("a copy");
        assert_eq!(
            read(main.to_str().unwrap()),
            format!("Include \"{}\"\nInclude \"{}\"\nHost x\n  User me\n", place(1), place(3))
        );
        assert_eq!(read(&place(1)), "Port 7\n\n");
        assert_eq!(read(&place(3)), format!("Include \"{}\"\n\n", place(2)));
        assert_eq!(read(&place(2)), "Compression yes\n\n");
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        let (home, into) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        for (name, line) in
            [("tokens", "Include %h.conf"), ("classes", "Include [a].conf"), ("itself", "Include itself")]
        {
            text(home.path(), &format!(".ssh/{name}"), line);
            let error = Keyless::new(into.path(), home.path().into()).included(name).expect_err(line).to_string();
            assert!(error.contains("nclude"), "{error}");
        }
        text(home.path(), ".ssh/open", "");
        let others = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        fs::set_permissions(home.path().join(".ssh/open"), others).unwrap();
        assert!(Keyless::new(into.path(), home.path().into()).included("open").is_err());
        assert!(Keyless::new(into.path(), home.path().into()).included("absent").expect("none").is_empty());
    }
}
