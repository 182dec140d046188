//! `switchback stage`.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Args;
use switchback::{ReleaseName, config::parse_duration};

use super::Request;
use crate::args::Hosts;

/// Uploads a release to every host without switching to it, and prints its name
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "name=$(switchback stage ./dist) && switchback activate \"$name\""
))]
pub(crate) struct Stage {
    /// What is uploaded: a directory, or a .tar, .tar.gz or .tar.zst
    #[arg(value_name = "SOURCE")]
    source: Utf8PathBuf,
    /// The release's name: 1 to 128 letters, digits, `.`, `_`, `+`, `-` [default: UTC time and a random part]
    #[arg(long, value_name = "NAME")]
    name: Option<ReleaseName>,
    /// Goes on although the source holds no file
    #[arg(long)]
    allow_empty: bool,
    /// Waits so long for a lock that somebody else holds, such as 30s or 5m, instead of ending with 6
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    wait: Option<Duration>,
    /// Goes on without hosts that cannot be reached
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
