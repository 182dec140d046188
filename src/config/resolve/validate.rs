//! `[validate]`.

use std::time::Duration;

use toml::Spanned;

use super::Source;
use crate::{
    commands::{ValidateOn, Validation},
    config::{
        duration::parse_duration_or_zero,
        error::ConfigError,
        layer::{Table, ValidateLayer},
        value::DurationText,
    },
};

/// The values of `on`.
pub(in crate::config) const PLACES: [(&str, ValidateOn); 2] =
    [("hosts", ValidateOn::Hosts), ("controller", ValidateOn::Controller)];

impl Source<'_> {
    pub(super) fn validation(&self, layer: &ValidateLayer) -> Result<Option<Validation>, ConfigError> {
        let Some(command) = self.command(layer.command.as_ref())? else {
            return layer.spot().map_or(Ok(None), |spot| {
                let error = self.error(spot, "`[validate]` has no `command`");
                Err(error.help("write a command that exits with 0 if the release is good"))
            });
        };
        let default = Validation::new(command);
        let validation = Validation {
            on: self.word_or_default(layer.on.as_ref(), &PLACES)?,
            start_within: self.duration_or_zero(layer.start_within.as_ref())?,
            every: layer.every.as_ref().map_or(Ok(default.every), |text| self.duration(text))?,
            hold_for: self.duration_or_zero(layer.r#for.as_ref())?,
            rollback_hold_for: self.duration_or_zero(layer.rollback_for.as_ref())?,
            allow_failures: self.allow_failures(layer)?,
            ..default
        };
        self.refuse_idle_allowance(layer, &validation)?;
        Ok(Some(validation))
    }

    fn duration_or_zero(&self, text: Option<&Spanned<DurationText>>) -> Result<Duration, ConfigError> {
        let Some(text) = text else { return Ok(Duration::ZERO) };
        parse_duration_or_zero(&text.get_ref().0).map_err(|error| self.error(text.span(), error))
    }

    fn allow_failures(&self, layer: &ValidateLayer) -> Result<u32, ConfigError> {
        let what = "failures in a row are forgiven";
        layer.allow_failures.as_ref().map_or(Ok(0), |number| self.number(number, 0..=1000, what))
    }

    /// Rejects `allow_failures` without `for`. Failures are tolerated only after the first success; if one success
    /// is enough, none would be.
    fn refuse_idle_allowance(&self, layer: &ValidateLayer, validation: &Validation) -> Result<(), ConfigError> {
        let holds = !validation.hold_for.is_zero() || !validation.rollback_hold_for.is_zero();
        let idle = validation.allow_failures > 0 && !holds;
        match &layer.allow_failures {
            Some(number) if idle => Err(self
                .error(number.span(), "`allow_failures` applies only during `for`, which is missing")
                .help("write `for`, or `start_within` to allow failures before the first success")),
            _ => Ok(()),
        }
    }
}
