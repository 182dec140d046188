//! The system calls that a rollback needs, and nothing else.

use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, Dir, Mode, OFlags};

type Done = rustix::io::Result<()>;

/// Does what a rollback does to `root`, which [`make`] created, in the same order and with the same syncs.
///
/// Takes a lock with a mark, an owner and a proven rename, synced before it is named; reads the root; compares the
/// target with its manifest; writes the intent; switches `current`; marks the release bad, writes the history, and
/// releases the lock.
pub(crate) fn rollback(root: &Path, from: &str, to: &str) -> Done {
    let bare = Bare { state: root.join(".state"), root, token: "0123456789abcdef" };
    bare.take_lock()?;
    bare.look()?;
    bare.verify(to)?;
    bare.switch(to)?;
    bare.finish(from)
}

/// Creates a root with these releases, of which the last is current.
pub(crate) fn make(root: &Path, releases: &[&str]) -> Done {
    for path in ["", "releases", ".state"] {
        directory(&root.join(path))?;
    }
    for path in ["live", "tmp", "staging", "releases", "journal", "trash"] {
        directory(&root.join(".state").join(path))?;
    }
    fs::symlink("1", root.join(".state/format"))?;
    write(&root.join(".state/marks"), "0\n")?;
    for release in releases {
        directory(&root.join("releases").join(release))?;
        directory(&root.join(".state/releases").join(release))?;
        write(&root.join("releases").join(release).join("previousVersion"), "none\n")?;
        for file in FILES {
            write(&root.join("releases").join(release).join(file), "content\n")?;
        }
        write(&root.join(".state/releases").join(release).join("manifest"), &OWNER.repeat(FILES.len()))?;
        fs::symlink(format!("releases/{release}"), root.join("next"))?;
        fs::rename(root.join("next"), root.join("current"))?;
    }
    Ok(())
}

struct Bare<'r> {
    root: &'r Path,
    state: PathBuf,
    token: &'r str,
}

impl Bare<'_> {
    fn held(&self) -> PathBuf {
        self.state.join("lock").join(self.token)
    }

    fn take_lock(&self) -> Done {
        fs::readlink(self.state.join("format"), Vec::new())?;
        for path in ["", "live", "tmp", "staging", "releases", "journal", "trash"] {
            fs::lstat(self.state.join(path))?;
        }
        let (live, private) = (self.state.join("live").join(self.token), self.state.join("tmp").join(self.token));
        write(&live, "1 2 boot\n")?;
        let held = private.join("lock").join(self.token);
        for path in [&private, &private.join("lock"), &held] {
            directory(path)?;
        }
        write(&held.join("owner"), OWNER)?;
        write(&held.join("process"), "1 2 boot\n")?;
        for path in [&live, &held.join("owner"), &held.join("process"), &held] {
            sync(path)?;
        }
        fs::symlink(".", held.join("proof"))?;
        fs::symlink("..", private.join("proof"))?;
        fs::rename(private.join("proof"), held.join("proof"))?;
        fs::readlink(held.join("proof"), Vec::new())?;
        fs::rename(private.join("lock"), self.state.join("lock"))?;
        fs::rmdir(private)?;
        fs::unlink(live)
    }

    fn look(&self) -> Done {
        fs::lstat(self.root.join("current"))?;
        fs::readlink(self.root.join("current"), Vec::new())?;
        fs::stat(self.root.join("current"))?;
        for release in names(&self.root.join("releases"))? {
            read(&self.root.join("releases").join(&release).join("previousVersion"))?;
            for mark in ["bad", "staged"] {
                let _ = read(&self.state.join("releases").join(&release).join(mark));
            }
        }
        read(&self.held().join("owner"))?;
        read(&self.state.join("marks"))?;
        for listed in ["journal", "staging"] {
            names(&self.state.join(listed))?;
        }
        Ok(())
    }

    fn verify(&self, release: &str) -> Done {
        read(&self.state.join("releases").join(release).join("manifest"))?;
        names(&self.root.join("releases").join(release)).map(drop)
    }

    fn switch(&self, to: &str) -> Done {
        let (held, current) = (self.held(), self.root.join("current"));
        write(&held.join("intent"), OWNER)?;
        for path in [&held.join("intent"), &held, &self.state.join("lock"), &self.state] {
            sync(path)?;
        }
        fs::symlink(format!("releases/{to}"), held.join("current"))?;
        fs::stat(self.root.join("releases").join(to))?;
        fs::readlink(&current, Vec::new())?;
        fs::rename(held.join("current"), &current)?;
        sync(self.root)?;
        fs::readlink(&current, Vec::new()).map(drop)
    }

    fn finish(&self, from: &str) -> Done {
        let (held, trash) = (self.held(), self.state.join("trash"));
        let history = self.state.join("history");
        append(&history, OWNER, OFlags::APPEND)?;
        write(&held.join("bad"), OWNER)?;
        write(&held.join("marks"), "1\n")?;
        for path in [&held.join("bad"), &held.join("marks"), &history] {
            sync(path)?;
        }
        fs::rename(held.join("bad"), self.state.join("releases").join(from).join("bad"))?;
        fs::rename(held.join("marks"), self.state.join("marks"))?;
        let gone = trash.join(self.token);
        fs::rename(held, &gone)?;
        fs::rmdir(self.state.join("lock"))?;
        for name in names(&gone)? {
            fs::unlink(gone.join(name))?;
        }
        fs::rmdir(gone)
    }
}

/// The files of a release, as many as the example site has.
const FILES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// An owner record of realistic length.
const OWNER: &str = "{\"format\":1,\"operation\":\"0123456789abcdef\",\"command\":\"rollback\",\"by\":\"deploy@ci\",\
     \"since\":\"2026-01-01T00:00:00.000000000Z\",\"reason\":null,\"from\":\"v2\",\"to\":\"v1\",\"record\":null}\n";

fn directory(path: &Path) -> Done {
    fs::mkdir(path, Mode::RWXU)
}

fn write(path: &Path, content: &str) -> Done {
    append(path, content, OFlags::EXCL)
}

fn append(path: &Path, content: &str, how: OFlags) -> Done {
    let file = fs::open(path, OFlags::WRONLY | OFlags::CREATE | how, Mode::RUSR | Mode::WUSR)?;
    rustix::io::write(file, content.as_bytes()).map(drop)
}

fn read(path: &Path) -> rustix::io::Result<Vec<u8>> {
    let file = fs::open(path, OFlags::RDONLY, Mode::empty())?;
    let mut content = Vec::with_capacity(64 << 10);
    rustix::io::read(file, rustix::buffer::spare_capacity(&mut content))?;
    Ok(content)
}

fn names(path: &Path) -> rustix::io::Result<Vec<String>> {
    let open = fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::read_from(&open)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            fs::statat(&open, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            names.push(name);
        }
    }
    Ok(names)
}

fn sync(path: &Path) -> Done {
    fs::fsync(fs::open(path, OFlags::RDONLY, Mode::empty())?)
}
