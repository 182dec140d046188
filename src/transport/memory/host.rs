//! [`MemoryHost`]: the host itself, for tests to inspect and to change.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    path::HostPath,
    time::Timestamp,
    transport::{FailureKind, HookCall, HookExit},
};

use super::{
    MemoryTransport,
    hook::Script,
    model::{Body, Model, TOP, Way},
};

/// A host that exists in memory only: the model that the other transports are tested against.
///
/// Clones are the same host. Its methods act at once, outside of any connection, as a person on the host would. Their
/// paths are absolute; those that read follow symlinks, as a web server does.
///
/// # Limitations
///
/// Everything belongs to one user with all rights, on one filesystem that is never full. There are directories, files
/// and symlinks. Unsynced writes are never lost.
///
/// # Panics
///
/// The methods that change the host panic when the change is impossible, since the test is wrong then.
#[derive(Debug, Clone)]
pub struct MemoryHost(Arc<Mutex<Model>>);

impl Default for MemoryHost {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryHost {
    /// Creates an empty host, at the Unix epoch.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Model::new())))
    }

    /// Connects to it; messages call it `name`. Each connection is a process of its own on the host.
    #[must_use]
    pub fn connect(&self, name: impl Into<String>) -> MemoryTransport {
        MemoryTransport::new(self.clone(), name.into())
    }

    /// Connects to it as the process `process`, which [`MemoryTransport::leave`] returned.
    ///
    /// If that process has ended, the first batch starts a new one.
    #[must_use]
    pub fn connect_as(&self, name: impl Into<String>, process: u32) -> MemoryTransport {
        MemoryTransport::resumed(self.clone(), name.into(), process)
    }

    /// Copies the host: files, processes and clock. Later changes to either do not affect the other.
    ///
    /// The copy's inodes are renumbered, so that hosts with equal content become equal.
    ///
    /// ```
    /// use switchback::transport::MemoryHost;
    ///
    /// let host = MemoryHost::new();
    /// host.write("/srv/shop/page", "one");
    /// let before = host.snapshot();
    /// assert_eq!(before.fingerprint(), host.fingerprint());
    /// host.write("/srv/shop/page", "two");
    /// assert_ne!(before.fingerprint(), host.fingerprint());
    /// assert_eq!(before.read("/srv/shop/page").as_deref(), Some(&b"one"[..]));
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self(Arc::new(Mutex::new(self.model().copy())))
    }

    /// Returns a hash of the host's content, without clocks and inode numbers.
    ///
    /// Hosts that differ have the same hash with a chance of one in 2^64. It is not stable across builds of this crate.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.model().hash_into(&mut hasher);
        hasher.finish()
    }

    /// Ends one process on the host.
    pub fn end_process(&self, process: u32) {
        self.model().end_process(process);
    }

    /// Starts a process on the host with the working directory `path`, and returns its id.
    #[must_use]
    pub fn start_in(&self, path: &str) -> u32 {
        self.model().start_worker(path)
    }

    /// Sets the mode of the entry that `path` leads to.
    ///
    /// # Panics
    ///
    /// When it leads nowhere.
    pub fn set_mode(&self, path: &str, mode: u32) {
        let mut model = self.model();
        let inode = end(&model.follow(&[TOP], path.as_bytes()).expect("what gets another mode is there"));
        model.set_mode(inode, mode);
    }

    /// Sets the host's clock, which never moves otherwise.
    pub fn set_clock(&self, now: Timestamp) {
        self.model().clock = now;
    }

    /// Ends all processes on the host and reboots it.
    pub fn reboot(&self) {
        self.model().reboot();
    }

    /// Sets the behaviour of the commands that this host runs ([`Transport::run`](crate::Transport::run)).
    ///
    /// `script` returns their result and output, and may change the host. Without it, every command exits at once with
    /// 0.
    ///
    /// If its process is ended or the host rebooted meanwhile, the command is
    /// [`HookEnd::Lost`](crate::transport::HookEnd::Lost).
    pub fn on_hook(&self, script: impl Fn(&HookCall) -> HookExit + Send + Sync + 'static) {
        self.model().script = Script::new(script);
    }

    /// Returns the content of the file at `path`; `None` when there is no file.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self.look(path)? {
            Body::File(content) => Some(content),
            Body::Directory(_) | Body::Link(_) => None,
        }
    }

    /// Returns the names in the directory at `path`, sorted; `None` when there is no directory.
    #[must_use]
    pub fn list(&self, path: &str) -> Option<Vec<String>> {
        match self.look(path)? {
            Body::Directory(names) => {
                Some(names.into_keys().map(|name| String::from_utf8_lossy(&name).into_owned()).collect())
            }
            Body::File(_) | Body::Link(_) => None,
        }
    }

    /// Whether `path` leads to an entry.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.look(path).is_some()
    }

    /// Returns the text of the symlink at `path`; `None` when there is no symlink.
    #[must_use]
    pub fn read_link(&self, path: &str) -> Option<String> {
        let (above, name) = split(path);
        let model = self.model();
        let way = model.follow(&[TOP], above.as_bytes()).ok()?;
        let inode = model.child(end(&way), name.as_bytes()).ok()??;
        match model.body(inode) {
            Body::Link(text) => Some(String::from_utf8_lossy(text).into_owned()),
            Body::File(_) | Body::Directory(_) => None,
        }
    }

    /// Writes a file (mode 0644), replacing the entry at `path`, and creates the directories above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        self.put(path, 0o644, Body::File(content.as_ref().to_vec()));
    }

    /// Creates a symlink, replacing the entry at `path`, and creates the directories above it.
    pub fn link(&self, path: &str, text: impl AsRef<[u8]>) {
        self.put(path, 0o777, Body::Link(text.as_ref().to_vec()));
    }

    /// Creates a directory (mode 0755) and those above it; an existing one stays.
    pub fn make_dir(&self, path: &str) {
        make_all(&mut self.model(), path);
    }

    /// Removes the entry at `path`, with all that it holds.
    pub fn remove(&self, path: &str) {
        let (above, name) = split(path);
        let mut model = self.model();
        if let Ok(way) = model.follow(&[TOP], above.as_bytes()) {
            model.detach(end(&way), name.as_bytes());
        }
    }

    /// Moves the entry at `from` to `to`, replacing the entry there, and creates the directories above it.
    ///
    /// # Panics
    ///
    /// When nothing exists at `from`.
    pub fn rename(&self, from: &str, to: &str) {
        let ((above, name), (target, new_name)) = (split(from), split(to));
        let mut model = self.model();
        let source = end(&model.follow(&[TOP], above.as_bytes()).expect("the directory of what is renamed is there"));
        let moved = model.child(source, name.as_bytes()).expect("its name is one").expect("what is renamed is there");
        let target = make_all(&mut model, target);
        model.detach(source, name.as_bytes());
        model.attach(target, new_name.as_bytes(), moved);
    }

    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        // A test that panicked with the lock held has failed already.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, path: &str) -> Option<Body> {
        let model = self.model();
        let way = model.follow(&[TOP], path.as_bytes()).ok()?;
        Some(match model.body(end(&way)) {
            Body::Directory(names) => Body::Directory(names.clone()),
            Body::File(content) => Body::File(content.clone()),
            Body::Link(text) => Body::Link(text.clone()),
        })
    }

    fn put(&self, path: &str, mode: u32, body: Body) {
        let (above, name) = split(path);
        let mut model = self.model();
        let directory = make_all(&mut model, above);
        model.detach(directory, name.as_bytes());
        model.make(directory, name.as_bytes(), mode, body).expect("what is put there can stand there");
    }
}

/// Returns the inodes down to the root of a batch, which it creates with its parents if `make` says so.
pub(super) fn root_way(model: &mut Model, root: &HostPath, make: bool) -> Result<Way, FailureKind> {
    let found = model.follow(&[TOP], root.as_str().as_bytes());
    if make && found == Err(FailureKind::Missing) {
        let mut way = vec![TOP];
        for name in root.as_str().split('/').filter(|name| !name.is_empty()) {
            // A dangling symlink is an entry too.
            if model.child(end(&way), name.as_bytes())?.is_none() {
                model.make(end(&way), name.as_bytes(), 0o755, Body::Directory(BTreeMap::new()))?;
            }
            way = model.follow(&way, name.as_bytes())?;
        }
        return Ok(way);
    }
    let way = found?;
    model.names(end(&way))?;
    Ok(way)
}

fn make_all(model: &mut Model, path: &str) -> u64 {
    let path = HostPath::new(path).expect("a path on a host is absolute");
    end(&root_way(model, &path, true).expect("directories can be made there"))
}

fn end(way: &[u64]) -> u64 {
    way.last().copied().unwrap_or(TOP)
}

/// Splits an absolute path into its directory and its name.
fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some(parts) => parts,
        None => ("/", path),
    }
}
