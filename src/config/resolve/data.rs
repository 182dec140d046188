//! `[data]`.

use std::ops::Range;

use super::Source;
use crate::{
    commands::{DataCommands, DataPlace, RevertWhen},
    config::{
        CONTROLLER, HostConfig,
        error::ConfigError,
        layer::{DataLayer, Table, Text},
        select::is_host_name,
    },
    data::Preset,
    path::InnerPath,
};

/// The values of `revert_when`.
pub(in crate::config) const REVERT_WHEN: [(&str, RevertWhen); 2] =
    [("after-switch", RevertWhen::AfterSwitch), ("before-switch", RevertWhen::BeforeSwitch)];

impl Source<'_> {
    pub(super) fn data(&self, layer: &DataLayer, hosts: &[HostConfig]) -> Result<Option<DataCommands>, ConfigError> {
        let Some(spot) = layer.spot() else { return Ok(None) };
        let preset = self.preset(layer.preset.as_ref())?;
        let filled = |key: &Option<Text>, text: Option<&str>| {
            Ok(self.command(key.as_ref())?.or_else(|| text.map(ToOwned::to_owned)))
        };
        let lacking = |key: &str| self.lacking(spot.clone(), preset, key);
        let version = filled(&layer.version, preset.and_then(Preset::version))?.ok_or_else(|| lacking("version"))?;
        let apply = filled(&layer.apply, preset.map(Preset::apply))?.ok_or_else(|| lacking("apply"))?;
        let data = DataCommands {
            preset,
            revert: filled(&layer.revert, preset.and_then(Preset::revert))?,
            revert_when: self.word_or_default(layer.revert_when.as_ref(), &REVERT_WHEN)?,
            timeout: layer.timeout.as_ref().map(|text| self.duration(text)).transpose()?,
            save: self.saved(layer.save.as_deref().unwrap_or_default())?,
            ..DataCommands::new(self.place(layer.host.as_ref(), hosts, spot.clone())?, version, apply)
        };
        self.refuse_idle_revert(layer, &data)?;
        Ok(Some(data))
    }

    fn preset(&self, word: Option<&Text>) -> Result<Option<Preset>, ConfigError> {
        let known = Preset::ALL.map(|preset| (preset.as_str(), preset));
        word.map(|word| self.word(word, &known)).transpose()
    }

    fn lacking(&self, spot: Range<usize>, preset: Option<Preset>, key: &str) -> ConfigError {
        let message = match preset {
            Some(preset) => format!("`[data]` has no `{key}`, and the preset {preset} has no command for it"),
            None => format!("`[data]` has no `{key}`: it needs both `version` and `apply`"),
        };
        let help = match preset {
            Some(preset) => preset.advice().to_owned(),
            None => "write both, or a `preset`".to_owned(),
        };
        self.error(spot, message).help(help)
    }

    /// Returns the place where the commands run: the named host, or else the first.
    fn place(&self, word: Option<&Text>, hosts: &[HostConfig], spot: Range<usize>) -> Result<DataPlace, ConfigError> {
        let named = |name: &str| hosts.iter().find(|host| host.name == name);
        let spot = word.map_or(spot, Text::span);
        if named(CONTROLLER).is_some() {
            let message = "a host is called \"controller\", but here that word means the machine switchback runs on";
            return Err(self.error(spot, message).help("give that host another `name`"));
        }
        match word.map(|word| word.get_ref().as_str()) {
            Some(CONTROLLER) => Ok(DataPlace::Controller),
            // A command lists the hosts, later.
            Some(name) if hosts.is_empty() && is_host_name(name) => Ok(DataPlace::Host(name.to_owned())),
            Some(name) if named(name).is_none() => Err(self.no_such_host(spot, name, hosts)),
            Some(name) => Ok(DataPlace::Host(name.to_owned())),
            None => hosts.first().map(|host| DataPlace::Host(host.name.clone())).ok_or_else(|| {
                let error = self.error(spot, "with `hosts_from`, `[data]` needs a `host`");
                error.help("name it: which of the listed hosts comes first may change from run to run")
            }),
        }
    }

    fn no_such_host(&self, spot: Range<usize>, name: &str, hosts: &[HostConfig]) -> ConfigError {
        let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        let help = format!("known: {}, and \"{CONTROLLER}\", the machine switchback runs on", names.join(", "));
        self.error(spot, format!("no host is called {name:?}")).help(help)
    }

    /// Parses paths inside a release; accepts a slash after a directory's name.
    fn saved(&self, paths: &[Text]) -> Result<Vec<InnerPath>, ConfigError> {
        let read = |path: &Text| {
            let text = path.get_ref();
            let text = text.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(text);
            InnerPath::new(text).map_err(|error| self.error(path.span(), error))
        };
        paths.iter().map(read).collect()
    }

    /// Rejects keys about reverting if there is no `revert`.
    fn refuse_idle_revert(&self, layer: &DataLayer, data: &DataCommands) -> Result<(), ConfigError> {
        if data.revert.is_some() {
            return Ok(());
        }
        let saved = layer.save.as_ref().and_then(|list| list.first());
        let Some(spot) = layer.revert_when.as_ref().or(saved).map(Text::span) else { return Ok(()) };
        let error = self.error(spot, "this has no effect without `revert`");
        Err(error.help("write `revert`, the command that reverts the data to $SWITCHBACK_DATA_TARGET"))
    }
}
