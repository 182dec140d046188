//! `switchback deploy`.

use camino::Utf8PathBuf;
use clap::Args;
use switchback::ReleaseName;

use super::{Request, Why};
use crate::args::Hosts;

/// Uploads a release to every host and switches all of them to it at once
///
/// Every host is asked first everything that could refuse. When a step fails, everything is put back. A name that exists with the
/// same content is not uploaded again: hosts where it is current stay as they are, hosts that lack it get it, without `apply`. So a
/// pipeline that is run again ends with 0.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(after_help = examples!(
    "switchback deploy ./dist"
    "switchback -e staging deploy build.tar.gz --name build-17 -m 'new checkout'"
    "switchback deploy ./dist --name build-42 --from build-41 --wait 5m"
    "switchback --root /srv/shop --host deploy@web1 deploy ./dist"
))]
pub(crate) struct Deploy {
    /// What is deployed: a directory, or a .tar, .tar.gz or .tar.zst
    #[arg(value_name = "SOURCE")]
    source: Utf8PathBuf,
    /// The release's name: 1 to 128 letters, digits, `.`, `_`, `+`, `-` [default: UTC time and a random part]
    #[arg(long, value_name = "NAME")]
    name: Option<ReleaseName>,
    /// Deploys only where this release is current on every host (hosts that are on the new one already count), so that an older
    /// pipeline cannot overtake a newer one
    #[arg(long, value_name = "NAME")]
    from: Option<ReleaseName>,
    /// What it is built from, as version control calls it [default: what the CI job says, or the commit that is checked out where
    /// SOURCE is]
    #[arg(long, value_name = "REV", value_parser = switchback::revision::parse)]
    revision: Option<String>,
    /// Goes on although the hosts are on different releases
    #[arg(long)]
    allow_split: bool,
    /// Where the release is there already and not current, goes to it: activates it, or rolls back to it with the data, for a
    /// button that runs an old pipeline again. A bad release is refused
    #[arg(long)]
    or_return: bool,
    /// Goes on although the source holds no file
    #[arg(long)]
    allow_empty: bool,
    /// Says that its data cannot go back: a rollback from it is then refused, unless with --keep-data
    #[arg(long)]
    irreversible: bool,
    /// Accepts and records the data version that is found, where another was last known, or none is found any more
    #[arg(long)]
    accept_data: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl Deploy {
    pub(crate) fn request(&self) -> Request {
        Request::Deploy {
            source: self.source.clone(),
            name: self.name.clone(),
            from: self.from.clone(),
            revision: self.revision.clone(),
            allow_split: self.allow_split,
            or_return: self.or_return,
            irreversible: self.irreversible,
            empty: self.allow_empty,
            accept_data: self.accept_data,
            why: self.why.clone(),
        }
    }
}
