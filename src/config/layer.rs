//! The configuration as written, with the place of each value, before it is resolved. Environments are overlaid
//! here.

use std::{collections::BTreeMap, ops::Range};

use serde::Deserialize;
use toml::Spanned;

use super::{
    kind::{Key, Keys, Kind},
    value::{DurationText, Jump},
};
use crate::shared::SharedPath;

/// A text with its place.
pub(super) type Text = Spanned<String>;

/// A set of keys that is overlaid key by key.
pub(super) trait Table: Default {
    /// Returns this table, with unset keys taken from `below`.
    fn over(self, below: Self) -> Self;

    /// Returns the place of the first value that is set; `None` if none is.
    fn spot(&self) -> Option<Range<usize>>;
}

macro_rules! layer {
    ($(#[$doc:meta])* $name:ident { $($(#[doc = $about:literal])+ $key:ident: $value:ty => $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[doc = $about])+ #[serde(rename = $word)] pub(super) $key: Option<$value>,)+
        }

        impl Table for $name {
            fn over(self, below: Self) -> Self {
                Self { $($key: Over::over(self.$key, below.$key),)+ }
            }

            fn spot(&self) -> Option<Range<usize>> {
                [$(Over::spot(&self.$key),)+].into_iter().flatten().min_by_key(|spot| spot.start)
            }
        }

        impl Keys for $name {
            const KEYS: &'static [Key] = &[$(($word, <$value as Kind>::check),)+];
            const NAMES: &'static [&'static str] = &[$($word),+];
        }

        #[cfg(test)]
        impl super::schema::Shape for $name {
            fn shape() -> serde_json::Value {
                super::schema::table(&[$(($word, concat!($($about),+), <$value as super::schema::Shape>::shape()),)+])
            }
        }
    };
}

layer! {
    /// The whole file, or one environment.
    Layer {
        /// The deploy root on every host: an absolute path.
        root: Text => "root",
        /// The hosts, one block each. Default: this machine alone.
        host: Vec<Spanned<HostLayer>> => "host",
        /// A command that lists the hosts, instead of blocks: run by `sh` on this machine, in the directory of this
        /// file. It prints a host on each line, or JSON as `ansible-inventory --list` does.
        hosts_from: Text => "hosts_from",
        /// How to reach hosts. Paths are relative to this file; `~/` is your home directory.
        ssh: SshLayer => "ssh",
        /// The names below the root.
        layout: LayoutLayer => "layout",
        /// How many hosts to work on at once, 1 to 1024. Default: 32.
        parallel: Spanned<i64> => "parallel",
        /// How many good releases to keep beside the current one, 0 to 100000. Default: all.
        keep: Spanned<i64> => "keep",
        /// Files and directories that all releases share; a slash at the end means a directory.
        shared: Vec<Spanned<SharedPath>> => "shared",
        /// Commands to run around the switch: by `sh`, on every host, in the directory of the target release.
        hooks: HooksLayer => "hooks",
        /// Commands that migrate the data, once for all hosts.
        data: DataLayer => "data",
        /// The command that decides whether a release works after the switch. If it fails, a deploy is reverted.
        validate: ValidateLayer => "validate",
        /// The rehearsal of a deploy and a rollback.
        drill: DrillLayer => "drill",
        /// What a deploy requires.
        deploy: DeployLayer => "deploy",
        /// What is read of a source.
        source: SourceLayer => "source",
        /// How a rollback verifies its target.
        rollback: RollbackLayer => "rollback",
        /// Who may write to a root.
        security: SecurityLayer => "security",
        /// Environments: the same keys, laid over the others by `-e NAME`. A list replaces the whole list.
        env: Spanned<BTreeMap<String, Layer>> => "env",
    }
}

layer! {
    /// One `[[host]]`. A list of hosts replaces that of the lower layer, so hosts are never overlaid.
    HostLayer {
        /// The name in reports, or a range of names such as `web[01-40]`. Default: the host of the address.
        name: Text => "name",
        /// `[user@]host[:port]`, an alias of your ssh configuration, or a range such as `web[01-40].example.com`.
        /// Default: this machine.
        address: Text => "address",
        /// The root on this host. Default: the root of all hosts.
        root: Text => "root",
    }
}

layer! {
    /// `[ssh]`.
    SshLayer {
        /// An ssh configuration to use instead of yours and the system's.
        config: Text => "config",
        /// The only key to offer. Default: the keys of your agent and configuration.
        identity: Text => "identity",
        /// Whether to accept and remember the key of a new host. Default: `strict`.
        known_hosts: Text => "known_hosts",
        /// The file of known host keys. Default: your own.
        known_hosts_file: Text => "known_hosts_file",
        /// The time limit for connecting. Default: `10s`.
        connect_timeout: Spanned<DurationText> => "connect_timeout",
        /// The time limit for one exchange, once connected. Default: `60s`.
        exchange_timeout: Spanned<DurationText> => "exchange_timeout",
        /// A jump host, or a list of them, first to last.
        jump: Spanned<Jump> => "jump",
    }
}

layer! {
    /// `[layout]`.
    LayoutLayer {
        /// The symlink to the current release. Default: `current`.
        current: Text => "current",
        /// The directory of the releases; `.` makes them siblings of the link. Default: `releases`.
        releases: Text => "releases",
        /// The directory of what outlives releases. Default: `shared`.
        shared: Text => "shared",
        /// The tool's own directory. Default: `.switchback`.
        state: Text => "state",
    }
}

layer! {
    /// `[hooks]`.
    HooksLayer {
        /// Runs in a new release, on every host, before any host switches.
        prepare: Text => "prepare",
        /// Runs on every host after the switch, in a deploy and in a rollback.
        after_switch: Text => "after_switch",
        /// The time limit for each of them, and for one attempt of the validation. Default: `5m`.
        timeout: Spanned<DurationText> => "timeout",
        /// A file of lines NAME=VALUE: variables for every command.
        env_file: Text => "env_file",
        /// Variables of this machine to pass to every command.
        pass_env: Vec<Text> => "pass_env",
    }
}

layer! {
    /// `[data]`.
    DataLayer {
        /// Where the data commands run, once for all hosts; `controller` is this machine. Default: the first host.
        host: Text => "host",
        /// A known migration tool: sets the three commands.
        preset: Text => "preset",
        /// Prints the data version as its last line, and changes nothing.
        version: Text => "version",
        /// Migrates the data forward, in a deploy.
        apply: Text => "apply",
        /// Reverts the data to exactly `$SWITCHBACK_DATA_TARGET`, in a rollback.
        revert: Text => "revert",
        /// When the data is reverted; `before-switch` is for code that cannot run on newer data.
        /// Default: `after-switch`.
        revert_when: Text => "revert_when",
        /// The time limit for each command. Default: none.
        timeout: Spanned<DurationText> => "timeout",
        /// Paths in a release to keep for its `revert`.
        save: Vec<Text> => "save",
    }
}

layer! {
    /// `[validate]`.
    ValidateLayer {
        /// Exits with 0 if the release is good.
        command: Text => "command",
        /// Where it runs: on every host, or once on this machine. Default: `hosts`.
        on: Text => "on",
        /// How long it may fail before it first succeeds. Default: `0s`.
        start_within: Spanned<DurationText> => "start_within",
        /// The pause between two attempts. Default: `2s`.
        every: Spanned<DurationText> => "every",
        /// How long it must then keep succeeding. Default: `0s`, one success is enough.
        r#for: Spanned<DurationText> => "for",
        /// The same after a rollback. Default: `0s`.
        rollback_for: Spanned<DurationText> => "rollback_for",
        /// How many failures in a row to tolerate meanwhile. Default: 0.
        allow_failures: Spanned<i64> => "allow_failures",
    }
}

layer! {
    /// `[drill]`.
    DrillLayer {
        /// Prints a fingerprint of the data for a drill to compare.
        fingerprint: Text => "fingerprint",
    }
}

layer! {
    /// `[deploy]`.
    DeployLayer {
        /// A directory of drill reports: a source without a passed drill there is refused.
        require_drill: Text => "require_drill",
    }
}

layer! {
    /// `[source]`.
    SourceLayer {
        /// Patterns of files not to send, in the syntax of `.gitignore`.
        exclude: Vec<Text> => "exclude",
        /// How many leading directories to strip from the paths of an archive, at most 256.
        strip: Spanned<i64> => "strip",
        /// Refuses an archive that expands beyond 100 MiB and this many times its size. Default: 200.
        max_ratio: Spanned<i64> => "max_ratio",
    }
}

layer! {
    /// `[rollback]`.
    RollbackLayer {
        /// How to verify the target of a rollback or activation before the switch: types, modes and sizes, contents
        /// too, or nothing. Default: `quick`.
        verify: Text => "verify",
    }
}

layer! {
    /// `[security]`.
    SecurityLayer {
        /// A group on the hosts whose members share the root. Default: one account owns it.
        group: Text => "group",
        /// Accepts a root below a world-writable directory. Default: false.
        allow_writable: Spanned<bool> => "allow_writable",
    }
}

/// The overlay of one key: tables are merged, everything else is replaced.
trait Over: Sized {
    fn over(self, below: Self) -> Self;

    /// Returns the place of the value, or of the first item of a list.
    fn spot(&self) -> Option<Range<usize>>;
}

impl<T> Over for Option<Spanned<T>> {
    fn over(self, below: Self) -> Self {
        self.or(below)
    }

    fn spot(&self) -> Option<Range<usize>> {
        self.as_ref().map(Spanned::span)
    }
}

impl<T> Over for Option<Vec<Spanned<T>>> {
    fn over(self, below: Self) -> Self {
        self.or(below)
    }

    fn spot(&self) -> Option<Range<usize>> {
        self.as_ref().and_then(|list| list.first()).map(Spanned::span)
    }
}

impl<T: Table> Over for Option<T> {
    fn over(self, below: Self) -> Self {
        Some(self.unwrap_or_default().over(below.unwrap_or_default()))
    }

    fn spot(&self) -> Option<Range<usize>> {
        self.as_ref().and_then(Table::spot)
    }
}
