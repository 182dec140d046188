//! `[hooks]`.

use super::Source;
use crate::{
    commands::{Commands, HOOK_TIMEOUT},
    config::{
        error::ConfigError,
        layer::{HooksLayer, Text},
    },
};

/// The prefix of variables that this program sets itself.
const OURS: &str = "SWITCHBACK_";

impl Source<'_> {
    pub(super) fn hooks(&self, layer: &HooksLayer) -> Result<Commands, ConfigError> {
        Ok(Commands {
            prepare: self.command(layer.prepare.as_ref())?,
            after_switch: self.command(layer.after_switch.as_ref())?,
            timeout: layer.timeout.as_ref().map_or(Ok(HOOK_TIMEOUT), |text| self.duration(text))?,
            env_file: layer.env_file.as_ref().map(|path| self.path(path)).transpose()?,
            pass_env: self.variables(layer.pass_env.as_deref().unwrap_or_default())?,
            ..Commands::default()
        })
    }

    /// Parses names of variables, each once. The message does not repeat an invalid one, which may contain a secret
    /// value.
    fn variables(&self, names: &[Text]) -> Result<Vec<String>, ConfigError> {
        let mut variables: Vec<String> = Vec::new();
        for name in names {
            let text = name.get_ref();
            if !is_variable(text) {
                let message = "this is not a variable name: letters, digits and `_`, not starting with a digit";
                return Err(self
                    .error(name.span(), message)
                    .help("write names only; the values come from the environment"));
            }
            if text.starts_with(OURS) {
                return Err(self.error(name.span(), format!("switchback sets the variables that start with {OURS}")));
            }
            if variables.contains(text) {
                return Err(self.error(name.span(), format!("{text:?} is listed twice")));
            }
            variables.push(text.clone());
        }
        Ok(variables)
    }
}

fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
