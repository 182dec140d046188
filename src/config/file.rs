//! Configurations from a file, whose directory resolves relative paths.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Config, error::ConfigError};
use crate::{error::without_number, path::HostPath};

#[cfg_attr(docsrs, doc(cfg(feature = "config")))]
impl Config {
    /// Reads the configuration in `file`, and overlays the given environment.
    ///
    /// Makes paths on this machine absolute: those that begin with `~/` relative to `$HOME`, all others relative to the
    /// directory of the file, wherever the command runs.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the file's name, also when the file cannot be read.
    pub fn from_file(file: &Utf8Path, environment: Option<&str>) -> Result<Self, ConfigError> {
        Self::from_file_at(file, environment, None)
    }

    /// Reads like [`from_file`](Self::from_file), and sets the root of every host to `root`, if given, whatever the
    /// file says. The file need not have a root then.
    ///
    /// # Errors
    ///
    /// As [`from_file`](Self::from_file), and when the root makes two hosts the same.
    pub fn from_file_at(
        file: &Utf8Path,
        environment: Option<&str>,
        root: Option<&HostPath>,
    ) -> Result<Self, ConfigError> {
        let text = fs_err::read_to_string(file).map_err(|error| unreadable(&error).in_file(file))?;
        let directory = camino::absolute_utf8(file).map_err(|error| unreadable(&error).in_file(file))?;
        let directory = directory.parent().unwrap_or(Utf8Path::new("/"));
        let home = std::env::var("HOME").ok().filter(|home| home.starts_with('/'));
        let parsed = match root {
            Some(root) => Self::parse_at(&text, environment, root),
            None => Self::parse(&text, environment),
        };
        let mut config = parsed
            .and_then(|config| config.anchored(directory, home.as_deref().map(Utf8Path::new)))
            .map_err(|error| error.in_file(file))?;
        if let Some(from) = &mut config.hosts_from {
            from.in_file(file);
        }
        Ok(config)
    }

    /// Makes the paths on this machine absolute, as for a file in `directory`, an absolute path: `~/` relative to
    /// `home`, all others relative to `directory`. Commands of the controller run there.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] without a line when a path begins with `~/` and there is no home.
    pub fn anchored(mut self, directory: &Utf8Path, home: Option<&Utf8Path>) -> Result<Self, ConfigError> {
        let ssh = &mut self.ssh;
        let paths = [
            &mut ssh.config,
            &mut ssh.identity,
            &mut ssh.known_hosts_file,
            &mut self.commands.env_file,
            &mut self.require_drill,
        ];
        for path in paths.into_iter().flatten() {
            *path = anchor(path, directory, home)?;
        }
        self.directory = Some(directory.to_owned());
        Ok(self)
    }
}

fn anchor(path: &Utf8Path, directory: &Utf8Path, home: Option<&Utf8Path>) -> Result<Utf8PathBuf, ConfigError> {
    let Ok(below) = path.strip_prefix("~") else { return Ok(directory.join(path)) };
    let home = home.ok_or_else(|| ConfigError::new(format!("{path} needs a home directory, and $HOME is not set")))?;
    Ok(home.join(below))
}

fn unreadable(error: &io::Error) -> ConfigError {
    ConfigError::new(format!("cannot read the configuration: {}", without_number(&error.to_string())))
}
