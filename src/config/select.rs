//! Overrides of a configuration by the command line: another root, other hosts.

use std::collections::HashMap;

use super::{Config, HostConfig, LOCAL, Place, did_you_mean, error::ConfigError};
use crate::{address::Address, path::HostPath};

impl Config {
    /// Sets the root of all hosts.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] without a line when the root makes two hosts the same.
    pub fn with_root(mut self, root: &HostPath) -> Result<Self, ConfigError> {
        for host in &mut self.hosts {
            host.root = root.clone();
        }
        self.root = Some(root.clone());
        let hosts = std::mem::take(&mut self.hosts);
        self.with(hosts)
    }

    /// Selects these hosts, by their names or addresses. If the configuration lists hosts, each must be one of them,
    /// so that a misspelled name does not become a new host. Otherwise they are new, and have the root of all hosts.
    /// Hosts of a command must be [listed](Self::list_hosts) first.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] without a line when two are the same, one is not listed, or there is no root for a new one.
    pub fn with_hosts(self, hosts: &[Address]) -> Result<Self, ConfigError> {
        let hosts = hosts.iter().map(|address| self.host(address)).collect::<Result<Vec<_>, _>>()?;
        self.with(hosts)
    }

    /// Whether the configuration lists hosts, rather than this machine by default.
    fn lists_hosts(&self) -> bool {
        let is_default = matches!(&self.hosts[..], [HostConfig { name, place: Place::Local, .. }] if name == LOCAL);
        self.hosts_from.is_some() || !is_default
    }

    fn host(&self, address: &Address) -> Result<HostConfig, ConfigError> {
        let text = address.to_string();
        let is_meant = |host: &&HostConfig| host.name == text || host.place == Place::Ssh(address.clone());
        if let Some(host) = self.hosts.iter().find(is_meant) {
            return Ok(host.clone());
        }
        if self.hosts.is_empty() {
            return Err(ConfigError::new("the command that lists the hosts has not run yet"));
        }
        if self.lists_hosts() {
            let names = || self.hosts.iter().map(|host| host.name.as_str());
            let help = did_you_mean(&text, names()).map_or_else(
                || format!("the hosts are: {}", names().collect::<Vec<_>>().join(", ")),
                |meant| format!("did you mean {meant}?"),
            );
            return Err(ConfigError::new(format!("host {text:?} is not configured")).help(help));
        }
        let root = self.root.clone().ok_or_else(|| {
            ConfigError::new(format!("host {text:?} is not configured, and there is no `root` for all hosts"))
        })?;
        let taken = self.hosts.iter().any(|host| host.name == address.host());
        let host = HostConfig::ssh(address.clone(), root);
        Ok(if taken { host.named(text) } else { host })
    }

    pub(super) fn with(mut self, hosts: Vec<HostConfig>) -> Result<Self, ConfigError> {
        let mut twins = Twins::default();
        for host in &hosts {
            if let Some((_, message)) = twins.find_or_add(host, &hosts) {
                return Err(ConfigError::new(message));
            }
        }
        self.hosts = hosts;
        Ok(self)
    }
}

/// Whether `name` can be typed after `--host` and stays one word in every table.
pub(super) fn is_host_name(name: &str) -> bool {
    name.parse::<Address>().is_ok_and(|address| address.host() == name)
}

pub(super) fn not_a_host_name(name: &str) -> String {
    format!("{name:?} is not a host name: letters, digits, `.`, `_` and `-`, the first a letter or digit")
}

/// Finds hosts that conflict, in linear time.
///
/// Two users of the same machine and root are the same place. Two ports are two places: they may lead to two machines.
#[derive(Debug, Default)]
pub(super) struct Twins {
    /// The hosts added so far, by their names and by their places.
    by_name: HashMap<String, usize>,
    by_place: HashMap<PlaceKey, usize>,
}

/// A root, and the host and port that it is reached by, if it is not on this machine.
type PlaceKey = (HostPath, Option<(String, Option<u16>)>);

impl Twins {
    /// Finds the earlier of `hosts` that conflicts with `host`, the next of them, and says why.
    pub(super) fn find_or_add(&mut self, host: &HostConfig, hosts: &[HostConfig]) -> Option<(usize, String)> {
        let next = self.by_name.len();
        if let Some(&at) = self.by_name.get(&host.name) {
            return Some((at, format!("host {:?} is listed twice", host.name)));
        }
        let place = match &host.place {
            Place::Local => None,
            Place::Ssh(address) => Some((address.host().to_ascii_lowercase(), address.port())),
        };
        if let Some(&at) = self.by_place.get(&(host.root.clone(), place.clone())) {
            let other = &hosts[at].name;
            return Some((at, format!("hosts {other:?} and {:?} are the same place: {}", host.name, host.root)));
        }
        self.by_name.insert(host.name.clone(), next);
        self.by_place.insert((host.root.clone(), place), next);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<Address> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    fn names(config: &Config) -> Vec<&str> {
        config.hosts.iter().map(|host| host.name.as_str()).collect()
    }

    #[test]
    fn a_root_without_hosts_is_here() {
        let config = Config::for_root("/srv/shop".parse().expect("a path"), &[]).expect("a configuration");
        assert_eq!(names(&config), ["local"]);
        assert_eq!(config.hosts[0].place, Place::Local);
    }

    #[test]
    fn hosts_of_the_command_line_are_named_by_their_host() {
        let root: HostPath = "/srv/shop".parse().expect("a path");
        let config = Config::for_root(root.clone(), &addresses(&["u@a", "b:22"])).expect("a configuration");
        assert_eq!(names(&config), ["a", "b"]);
        let twice = Config::for_root(root, &addresses(&["a", "u@a"])).expect_err("listed twice");
        assert_eq!((twice.message(), twice.line()), ("host \"a\" is listed twice", None));
    }

    #[test]
    fn hosts_given_in_code_are_checked_as_those_of_a_file() {
        let root: HostPath = "/srv/shop".parse().expect("a path");
        let ssh = |address: &str| HostConfig::ssh(address.parse().expect("an address"), root.clone());
        let config = Config::new(vec![ssh("u@a"), ssh("b:22").named("db"), HostConfig::local(root.clone())]);
        assert_eq!(names(&config.expect("three places")), ["a", "db", "local"]);
        for (hosts, message) in [
            (vec![], "there is no host"),
            (vec![ssh("a"), ssh("b").named("a")], "host \"a\" is listed twice"),
            (vec![ssh("a"), ssh("u@a").named("b")], "hosts \"a\" and \"b\" are the same place: /srv/shop"),
            (vec![ssh("a").named("a b")], &not_a_host_name("a b")),
        ] {
            assert_eq!(Config::new(hosts).expect_err(message).message(), message);
        }
    }

    #[cfg(feature = "config")]
    #[test]
    fn configured_hosts_are_found_by_name_and_address() {
        let text = "[[host]]\nname='web1'\naddress='u@one'\nroot='/a'\n[[host]]\naddress='two:2'\nroot='/b'\n";
        let config = Config::parse(text, None).expect("a configuration");
        let chosen = config.clone().with_hosts(&addresses(&["two:2", "web1"])).expect("both are there");
        assert_eq!((names(&chosen), chosen.hosts[0].root.as_str()), (vec!["two", "web1"], "/b"));
        let error = config.with_hosts(&addresses(&["web2"])).expect_err("it is none of them");
        assert!(error.to_string().contains("did you mean web1?"), "{error}");
        let config = Config::parse("root='/a'", None).expect("a configuration");
        assert_eq!(names(&config.with_hosts(&addresses(&["u@new"])).expect("none are listed")), ["new"]);
    }

    #[cfg(feature = "config")]
    #[test]
    fn a_root_for_all_may_make_two_places_one() {
        let text = "[[host]]\nname='a'\nroot='/a'\n[[host]]\nname='b'\nroot='/b'\n";
        let config = Config::parse(text, None).expect("a configuration");
        let error = config.with_root(&"/c".parse().expect("a path")).expect_err("one place");
        assert_eq!(error.message(), "hosts \"a\" and \"b\" are the same place: /c");
    }
}
