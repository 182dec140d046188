//! `switchback stage`.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Args;
use switchback::{ReleaseName, config::parse_duration};

use super::Request;
use crate::args::Hosts;

/// Upload a release to every host, without switching to it
///
/// Prints the release's name.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "name=$(switchback stage ./dist) && switchback activate \"$name\""
))]
pub(crate) struct Stage {
    /// Directory or archive (.tar, .tar.gz or .tar.zst) to upload
    #[arg(value_name = "SOURCE")]
    source: Utf8PathBuf,
    /// Name of the release: 1 to 128 letters, digits, `.`, `_`, `+`, `-` [default: UTC time and a random part]
    #[arg(long, value_name = "NAME")]
    name: Option<ReleaseName>,
    /// Proceed even if SOURCE contains no files
    #[arg(long)]
    allow_empty: bool,
    /// Wait up to DURATION, such as 30s or 5m, for a lock
    ///
    /// Without it, a lock held by someone else ends the command at once with exit code 6.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    wait: Option<Duration>,
    /// Skip hosts that cannot be reached
    #[arg(long)]
    skip_unreachable: bool,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl Stage {
    pub(crate) fn request(&self) -> Request {
        let (source, name) = (self.source.clone(), self.name.clone());
        let (empty, wait, skip_unreachable) = (self.allow_empty, self.wait, self.skip_unreachable);
        Request::Stage { source, name, empty, wait, skip_unreachable }
    }
}
