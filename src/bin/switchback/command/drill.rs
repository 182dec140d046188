//! `switchback drill`.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::{
    Error, ErrorKind, ReleaseName, Report, fleet::DrillOptions, report::Command as Reported, report::Outcome,
};

use super::{Called, OnFleet, Why};
use crate::{
    args::Hosts,
    call::{self, Call, Digests},
};

/// Rehearse a rollback: deploy, roll back, deploy again, with proof
///
/// Each leg must prove that it did what it says. Afterwards the hosts are on the new release. If there is nothing to
/// roll back to, SOURCE is first deployed as a baseline. Exits with 0 only if every proof held, and with 8 if one did
/// not.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback drill ./dist"
    "switchback drill build.tar.gz --name build-17 --junit drill.xml"
    "switchback -e integration drill ./dist --report drills/build-17.json"
))]
pub(crate) struct Drill {
    /// Directory or archive (.tar, .tar.gz or .tar.zst) to deploy
    #[arg(value_name = "SOURCE")]
    source: Utf8PathBuf,
    /// Name of the release: 1 to 128 letters, digits, `.`, `_`, `+`, `-` [default: UTC time and a random part]
    #[arg(long, value_name = "NAME")]
    name: Option<ReleaseName>,
    /// Proceed even if SOURCE contains no files
    #[arg(long)]
    allow_empty: bool,
    /// Write the report to FILE as JSON, as `[deploy] require_drill` needs it
    ///
    /// A dry run writes no file; a drill that is refused leaves the report of an earlier one.
    #[arg(long, value_name = "FILE")]
    report: Option<Utf8PathBuf>,
    /// Write the legs and proofs to FILE as JUnit XML
    ///
    /// A drill that is refused is a failed test there.
    #[arg(long, value_name = "FILE")]
    junit: Option<Utf8PathBuf>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Drill {
    fn reported(&self) -> Reported {
        Reported::Drill
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move {
            let mut options = DrillOptions::new().run(call.options(&self.why)).allow_empty(self.allow_empty);
            if let Some(revision) = call::built_from(&self.source) {
                options = options.revision(revision);
            }
            // A drill proves the contents themselves: no cached digests.
            let release = call.release(&self.source, self.name.as_ref(), Digests::Computed).await?;
            Ok(call.fleet.drill(release, &options, call.watched()).await)
        })
    }

    /// Writes the legs and proofs of every run, so that CI sees it fail. A report that was written before is evidence:
    /// a run that was refused rehearsed nothing, and leaves it.
    fn write_files(&self, report: &Report) -> Result<(), Error> {
        let is_rehearsed = report.drill.is_some() && report.outcome != Outcome::Refused;
        if let Some(file) = self.report.as_ref().filter(|_| is_rehearsed) {
            let text = serde_json::to_string_pretty(report).map_err(|error| unwritten(file, error))?;
            write(file, &(text + "\n"))?;
        }
        self.junit.as_ref().map_or(Ok(()), |file| write(file, &report.to_junit()))
    }
}

fn write(file: &Utf8Path, text: &str) -> Result<(), Error> {
    if let Some(directory) = file.parent().filter(|directory| !directory.as_str().is_empty()) {
        fs_err::create_dir_all(directory).map_err(|error| unwritten(file, error))?;
    }
    fs_err::write(file, text).map_err(|error| unwritten(file, error))
}

fn unwritten(file: &Utf8Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Internal, format!("the drill finished, but its report could not be written to {file}"))
        .because(error)
}
