//! [`ControlDirectory`]: the private directory of a connection's socket, which gives access to the connection.

use std::{
    env,
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::process::{Pid, geteuid, test_kill_process};
use tempfile::TempDir;

use super::failure::SshFailure;

/// The limit on the path of such a directory, in bytes.
///
/// 59 still worked, with the name that `openssh` and `ssh` add for the socket; the whole may be 108 bytes.
const LONGEST: usize = 55;

/// A private directory for one connection. Removed when dropped.
#[derive(Debug)]
pub(super) struct ControlDirectory(TempDir);

impl ControlDirectory {
    /// Creates a directory in `$XDG_RUNTIME_DIR/switchback`, or else in `/tmp/switchback-UID`.
    pub(super) fn new() -> Result<Self, SshFailure> {
        let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        let own = |base: &Path| Self::below(base).map_err(|error| SshFailure::local(&error));
        if let Some(Ok(directory)) = runtime.map(|runtime| own(&runtime.join("switchback"))) {
            return Ok(directory);
        }
        own(&PathBuf::from(format!("/tmp/switchback-{}", geteuid().as_raw())))
    }

    fn below(base: &Path) -> io::Result<Self> {
        match std::fs::DirBuilder::new().mode(0o700).create(base) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(named(base, &error)),
            _ => {}
        }
        refuse_unless_ours(base)?;
        sweep(base);
        let made = tempfile::Builder::new().prefix(&format!("{}-", std::process::id())).tempdir_in(base)?;
        if made.path().as_os_str().len() > LONGEST {
            return Err(io::Error::other(format!("{} is too long for a socket path", base.display())));
        }
        Ok(Self(made))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Refuses a directory that others created first, or through which they could reach the socket.
fn refuse_unless_ours(base: &Path) -> io::Result<()> {
    let stat = fs_err::symlink_metadata(base)?;
    let ours = stat.is_dir() && stat.uid() == geteuid().as_raw() && stat.mode() & 0o777 == 0o700;
    let wrong = || format!("{} must be your own directory with mode 0700; remove it", base.display());
    if ours { Ok(()) } else { Err(io::Error::other(wrong())) }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot create {}: {error}", path.display()))
}

/// Removes leftovers of killed runs. Their connections end by themselves.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.split_once('-')?.0.parse().ok()).and_then(Pid::from_raw);
        if pid.is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH)) {
            // Another run may sweep at the same time, so ignore a failure.
            let _: io::Result<()> = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_a_private_directory_of_ours_is_used() {
        let dir = TempDir::new().unwrap();
        let base = dir.path().join("b");
        let made = ControlDirectory::below(&base).expect("a new one");
        assert_eq!(std::fs::metadata(&base).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(made.path().parent(), Some(&*base));
        std::fs::set_permissions(&base, std::fs::Permissions::from_mode(0o750)).unwrap();
        assert!(ControlDirectory::below(&base).is_err());
        let link = dir.path().join("l");
        symlink(dir.path(), &link).unwrap();
        assert!(ControlDirectory::below(&link).is_err());
        assert!(ControlDirectory::below(&dir.path().join("x".repeat(60))).is_err());
    }

    #[test]
    fn what_killed_runs_left_is_swept() {
        let dir = TempDir::new().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let left = dir.path().join(format!("{}-abc", ended.id()));
        let used = dir.path().join(format!("{}-abc", std::process::id()));
        for path in [&left, &used] {
            std::fs::create_dir(path).unwrap();
        }
        let _made = ControlDirectory::below(dir.path()).expect("ours");
        assert!(!left.exists() && used.exists());
    }
}
