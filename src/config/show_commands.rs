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
    #[serde(rename = "prepare", skip_serializing_if = "Option::is_none")]
    prepare: Option<&'a str>,
    #[serde(rename = "after_switch", skip_serializing_if = "Option::is_none")]
    after_switch: Option<&'a str>,
    #[serde(rename = "timeout")]
    timeout: String,
    #[serde(rename = "env_file", skip_serializing_if = "Option::is_none")]
    env_file: Option<&'a Utf8Path>,
    #[serde(rename = "pass_env")]
    pass_env: &'a [String],
}

#[derive(Serialize)]
pub(super) struct Data<'a> {
    #[serde(rename = "host")]
    host: &'a str,
    #[serde(rename = "preset", skip_serializing_if = "Option::is_none")]
    preset: Option<Preset>,
    #[serde(rename = "version")]
    version: &'a str,
    #[serde(rename = "apply")]
    apply: &'a str,
    #[serde(rename = "revert", skip_serializing_if = "Option::is_none")]
    revert: Option<&'a str>,
    /// Only set if there is a `revert`.
    #[serde(rename = "revert_when", skip_serializing_if = "Option::is_none")]
    revert_when: Option<RevertWhen>,
    #[serde(rename = "timeout", skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    #[serde(rename = "save")]
    save: &'a [InnerPath],
}

#[derive(Serialize)]
pub(super) struct Validate<'a> {
    #[serde(rename = "command")]
    command: &'a str,
    #[serde(rename = "on")]
    on: ValidateOn,
    #[serde(rename = "start_within")]
    start_within: String,
    #[serde(rename = "every")]
    every: String,
    #[serde(rename = "for")]
    r#for: String,
    #[serde(rename = "rollback_for")]
    rollback_for: String,
    #[serde(rename = "allow_failures")]
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
            rollback_for: print(validation.rollback_hold_for),
            allow_failures: validation.allow_failures,
        }
    }
}
