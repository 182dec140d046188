//! `switchback init`.

use std::{
    fs::Permissions,
    io::{ErrorKind as IoKind, Write},
    os::unix::fs::PermissionsExt,
    process::ExitCode,
};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use switchback::{Error, ErrorKind, config::STARTER};

use super::OnMachine;
use crate::{
    args::{Global, Hosts},
    render, target,
};

/// Write a commented switchback.toml
///
/// Writes it here, or to the file given with --config. An existing file is never overwritten.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback init"
    "switchback --config deploy/shop.toml init"
))]
pub(crate) struct Init {}

impl OnMachine for Init {
    fn run(&self, name: &str, global: &Global, _: &Hosts) -> Result<ExitCode, Error> {
        let file = write(global)?;
        let next = format!("Wrote {file}. Next: set the root and the hosts in it, then run `switchback check`.");
        render::done(name, global, Some(&next))
    }
}

/// Writes the starter configuration and returns its path. An existing file is an [`ErrorKind::Usage`].
fn write(global: &Global) -> Result<Utf8PathBuf, Error> {
    let given = global.config.as_deref().filter(|file| !file.as_str().is_empty());
    let file = given.unwrap_or(Utf8Path::new(target::FILE));
    // A temporary file, published as a whole at the end: a killed run leaves a complete file or none.
    let directory = file.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let mut beside = tempfile::Builder::new();
    beside.prefix(".switchback-init-").permissions(Permissions::from_mode(0o666));
    let mut written = beside.tempfile_in(directory).map_err(|error| failed(file, error))?;
    let content = written.write_all(STARTER.as_bytes()).and_then(|()| written.as_file().sync_all());
    content.map_err(|error| failed(file, error))?;
    match written.persist_noclobber(file) {
        Err(refused) if refused.error.kind() == IoKind::AlreadyExists => {
            Err(Error::new(ErrorKind::Usage, format!("{file} already exists, and was not changed"))
                .hint("look at it with `switchback config`"))
        }
        Err(refused) => Err(failed(file, refused.error)),
        Ok(_) => Ok(file.to_owned()),
    }
}

fn failed(file: &Utf8Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot write {file}")).because(error)
}
