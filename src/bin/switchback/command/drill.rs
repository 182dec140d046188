//! `switchback drill`.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use switchback::{Error, ErrorKind, ReleaseName, Report};

use super::{Request, Why};
use crate::args::Hosts;

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
    #[arg(long, value_name = "FILE")]
    report: Option<Utf8PathBuf>,
    /// Write the legs and proofs to FILE as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<Utf8PathBuf>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl Drill {
    pub(crate) fn request(&self) -> Request {
        let (source, name, why) = (self.source.clone(), self.name.clone(), self.why.clone());
        Request::Drill { source, name, empty: self.allow_empty, why }
    }

    /// Writes the files of `--report` and `--junit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if a file cannot be written. The drill itself has finished by then.
    pub(crate) fn write_reports(&self, report: &Report) -> Result<(), Error> {
        if let Some(file) = &self.report {
            let text = serde_json::to_string_pretty(report).map_err(|error| unwritten(file, error))?;
            write(file, &(text + "\n"))?;
        }
        if let (Some(file), Some(drill)) = (&self.junit, &report.drill) {
            write(file, &drill.to_junit())?;
        }
        Ok(())
    }
}

fn write(file: &Utf8Path, text: &str) -> Result<(), Error> {
    if let Some(directory) = file.parent().filter(|directory| !directory.as_str().is_empty()) {
        fs_err::create_dir_all(directory).map_err(|error| unwritten(file, error))?;
    }
    fs_err::write(file, text).map_err(|error| unwritten(file, error))
}

fn unwritten(file: &Utf8Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Internal, format!("the drill is over, but its report could not be written to {file}"))
        .because(error)
}
