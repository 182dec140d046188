//! Parsing of TOML into a layer, with errors in our words.

use std::collections::BTreeMap;

use super::{
    error::ConfigError,
    layer::{Layer, Table},
    suggest::did_you_mean,
};

/// Parses `text`, and overlays the given environment.
pub(super) fn read(text: &str, environment: Option<&str>) -> Result<Layer, ConfigError> {
    let mut file: Layer = toml::from_str(text).map_err(|error| explain(text, &error))?;
    let mut environments = BTreeMap::new();
    if let Some(env) = file.env.take() {
        environments = env.into_inner();
    }
    if let Some(nested) = environments.values().find_map(|layer| layer.env.as_ref()) {
        return Err(ConfigError::at(text, nested.span(), "an environment cannot contain environments"));
    }
    let Some(name) = environment else { return Ok(file) };
    match environments.remove(name) {
        Some(layer) => Ok(layer.over(file)),
        None => Err(no_such_environment(name, environments.keys())),
    }
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

/// Translates an error of the TOML reader, and adds the key and a suggestion.
fn explain(text: &str, error: &toml::de::Error) -> ConfigError {
    let found = ConfigError::at(text, error.span().unwrap_or(0..0), error.message());
    let message = error.message();
    // The reader lists the known keys only in its message.
    let Some((_, expected)) = message.strip_prefix("unknown field ").and_then(|rest| rest.rsplit_once(", expected "))
    else {
        return found.message_of(|key| if key.is_empty() { message.to_owned() } else { format!("`{key}`: {message}") });
    };
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let key = found.key().unwrap_or_default().to_owned();
    let written = key.rsplit('.').next().unwrap_or_default();
    let help = match did_you_mean(written, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    found.message_of(|key| format!("unknown key `{key}`")).help(help)
}
