//! Hosts in memory and on disk behind one interface, for tests that cut a run and examine the rest.

use std::{fs, path::PathBuf, sync::Arc};

use switchback::{
    DirStore, Fleet, Host, HostPath, Layout, Transport,
    testing::{Cut, Faults},
    transport::{LocalTransport, MemoryHost},
};

use super::fixture::{ROOT, at};
#[cfg(feature = "ssh")]
use crate::support::sshd::Sshd;
#[cfg(feature = "ssh")]
use switchback::transport::SshTransport;

/// Hosts on which a run can be cut off.
pub(crate) trait World {
    /// Creates this many empty hosts.
    fn new(hosts: usize) -> Self;

    /// Copies the hosts; `None` on disk, where the copy of a release has another inode, which the store takes for
    /// another release.
    fn copy(&self) -> Option<Self>
    where
        Self: Sized;

    /// Copies the hosts, or makes the same ones again.
    fn copy_or(&self, make: impl FnOnce() -> Self) -> Self
    where
        Self: Sized,
    {
        self.copy().unwrap_or_else(make)
    }

    /// Connects to a host, as one process of the tool does.
    fn transport(&self, host: usize) -> Arc<dyn Transport>;

    /// Returns the deploy root of a host.
    fn root(&self, host: usize) -> HostPath;

    /// A fleet as in one process of the tool, cut off by `cut`.
    fn fleet(&self, cut: &Cut) -> Fleet {
        let host = |host: usize| {
            let transport = Faults::new(self.transport(host), cut.clone());
            Host::new(web(host), DirStore::new(transport, self.root(host), Layout::default()))
        };
        Fleet::new((0..self.hosts()).map(host).collect()).expect("a fleet")
    }

    /// Declares the process that ran the fleet dead.
    fn controller_is_gone(&self);

    /// Returns the number of hosts.
    fn hosts(&self) -> usize;

    /// Returns the target of a symlink of a host.
    fn link(&self, host: usize, inner: &str) -> Option<String>;

    /// Returns the content of a file of a host.
    fn file(&self, host: usize, inner: &str) -> Option<Vec<u8>>;

    /// Removes a symlink or a file of a host.
    fn remove(&self, host: usize, inner: &str);

    /// Returns the names in a directory of a host; empty if there is no directory.
    fn names(&self, host: usize, inner: &str) -> Vec<String>;
}

/// Returns the name of a host.
fn web(host: usize) -> String {
    format!("web{}", host + 1)
}

/// Hosts in memory.
pub(crate) struct Memory(Vec<MemoryHost>);

impl World for Memory {
    fn new(hosts: usize) -> Self {
        Self((0..hosts).map(|_| MemoryHost::new()).collect())
    }

    fn copy(&self) -> Option<Self> {
        Some(Self(self.0.iter().map(MemoryHost::snapshot).collect()))
    }

    fn transport(&self, host: usize) -> Arc<dyn Transport> {
        Arc::new(self.0[host].connect(web(host)))
    }

    fn root(&self, _: usize) -> HostPath {
        ROOT.parse().expect("a path")
    }

    fn controller_is_gone(&self) {
        // A connection in memory is a process of its own, and ends when it is dropped.
    }

    fn hosts(&self) -> usize {
        self.0.len()
    }

    fn link(&self, host: usize, inner: &str) -> Option<String> {
        self.0[host].read_link(&at(inner))
    }

    fn file(&self, host: usize, inner: &str) -> Option<Vec<u8>> {
        self.0[host].read(&at(inner))
    }

    fn remove(&self, host: usize, inner: &str) {
        self.0[host].remove(&at(inner));
    }

    fn names(&self, host: usize, inner: &str) -> Vec<String> {
        self.0[host].list(&at(inner)).unwrap_or_default()
    }
}

/// Directories of this machine.
pub(crate) struct Local(tempfile::TempDir, usize);

impl Local {
    fn path(&self, host: usize, inner: &str) -> PathBuf {
        self.0.path().join(format!("web{}", host + 1)).join(inner)
    }
}

impl World for Local {
    fn new(hosts: usize) -> Self {
        // In memory if possible: these tests cut off the process, not the power.
        let memory = tempfile::tempdir_in("/dev/shm");
        Self(memory.or_else(|_| tempfile::tempdir()).expect("a directory"), hosts)
    }

    fn copy(&self) -> Option<Self> {
        None
    }

    fn transport(&self, host: usize) -> Arc<dyn Transport> {
        Arc::new(LocalTransport::named(web(host)))
    }

    fn root(&self, host: usize) -> HostPath {
        HostPath::new(self.path(host, "").to_str().expect("UTF-8")).expect("a path")
    }

    /// Rewrites the marks on disk to those of a process that never existed, since the process there is this test
    /// itself.
    fn controller_is_gone(&self) {
        for host in 0..self.1 {
            let held = self.names(host, ".switchback/lock").into_iter().map(|name| format!("lock/{name}/process"));
            let live = self.names(host, ".switchback/live").into_iter().map(|name| format!("live/{name}"));
            for mark in held.chain(live) {
                let mark = self.path(host, &format!(".switchback/{mark}"));
                let Ok(content) = fs::read_to_string(&mark) else { continue };
                let words: Vec<&str> = content.split_whitespace().collect();
                fs::write(&mark, format!("{} 1 {}\n", words[0], words[2])).expect("the mark is ours");
            }
        }
    }

    fn hosts(&self) -> usize {
        self.1
    }

    fn link(&self, host: usize, inner: &str) -> Option<String> {
        fs::read_link(self.path(host, inner)).ok().map(|text| text.to_str().expect("UTF-8").to_owned())
    }

    fn file(&self, host: usize, inner: &str) -> Option<Vec<u8>> {
        fs::read(self.path(host, inner)).ok()
    }

    fn remove(&self, host: usize, inner: &str) {
        fs::remove_file(self.path(host, inner)).expect("it is there");
    }

    fn names(&self, host: usize, inner: &str) -> Vec<String> {
        let Ok(directory) = fs::read_dir(self.path(host, inner)) else { return Vec::new() };
        directory.map(|entry| entry.expect("readable").file_name().to_str().expect("UTF-8").to_owned()).collect()
    }
}

/// Directories of this machine, reached over SSH. Other processes use them without SSH.
#[cfg(feature = "ssh")]
pub(crate) struct OverSsh(Local, Arc<Sshd>);

#[cfg(feature = "ssh")]
impl OverSsh {
    pub(crate) fn through(sshd: Arc<Sshd>, hosts: usize) -> Self {
        Self(Local::new(hosts), sshd)
    }
}

#[cfg(feature = "ssh")]
impl World for OverSsh {
    fn new(hosts: usize) -> Self {
        Self::through(Arc::new(Sshd::start("").expect("an sshd")), hosts)
    }

    fn copy(&self) -> Option<Self> {
        None
    }

    fn transport(&self, _: usize) -> Arc<dyn Transport> {
        Arc::new(SshTransport::over_ssh(self.1.address("root"), self.1.options()))
    }

    fn root(&self, host: usize) -> HostPath {
        self.0.root(host)
    }

    fn fleet(&self, cut: &Cut) -> Fleet {
        self.0.fleet(cut)
    }

    fn controller_is_gone(&self) {
        self.0.controller_is_gone();
    }

    fn hosts(&self) -> usize {
        self.0.hosts()
    }

    fn link(&self, host: usize, inner: &str) -> Option<String> {
        self.0.link(host, inner)
    }

    fn file(&self, host: usize, inner: &str) -> Option<Vec<u8>> {
        self.0.file(host, inner)
    }

    fn remove(&self, host: usize, inner: &str) {
        self.0.remove(host, inner);
    }

    fn names(&self, host: usize, inner: &str) -> Vec<String> {
        self.0.names(host, inner)
    }
}
