//! The recipe for SQLite on one host.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

use std::{path::Path, process::Command};

use crate::recipes::{
    guide::recipe,
    shop::{Shop, keeps_its_promise, said},
};

/// Whether `sqlite3` is installed; prints what is skipped if not.
pub(crate) fn is_here() -> bool {
    let here = Command::new("sqlite3").arg("--version").output().is_ok();
    if !here {
        eprintln!("skipped: there is no sqlite3 on this machine");
    }
    here
}

/// Returns the output of a database for some commands.
#[track_caller]
pub(crate) fn ask(database: &Path, commands: &str) -> String {
    let output = Command::new("sqlite3").arg(database).arg(commands).output().expect("sqlite3 runs");
    assert!(output.status.success(), "{commands}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Dumps schema, rows and number, without the log of the migration scripts.
#[track_caller]
pub(crate) fn dump(database: &Path) -> String {
    let text = ask(database, "pragma user_version") + &ask(database, ".dump");
    text.lines().filter(|line| !line.contains("took_effect")).fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn the_recipe_keeps_its_promise() {
    if !is_here() {
        return;
    }
    let shop = Shop::new(&recipe("SQLite"), "", Vec::new());
    let database = shop.root().join("shared/app.db");
    keeps_its_promise(&shop, || dump(&database), || ask(&database, "select what from took_effect order by rowid"));
}

#[test]
fn asking_for_the_version_creates_nothing() {
    if !is_here() {
        return;
    }
    let shop = Shop::new(&recipe("SQLite"), "", Vec::new());
    assert_eq!(shop.version(), "");
    assert!(!shop.root().exists());
}

/// A migration by hand warns at the next deploy, and its rollback needs a decision.
#[test]
fn a_migration_by_hand_is_noticed() {
    if !is_here() {
        return;
    }
    let shop = Shop::new(&recipe("SQLite"), "", Vec::new());
    let database = shop.root().join("shared/app.db");
    shop.deploy(1);
    shop.bring(2, "");
    let by_hand = std::fs::read_to_string(shop.path("app/db/2.up.sql")).expect("a script");
    ask(&database, &format!("{by_hand}; pragma user_version = 2"));
    let said = said(&shop.ends_with(0, "deploy app --name r2"));
    assert!(said.contains("is 2, but 1 was last known, with r1") && said.contains("--data-to"), "{said}");
    assert_eq!(shop.report(3, "rollback")["error"]["kind"], "data-differs");
    assert_eq!(shop.report(0, "rollback --data-to 1")["data"]["after"], "1");
    shop.is_on("r1");
    assert_eq!(ask(&database, "pragma user_version"), "1\n");
    std::fs::remove_file(&database).expect("it is there");
    let report = shop.report(3, "deploy app --name r3");
    assert_eq!(report["error"]["kind"], "data-differs", "{report}");
    shop.ends_with(0, "deploy app --name r3 --accept-data");
}

/// A revert whose script is missing fails with a message, and does not loop.
#[test]
fn a_missing_script_is_an_error() {
    if !is_here() {
        return;
    }
    let shop = Shop::new(&recipe("SQLite"), "", Vec::new());
    shop.deploy(1);
    shop.bring(2, "");
    std::fs::remove_file(shop.path("app/db/2.down.sql")).expect("it is there");
    shop.ends_with(0, "deploy app --name r2");
    shop.ends_with(5, "rollback");
    assert_eq!(ask(&shop.root().join("shared/app.db"), "pragma user_version"), "2\n");
}
