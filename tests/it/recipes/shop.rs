//! A shop whose releases bring numbered migration scripts, deployed by the command.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use crate::recipes::guide::Recipe;

/// Four migrations forward and back, for both databases. Each logs in a table that it took effect.
const STEPS: [(&str, &str); 4] = [
    (
        "create table took_effect (what text); create table guest (id int primary key, name text not null);
        insert into guest values (1, 'Ada'), (2, 'Grace');",
        "drop table guest;",
    ),
    (
        "alter table guest add column visits int; update guest set visits = id * 10;",
        "alter table guest drop column visits;",
    ),
    (
        "create table town (name text); insert into town values ('London'), ('Paris');
        insert into guest values (3, 'Edsger', 5);",
        "delete from guest where id = 3; drop table town;",
    ),
    (
        "create table letter (guest int, body text); insert into letter select id, 'Dear ' || name from guest;
        update guest set name = name || ' (guest)';",
        "update guest set name = replace(name, ' (guest)', ''); drop table letter;",
    ),
];

/// A directory with the source, the configuration and, without other hosts, the root.
pub(crate) struct Shop {
    pub(crate) dir: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Shop {
    /// A shop with data as in this recipe; `toml` comes at the top of its configuration.
    pub(crate) fn new(recipe: &Recipe, toml: &str, environment: Vec<(&'static str, String)>) -> Self {
        let shop = Self { dir: TempDir::new().expect("a directory"), environment };
        shop.write("switchback.toml", &format!("root = \"{}\"\n{toml}\n{}", shop.root().display(), recipe.toml));
        shop.write("app/db/migrate", recipe.script);
        shop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path("root")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("it can be made");
        fs::write(path, text).expect("a file is written");
    }

    /// Adds the scripts of this step to the source; `before` runs at the start of the reverting script.
    pub(crate) fn bring(&self, step: usize, before: &str) {
        let (up, down) = STEPS[step - 1];
        self.write(&format!("app/db/{step}.up.sql"), &format!("{up}\ninsert into took_effect values ('up {step}');\n"));
        let down = format!("{before}\n{down}\ninsert into took_effect values ('down {step}');\n");
        self.write(&format!("app/db/{step}.down.sql"), &down);
    }

    pub(crate) fn command(&self, line: &str) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.current_dir(self.dir.path()).envs(self.environment.iter().cloned()).args(line.split(' '));
        command
    }

    /// Returns the output of `version`, run alone in the source.
    #[track_caller]
    pub(crate) fn version(&self) -> String {
        let mut command = std::process::Command::new("sh");
        command.args(["db/migrate", "version"]).current_dir(self.path("app")).envs(self.environment.iter().cloned());
        let output = command.env("SWITCHBACK_ROOT", self.root()).output().expect("it runs");
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
    }

    /// Runs the command, which must exit with `code`.
    #[track_caller]
    pub(crate) fn ends_with(&self, code: i32, line: &str) -> Output {
        let output = Command::from_std(self.command(line)).output().expect("it runs");
        assert_eq!(output.status.code(), Some(code), "{line}: {}", said(&output));
        output
    }

    #[track_caller]
    pub(crate) fn report(&self, code: i32, line: &str) -> Value {
        let output = self.ends_with(code, &format!("--json {line}"));
        let last = output.stdout.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).expect("a report");
        serde_json::from_slice(last).expect("JSON")
    }

    /// Deploys the source, with the scripts up to `step`, as `rSTEP`.
    #[track_caller]
    pub(crate) fn deploy(&self, step: usize) -> Output {
        self.bring(step, "");
        self.ends_with(0, &format!("deploy app --name r{step}"))
    }

    #[track_caller]
    pub(crate) fn is_on(&self, release: &str) {
        let link = fs::read_link(self.root().join("current")).expect("a link");
        assert_eq!(link, Path::new("releases").join(release));
    }
}

/// Formats all output of a run.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Four releases forward, three back at once, a step that fails half-way, and drills: the promises of both
/// recipes.
///
/// `dump` returns schema and rows, `took_effect` the log of the scripts.
#[track_caller]
pub(crate) fn keeps_its_promise(shop: &Shop, dump: impl Fn() -> String, took_effect: impl Fn() -> String) {
    let levels: Vec<String> = (1..=4)
        .map(|step| {
            shop.deploy(step);
            dump()
        })
        .collect();
    assert!(levels.windows(2).all(|pair| pair[0] != pair[1]), "each release changes the data");
    back_level_by_level(shop, &levels, &dump);
    let report = shop.report(0, "rollback --steps 3");
    assert_eq!((&report["release"], &dump()), (&"r1".into(), &levels[0]), "{report}");
    shop.is_on("r1");
    let expected = ["up 1", "up 2", "up 3", "up 4", "down 4", "up 4", "down 4", "down 3", "down 2"];
    assert_eq!(took_effect().lines().collect::<Vec<_>>(), expected);
    a_failing_step_leaves_nothing(shop, &dump);
    drills(shop, &dump);
}

/// One step back, and the same forward again under another name.
#[track_caller]
fn back_level_by_level(shop: &Shop, levels: &[String], dump: &impl Fn() -> String) {
    shop.ends_with(0, "rollback");
    assert_eq!(dump(), levels[2]);
    shop.is_on("r3");
    shop.ends_with(0, "deploy app --name r4-again");
    assert_eq!(dump(), levels[3]);
}

/// Runs two scripts on `r1`, the second of which fails half-way.
#[track_caller]
fn a_failing_step_leaves_nothing(shop: &Shop, dump: &impl Fn() -> String) {
    let before = dump();
    let whole = fs::read_to_string(shop.path("app/db/3.up.sql")).expect("a script");
    shop.write("app/db/3.up.sql", &format!("{whole}\ninsert into nowhere values (1);\n"));
    shop.ends_with(3, "deploy app --name half-way");
    assert_eq!(dump(), before);
    shop.is_on("r1");
    fs::remove_file(shop.path("app/db/3.up.sql")).expect("it is there");
    fs::remove_file(shop.path("app/db/4.up.sql")).expect("it is there");
}

/// Runs a drill that passes, and one whose revert does nothing, on `r1` with the scripts up to the second.
#[track_caller]
fn drills(shop: &Shop, dump: &impl Fn() -> String) {
    let before = dump();
    let report = shop.report(0, "drill app --name good");
    assert_eq!(report["drill"]["passed"], true, "{report}");
    shop.ends_with(0, "rollback");
    assert_eq!(dump(), before);
    // The number changes, so `version` is satisfied; the fingerprint is not.
    shop.write("app/db/2.down.sql", "select 1;\n");
    let report = shop.report(8, "drill app --name idle");
    assert_eq!(report["drill"]["passed"], false, "{report}");
}
