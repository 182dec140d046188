//! `switchback deploy`.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::{Error, ReleaseName, fleet::DeployOptions, report::Command as Reported};

use super::{Called, OnFleet, Why};
use crate::{
    args::Hosts,
    call::{self, Call, Digests},
    mistakes, target,
};

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
    hosts: Hosts,
}

impl OnFleet for Deploy {
    fn reported(&self) -> Reported {
        Reported::Deploy
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move {
            let mut options = DeployOptions::new()
                .run(call.options(&self.why))
                .allow_empty(self.allow_empty)
                .from(self.from.clone())
                .allow_split(self.allow_split)
                .or_return(self.or_return)
                .accept_data(self.accept_data);
            if let Some(revision) = self.revision.clone().or_else(|| call::built_from(&self.source)) {
                options = options.revision(revision);
            }
            if self.irreversible {
                options = options.irreversible("it was deployed as irreversible");
            }
            let release = call.release(&self.source, self.name.as_ref(), Digests::Cached).await;
            let release = release.map_err(|error| with_what_was_meant(error, &self.source, call))?;
            Ok(call.fleet.deploy(release, &options, call.watched()).await)
        })
    }
}

/// Adds to the error of a missing source what its name may be instead: a command, an environment, or a release.
fn with_what_was_meant(error: Error, source: &Utf8Path, call: &Call<'_>) -> Error {
    if source.exists() {
        return error;
    }
    let word = source.as_str();
    if mistakes::is_command(word) {
        return error.hint(format!("did you mean `switchback {word}`?"));
    }
    if target::environments(call.global).iter().any(|environment| environment == word) {
        return error.hint(format!("`switchback -e {word} deploy SOURCE` deploys to that environment"));
    }
    match word.parse::<ReleaseName>() {
        Ok(name) => {
            error.hint(format!("if {name} is a release on the hosts, `switchback activate {name}` switches to it"))
        }
        Err(_) => error,
    }
}
