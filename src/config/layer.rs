//! The configuration as written, with the place of each value, before it is resolved. Environments are overlaid
//! here.

use std::{collections::BTreeMap, ops::Range};

use serde::Deserialize;
use toml::Spanned;

use super::value::{DurationText, Jump};
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
    ($(#[$doc:meta])* $name:ident { $($key:ident: $value:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $(pub(super) $key: Option<$value>,)+
        }

        impl Table for $name {
            fn over(self, below: Self) -> Self {
                Self { $($key: Over::over(self.$key, below.$key),)+ }
            }

            fn spot(&self) -> Option<Range<usize>> {
                [$(Over::spot(&self.$key),)+].into_iter().flatten().min_by_key(|spot| spot.start)
            }
        }
    };
}

layer! {
    /// The whole file, or one environment.
    Layer {
        root: Text,
        host: Vec<Spanned<HostLayer>>,
        ssh: SshLayer,
        layout: LayoutLayer,
        parallel: Spanned<i64>,
        keep: Spanned<i64>,
        shared: Vec<Spanned<SharedPath>>,
        hooks: HooksLayer,
        data: DataLayer,
        validate: ValidateLayer,
        drill: DrillLayer,
        deploy: DeployLayer,
        source: SourceLayer,
        rollback: RollbackLayer,
        security: SecurityLayer,
        env: Spanned<BTreeMap<String, Layer>>,
    }
}

/// One `[[host]]`. A list of hosts replaces the list below, so hosts are never overlaid.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostLayer {
    pub(super) name: Option<Text>,
    pub(super) address: Option<Text>,
    pub(super) root: Option<Text>,
}

layer! {
    /// `[ssh]`.
    SshLayer {
        config: Text,
        identity: Text,
        known_hosts: Text,
        known_hosts_file: Text,
        connect_timeout: Spanned<DurationText>,
        exchange_timeout: Spanned<DurationText>,
        jump: Spanned<Jump>,
    }
}

layer! {
    /// `[layout]`.
    LayoutLayer {
        current: Text,
        releases: Text,
        shared: Text,
        state: Text,
    }
}

layer! {
    /// `[hooks]`.
    HooksLayer {
        prepare: Text,
        after_switch: Text,
        timeout: Spanned<DurationText>,
        env_file: Text,
        pass_env: Vec<Text>,
    }
}

layer! {
    /// `[data]`.
    DataLayer {
        host: Text,
        preset: Text,
        version: Text,
        apply: Text,
        revert: Text,
        revert_when: Text,
        timeout: Spanned<DurationText>,
        save: Vec<Text>,
    }
}

layer! {
    /// `[validate]`.
    ValidateLayer {
        command: Text,
        on: Text,
        start_within: Spanned<DurationText>,
        every: Spanned<DurationText>,
        r#for: Spanned<DurationText>,
        allow_failures: Spanned<i64>,
    }
}

layer! {
    /// `[drill]`.
    DrillLayer {
        fingerprint: Text,
    }
}

layer! {
    /// `[deploy]`.
    DeployLayer {
        require_drill: Text,
    }
}

layer! {
    /// `[source]`.
    SourceLayer {
        exclude: Vec<Text>,
        strip: Spanned<i64>,
        max_ratio: Spanned<i64>,
    }
}

layer! {
    /// `[rollback]`.
    RollbackLayer {
        verify: Text,
    }
}

layer! {
    /// `[security]`.
    SecurityLayer {
        group: Text,
        allow_writable: Spanned<bool>,
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
