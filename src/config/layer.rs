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
    ($(#[$doc:meta])* $name:ident { $($key:ident: $value:ty => $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $(#[serde(rename = $word)] pub(super) $key: Option<$value>,)+
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
    };
}

layer! {
    /// The whole file, or one environment.
    Layer {
        root: Text => "root",
        host: Vec<Spanned<HostLayer>> => "host",
        hosts_from: Text => "hosts_from",
        ssh: SshLayer => "ssh",
        layout: LayoutLayer => "layout",
        parallel: Spanned<i64> => "parallel",
        keep: Spanned<i64> => "keep",
        shared: Vec<Spanned<SharedPath>> => "shared",
        hooks: HooksLayer => "hooks",
        data: DataLayer => "data",
        validate: ValidateLayer => "validate",
        drill: DrillLayer => "drill",
        deploy: DeployLayer => "deploy",
        source: SourceLayer => "source",
        rollback: RollbackLayer => "rollback",
        security: SecurityLayer => "security",
        env: Spanned<BTreeMap<String, Layer>> => "env",
    }
}

layer! {
    /// One `[[host]]`. A list of hosts replaces that of the lower layer, so hosts are never overlaid.
    HostLayer {
        name: Text => "name",
        address: Text => "address",
        root: Text => "root",
    }
}

layer! {
    /// `[ssh]`.
    SshLayer {
        config: Text => "config",
        identity: Text => "identity",
        known_hosts: Text => "known_hosts",
        known_hosts_file: Text => "known_hosts_file",
        connect_timeout: Spanned<DurationText> => "connect_timeout",
        exchange_timeout: Spanned<DurationText> => "exchange_timeout",
        jump: Spanned<Jump> => "jump",
    }
}

layer! {
    /// `[layout]`.
    LayoutLayer {
        current: Text => "current",
        releases: Text => "releases",
        shared: Text => "shared",
        state: Text => "state",
    }
}

layer! {
    /// `[hooks]`.
    HooksLayer {
        prepare: Text => "prepare",
        after_switch: Text => "after_switch",
        timeout: Spanned<DurationText> => "timeout",
        env_file: Text => "env_file",
        pass_env: Vec<Text> => "pass_env",
    }
}

layer! {
    /// `[data]`.
    DataLayer {
        host: Text => "host",
        preset: Text => "preset",
        version: Text => "version",
        apply: Text => "apply",
        revert: Text => "revert",
        revert_when: Text => "revert_when",
        timeout: Spanned<DurationText> => "timeout",
        save: Vec<Text> => "save",
    }
}

layer! {
    /// `[validate]`.
    ValidateLayer {
        command: Text => "command",
        on: Text => "on",
        start_within: Spanned<DurationText> => "start_within",
        every: Spanned<DurationText> => "every",
        r#for: Spanned<DurationText> => "for",
        allow_failures: Spanned<i64> => "allow_failures",
    }
}

layer! {
    /// `[drill]`.
    DrillLayer {
        fingerprint: Text => "fingerprint",
    }
}

layer! {
    /// `[deploy]`.
    DeployLayer {
        require_drill: Text => "require_drill",
    }
}

layer! {
    /// `[source]`.
    SourceLayer {
        exclude: Vec<Text> => "exclude",
        strip: Spanned<i64> => "strip",
        max_ratio: Spanned<i64> => "max_ratio",
    }
}

layer! {
    /// `[rollback]`.
    RollbackLayer {
        verify: Text => "verify",
    }
}

layer! {
    /// `[security]`.
    SecurityLayer {
        group: Text => "group",
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
