//! `[[host]]`.

use toml::Spanned;

use super::Source;
use crate::{
    address::Address,
    config::{
        HostConfig, HostRange, HostsFrom,
        error::ConfigError,
        layer::{HostLayer, Text},
        range::pair,
        select::{Twins, is_host_name, not_a_host_name},
    },
    path::HostPath,
};

impl Source<'_> {
    /// Checks the command that lists the hosts. They have no other root than the one for all.
    pub(super) fn hosts_from(&self, command: &Text, root: Option<&HostPath>) -> Result<HostsFrom, ConfigError> {
        let place = self.error(command.span(), "the listed hosts need a `root` for all hosts");
        if root.is_none() {
            return Err(place.help("write the deploy root, such as root = \"/srv/shop\""));
        }
        self.command(Some(command)).map(|text| HostsFrom::at(text.unwrap_or_default(), place))
    }

    pub(super) fn hosts(
        &self,
        root: Option<&HostPath>,
        layers: &[Spanned<HostLayer>],
    ) -> Result<Vec<HostConfig>, ConfigError> {
        if layers.is_empty() {
            let root = root.ok_or_else(|| {
                ConfigError::new("no `root` is set").help("write the deploy root, such as root = \"/srv/shop\"")
            })?;
            return Ok(vec![HostConfig::local(root.clone())]);
        }
        let mut hosts: Vec<HostConfig> = Vec::new();
        // The `[[host]]` of each.
        let mut blocks = Vec::new();
        let mut twins = Twins::default();
        for layer in layers {
            for host in self.block(root, layer)? {
                if let Some((at, message)) = twins.find_or_add(&host, &hosts) {
                    return Err(self.twin(message, layer, blocks[at]));
                }
                hosts.push(host);
                blocks.push(layer);
            }
        }
        Ok(hosts)
    }

    /// Returns the hosts of one `[[host]]`: several if it has a range.
    fn block(&self, root: Option<&HostPath>, layer: &Spanned<HostLayer>) -> Result<Vec<HostConfig>, ConfigError> {
        let HostLayer { name, address, root: own } = layer.get_ref();
        let own = own.as_ref().map(|own| self.parse::<HostPath>(own)).transpose()?;
        let names = name.as_ref().map(|name| self.host_names(name)).transpose()?;
        let addresses = address.as_ref().map(|address| self.addresses(address)).transpose()?;
        let root = |host: &str| {
            own.as_ref().or(root).cloned().ok_or_else(|| {
                let message = format!("host {host:?} has no `root`, and there is no `root` for all hosts");
                ConfigError::at(self.text, layer.span(), message)
            })
        };
        match (names, addresses) {
            (None, None) => Err(ConfigError::at(self.text, layer.span(), "this host has neither `name` nor `address`")),
            (Some(names), None) => match &names[..] {
                [name] => Ok(vec![HostConfig::local(root(name)?).named(name)]),
                _ => Err(self
                    .error(name.as_ref().map_or(layer.span(), Spanned::span), "several hosts need an `address`")
                    .help("write one with a range of as many hosts; without an address, a host is this machine")),
            },
            (names, Some(addresses)) => {
                let spot = address.as_ref().map_or(layer.span(), Spanned::span);
                let pairs = pair(names, addresses)
                    .map_err(|error| self.error(spot, error).help("both ranges must have the same number of hosts"))?;
                pairs.into_iter().map(|(name, to)| Ok(HostConfig::ssh(to, root(&name)?).named(name))).collect()
            }
        }
    }

    fn host_names(&self, name: &Text) -> Result<Vec<String>, ConfigError> {
        let names = self.parse::<HostRange>(name)?;
        match names.hosts().iter().find(|name| !is_host_name(name)) {
            Some(wrong) => Err(self.error(name.span(), not_a_host_name(wrong))),
            None => Ok(names.hosts().to_vec()),
        }
    }

    fn addresses(&self, address: &Text) -> Result<Vec<Address>, ConfigError> {
        self.parse::<HostRange>(address)?.addresses().map_err(|error| self.error(address.span(), error))
    }

    /// An error about two hosts that conflict: `layer` has the second, `first` the first of them.
    fn twin(&self, message: String, layer: &Spanned<HostLayer>, first: &Spanned<HostLayer>) -> ConfigError {
        let entry = layer.get_ref();
        let spot = entry.name.as_ref().or(entry.address.as_ref()).map_or(layer.span(), Spanned::span);
        let first = ConfigError::at(self.text, first.span(), "").line().unwrap_or_default();
        ConfigError::at(self.text, spot, message).help(format!("the first of the two starts on line {first}"))
    }
}
