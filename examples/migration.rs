//! Data that rolls back with the code: SQLite, migrated by `rusqlite_migration`. Where a script down is missing, a
//! rollback is refused before it touches anything. `cargo run --example migration`

use rusqlite_migration::{M, Migrations};
use std::{error::Error, path::PathBuf, sync::Arc};
use switchback::data::{DataMigration, DataVersion};
use switchback::fleet::{Code, DeployOptions, RollbackOptions};
use switchback::hook::{HookShell, Occasion};
use switchback::{BoxFuture, Config, ErrorKind, Fleet, event::Silent, release::NewRelease, tree::Tree};

/// The scripts up and down. Each release has one more than the release before it.
const SCRIPTS: [(&str, Option<&str>); 3] = [
    ("CREATE TABLE fruit (name TEXT)", Some("DROP TABLE fruit")),
    ("DELETE FROM fruit", None),
    ("ALTER TABLE fruit ADD price INTEGER", Some("ALTER TABLE fruit DROP price")),
];
type Done<'a, T> = BoxFuture<'a, Result<T, switchback::Error>>;
#[derive(Debug)]
struct Database(PathBuf);
impl Database {
    fn migrate<'a>(&'a self, to: Option<&'a str>) -> Done<'a, DataVersion> {
        let migrate = move || -> Result<DataVersion, Box<dyn Error + Send + Sync>> {
            let mut database = rusqlite::Connection::open(&self.0)?;
            let all = Migrations::from_iter(SCRIPTS.map(|(up, down)| down.into_iter().fold(M::up(up), M::down)));
            to.map(str::parse).transpose()?.map_or(Ok(()), |to| all.to_version(&mut database, to))?;
            Ok(DataVersion::new(&usize::from(&all.current_version(&database)?).to_string())?)
        };
        let failed = |why| switchback::Error::new(ErrorKind::DataFailed, "the migration failed").because(why);
        Box::pin(async move { migrate().map_err(failed) })
    }
}
impl DataMigration for Database {
    fn version<'a>(&'a self, _: &'a Occasion, _: &'a mut dyn HookShell) -> Done<'a, DataVersion> {
        self.migrate(None)
    }
    fn apply<'a>(&'a self, at: &'a Occasion, _: &'a mut dyn HookShell) -> Done<'a, ()> {
        Box::pin(async { self.migrate(at.release.as_str().strip_prefix('v')).await.map(drop) })
    }
    fn revert<'a>(&'a self, _: &'a Occasion, to: &'a DataVersion, _: &'a mut dyn HookShell) -> Done<'a, ()> {
        Box::pin(async { self.migrate(Some(to.as_str())).await.map(drop) })
    }
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let fleet = Fleet::from_config(&Config::for_root(format!("{}/root", directory.path().display()).parse()?, &[])?)?;
    let code = Code::new().migration(Arc::new(Database(directory.path().join("shop.db"))));
    for (name, (_, down)) in ["v1", "v2", "v3"].into_iter().zip(SCRIPTS) {
        let release = NewRelease::new(name.parse()?, Tree::from_memory([("page", name.as_bytes())])?);
        let mut options = DeployOptions::new().code(code.clone());
        if down.is_none() {
            options = options.irreversible(format!("{name} has no script down"));
        }
        fleet.deploy(Arc::new(release), &options, Silent).await?;
    }
    let back = RollbackOptions::new().code(code);
    assert_eq!(fleet.rollback(&back, Silent).await?.data.and_then(|data| data.after), Some(DataVersion::new("2")?));
    assert!(matches!(fleet.rollback(&back, Silent).await, Err(why) if why.kind() == ErrorKind::Irreversible));
    Ok(())
}
