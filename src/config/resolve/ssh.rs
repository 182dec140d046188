//! `[ssh]`.

use toml::Spanned;

use super::Source;
use crate::{
    address::Address,
    config::{error::ConfigError, layer::SshLayer, value::Jump},
    transport::{KnownHosts, SshOptions},
};

/// The values of `known_hosts`.
pub(in crate::config) const KNOWN_HOSTS: [(&str, KnownHosts); 2] =
    [("strict", KnownHosts::Strict), ("accept-new", KnownHosts::AcceptNew)];

impl Source<'_> {
    pub(super) fn ssh(&self, layer: SshLayer) -> Result<SshOptions, ConfigError> {
        let default = SshOptions::default();
        Ok(SshOptions {
            config: layer.config.map(|path| self.path(&path)).transpose()?,
            identity: layer.identity.map(|path| self.path(&path)).transpose()?,
            known_hosts: layer.known_hosts.map_or(Ok(default.known_hosts), |word| self.word(&word, &KNOWN_HOSTS))?,
            known_hosts_file: layer.known_hosts_file.map(|path| self.path(&path)).transpose()?,
            connect_timeout: layer.connect_timeout.map_or(Ok(default.connect_timeout), |text| self.duration(&text))?,
            exchange_timeout: layer
                .exchange_timeout
                .map_or(Ok(default.exchange_timeout), |text| self.duration(&text))?,
            jump: layer.jump.map_or(Ok(Vec::new()), |jump| self.jump(&jump))?,
        })
    }

    fn jump(&self, jump: &Spanned<Jump>) -> Result<Vec<Address>, ConfigError> {
        let addresses = jump.get_ref().0.iter().map(|host| host.parse());
        addresses.collect::<Result<_, _>>().map_err(|error| self.error(jump.span(), error))
    }
}
