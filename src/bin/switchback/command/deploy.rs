//! `switchback deploy`.

use camino::Utf8PathBuf;
use clap::Args;
use switchback::ReleaseName;

use super::{Request, Why};
use crate::args::Hosts;

/// Uploads a release to every host and switches all of them to it at once
///
/// Every host is asked first everything that could refuse. When a step fails, everything is put back.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback deploy ./dist"
    "switchback -e staging deploy build.tar.gz --name build-17 -m 'new checkout'"
    "switchback --root /srv/shop --host deploy@web1 deploy ./dist"
))]
pub(crate) struct Deploy {
    /// What is deployed: a directory, or a .tar, .tar.gz or .tar.zst
    #[arg(value_name = "SOURCE")]
    source: Utf8PathBuf,
    /// The release's name: 1 to 128 letters, digits, `.`, `_`, `+`, `-` [default: UTC time and a random part]
    #[arg(long, value_name = "NAME")]
    name: Option<ReleaseName>,
    /// Goes on although the hosts are on different releases
    #[arg(long)]
    allow_split: bool,
    /// Says that its data cannot go back: a rollback from it is then refused, unless with --keep-data
    #[arg(long)]
    irreversible: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl Deploy {
    /// What it asks of the fleet.
    pub(crate) fn request(&self) -> Request {
        Request::Deploy {
            source: self.source.clone(),
            name: self.name.clone(),
            allow_split: self.allow_split,
            irreversible: self.irreversible,
            why: self.why.clone(),
        }
    }
}
