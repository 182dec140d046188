//! Presets forward and back to exactly the version asked for: with the real tools where they are installed, and
//! with stand-ins that print what the others print.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use switchback::{
    commands::{DataCommands, DataPlace},
    data::{DataVersion, Preset},
};
use tempfile::TempDir;

/// A directory like that of a release, and the commands of a preset in it.
struct Project {
    directory: TempDir,
    data: DataCommands,
    environment: Vec<(&'static str, String)>,
}

impl Project {
    fn new(preset: Preset) -> Self {
        let mut data = DataCommands::new(
            DataPlace::Controller,
            preset.version().expect("a command for the version"),
            preset.apply(),
        );
        data.revert = preset.revert().map(ToOwned::to_owned);
        data.preset = Some(preset);
        Self { directory: TempDir::new().expect("a temporary directory"), data, environment: Vec::new() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs_err::create_dir_all(path.parent().expect("a directory")).expect("it can be made");
        fs_err::write(path, text).expect("a file is written");
    }

    /// Installs a program in the project, before any other of this name.
    fn program(&self, name: &str, text: &str) {
        self.write(&format!("bin/{name}"), text);
        let path = self.path().join("bin").join(name);
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    }

    fn run(&self, command: &str, target: &str) -> Output {
        let path = format!("{}:{}", self.path().join("bin").display(), std::env::var("PATH").expect("a PATH"));
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(self.path())
            .env("PATH", path)
            .env("HOME", self.path())
            .env("SWITCHBACK_DATA_TARGET", target)
            .envs(self.environment.iter().map(|(name, value)| (name, value.as_str())))
            .stdin(std::process::Stdio::null())
            .output();
        output.expect("sh runs")
    }

    #[track_caller]
    fn must(&self, command: &str, target: &str) {
        let output = self.run(command, target);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{command}: {}\n{}", text(&output.stdout), text(&output.stderr));
    }

    #[track_caller]
    fn version(&self) -> DataVersion {
        let output = self.run(&self.data.version, "");
        let status = u8::try_from(output.status.code().expect("it ended by itself")).expect("an exit status");
        self.data.read_version(status, &output.stdout, &output.stderr).unwrap_or_else(|error| panic!("{error}"))
    }

    #[track_caller]
    fn apply(&self) -> DataVersion {
        self.must(&self.data.apply, "");
        self.version()
    }

    #[track_caller]
    fn revert(&self, target: &DataVersion) {
        self.must(self.data.revert.as_deref().expect("a way back"), target.as_str());
        assert_eq!(self.version(), *target);
    }

    /// Migrates over three releases, each with the migrations that `bring` adds, and back over all of them in every
    /// way.
    #[track_caller]
    fn forward_and_back(&self, bring: impl Fn(&Self, u32)) -> [DataVersion; 3] {
        let nothing = self.version();
        assert_eq!(nothing.as_str(), "", "nothing was ever applied");
        let versions = [1, 2, 3].map(|release| {
            bring(self, release);
            self.apply()
        });
        let [first, second, third] = &versions;
        assert!(first != second && second != third && *first != nothing, "{versions:?}");
        assert_eq!(self.apply(), *third, "a second time changes nothing");
        self.revert(second);
        self.revert(second);
        self.revert(&nothing);
        assert_eq!(self.apply(), *third);
        self.revert(first);
        versions
    }
}

/// Whether the tool is installed; prints what is skipped if not.
fn is_here(tool: &str, probe: &str) -> bool {
    let here = Command::new("sh").args(["-c", probe]).output().is_ok_and(|output| output.status.success());
    if !here {
        eprintln!("skipped: there is no {tool} on this machine");
    }
    here
}

fn tables(project: &Project) -> String {
    let query = "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE name LIKE 't%' ORDER BY name)";
    let output = project.run(
        &format!(
            "python3 -c \"import sqlite3; print(sqlite3.connect('shop.db').execute(\\\"{query}\\\").fetchone()[0])\""
        ),
        "",
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn alembic_goes_forward_and_back() {
    if !is_here("Alembic", "alembic --version") {
        return;
    }
    let project = Project::new(Preset::Alembic);
    project.must("alembic init --template generic migrations", "");
    let ini = fs_err::read_to_string(project.path().join("alembic.ini")).expect("what init wrote");
    project.write("alembic.ini", &ini.replace("driver://user:pass@localhost/dbname", "sqlite:///shop.db"));
    let versions = project.forward_and_back(|project, release| {
        let below = if release == 1 { "None".to_owned() } else { format!("'r{}'", release - 1) };
        let text = format!(
            "from alembic import op\nrevision = 'r{release}'\ndown_revision = {below}\n\
             def upgrade():\n    op.execute('CREATE TABLE t{release} (n int)')\n\
             def downgrade():\n    op.execute('DROP TABLE t{release}')\n"
        );
        project.write(&format!("migrations/versions/r{release}.py"), &text);
    });
    assert_eq!(versions.map(String::from), ["r1", "r2", "r3"]);
    assert_eq!(project.apply().as_str(), "r3");
    assert_eq!(tables(&project), "t1,t2,t3");
    // If a script of an applied migration is missing, Alembic reports that on standard output, which is not a version.
    fs_err::remove_file(project.path().join("migrations/versions/r3.py")).expect("it is there");
    let output = project.run(&project.data.version, "");
    let status = u8::try_from(output.status.code().expect("it ended")).expect("a status");
    let error = project.data.read_version(status, &output.stdout, &output.stderr).expect_err("r3 is not in this tree");
    assert!(status != 0 && error.to_string().contains("r3"), "{error}");
}

#[test]
fn sqlx_goes_forward_and_back() {
    if !is_here("sqlx-cli", "sqlx --version && command -v sqlite3") {
        return;
    }
    let mut project = Project::new(Preset::Sqlx);
    project.environment = vec![("DATABASE_URL", "sqlite://shop.db".into())];
    project.must("sqlx database create", "");
    project.write("migrations/.keep", "");
    let versions = project.forward_and_back(|project, release| {
        let (up, down) = (format!("CREATE TABLE t{release} (n int);\n"), format!("DROP TABLE t{release};\n"));
        project.write(&format!("migrations/{release}_t{release}.up.sql"), &up);
        project.write(&format!("migrations/{release}_t{release}.down.sql"), &down);
    });
    assert_eq!(versions.map(String::from), ["1", "2", "3"]);
}

#[test]
fn sqitch_goes_forward_and_back_and_tells_a_reworked_change() {
    if !is_here("Sqitch", "sqitch --version && perl -MDBD::SQLite -e 1 && command -v sqlite3") {
        return;
    }
    let mut project = Project::new(Preset::Sqitch);
    project.environment = vec![("SQITCH_FULLNAME", "Jane".into()), ("SQITCH_EMAIL", "jane@example.com".into())];
    project.must("sqitch init shop --engine sqlite --target db:sqlite:shop.db", "");
    let versions = project.forward_and_back(|project, release| {
        project.must(&format!("sqitch add t{release} -n added"), "");
        project.write(&format!("deploy/t{release}.sql"), &format!("CREATE TABLE t{release} (n int);\n"));
        project.write(&format!("revert/t{release}.sql"), &format!("DROP TABLE t{release};\n"));
    });
    assert!(versions[1].as_str().starts_with("t2 "), "{versions:?}");
    let before = project.apply();
    project.must("sqitch tag v1 -n tagged && sqitch rework t3 -n again", "");
    project.write("deploy/t3.sql", "ALTER TABLE t3 ADD COLUMN m int;\n");
    project.write("revert/t3.sql", "ALTER TABLE t3 DROP COLUMN m;\n");
    let after = project.apply();
    assert!(after != before && after.as_str().starts_with("t3 "), "{after}");
    project.revert(&before);
    project.revert(&versions[0]);
}

const DJANGO: &str = "import sys, types, django
from django.conf import settings
settings.configure(INSTALLED_APPS=['one', 'other'], DEFAULT_AUTO_FIELD='django.db.models.AutoField',
    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'shop.db'}})
django.setup()
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
";

/// Returns a migration that creates a table and depends on these others.
fn django_migration(table: &str, after: &str) -> String {
    format!(
        "from django.db import migrations\nclass Migration(migrations.Migration):\n    dependencies = [{after}]\n    \
         operations = [migrations.RunSQL('CREATE TABLE {table} (n int)', 'DROP TABLE {table}')]\n"
    )
}

#[test]
fn django_takes_every_application_back_to_its_place() {
    if !is_here("Django", "python3 -c 'import django'") {
        return;
    }
    let project = Project::new(Preset::Django);
    project.write("manage.py", DJANGO);
    for app in ["one", "other"] {
        project.write(&format!("{app}/__init__.py"), "");
        project.write(&format!("{app}/migrations/__init__.py"), "");
    }
    let versions = project.forward_and_back(|project, release| match release {
        1 => project.write("other/migrations/0001_first.py", &django_migration("t1", "")),
        // `one` needs `other`, and `other` goes on afterwards.
        2 => project.write("one/migrations/0001_first.py", &django_migration("t2", "('other', '0001_first')")),
        _ => {
            let after = "('other', '0001_first'), ('one', '0001_first')";
            project.write("other/migrations/0002_second.py", &django_migration("t3", after));
            project.write("one/migrations/0002_second.py", &django_migration("t4", "('one', '0001_first')"));
        }
    });
    assert_eq!(
        versions.map(String::from),
        ["other=0001_first", "one=0001_first,other=0001_first", "one=0002_second,other=0002_second"]
    );
    assert_eq!(tables(&project), "t1");
}

/// A stand-in that keeps applied migrations in a file, one per line, and pending ones in `pending`.
fn stand_in(preset: Preset, program: &str, text: &str) -> Project {
    let project = Project::new(preset);
    project.write("applied", "");
    project.write("pending", "");
    project.program(program, &format!("#!/bin/sh\n{STEPS}\n{text}"));
    project
}

/// The functions of stand-ins: `forward` applies all pending migrations, `back N` reverts the last N.
const STEPS: &str = r#"
forward() { cat pending >>applied; : >pending; }
back() { n=$(($(wc -l <applied) - $1)); [ "$n" -ge 0 ] || n=0; tail -n +$((n + 1)) applied >taken
    head -n "$n" applied >left; mv left applied; cat pending >>taken; mv taken pending; }
"#;

/// Adds the migration `2026010N`.
fn bring(project: &Project, release: u32) {
    let pending = fs_err::read_to_string(project.path().join("pending")).expect("it is there");
    project.write("pending", &format!("{pending}2026010{release}\n"));
}

/// Checks that a target that was never applied reverts nothing and fails.
#[track_caller]
fn refuses_an_unknown_target(project: &Project) {
    let before = project.apply();
    let output = project.run(project.data.revert.as_deref().expect("a way back"), "20991231");
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(project.version(), before);
}

#[test]
fn diesel_counts_its_own_list() {
    let project = stand_in(
        Preset::Diesel,
        "diesel",
        r#"case "$*" in
        "migration list") echo Migrations:; sed 's/^/  [X] /' applied; sed 's/^/  [ ] /' pending ;;
        "migration run") forward ;;
        "migration revert -n "*) back "$4" ;;
        *) exit 64 ;;
        esac"#,
    );
    project.forward_and_back(bring);
    refuses_an_unknown_target(&project);
}

#[test]
fn sea_orm_counts_its_own_list() {
    let project = stand_in(
        Preset::SeaOrm,
        "sea-orm-cli",
        r#"case "$*" in
        "migrate status") echo Checking migration status
            sed "s/.*/Migration '&'... Applied/" applied; sed "s/.*/Migration '&'... Pending/" pending ;;
        "migrate up") forward ;;
        "migrate down -n "*) back "$4" ;;
        *) exit 64 ;;
        esac"#,
    );
    project.forward_and_back(bring);
    refuses_an_unknown_target(&project);
}

#[test]
fn laravel_counts_by_batch() {
    let project = stand_in(
        Preset::Laravel,
        "php",
        r#"case "$*" in
        "artisan migrate:status --no-ansi")
            [ -e migrated ] || { echo "   ERROR  Migration table not found."; exit 1; }
            printf '\n  Migration name ..... Batch / Status  \n'
            # By name, as Laravel lists them; the batch says in which order they ran.
            awk '{ print "  " $1 " ....... [" NR "] Ran  " }' applied | sort -r; sed 's/.*/  & ....... Pending  /' pending ;;
        "artisan migrate --force --no-interaction") : >migrated; forward ;;
        "artisan migrate:rollback --step="*" --force --no-interaction") back "${3#--step=}" ;;
        *) exit 64 ;;
        esac"#,
    );
    project.forward_and_back(bring);
    refuses_an_unknown_target(&project);
}

#[test]
fn liquibase_counts_its_own_history() {
    let project = stand_in(
        Preset::Liquibase,
        "liquibase",
        r#"case "$*" in
        "history --format=TEXT") printf 'Liquibase History for jdbc:x\n\n'
            if [ -s applied ]; then echo "- Database updated"; sed 's/.*/  db.sql::&::jane doe/' applied
            else echo "No changesets deployed"; fi ;;
        "update") forward ;;
        "rollback-count --count="*) back "${2#--count=}" ;;
        *) exit 64 ;;
        esac"#,
    );
    project.forward_and_back(bring);
    refuses_an_unknown_target(&project);
}

#[test]
fn flyway_undoes_one_after_the_other() {
    let project = stand_in(
        Preset::Flyway,
        "flyway",
        r#"case "$*" in
        "info -outputType=json") printf '{\n  "schemaVersion": '; v=$(tail -n 1 applied)
            if [ -n "$v" ]; then printf '"%s"' "$v"; else printf null; fi
            printf ',\n  "migrations": [\n'; sed 's/.*/    { "version": "&", "state": "Success" },/' applied
            printf '    { "version": "0" }\n  ]\n}\n' ;;
        "migrate") forward ;;
        "undo") [ ! -e stuck ] || exit 0; back 1 ;;
        *) exit 64 ;;
        esac"#,
    );
    let versions = project.forward_and_back(bring);
    refuses_an_unknown_target(&project);
    project.write("stuck", "");
    let output = project.run(project.data.revert.as_deref().expect("a way back"), versions[0].as_str());
    assert!(!output.status.success(), "an undo that does nothing must not go on for ever");
}

#[test]
fn golang_migrate_and_doctrine_are_given_the_target() {
    for (preset, program, target, expected) in [
        (Preset::GolangMigrate, "migrate", "3", "-path migrations -database db://x goto 3"),
        (Preset::GolangMigrate, "migrate", "", "-path migrations -database db://x down -all"),
        (Preset::Sqlx, "sqlx", "20260101", "migrate revert --target-version 20260101"),
        (Preset::Sqlx, "sqlx", "", "migrate revert --target-version 0"),
    ] {
        let mut project = Project::new(preset);
        project.environment = vec![("DATABASE_URL", "db://x".into())];
        project.program(program, "#!/bin/sh\necho \"$*\" >said\n");
        project.must(project.data.revert.as_deref().expect("a way back"), target);
        let said = fs_err::read_to_string(project.path().join("said")).expect("it was run");
        assert_eq!(said.trim_end(), expected, "{preset}");
    }
    let project = Project::new(Preset::Rails);
    project.program("rails", "#!/bin/sh\necho \"$*\" >said\n");
    project.must(project.data.revert.as_deref().expect("a way back"), "");
    assert_eq!(fs_err::read_to_string(project.path().join("said")).expect("it was run"), "db:migrate VERSION=0\n");
    let project = Project::new(Preset::Doctrine);
    project.program("../vendor/bin/doctrine-migrations", "#!/bin/sh\nfor word; do echo \"$word\"; done >said\n");
    project.must(project.data.revert.as_deref().expect("a way back"), "App\\Version1");
    let said = fs_err::read_to_string(project.path().join("said")).expect("it was run");
    assert_eq!(said, "migrate\n--no-interaction\n--allow-no-migration\nApp\\Version1\n");
}
