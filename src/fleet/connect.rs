//! [`Fleet::from_config`]: builds the fleet that a configuration describes.

use std::sync::Arc;

use crate::{
    address::Address,
    config::{Config, HostConfig, Place},
    error::Error,
    store::{DirStore, KnownManifests},
    transport::Transport,
};

use super::{Fleet, Host, defaults::Defaults};

impl Fleet {
    /// Builds the fleet that `config` describes, with all that it says about commands: hooks, validation, data,
    /// retention, verification, required drills. The options of a command override it.
    ///
    /// A source is opened before: give [`Config::source_options`] to
    /// [`NewRelease::open_with`](crate::release::NewRelease::open_with), or its exclude patterns, `strip` and `max_ratio`
    /// have no effect.
    ///
    /// Opens no connection before the first command. If a command lists the hosts and has not run yet, it runs now, as
    /// [`Config::list_hosts`] says: in an asynchronous task, call that before, where it may block.
    ///
    /// # Errors
    ///
    /// As [`Fleet::new`] and [`Config::list_hosts`]; and [`ErrorKind::Config`](crate::ErrorKind::Config) when a host is reached over SSH and the
    /// crate was built without the `ssh` feature, or when a host is this machine and that does not run Linux.
    pub fn from_config(config: &Config) -> Result<Self, Error> {
        Self::from_config_knowing(config, &KnownManifests::new())
    }

    /// Builds the same fleet with `known` as a cache of manifests: looked up before a manifest is read from
    /// a host, and filled with each that was read.
    ///
    /// # Errors
    ///
    /// As [`from_config`](Self::from_config).
    pub fn from_config_knowing(config: &Config, known: &KnownManifests) -> Result<Self, Error> {
        let listed;
        let config = if config.hosts.is_empty() {
            listed = config.clone().list_hosts()?;
            &listed
        } else {
            config
        };
        let hosts = config.hosts.iter().map(|host| match &host.place {
            Place::Local => here(config, host, known),
            Place::Ssh(address) => over_ssh(config, host, known, address),
        });
        let fleet = Self::new(hosts.collect::<Result<_, _>>()?)?.parallel(config.parallel);
        Ok(Self { defaults: Arc::new(Defaults::of(config)), ..fleet.allow_writable(config.allow_writable) })
    }
}

/// Builds the host whose releases are in its root, over `transport`.
fn host_over(config: &Config, host: &HostConfig, known: &KnownManifests, transport: impl Transport) -> Host {
    let store = DirStore::new(transport, host.root.clone(), config.layout.clone());
    let store = store.sharing(config.shared.clone()).remembering(known.clone());
    Host::new(
        &host.name,
        match &config.group {
            Some(group) => store.for_group(group.clone()),
            None => store,
        },
    )
}

#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "other systems refuse here")]
fn here(config: &Config, host: &HostConfig, known: &KnownManifests) -> Result<Host, Error> {
    Ok(host_over(config, host, known, crate::transport::LocalTransport::named(&host.name)))
}

#[cfg(not(target_os = "linux"))]
fn here(_: &Config, host: &HostConfig, _: &KnownManifests) -> Result<Host, Error> {
    let message =
        format!("{} is this machine, which does not run Linux: only hosts over SSH can be reached", host.name);
    Err(Error::new(crate::ErrorKind::Config, message))
}

#[cfg(feature = "ssh")]
#[expect(clippy::unnecessary_wraps, reason = "a build without SSH refuses here")]
fn over_ssh(config: &Config, host: &HostConfig, known: &KnownManifests, address: &Address) -> Result<Host, Error> {
    let transport = crate::transport::SshTransport::over_ssh(address.clone(), config.ssh.clone());
    Ok(host_over(config, host, known, transport))
}

#[cfg(not(feature = "ssh"))]
fn over_ssh(_: &Config, host: &HostConfig, _: &KnownManifests, address: &Address) -> Result<Host, Error> {
    let message = format!("{} is reached over SSH ({address}), and this build has no `ssh` feature", host.name);
    Err(Error::new(crate::ErrorKind::Config, message))
}
