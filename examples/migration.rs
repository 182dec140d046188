//! Data that rolls back with the code, through Rust code instead of commands.
//!
//! Here it is a table of settings in a file, whose migrations are functions. A crate for migrations would take their
//! place.
//!
//! `cargo run --example migration`

use std::{path::PathBuf, sync::Arc};

use switchback::{
    BoxFuture, Config, Error, ErrorKind, Fleet, HostPath,
    data::{DataMigration, DataVersion},
    event::Silent,
    fleet::{Code, DeployOptions, RollbackOptions},
    hook::{HookShell, Occasion},
    release::NewRelease,
    tree::Tree,
};

/// A migration forward, and the one back.
type Step = (fn(&str) -> String, fn(&str) -> String);

/// The migrations, oldest first; a release knows as many as its number says.
const STEPS: [Step; 2] = [
    (|text| format!("{text}currency = EUR\n"), |text| text.replace("currency = EUR\n", "")),
    (|text| text.replace("currency", "money"), |text| text.replace("money", "currency")),
];

/// Keeps the settings in a file whose first line is the number of applied migrations.
#[derive(Debug)]
struct Settings {
    file: PathBuf,
}

impl Settings {
    fn read(&self) -> Result<(usize, String), Error> {
        let text = fs_err::read_to_string(&self.file).unwrap_or_else(|_| "0\n".to_owned());
        let (number, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let number = number.parse().map_err(|error| failed("the settings begin with no number").because(error))?;
        Ok((number, rest.to_owned()))
    }

    /// Applies one migration: the number and the text change together, by one rename.
    fn write(&self, number: usize, text: &str) -> Result<(), Error> {
        let beside = self.file.with_extension("new");
        let written = fs_err::write(&beside, format!("{number}\n{text}"));
        let moved = written.and_then(|()| fs_err::rename(&beside, &self.file));
        moved.map_err(|error| failed("the settings could not be written").because(error))
    }

    fn go(&self, to: usize) -> Result<(), Error> {
        loop {
            let (at, text) = self.read()?;
            match at.cmp(&to) {
                std::cmp::Ordering::Less => self.write(at + 1, &STEPS[at].0(&text))?,
                std::cmp::Ordering::Greater => self.write(at - 1, &STEPS[at - 1].1(&text))?,
                std::cmp::Ordering::Equal => return Ok(()),
            }
        }
    }
}

fn failed(what: &str) -> Error {
    Error::new(ErrorKind::DataFailed, what)
}

impl DataMigration for Settings {
    fn version<'a>(&'a self, _: &'a Occasion, _: &'a mut dyn HookShell) -> BoxFuture<'a, Result<DataVersion, Error>> {
        Box::pin(async {
            let (number, _) = self.read()?;
            DataVersion::new(&number.to_string()).map_err(|error| failed("no version").because(error))
        })
    }

    fn apply<'a>(&'a self, at: &'a Occasion, _: &'a mut dyn HookShell) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async {
            let steps = at.release.as_str().trim_start_matches('v').parse().unwrap_or(STEPS.len());
            self.go(steps)
        })
    }

    fn revert<'a>(
        &'a self,
        _: &'a Occasion,
        target: &'a DataVersion,
        _: &'a mut dyn HookShell,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async {
            let steps = target.as_str().parse().map_err(|error| failed("no number to go back to").because(error))?;
            self.go(steps)
        })
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let root: HostPath = directory.path().join("root").to_str().ok_or("not UTF-8")?.parse()?;
    let fleet = Fleet::from_config(&Config::for_root(root, &[])?)?;
    let settings = Arc::new(Settings { file: directory.path().join("settings") });

    let code = Code::new().migration(settings.clone());
    let deploying = DeployOptions::new().code(code.clone());
    for name in ["v1", "v2"] {
        let release = NewRelease::new(name.parse()?, Tree::from_memory([("page", name.as_bytes())])?);
        fleet.deploy(Arc::new(release), &deploying, Silent).await?;
        println!("{name}: {:?}", settings.read()?);
    }
    assert_eq!(settings.read()?, (2, "money = EUR\n".to_owned()));

    let report = fleet.rollback(&RollbackOptions::new().code(code), Silent).await?;
    println!("back on v1: {:?}, {}", settings.read()?, serde_json::to_string(&report.data)?);
    assert_eq!(settings.read()?, (1, "currency = EUR\n".to_owned()));
    fleet.close().await;
    Ok(())
}
