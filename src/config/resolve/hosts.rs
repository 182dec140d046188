//! `[[host]]`.

use toml::Spanned;

use super::Source;
use crate::{
    address::Address,
    config::{
        HostConfig, Place,
        error::ConfigError,
        layer::{HostLayer, Text},
        select::{find_twin, is_host_name, not_a_host_name},
    },
    path::HostPath,
};

impl Source<'_> {
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
        let mut hosts = Vec::new();
        for layer in layers {
            let host = self.host(root, layer)?;
            self.refuse_twins(&host, layer, &hosts, layers)?;
            hosts.push(host);
        }
        Ok(hosts)
    }

    fn host(&self, root: Option<&HostPath>, layer: &Spanned<HostLayer>) -> Result<HostConfig, ConfigError> {
        let HostLayer { name, address, root: own } = layer.get_ref();
        let address = address.as_ref().map(|address| self.parse::<Address>(address)).transpose()?;
        let own = own.as_ref().map(|own| self.parse::<HostPath>(own)).transpose()?;
        let name = match (name, &address) {
            (Some(name), _) => self.host_name(name)?,
            (None, Some(address)) => address.host().to_owned(),
            (None, None) => {
                return Err(ConfigError::at(self.text, layer.span(), "this host has neither `name` nor `address`"));
            }
        };
        let Some(root) = own.or_else(|| root.cloned()) else {
            let message = format!("host {name:?} has no `root`, and there is no `root` for all hosts");
            return Err(ConfigError::at(self.text, layer.span(), message));
        };
        Ok(HostConfig { name, place: address.map_or(Place::Local, Place::Ssh), root })
    }

    fn host_name(&self, name: &Text) -> Result<String, ConfigError> {
        let text = name.get_ref();
        if is_host_name(text) { Ok(text.clone()) } else { Err(self.error(name.span(), not_a_host_name(text))) }
    }

    fn refuse_twins(
        &self,
        host: &HostConfig,
        layer: &Spanned<HostLayer>,
        before: &[HostConfig],
        layers: &[Spanned<HostLayer>],
    ) -> Result<(), ConfigError> {
        let Some((at, message)) = find_twin(before, host) else { return Ok(()) };
        let entry = layer.get_ref();
        let spot = entry.name.as_ref().or(entry.address.as_ref()).map_or(layer.span(), Spanned::span);
        let first = ConfigError::at(self.text, layers[at].span(), "").line().unwrap_or_default();
        Err(ConfigError::at(self.text, spot, message).help(format!("the first of the two starts on line {first}")))
    }
}
