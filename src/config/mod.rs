//! [`Config`]: which hosts, where on them, how they are reached, and what runs around a switch. Read from TOML, resolved
//! once.
//!
//! Strict on purpose: an unknown key, a wrong type or a contradiction is a [`ConfigError`] that shows the line. A setting
//! that is silently not obeyed is found out in the worst moment.

mod duration;
mod error;
mod file;
mod layer;
mod read;
mod resolve;
mod select;
mod show;
mod show_commands;
mod suggest;
mod value;

pub use duration::{DurationError, parse_duration};
pub use error::ConfigError;
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

/// A configuration that can be parsed as it is, with every key explained: what `switchback init` writes.
pub const STARTER: &str = include_str!("starter.toml");

/// How many hosts are worked on at once, unless that is set.
const PARALLEL: usize = 32;

/// The configuration as resolved: defaults filled in, the environment laid over, every value checked.
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
    /// The root of the hosts that name none of their own.
    pub root: Option<HostPath>,
    /// The hosts, in their order in the configuration; at least one.
    pub hosts: Vec<HostConfig>,
    /// How hosts are reached over SSH.
    pub ssh: SshOptions,
    /// The names of the tree under a root.
    pub layout: Layout,
    /// How many hosts are worked on at once: 1 to 1024.
    pub parallel: usize,
    /// What runs around a switch: hooks, validation, data commands.
    pub commands: Commands,
    /// How many good releases are kept beside the current one; without it none is ever removed by itself.
    pub keep: Option<u32>,
    /// What outlives releases, and is linked into each.
    pub shared: Vec<SharedPath>,
    /// What of a source directory is not sent, in the syntax of `.gitignore`.
    pub source_exclude: Vec<String>,
    /// How many leading directories are taken off the paths of an archive; none where it is not set.
    pub source_strip: Option<usize>,
    /// How many times larger than itself an archive may grow, where it grows beyond 100 MiB.
    pub source_max_ratio: u64,
    /// How a rollback looks at its target before it switches.
    pub target_check: TargetCheck,
    /// A directory with the reports of drills: a source whose digest has no passed report there is not deployed.
    pub require_drill: Option<Utf8PathBuf>,
    /// The group whose members deploy together; without it a root belongs to one account.
    pub group: Option<GroupName>,
    /// Whether a root may lie below a directory that everybody may write to.
    pub allow_writable: bool,
    /// The absolute directory of the configuration file, where commands of the controller run; `None` without a file.
    pub directory: Option<Utf8PathBuf>,
}

/// One host: a root, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostConfig {
    /// What reports call it; unique in a configuration.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// Its deploy root.
    pub root: HostPath,
}

/// Where a host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// This machine.
    Local,
    /// Reached over SSH.
    Ssh(Address),
}

impl Config {
    /// Reads a configuration, with the environment of that name laid over it: tables are merged key by key, and a list
    /// of hosts replaces the list.
    ///
    /// Paths on this machine stay as they are written; [`from_file`](Self::from_file) makes them absolute.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], which shows the line. Other environments than the chosen one are checked for unknown keys and
    /// wrong types too.
    pub fn parse(text: &str, environment: Option<&str>) -> Result<Self, ConfigError> {
        resolve::resolve(text, read::read(text, environment)?, None)
    }

    /// The same, with `root` as the root of every host, whatever the text says; it need have none.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and when two hosts become the same by it.
    pub fn parse_at(text: &str, environment: Option<&str>, root: &HostPath) -> Result<Self, ConfigError> {
        resolve::resolve(text, read::read(text, environment)?, Some(root))?.with_root(root)
    }

    /// How a source is read, as the configuration says.
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

    /// A root without any configuration, on these hosts; on this machine, as the host `local`, when there are none.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], which shows no line, when two of the hosts are the same.
    pub fn for_root(root: HostPath, hosts: &[Address]) -> Result<Self, ConfigError> {
        let local = HostConfig { name: LOCAL.to_owned(), place: Place::Local, root: root.clone() };
        let bare = Self {
            root: Some(root),
            hosts: vec![local],
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
        };
        if hosts.is_empty() { Ok(bare) } else { bare.with_hosts(hosts) }
    }
}

/// What `[data] host` says for the machine that switchback runs on.
const CONTROLLER: &str = "controller";

/// What this machine is called when it has no name.
const LOCAL: &str = "local";
