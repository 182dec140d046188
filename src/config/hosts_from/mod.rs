//! [`HostsFrom`]: hosts that a command of the controller lists.

mod list;
mod run;

use super::{CONTROLLER, Config, ConfigError, range::MAX_HOSTS};
use crate::{
    commands::DataPlace,
    error::{Error, ErrorKind},
};

/// A command that lists the hosts, run by `sh` on this machine.
#[derive(Debug, Clone)]
pub struct HostsFrom {
    command: String,
    /// An error at the place where the command is configured.
    place: ConfigError,
}

/// Equal commands are equal, wherever they are configured.
impl PartialEq for HostsFrom {
    fn eq(&self, other: &Self) -> bool {
        self.command == other.command
    }
}

impl Eq for HostsFrom {}

impl HostsFrom {
    /// The command of the configuration, at the place of this error.
    #[cfg(feature = "config")]
    pub(super) fn at(command: String, place: ConfigError) -> Self {
        Self { command, place }
    }

    /// Returns the command.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Adds the file of the configuration to errors.
    #[cfg(feature = "config")]
    pub(super) fn in_file(&mut self, file: &camino::Utf8Path) {
        self.place = self.place.clone().in_file(file);
    }

    fn error(&self, message: &str) -> ConfigError {
        self.place.clone().with_message(match self.place.key() {
            Some(key) => format!("`{key}`: {message}"),
            None => format!("hosts from `{}`: {message}", self.command),
        })
    }
}

impl Config {
    /// Takes the hosts from the output of `command`, in place of those of the configuration. It runs when the hosts are
    /// [listed](Self::list_hosts), and every host has the root of all hosts.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] without a line when the command is empty, or there is no root for all hosts.
    pub fn with_hosts_from(mut self, command: &str) -> Result<Self, ConfigError> {
        if command.trim().is_empty() || command.contains('\0') {
            return Err(ConfigError::new("the command that lists the hosts is empty or contains a NUL byte"));
        }
        if self.root.is_none() {
            return Err(ConfigError::new("hosts that a command lists need a `root` for all hosts"));
        }
        self.hosts = Vec::new();
        self.hosts_from = Some(HostsFrom { command: command.to_owned(), place: ConfigError::new("") });
        Ok(self)
    }

    /// Runs the command that lists the hosts, unless they are known. It may take two minutes, and blocks the thread;
    /// [`Fleet::from_config`](crate::Fleet::from_config) calls this too.
    ///
    /// The command runs in the directory of the configuration, else in the current one. It prints a host on each line,
    /// or JSON as `ansible-inventory --list` does; [the guide](crate::guide::configuration) has the syntax.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`] when the command fails, [`ErrorKind::Config`] when it lists no hosts, or wrong ones.
    pub fn list_hosts(self) -> Result<Self, Error> {
        let Some(from) = self.hosts_from.clone().filter(|_| self.hosts.is_empty()) else { return Ok(self) };
        let listed = run::run(&from.command, self.directory.as_deref())
            .map_err(|failure| Error::new(ErrorKind::Inventory, from.error(&failure.to_string()).to_string()))?;
        let wrong = |message: &str| Error::new(ErrorKind::Config, from.error(message).to_string());
        let root = self.root.clone().ok_or_else(|| wrong("the listed hosts need a `root` for all hosts"))?;
        let hosts = list::parse(&listed.output, &root).map_err(|message| wrong(&message))?;
        if hosts.is_empty() {
            return Err(wrong(&format!("the command lists no hosts{}", listed.told())));
        }
        if hosts.len() > MAX_HOSTS {
            return Err(wrong(&format!("the command lists more than {MAX_HOSTS} hosts")));
        }
        let config = self.with(hosts).map_err(|error| wrong(error.message()))?;
        match config.commands.data.as_ref().map(|data| &data.place) {
            Some(_) if config.hosts.iter().any(|host| host.name == CONTROLLER) => Err(wrong(
                "a host is called \"controller\", but for `[data]` that means the machine switchback runs on",
            )),
            Some(DataPlace::Host(name)) if !config.hosts.iter().any(|host| host.name == *name) => {
                Err(wrong(&format!("the command does not list {name:?}, the host of `[data]`")))
            }
            _ => Ok(config),
        }
    }
}
