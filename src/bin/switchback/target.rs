//! The target of a command: the configuration, overridden by the command line.

use camino::{Utf8Path, Utf8PathBuf};
use switchback::{
    Config, ConfigError, Error, ErrorKind,
    config::{HostConfig, HostRange, did_you_mean},
};

use crate::{
    args::{Global, Hosts},
    call,
    interrupt::EndsAtOnce,
    render,
};

/// The default file name of the configuration.
pub(crate) const FILE: &str = "switchback.toml";

/// The configuration of the hosts that take part, and the hosts that are left out.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) config: Config,
    /// Hosts left out with `--except`, each with its index in the configuration.
    pub(crate) left: Vec<(usize, HostConfig)>,
}

/// Finds and reads the configuration, lists its hosts if a command does, and overrides it with the command line.
pub(crate) fn find(global: &Global, hosts: &Hosts) -> Result<Target, Error> {
    let listed = list_hosts(read(global)?, global);
    let config = listed.map_err(|error| match error.kind() {
        ErrorKind::Inventory => error.hint("--hosts-from COMMAND lists the hosts in another way: `echo 'web[01-05]'`"),
        _ => error,
    })?;
    let mut config = selected(config, hosts)?;
    let left = leave_out(&mut config, &hosts.except)?;
    Ok(Target { config, left })
}

/// Lists the hosts if a command does, with the live line meanwhile.
fn list_hosts(config: Config, global: &Global) -> Result<Config, Error> {
    if config.hosts_from.is_none() {
        return Ok(config);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Error::new(ErrorKind::Internal, "the program could not start").because(error))?;
    render::begin(global, Vec::new(), Some("listing the hosts"));
    let listed = runtime.block_on(async {
        let _at_once = EndsAtOnce::begin();
        call::apart(move || config.list_hosts()).await
    });
    render::end();
    listed
}

/// Finds and reads the configuration, with the root of the command line. Runs no command, so its hosts may be unknown.
pub(crate) fn read(global: &Global) -> Result<Config, Error> {
    let config = match (configured(global), &global.root) {
        (None, Some(root)) => {
            if let Some(environment) = environment(global) {
                let message = format!("-e {environment:?} needs a configuration, and --root alone uses none");
                return Err(Error::new(ErrorKind::Usage, message).hint("give --config too, or leave -e out"));
            }
            Config::for_root(root.clone(), &[])
        }
        (file, root) => {
            let file = file.map_or_else(look_for, Ok)?;
            Config::from_file_at(&file, environment(global), root.as_ref())
        }
    };
    let config = config.map_err(|error| wrong(&error))?;
    match &global.hosts_from {
        Some(command) => config.with_hosts_from(command).map_err(|error| wrong(&error)),
        None => Ok(config),
    }
}

/// Selects the hosts of the command line, if it names any.
pub(crate) fn selected(config: Config, hosts: &Hosts) -> Result<Config, Error> {
    let selected = if hosts.host.is_empty() { Ok(config) } else { config.with_hosts(&hosts.addresses()) };
    selected.map_err(|error| wrong(&error))
}

/// Sets the root to the one of the environment, if no root is given and no configuration is given or found.
///
/// A hook sees the variable too, with the root of its host: where the hook runs on the controller, that is not a root
/// of this machine.
pub(crate) fn take_root_of_environment(global: &mut Global) -> Result<(), Error> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let Some(root) = variable("SWITCHBACK_ROOT") else { return Ok(()) };
    let is_of_controller = variable("SWITCHBACK_HOST").is_some_and(|host| host == "controller");
    if is_of_controller || global.root.is_some() || configured(global).is_some() || nearest()?.is_some() {
        return Ok(());
    }
    let root = root
        .to_string_lossy()
        .parse()
        .map_err(|error| Error::new(ErrorKind::Usage, format!("the variable SWITCHBACK_ROOT is wrong: {error}")))?;
    global.root = Some(root);
    Ok(())
}

/// Whether a configuration is used, rather than `--root` alone.
pub(crate) fn is_configured(global: &Global) -> bool {
    configured(global).is_some() || global.root.is_none()
}

/// Returns the names of the environments of the configuration; none if it cannot be read.
pub(crate) fn environments(global: &Global) -> Vec<String> {
    let file = configured(global).map_or_else(look_for, Ok).ok();
    let text = file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    let all = text.parse::<toml::Table>().unwrap_or_default();
    let environments = all.get("env").and_then(toml::Value::as_table).map(|table| table.keys().cloned().collect());
    environments.unwrap_or_default()
}

/// Returns the file of `--config` or its variable; an empty value counts as unset.
fn configured(global: &Global) -> Option<Utf8PathBuf> {
    global.config.clone().filter(|file| !file.as_str().is_empty())
}

fn environment(global: &Global) -> Option<&str> {
    global.environment.as_deref().filter(|name| !name.is_empty())
}

/// Finds the configuration in the current directory, else in the nearest directory above.
fn look_for() -> Result<Utf8PathBuf, Error> {
    nearest()?.ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("there is no {FILE} here or in a directory above"))
            .hint("write one with `switchback init`, or name the root with --root DIR")
    })
}

/// Returns the nearest file with the default name.
fn nearest() -> Result<Option<Utf8PathBuf>, Error> {
    let here = std::env::current_dir()
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot read the current directory").because(error))?;
    let found = here.ancestors().map(|directory| directory.join(FILE)).find(|file| file.is_file());
    let utf8 = found.map(Utf8PathBuf::from_path_buf).transpose();
    let not_utf8 = |path: std::path::PathBuf| format!("{} is not UTF-8", path.to_string_lossy());
    let file = utf8.map_err(|path| Error::new(ErrorKind::Config, not_utf8(path)))?;
    Ok(file.map(|file| relative_to(&here, &file)))
}

/// Shortens a path for messages: a file in the current directory is just its name.
fn relative_to(here: &std::path::Path, file: &Utf8Path) -> Utf8PathBuf {
    file.strip_prefix(here).map_or_else(|_| file.to_owned(), Utf8Path::to_owned)
}

/// Moves these hosts out of the configuration and returns them.
fn leave_out(config: &mut Config, except: &[HostRange]) -> Result<Vec<(usize, HostConfig)>, Error> {
    let except: Vec<&String> = except.iter().flat_map(HostRange::hosts).collect();
    for name in &except {
        if !config.hosts.iter().any(|host| host.name == **name) {
            let names = || config.hosts.iter().map(|host| host.name.as_str());
            let hint = did_you_mean(name, names()).map_or_else(
                || format!("the hosts are: {}", names().collect::<Vec<_>>().join(", ")),
                |meant| format!("did you mean {meant}?"),
            );
            return Err(Error::new(ErrorKind::Usage, format!("--except {name:?}: there is no such host")).hint(hint));
        }
    }
    let all = std::mem::take(&mut config.hosts).into_iter().enumerate();
    let (left, take_part): (Vec<_>, Vec<_>) = all.partition(|(_, host)| except.contains(&&host.name));
    config.hosts = take_part.into_iter().map(|(_, host)| host).collect();
    if config.hosts.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "--except leaves no host"));
    }
    Ok(left)
}

/// Converts an error of the configuration; the message is its whole text, with the line.
fn wrong(error: &ConfigError) -> Error {
    Error::new(ErrorKind::Config, error.to_string())
}
