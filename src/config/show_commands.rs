//! The commands around a switch as TOML.

use camino::Utf8Path;
use serde::Serialize;

use super::{CONTROLLER, duration::print};
use crate::{
    commands::{Commands, DataCommands, DataPlace, RevertWhen, ValidateOn, Validation},
    data::Preset,
    path::InnerPath,
};

#[derive(Serialize)]
pub(super) struct Hooks<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    prepare: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_switch: Option<&'a str>,
    timeout: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    env_file: Option<&'a Utf8Path>,
    pass_env: &'a [String],
}

#[derive(Serialize)]
pub(super) struct Data<'a> {
    host: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    preset: Option<Preset>,
    version: &'a str,
    apply: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revert: Option<&'a str>,
    /// Only set if there is a `revert`.
    #[serde(skip_serializing_if = "Option::is_none")]
    revert_when: Option<RevertWhen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    save: &'a [InnerPath],
}

#[derive(Serialize)]
pub(super) struct Validate<'a> {
    command: &'a str,
    on: ValidateOn,
    start_within: String,
    every: String,
    r#for: String,
    allow_failures: u32,
}

impl<'a> Hooks<'a> {
    pub(super) fn new(commands: &'a Commands) -> Self {
        Self {
            prepare: commands.prepare.as_deref(),
            after_switch: commands.after_switch.as_deref(),
            timeout: print(commands.timeout),
            env_file: commands.env_file.as_deref(),
            pass_env: &commands.pass_env,
        }
    }
}

impl<'a> Data<'a> {
    pub(super) fn new(data: &'a DataCommands) -> Self {
        Self {
            host: match &data.place {
                DataPlace::Host(name) => name,
                DataPlace::Controller => CONTROLLER,
            },
            preset: data.preset,
            version: &data.version,
            apply: &data.apply,
            revert: data.revert.as_deref(),
            revert_when: data.revert.is_some().then_some(data.revert_when),
            timeout: data.timeout.map(print),
            save: &data.save,
        }
    }
}

impl<'a> Validate<'a> {
    pub(super) fn new(validation: &'a Validation) -> Self {
        Self {
            command: &validation.command,
            on: validation.on,
            start_within: print(validation.start_within),
            every: print(validation.every),
            r#for: print(validation.hold_for),
            allow_failures: validation.allow_failures,
        }
    }
}
