//! [`Config`]: the hosts, their roots, how to reach them, and the commands around a switch. Built in code, or, with the
//! feature `config`, read from TOML and resolved once.
//!
//! Strict on purpose: an unknown key, a wrong type or a contradiction is a [`ConfigError`] that shows the line. A
//! setting that is silently ignored is discovered at the worst moment.

#[cfg(feature = "config")]
mod duration;
pub(crate) mod error;
#[cfg(feature = "config")]
mod file;
mod hosts_from;
#[cfg(feature = "config")]
mod kind;
#[cfg(feature = "config")]
mod layer;
mod range;
#[cfg(feature = "config")]
mod read;
#[cfg(feature = "config")]
mod resolve;
#[cfg(all(test, feature = "config"))]
mod schema;
mod select;
#[cfg(feature = "config")]
mod show;
#[cfg(feature = "config")]
mod show_commands;
mod suggest;
#[cfg(feature = "config")]
mod value;

#[cfg(feature = "config")]
#[cfg_attr(docsrs, doc(cfg(feature = "config")))]
pub use duration::{DurationError, parse_duration};
pub(crate) use error::ConfigError;
pub use hosts_from::HostsFrom;
pub use range::{HostRange, HostRangeError};
pub use suggest::did_you_mean;

use camino::Utf8PathBuf;

use crate::{
    address::Address,
    commands::Commands,
    group::GroupName,
    path::HostPath,
    shared::SharedPath,
    store::Layout,
    target_check::TargetCheck,
    transport::SshOptions,
    tree::{Limits, SourceOptions},
};

/// A valid configuration with every key explained, as `switchback init` writes it.
#[cfg(feature = "config")]
#[cfg_attr(docsrs, doc(cfg(feature = "config")))]
pub const STARTER: &str = include_str!("starter.toml");

/// The JSON Schema of the configuration, for editors and for other programs that write one.
#[cfg(feature = "config")]
#[cfg_attr(docsrs, doc(cfg(feature = "config")))]
pub const SCHEMA: &str = include_str!("../../schemas/switchback.toml.schema.json");

/// The default number of hosts to work on at once.
const PARALLEL: usize = 32;

/// The resolved configuration: defaults filled in, the environment overlaid, every value checked.
///
/// ```
/// use switchback::{Config, config::Place};
///
/// let config = Config::parse(
///     r#"
///     root = "/srv/shop"
///     [[host]]
///     address = "deploy@web1"
///     [env.staging]
///     root = "/srv/staging"
///     "#,
///     Some("staging"),
/// )?;
/// assert_eq!(config.hosts[0].name, "web1");
/// assert_eq!(config.hosts[0].place, Place::Ssh("deploy@web1".parse()?));
/// assert_eq!(config.hosts[0].root.as_str(), "/srv/staging");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The root of hosts without their own.
    pub root: Option<HostPath>,
    /// The hosts, in the order of the configuration: at least one, or none before
    /// [`list_hosts`](Self::list_hosts) where a command lists them.
    pub hosts: Vec<HostConfig>,
    /// The command that lists the hosts.
    pub hosts_from: Option<HostsFrom>,
    /// The SSH options.
    pub ssh: SshOptions,
    /// The names of the tree under a root.
    pub layout: Layout,
    /// The maximum number of hosts to work on at once: 1 to 1024.
    pub parallel: usize,
    /// The commands around a switch: hooks, validation, data commands.
    pub commands: Commands,
    /// The number of good releases to keep besides the current one; `None` disables automatic pruning.
    pub keep: Option<u32>,
    /// The paths that outlive releases, and are symlinks in each.
    pub shared: Vec<SharedPath>,
    /// The exclude patterns for a source directory, in the syntax of `.gitignore`.
    pub source_exclude: Vec<String>,
    /// The number of leading directories to strip from the paths of an archive; `None` strips none.
    pub source_strip: Option<usize>,
    /// The maximum expansion of an archive, as a multiple of its own size, beyond 100 MiB.
    pub source_max_ratio: u64,
    /// The check of a rollback's target before the switch.
    pub target_check: TargetCheck,
    /// A directory with drill reports: a source without a passed report there is not deployed.
    pub require_drill: Option<Utf8PathBuf>,
    /// The group whose members deploy together; without it, a root belongs to one account.
    pub group: Option<GroupName>,
    /// Whether a root may lie below a world-writable directory.
    pub allow_writable: bool,
    /// The absolute directory of the configuration file, where commands of the controller run; `None` without a
    /// file.
    pub directory: Option<Utf8PathBuf>,
}

/// One host: its root, and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostConfig {
    /// The name in reports, unique in a configuration.
    pub name: String,
    /// The place of the host.
    pub place: Place,
    /// The deploy root.
    pub root: HostPath,
}

/// The place of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// This machine.
    Local,
    /// A machine reached over SSH.
    Ssh(Address),
}

impl Config {
    /// Parses a configuration, and overlays the given environment: tables are merged key by key, and a list of hosts
    /// replaces the list.
    ///
    /// Paths on this machine stay as written; [`from_file`](Self::from_file) makes them absolute.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the line. The other environments are checked for unknown keys and wrong types too.
    #[cfg(feature = "config")]
    #[cfg_attr(docsrs, doc(cfg(feature = "config")))]
    pub fn parse(text: &str, environment: Option<&str>) -> Result<Self, ConfigError> {
        resolve::resolve(text, read::read(text, environment)?, None)
    }

    /// Parses like [`parse`](Self::parse), and sets the root of every host to `root`, whatever the text says. The
    /// text need not have a root.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and when the root makes two hosts the same.
    #[cfg(feature = "config")]
    #[cfg_attr(docsrs, doc(cfg(feature = "config")))]
    pub fn parse_at(text: &str, environment: Option<&str>, root: &HostPath) -> Result<Self, ConfigError> {
        resolve::resolve(text, read::read(text, environment)?, Some(root))?.with_root(root)
    }

    /// Returns the configured options for reading a source.
    ///
    /// ```
    /// use switchback::{Config, tree::Tree};
    ///
    /// let config = Config::parse("root = '/srv/shop'\nsource.exclude = ['*.css']", None)?;
    /// let tree = Tree::open_with("examples/site/v1".into(), &config.source_options())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn source_options(&self) -> SourceOptions {
        let limits = Limits { ratio: self.source_max_ratio, ..Limits::default() };
        let (exclude, strip) = (self.source_exclude.clone(), self.source_strip);
        SourceOptions { limits, exclude, strip, ..SourceOptions::default() }
    }

    /// A configuration of these hosts, with the defaults for everything else.
    ///
    /// ```
    /// use switchback::{Config, Fleet, config::HostConfig};
    ///
    /// let web = HostConfig::ssh("deploy@web1".parse()?, "/srv/shop".parse()?);
    /// let data = HostConfig::ssh("deploy@10.0.0.7:2222".parse()?, "/data/shop".parse()?).named("db");
    /// let mut config = Config::new(vec![web, data])?;
    /// config.keep = Some(5);
    /// let fleet = Fleet::from_config(&config)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] without a line when there is no host, two are the same, or a name is not a host name.
    pub fn new(hosts: Vec<HostConfig>) -> Result<Self, ConfigError> {
        if hosts.is_empty() {
            return Err(ConfigError::new("there is no host"));
        }
        if let Some(host) = hosts.iter().find(|host| !select::is_host_name(&host.name)) {
            return Err(ConfigError::new(select::not_a_host_name(&host.name)));
        }
        Self::of_defaults().with(hosts)
    }

    /// A configuration of only a root, on these hosts; without hosts, on this machine, as the host `local`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] without a line when two of the hosts are the same.
    pub fn for_root(root: HostPath, hosts: &[Address]) -> Result<Self, ConfigError> {
        let local = Self { hosts: vec![HostConfig::local(root.clone())], root: Some(root), ..Self::of_defaults() };
        if hosts.is_empty() { Ok(local) } else { local.with_hosts(hosts) }
    }

    /// Everything but hosts.
    fn of_defaults() -> Self {
        Self {
            root: None,
            hosts: Vec::new(),
            hosts_from: None,
            ssh: SshOptions::default(),
            layout: Layout::default(),
            parallel: PARALLEL,
            commands: Commands::default(),
            keep: None,
            shared: Vec::new(),
            source_exclude: Vec::new(),
            source_strip: None,
            source_max_ratio: Limits::default().ratio,
            target_check: TargetCheck::default(),
            require_drill: None,
            group: None,
            allow_writable: false,
            directory: None,
        }
    }
}

impl HostConfig {
    /// The host at `address`, named by its host.
    #[must_use]
    pub fn ssh(address: Address, root: HostPath) -> Self {
        Self { name: address.host().to_owned(), place: Place::Ssh(address), root }
    }

    /// This machine, named `local`.
    #[must_use]
    pub fn local(root: HostPath) -> Self {
        Self { name: LOCAL.to_owned(), place: Place::Local, root }
    }

    /// Sets the name in reports.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

/// The value of `[data] host` for the machine that runs switchback.
const CONTROLLER: &str = "controller";

/// The name of this machine as a host without a configured name.
const LOCAL: &str = "local";
