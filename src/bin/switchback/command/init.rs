//! `switchback init`.

use std::io::{ErrorKind as IoKind, Write};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use switchback::{Error, ErrorKind, config::STARTER};

use crate::{args::Global, target};

/// Writes a commented switchback.toml here, or where --config says
///
/// A file that is there already is never overwritten.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback init"
    "switchback --config deploy/shop.toml init"
))]
pub(crate) struct Init {}

/// Writes it; the path of what was written.
pub(crate) fn write(global: &Global) -> Result<Utf8PathBuf, Error> {
    let given = global.config.as_deref().filter(|file| !file.as_str().is_empty());
    let file = given.unwrap_or(Utf8Path::new(target::FILE));
    let created = fs_err::OpenOptions::new().write(true).create_new(true).open(file);
    let mut created = match created {
        Err(error) if error.kind() == IoKind::AlreadyExists => {
            return Err(Error::new(ErrorKind::Usage, format!("{file} is there already, and stays as it is"))
                .hint("look at it with `switchback config`"));
        }
        other => other.map_err(|error| failed(file, error))?,
    };
    created.write_all(STARTER.as_bytes()).and_then(|()| created.sync_all()).map_err(|error| failed(file, error))?;
    Ok(file.to_owned())
}

fn failed(file: &Utf8Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("{file} could not be written")).because(error)
}
