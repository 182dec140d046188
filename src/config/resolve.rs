//! From what stands in the text to what holds: every value checked, with the line of each that does not hold.

use std::{ops::Range, str::FromStr, time::Duration};

use camino::Utf8PathBuf;
use toml::Spanned;

use super::{
    Config, HostConfig, LOCAL, PARALLEL, Place,
    duration::parse_duration,
    error::ConfigError,
    layer::{DurationText, HostLayer, Jump, Layer, LayoutLayer, SshLayer, Text},
    select::find_twin,
};
use crate::{
    address::Address,
    path::{HostPath, InnerPath},
    store::{Layout, LayoutError},
    transport::{KnownHosts, SshOptions},
};

/// Checks the layer of this text and fills in the defaults.
pub(super) fn resolve(text: &str, layer: Layer) -> Result<Config, ConfigError> {
    let source = Source { text };
    let root = layer.root.as_ref().map(|root| source.parse::<HostPath>(root)).transpose()?;
    Ok(Config {
        hosts: source.hosts(root.as_ref(), layer.host.as_deref().unwrap_or_default())?,
        root,
        ssh: source.ssh(layer.ssh.unwrap_or_default())?,
        layout: source.layout(&layer.layout.unwrap_or_default())?,
        parallel: layer.parallel.map_or(Ok(PARALLEL), |parallel| source.parallel(&parallel))?,
    })
}

struct Source<'t> {
    text: &'t str,
}

impl Source<'_> {
    /// An error at these bytes, with the key before the message.
    fn error(&self, span: Range<usize>, message: impl std::fmt::Display) -> ConfigError {
        ConfigError::at(self.text, span, "").message_of(|key| format!("`{key}`: {message}"))
    }

    fn parse<T: FromStr<Err: std::fmt::Display>>(&self, text: &Text) -> Result<T, ConfigError> {
        text.get_ref().parse().map_err(|error: T::Err| self.error(text.span(), error))
    }

    fn parallel(&self, parallel: &Spanned<i64>) -> Result<usize, ConfigError> {
        let in_range = usize::try_from(*parallel.get_ref()).ok().filter(|hosts| (1..=1024).contains(hosts));
        in_range.ok_or_else(|| self.error(parallel.span(), "how many hosts at once, from 1 to 1024"))
    }

    fn hosts(&self, root: Option<&HostPath>, layers: &[Spanned<HostLayer>]) -> Result<Vec<HostConfig>, ConfigError> {
        if layers.is_empty() {
            let root = root.ok_or_else(|| {
                ConfigError::new("no `root` is set").help("write the deploy root, such as root = \"/srv/shop\"")
            })?;
            return Ok(vec![HostConfig { name: LOCAL.to_owned(), place: Place::Local, root: root.clone() }]);
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
            let message = format!("host {name:?} has no `root`, and there is none for all hosts");
            return Err(ConfigError::at(self.text, layer.span(), message));
        };
        Ok(HostConfig { name, place: address.map_or(Place::Local, Place::Ssh), root })
    }

    /// A name that can be typed after `--host` and stays one word in every table.
    fn host_name(&self, name: &Text) -> Result<String, ConfigError> {
        let text = name.get_ref();
        let plain = text.parse::<Address>().is_ok_and(|address| address.host() == text);
        if plain {
            return Ok(text.clone());
        }
        Err(self.error(
            name.span(),
            format!("{text:?} cannot name a host: letters, digits, `.`, `_` and `-`, the first a letter or digit"),
        ))
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
        Err(ConfigError::at(self.text, spot, message).help(format!("the first of the two begins on line {first}")))
    }

    fn ssh(&self, layer: SshLayer) -> Result<SshOptions, ConfigError> {
        let default = SshOptions::default();
        Ok(SshOptions {
            config: layer.config.map(|path| self.path(&path)).transpose()?,
            identity: layer.identity.map(|path| self.path(&path)).transpose()?,
            known_hosts: layer.known_hosts.map_or(Ok(default.known_hosts), |word| self.known_hosts(&word))?,
            known_hosts_file: layer.known_hosts_file.map(|path| self.path(&path)).transpose()?,
            connect_timeout: layer.connect_timeout.map_or(Ok(default.connect_timeout), |text| self.duration(&text))?,
            exchange_timeout: layer
                .exchange_timeout
                .map_or(Ok(default.exchange_timeout), |text| self.duration(&text))?,
            jump: layer.jump.map_or(Ok(Vec::new()), |jump| self.jump(&jump))?,
        })
    }

    /// A path on this machine, as it is written.
    fn path(&self, path: &Text) -> Result<Utf8PathBuf, ConfigError> {
        let text = path.get_ref();
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(
                self.error(path.span(), format!("{text:?} is no path: it is empty or holds a control character"))
            );
        }
        if text.starts_with('~') && !text.starts_with("~/") {
            return Err(self.error(path.span(), "only `~/`, your own home directory, is expanded"));
        }
        Ok(text.into())
    }

    fn known_hosts(&self, word: &Text) -> Result<KnownHosts, ConfigError> {
        match word.get_ref().as_str() {
            "strict" => Ok(KnownHosts::Strict),
            "accept-new" => Ok(KnownHosts::AcceptNew),
            other => Err(self.error(word.span(), format!("{other:?} is neither \"strict\" nor \"accept-new\""))),
        }
    }

    fn duration(&self, text: &Spanned<DurationText>) -> Result<Duration, ConfigError> {
        parse_duration(&text.get_ref().0).map_err(|error| self.error(text.span(), error))
    }

    fn jump(&self, jump: &Spanned<Jump>) -> Result<Vec<Address>, ConfigError> {
        let addresses = jump.get_ref().0.iter().map(|host| host.parse());
        addresses.collect::<Result<_, _>>().map_err(|error| self.error(jump.span(), error))
    }

    fn layout(&self, layer: &LayoutLayer) -> Result<Layout, ConfigError> {
        let LayoutLayer { current, releases, shared, state } = layer;
        for path in [current, releases, shared, state].into_iter().flatten() {
            self.parse::<InnerPath>(path)?;
        }
        let default = Layout::default();
        let text = |set: &Option<Text>, default: &InnerPath| {
            set.as_ref().map_or_else(|| default.as_str().to_owned(), |path| path.get_ref().clone())
        };
        let layout = Layout::new(
            &text(current, default.current()),
            &text(releases, default.releases()),
            &text(shared, default.shared()),
            &text(state, default.state()),
        );
        layout.map_err(|error| self.layout_error(layer, &error))
    }

    /// The error at the line of the name that is to blame, and was set.
    fn layout_error(&self, layer: &LayoutLayer, error: &LayoutError) -> ConfigError {
        let set = |key: &str| match key {
            "current" => layer.current.as_ref(),
            "releases" => layer.releases.as_ref(),
            "shared" => layer.shared.as_ref(),
            _ => layer.state.as_ref(),
        };
        let spot = match error {
            LayoutError::NotOneName { key, .. } => set(key),
            LayoutError::Overlap { key, other } => set(other).or_else(|| set(key)),
            LayoutError::Path(_) => None,
        };
        spot.map_or_else(
            || ConfigError::new(error.to_string()),
            |spot| ConfigError::at(self.text, spot.span(), error.to_string()),
        )
    }
}
