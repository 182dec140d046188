//! [`Fleet::connect`]: from a configuration to the fleet that it describes.

use crate::{
    config::{Config, HostConfig, Place},
    error::Error,
    store::DirStore,
    transport::LocalTransport,
};

use super::{Fleet, Host};

impl Fleet {
    /// The fleet that `config` describes. Nothing is connected to before the first command.
    ///
    /// # Errors
    ///
    /// As [`Fleet::new`]; and [`ErrorKind::Config`](crate::ErrorKind::Config) when a host is reached over SSH and the
    /// crate was built without that.
    pub fn connect(config: &Config) -> Result<Self, Error> {
        let hosts = config.hosts.iter().map(|host| connect(config, host)).collect::<Result<_, _>>()?;
        Ok(Self::new(hosts)?.parallel(config.parallel))
    }
}

fn connect(config: &Config, host: &HostConfig) -> Result<Host, Error> {
    let (root, layout) = (host.root.clone(), config.layout.clone());
    let store = match &host.place {
        Place::Local => DirStore::new(LocalTransport::named(&host.name), root, layout),
        Place::Ssh(address) => {
            let message = format!("{} is reached over SSH ({address}), and this build has no `ssh` feature", host.name);
            return Err(Error::new(crate::ErrorKind::Config, message));
        }
    };
    Ok(Host::new(&host.name, store))
}
