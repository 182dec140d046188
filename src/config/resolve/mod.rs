//! Resolution of a configuration: checks every value, and reports the line of an invalid one.

pub(super) mod data;
mod hooks;
mod hosts;
mod layout;
pub(super) mod ssh;
pub(super) mod validate;

use std::{
    ops::{Range, RangeInclusive},
    str::FromStr,
    time::Duration,
};

use camino::Utf8PathBuf;
use toml::Spanned;

use super::{
    Config, PARALLEL,
    duration::parse_duration,
    error::ConfigError,
    layer::{Layer, SourceLayer, Text},
    suggest::did_you_mean,
    value::DurationText,
};
use crate::{commands::Commands, path::HostPath, shared::SharedPath, target_check::TargetCheck, tree::Limits};

/// The values of `[rollback] verify`.
pub(super) const TARGET_CHECKS: [(&str, TargetCheck); 3] =
    [("quick", TargetCheck::Quick), ("full", TargetCheck::Full), ("none", TargetCheck::None)];

/// Checks the layer of this text and fills in the defaults.
///
/// `over` will be the root of every host, whatever the text says; the text need not have a root then.
pub(super) fn resolve(text: &str, layer: Layer, over: Option<&HostPath>) -> Result<Config, ConfigError> {
    let source = Source { text };
    let root = layer.root.as_ref().map(|root| source.parse::<HostPath>(root)).transpose()?;
    let root = root.or_else(|| over.cloned());
    let hosts_from = layer.hosts_from.as_ref().map(|command| source.hosts_from(command, root.as_ref())).transpose()?;
    let hosts = match &hosts_from {
        Some(_) => Vec::new(),
        None => source.hosts(root.as_ref(), layer.host.as_deref().unwrap_or_default())?,
    };
    let deploy = layer.deploy.unwrap_or_default();
    let security = layer.security.unwrap_or_default();
    let SourceLayer { exclude, strip, max_ratio } = layer.source.unwrap_or_default();
    Ok(Config {
        commands: Commands {
            validation: source.validation(&layer.validate.unwrap_or_default())?,
            data: source.data(&layer.data.unwrap_or_default(), &hosts)?,
            fingerprint: source.command(layer.drill.unwrap_or_default().fingerprint.as_ref())?,
            ..source.hooks(&layer.hooks.unwrap_or_default())?
        },
        hosts,
        hosts_from,
        root,
        ssh: source.ssh(layer.ssh.unwrap_or_default())?,
        layout: source.layout(&layer.layout.unwrap_or_default())?,
        parallel: layer
            .parallel
            .map_or(Ok(PARALLEL), |parallel| source.number(&parallel, 1..=1024, "hosts at once"))?,
        keep: layer.keep.map(|keep| source.number(&keep, 0..=100_000, "good releases")).transpose()?,
        shared: source.shared(layer.shared.unwrap_or_default())?,
        require_drill: deploy.require_drill.map(|path| source.path(&path)).transpose()?,
        source_exclude: source.patterns(&exclude.unwrap_or_default())?,
        source_strip: strip.map(|strip| source.number(&strip, 0..=256, "leading directories")).transpose()?,
        source_max_ratio: max_ratio
            .map_or(Ok(Limits::default().ratio), |ratio| source.number(&ratio, 1..=1_000_000, "times its size"))?,
        target_check: source.word_or_default(layer.rollback.unwrap_or_default().verify.as_ref(), &TARGET_CHECKS)?,
        group: security.group.as_ref().map(|group| source.parse(group)).transpose()?,
        allow_writable: security.allow_writable.is_some_and(Spanned::into_inner),
        directory: None,
    })
}

/// The text, for the places of its values.
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

    fn number<N: TryFrom<i64>>(
        &self,
        number: &Spanned<i64>,
        range: RangeInclusive<i64>,
        what: &str,
    ) -> Result<N, ConfigError> {
        let in_range = range.contains(number.get_ref()).then(|| N::try_from(*number.get_ref()).ok()).flatten();
        let message = || format!("how many {what}, from {} to {}", range.start(), range.end());
        in_range.ok_or_else(|| self.error(number.span(), message()))
    }

    /// Returns the value of one of the known words.
    fn word<T: Copy>(&self, word: &Text, known: &[(&str, T)]) -> Result<T, ConfigError> {
        let text = word.get_ref().as_str();
        if let Some((_, meaning)) = known.iter().find(|(name, _)| *name == text) {
            return Ok(*meaning);
        }
        let quoted: Vec<String> = known.iter().map(|(name, _)| format!("{name:?}")).collect();
        let message = match quoted.as_slice() {
            [one, other] => format!("{text:?} is neither {one} nor {other}"),
            all => format!("{text:?} is not one of {}", all.join(", ")),
        };
        let error = self.error(word.span(), message);
        Err(match did_you_mean(text, known.iter().map(|(name, _)| *name)) {
            Some(meant) => error.help(format!("did you mean {meant:?}?")),
            None => error,
        })
    }

    fn word_or_default<T: Copy + Default>(&self, word: Option<&Text>, known: &[(&str, T)]) -> Result<T, ConfigError> {
        word.map_or(Ok(T::default()), |word| self.word(word, known))
    }

    /// Parses a path on this machine, and keeps it as written.
    fn path(&self, path: &Text) -> Result<Utf8PathBuf, ConfigError> {
        let text = path.get_ref();
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(
                self.error(path.span(), format!("{text:?} is not a path: it is empty or has a control character"))
            );
        }
        if text.starts_with('~') && !text.starts_with("~/") {
            return Err(self.error(path.span(), "only `~/`, your own home directory, is expanded"));
        }
        Ok(text.into())
    }

    fn duration(&self, text: &Spanned<DurationText>) -> Result<Duration, ConfigError> {
        parse_duration(&text.get_ref().0).map_err(|error| self.error(text.span(), error))
    }

    /// Parses a command for `sh`: not empty, and without NUL, which no argument can contain.
    fn command(&self, command: Option<&Text>) -> Result<Option<String>, ConfigError> {
        let Some(command) = command else { return Ok(None) };
        let text = command.get_ref();
        if text.trim().is_empty() {
            let error = self.error(command.span(), "the command is empty");
            return Err(error.help("remove the key, or write \"true\" for a command that does nothing"));
        }
        if text.contains('\0') {
            return Err(self.error(command.span(), "the command contains a NUL byte"));
        }
        Ok(Some(text.clone()))
    }

    /// Checks that the paths can be shared together; the error is at the second of two in conflict.
    fn shared(&self, paths: Vec<Spanned<SharedPath>>) -> Result<Vec<SharedPath>, ConfigError> {
        let mut shared = Vec::new();
        for path in paths {
            let span = path.span();
            shared.push(path.into_inner());
            SharedPath::check_all(&shared).map_err(|error| self.error(span, error))?;
        }
        Ok(shared)
    }

    /// Checks exclude patterns, and keeps them as written.
    fn patterns(&self, patterns: &[Text]) -> Result<Vec<String>, ConfigError> {
        let check = |pattern: &Text| {
            let text = pattern.get_ref();
            let plain = !text.trim().is_empty() && !text.chars().any(char::is_control);
            let message = || format!("{text:?} is not a pattern: it is empty or has a control character");
            if plain { Ok(text.clone()) } else { Err(self.error(pattern.span(), message())) }
        };
        patterns.iter().map(check).collect()
    }
}
