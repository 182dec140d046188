//! `switchback drill`.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use futures_util::future::LocalBoxFuture;
use rustix::fs::{Access, access};
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

    fn check_files(&self) -> Result<(), Error> {
        self.report.iter().chain(&self.junit).try_for_each(|file| expect_writable(file))
    }

    /// Writes the legs and proofs of every run, so that CI sees it fail. A report that was written before is evidence:
    /// a run that was refused rehearsed nothing, and leaves it.
    fn write_files(&self, report: &Report) -> Result<(), Error> {
        let is_rehearsed = report.drill.is_some() && report.outcome != Outcome::Refused;
        let json = self.report.iter().filter(|_| is_rehearsed).try_for_each(|file| {
            let text = serde_json::to_string_pretty(report).map_err(|error| unwritten(file, error.into()))?;
            write(file, &(text + "\n"))
        });
        let junit = self.junit.iter().try_for_each(|file| write(file, &report.to_junit()));
        json.and(junit)
    }
}

/// Refuses a file that cannot be written, now rather than after the drill.
fn expect_writable(file: &Utf8Path) -> Result<(), Error> {
    let what = || Error::new(ErrorKind::Usage, format!("cannot write {file}, and nothing was touched"));
    if file.as_str().is_empty() || file.as_str().ends_with('/') {
        return Err(what().because("that names no file"));
    }
    // Missing directories are made with the file.
    for place in file.ancestors() {
        let place = if place.as_str().is_empty() { Utf8Path::new(".") } else { place };
        let is_file = match place.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => !found.map_err(|error| what().because(error))?.is_dir(),
        };
        let right = if is_file { Access::WRITE_OK } else { Access::WRITE_OK | Access::EXEC_OK };
        return match (place == file, is_file) {
            (true, false) => Err(what().because("it is a directory")),
            (false, true) => Err(what().because(format!("{place} is not a directory"))),
            _ => access(place.as_std_path(), right).map_err(|error| what().because(io::Error::from(error))),
        };
    }
    Ok(())
}

fn write(file: &Utf8Path, text: &str) -> Result<(), Error> {
    let directory = file.parent().filter(|directory| !directory.as_str().is_empty());
    let made = directory.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(file, text)).map_err(|error| unwritten(file, error))
}

fn unwritten(file: &Utf8Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot write the report of the drill to {file}")).because(error)
}
