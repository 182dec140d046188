//! The resolved configuration as TOML: the output of `switchback config` can be read again.

use camino::Utf8Path;
use serde::{Serialize, Serializer};

use super::{
    Config, Place, duration,
    show_commands::{Data, Hooks, Validate},
};
use crate::{
    address::Address, group::GroupName, path::HostPath, shared::SharedPath, target_check::TargetCheck,
    transport::KnownHosts,
};

/// The keys in the order that TOML requires: values, then tables.
#[derive(Serialize)]
struct View<'a> {
    #[serde(rename = "root", skip_serializing_if = "Option::is_none")]
    root: Option<&'a HostPath>,
    #[serde(rename = "hosts_from", skip_serializing_if = "Option::is_none")]
    hosts_from: Option<&'a str>,
    #[serde(rename = "parallel")]
    parallel: usize,
    #[serde(rename = "keep", skip_serializing_if = "Option::is_none")]
    keep: Option<u32>,
    #[serde(rename = "shared")]
    shared: &'a [SharedPath],
    #[serde(rename = "ssh")]
    ssh: Ssh<'a>,
    #[serde(rename = "layout")]
    layout: Names<'a>,
    #[serde(rename = "hooks")]
    hooks: Hooks<'a>,
    #[serde(rename = "data", skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
    #[serde(rename = "validate", skip_serializing_if = "Option::is_none")]
    validate: Option<Validate<'a>>,
    #[serde(rename = "drill", skip_serializing_if = "Option::is_none")]
    drill: Option<Drill<'a>>,
    #[serde(rename = "deploy", skip_serializing_if = "Option::is_none")]
    deploy: Option<Deploy<'a>>,
    #[serde(rename = "source")]
    source: Source<'a>,
    #[serde(rename = "rollback")]
    rollback: Rollback,
    #[serde(rename = "security")]
    security: Security<'a>,
    #[serde(rename = "host")]
    host: Vec<Host<'a>>,
}

#[derive(Serialize)]
struct Ssh<'a> {
    #[serde(rename = "config", skip_serializing_if = "Option::is_none")]
    config: Option<&'a Utf8Path>,
    #[serde(rename = "identity", skip_serializing_if = "Option::is_none")]
    identity: Option<&'a Utf8Path>,
    #[serde(rename = "known_hosts")]
    known_hosts: KnownHosts,
    #[serde(rename = "known_hosts_file", skip_serializing_if = "Option::is_none")]
    known_hosts_file: Option<&'a Utf8Path>,
    #[serde(rename = "connect_timeout")]
    connect_timeout: String,
    #[serde(rename = "exchange_timeout")]
    exchange_timeout: String,
    #[serde(rename = "jump")]
    jump: &'a [Address],
}

#[derive(Serialize)]
struct Names<'a> {
    #[serde(rename = "current")]
    current: &'a str,
    #[serde(rename = "releases")]
    releases: &'a str,
    #[serde(rename = "shared")]
    shared: &'a str,
    #[serde(rename = "state")]
    state: &'a str,
}

#[derive(Serialize)]
struct Host<'a> {
    #[serde(rename = "name")]
    name: &'a str,
    #[serde(rename = "address", skip_serializing_if = "Option::is_none")]
    address: Option<&'a Address>,
    #[serde(rename = "root")]
    root: &'a HostPath,
}

#[derive(Serialize)]
struct Drill<'a> {
    #[serde(rename = "fingerprint")]
    fingerprint: &'a str,
}

#[derive(Serialize)]
struct Deploy<'a> {
    #[serde(rename = "require_drill")]
    require_drill: &'a Utf8Path,
}

#[derive(Serialize)]
struct Source<'a> {
    #[serde(rename = "exclude")]
    exclude: &'a [String],
    #[serde(rename = "strip", skip_serializing_if = "Option::is_none")]
    strip: Option<usize>,
    #[serde(rename = "max_ratio")]
    max_ratio: u64,
}

#[derive(Serialize)]
struct Rollback {
    #[serde(rename = "verify")]
    verify: TargetCheck,
}

#[derive(Serialize)]
struct Security<'a> {
    #[serde(rename = "group", skip_serializing_if = "Option::is_none")]
    group: Option<&'a GroupName>,
    #[serde(rename = "allow_writable")]
    allow_writable: bool,
}

#[cfg_attr(docsrs, doc(cfg(feature = "config")))]
impl Config {
    /// Formats the resolved configuration as TOML that parses to the same configuration. Hosts that a command listed are
    /// written as others are, and the command before them as a comment.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "text, numbers and tables always have a TOML form")]
    pub fn to_toml(&self) -> String {
        let mut view = self.view();
        let from = view.hosts_from.take_if(|_| !self.hosts.is_empty());
        let text = toml::to_string(&view).expect("a configuration has only text, numbers and tables");
        let Some(from) = from else { return text };
        let from = from.replace('\n', "\n#     ");
        format!("# The hosts are those that this command listed:\n#     {from}\n\n{text}")
    }

    fn view(&self) -> View<'_> {
        let ssh = &self.ssh;
        View {
            root: self.root.as_ref(),
            hosts_from: self.hosts_from.as_ref().map(super::HostsFrom::command),
            parallel: self.parallel,
            keep: self.keep,
            shared: &self.shared,
            ssh: Ssh {
                config: ssh.config.as_deref(),
                identity: ssh.identity.as_deref(),
                known_hosts: ssh.known_hosts,
                known_hosts_file: ssh.known_hosts_file.as_deref(),
                connect_timeout: duration::print(ssh.connect_timeout),
                exchange_timeout: duration::print(ssh.exchange_timeout),
                jump: &ssh.jump,
            },
            layout: Names {
                current: self.layout.current().as_str(),
                releases: self.layout.releases().as_str(),
                shared: self.layout.shared().as_str(),
                state: self.layout.state().as_str(),
            },
            hooks: Hooks::new(&self.commands),
            data: self.commands.data.as_ref().map(Data::new),
            validate: self.commands.validation.as_ref().map(Validate::new),
            drill: self.commands.fingerprint.as_deref().map(|fingerprint| Drill { fingerprint }),
            deploy: self.require_drill.as_deref().map(|require_drill| Deploy { require_drill }),
            source: Source {
                exclude: &self.source_exclude,
                strip: self.source_strip,
                max_ratio: self.source_max_ratio,
            },
            rollback: Rollback { verify: self.target_check },
            security: Security { group: self.group.as_ref(), allow_writable: self.allow_writable },
            host: self.hosts.iter().map(Host::new).collect(),
        }
    }
}

impl<'a> Host<'a> {
    fn new(host: &'a super::HostConfig) -> Self {
        let address = match &host.place {
            Place::Local => None,
            Place::Ssh(address) => Some(address),
        };
        Self { name: &host.name, address, root: &host.root }
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "config")))]
impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.view().serialize(serializer)
    }
}
