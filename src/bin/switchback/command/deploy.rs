//! `switchback deploy`.

use camino::Utf8PathBuf;
use clap::Args;
use switchback::ReleaseName;

use super::{Request, Why};
use crate::args::Hosts;

/// Upload a release to every host, then switch all hosts at once
///
/// Before anything is changed, every host is asked for everything that could refuse the deploy. If a later step fails,
/// the deploy is reverted on every host.
///
/// A release of the same name and content is not uploaded again: hosts where it is current stay as they are, and hosts
/// that lack it get it, without `apply`. A pipeline that runs again therefore exits with 0.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(after_help = examples!(
    "switchback deploy ./dist"
    "switchback -e staging deploy build.tar.gz --name build-17 -m 'new checkout'"
    "switchback deploy ./dist --name build-42 --from build-41 --wait 5m"
    "switchback --root /srv/shop --host deploy@web1 deploy ./dist"
))]
pub(crate) struct Deploy {
    /// Directory or archive (.tar, .tar.gz or .tar.zst) to deploy
    #[arg(value_name = "SOURCE")]
    source: Utf8PathBuf,
    /// Name of the release: 1 to 128 letters, digits, `.`, `_`, `+`, `-` [default: UTC time and a random part]
    #[arg(long, value_name = "NAME")]
    name: Option<ReleaseName>,
    /// Refuse to deploy unless this release is current on every host
    ///
    /// Hosts that are already on the new release are accepted too. Keeps an older pipeline from overtaking a newer one.
    #[arg(long, value_name = "NAME")]
    from: Option<ReleaseName>,
    /// Revision that SOURCE was built from [default: from the CI job, else the commit checked out in SOURCE]
    #[arg(long, value_name = "REV", value_parser = switchback::revision::parse)]
    revision: Option<String>,
    /// Proceed even if the hosts are on different releases
    #[arg(long)]
    allow_split: bool,
    /// If the hosts have the release but are not on it, switch to it
    ///
    /// The release is activated or, if it is a recorded previous one, rolled back to with its data: for a button that
    /// runs an old pipeline again. A bad release is refused.
    #[arg(long)]
    or_return: bool,
    /// Proceed even if SOURCE contains no files
    #[arg(long)]
    allow_empty: bool,
    /// Declare that the release's data changes cannot be reverted
    ///
    /// A rollback from it is then refused, except with --keep-data.
    #[arg(long)]
    irreversible: bool,
    /// Accept and record the data version that is found
    ///
    /// Without it, a version other than the last known one is a warning, and a missing version where one was known is
    /// refused.
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
