//! The text as it stands: what is set and where, before anything is resolved. Environments are laid over each other here.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use super::{error::ConfigError, suggest::did_you_mean};

/// A text and where it stands.
pub(super) type Text = Spanned<String>;

macro_rules! layer {
    ($(#[$doc:meta])* $name:ident { $($key:ident: $value:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $(pub(super) $key: Option<$value>,)+
        }

        impl $name {
            /// This layer, and what it does not set from the one below.
            fn over(self, below: Self) -> Self {
                Self { $($key: Over::over(self.$key, below.$key),)+ }
            }
        }
    };
}

layer! {
    /// The whole file, or one environment.
    Layer {
        root: Text,
        host: Vec<Spanned<HostLayer>>,
        ssh: SshLayer,
        layout: LayoutLayer,
        parallel: Spanned<i64>,
        env: Spanned<BTreeMap<String, Layer>>,
    }
}

/// One `[[host]]`. Lists of hosts are replaced, so it is never laid over another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostLayer {
    pub(super) name: Option<Text>,
    pub(super) address: Option<Text>,
    pub(super) root: Option<Text>,
}

layer! {
    /// `[ssh]`.
    SshLayer {
        config: Text,
        identity: Text,
        known_hosts: Text,
        known_hosts_file: Text,
        connect_timeout: Spanned<DurationText>,
        exchange_timeout: Spanned<DurationText>,
        jump: Spanned<Jump>,
    }
}

layer! {
    /// `[layout]`.
    LayoutLayer {
        current: Text,
        releases: Text,
        shared: Text,
        state: Text,
    }
}

/// How a key of one layer lies over the same key of the one below: tables are merged, all else is replaced.
trait Over: Sized {
    fn over(self, below: Self) -> Self;
}

macro_rules! replaces {
    ($($value:ty,)+) => { $(impl Over for Option<$value> {
        fn over(self, below: Self) -> Self {
            self.or(below)
        }
    })+ };
}

macro_rules! merges {
    ($($value:ty,)+) => { $(impl Over for Option<$value> {
        fn over(self, below: Self) -> Self {
            Some(self.unwrap_or_default().over(below.unwrap_or_default()))
        }
    })+ };
}

replaces! {
    Text, Spanned<i64>, Vec<Spanned<HostLayer>>, Spanned<DurationText>, Spanned<Jump>, Spanned<BTreeMap<String, Layer>>,
}
merges! { SshLayer, LayoutLayer, }

/// A duration, not read yet.
#[derive(Debug)]
pub(super) struct DurationText(pub(super) String);

/// The hosts to go through: one text, or a list.
#[derive(Debug)]
pub(super) struct Jump(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = DurationText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit, such as \"30s\" or \"1m30s\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DurationText, E> {
                Ok(DurationText(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Jump {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Jump;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a host such as \"user@host:22\", or a list of them")
            }

            fn visit_str<E: de::Error>(self, host: &str) -> Result<Jump, E> {
                Ok(Jump(vec![host.to_owned()]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut hosts: A) -> Result<Jump, A::Error> {
                let mut jump = Vec::new();
                while let Some(host) = hosts.next_element()? {
                    jump.push(host);
                }
                Ok(Jump(jump))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// Reads `text`, and lays the environment of that name over it.
pub(super) fn read(text: &str, environment: Option<&str>) -> Result<Layer, ConfigError> {
    let mut file: Layer = toml::from_str(text).map_err(|error| explain(text, &error))?;
    let mut environments = BTreeMap::new();
    if let Some(env) = file.env.take() {
        environments = env.into_inner();
    }
    if let Some(nested) = environments.values().find_map(|layer| layer.env.as_ref()) {
        return Err(ConfigError::at(text, nested.span(), "an environment cannot hold environments"));
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
        (Some(meant), _) => error.help(format!("did you mean {meant:?}? There are: {}", known.join(", "))),
        (None, false) => error.help(format!("there are: {}", known.join(", "))),
        (None, true) => error.help(format!("the configuration has none; `[env.{name}]` would begin it")),
    }
}

/// An error of the TOML reader in our words, with its key and what was probably meant.
fn explain(text: &str, error: &toml::de::Error) -> ConfigError {
    let found = ConfigError::at(text, error.span().unwrap_or(0..0), error.message());
    let message = error.message();
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
