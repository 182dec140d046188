//! Parsing of TOML into a layer, with errors in our words.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::de::{DeTable, Deserializer};

use super::{
    error::ConfigError,
    kind,
    layer::{Layer, Table, Text},
    suggest::did_you_mean,
};

/// Parses `text`, and overlays the given environment.
pub(super) fn read(text: &str, environment: Option<&str>) -> Result<Layer, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| explain(text, &error))?;
    kind::check(text, &table)?;
    let mut file = Layer::deserialize(Deserializer::from(table)).map_err(|error| explain(text, &error))?;
    let mut environments = BTreeMap::new();
    if let Some(env) = file.env.take() {
        environments = env.into_inner();
    }
    if let Some(nested) = environments.values().find_map(|layer| layer.env.as_ref()) {
        return Err(ConfigError::at(text, nested.span(), "an environment cannot contain environments"));
    }
    if let Some(both) = environments.values().chain([&file]).find_map(lists_hosts_twice) {
        let error = ConfigError::at(text, both.span(), "")
            .message_of(|key| format!("`{key}` and `[[host]]` exclude each other"));
        return Err(error.help("let the command print these hosts too, or remove one of the two"));
    }
    let Some(name) = environment else { return Ok(file) };
    match environments.remove(name) {
        Some(layer) => {
            // Either list of hosts replaces either.
            if layer.host.is_some() || layer.hosts_from.is_some() {
                (file.host, file.hosts_from) = (None, None);
            }
            Ok(layer.over(file))
        }
        None => Err(no_such_environment(name, environments.keys())),
    }
}

/// Returns the command that lists hosts, if there are others too.
fn lists_hosts_twice(layer: &Layer) -> Option<&Text> {
    layer.hosts_from.as_ref().filter(|_| layer.host.is_some())
}

fn no_such_environment<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> ConfigError {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let error = ConfigError::new(format!("there is no environment {name:?}"));
    match (did_you_mean(name, known.iter().copied()), known.is_empty()) {
        (Some(meant), _) => error.help(format!("did you mean {meant:?}? Known: {}", known.join(", "))),
        (None, false) => error.help(format!("known: {}", known.join(", "))),
        (None, true) => error.help(format!("the configuration has no environments; add `[env.{name}]`")),
    }
}

/// Translates an error of the TOML reader: of its grammar, or of a shared path.
fn explain(text: &str, error: &toml::de::Error) -> ConfigError {
    // The reader adds what it tried last, which is not what a person lacks.
    let message = error.message().trim_end_matches(", expected literal string");
    let found = ConfigError::at(text, error.span().unwrap_or(0..0), message);
    if found.key().is_none() { found } else { found.message_of(|key| format!("`{key}`: {message}")) }
}
