//! Migration tools by their presets, as the guide configures them: deploys, a rollback over two releases, a
//! drill.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

use std::process::Command;

use crate::recipes::{
    guide::recipe,
    shop::Shop,
    sqlite::{self, ask},
};

fn is_here(tool: &str, probe: &str) -> bool {
    let here = Command::new("sh").args(["-c", probe]).output().is_ok_and(|output| output.status.success());
    if !here {
        eprintln!("skipped: there is no {tool} on this machine");
    }
    here
}

#[track_caller]
fn in_the_source(shop: &Shop, script: &str) {
    let run = Command::new("sh").args(["-c", script]).current_dir(shop.path("app")).output().expect("sh runs");
    assert!(run.status.success(), "{script}: {}", String::from_utf8_lossy(&run.stderr));
}

/// Three releases forward, back over two at once, and the drill of the second.
#[track_caller]
fn forward_and_back(shop: &Shop, database: &str, bring: impl Fn(usize)) {
    let tables = || {
        let query = "select name from sqlite_schema where name like 't_' order by name";
        ask(&shop.path(database), query).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for step in 1..=3 {
        bring(step);
        shop.ends_with(0, &format!("deploy app --name r{step}"));
    }
    assert_eq!(tables(), "t1 t2 t3");
    shop.ends_with(0, "rollback --steps 2");
    assert_eq!(tables(), "t1");
    shop.is_on("r1");
    let report = shop.report(0, "drill app --name r4");
    assert_eq!(report["drill"]["passed"], true, "{report}");
    assert_eq!(tables(), "t1 t2 t3");
}

#[test]
fn sqitch_by_its_preset() {
    if !sqlite::is_here() || !is_here("Sqitch", "sqitch --version && perl -MDBD::SQLite -e 1") {
        return;
    }
    let person = [("SQITCH_FULLNAME", "Jane".to_owned()), ("SQITCH_EMAIL", "jane@example.com".to_owned())];
    let pass = "[hooks]\npass_env = [\"SQITCH_FULLNAME\", \"SQITCH_EMAIL\"]\n";
    let shop = Shop::new(&recipe("Sqitch"), pass, person.to_vec());
    let target = shop.path("shop.db").display().to_string();
    let as_jane =
        |script: &str| in_the_source(&shop, &format!("SQITCH_FULLNAME=Jane SQITCH_EMAIL=j@example.com {script}"));
    as_jane(&format!("sqitch init shop --engine sqlite --target 'db:sqlite:{target}'"));
    forward_and_back(&shop, "shop.db", |step| {
        as_jane(&format!("sqitch add t{step} -n added"));
        shop.write(&format!("app/deploy/t{step}.sql"), &format!("CREATE TABLE t{step} (n int);\n"));
        shop.write(&format!("app/verify/t{step}.sql"), &format!("SELECT n FROM t{step};\n"));
        shop.write(&format!("app/revert/t{step}.sql"), &format!("DROP TABLE t{step};\n"));
    });
}

#[test]
fn alembic_by_its_preset() {
    if !sqlite::is_here() || !is_here("Alembic", "alembic --version") {
        return;
    }
    let path = [("PATH", std::env::var("PATH").expect("a PATH"))];
    let shop = Shop::new(&recipe("Alembic"), "[hooks]\npass_env = [\"PATH\"]\n", path.to_vec());
    in_the_source(&shop, "alembic init --template generic migrations");
    let ini = std::fs::read_to_string(shop.path("app/alembic.ini")).expect("what init wrote");
    let url = format!("sqlite:///{}", shop.path("shop.db").display());
    shop.write("app/alembic.ini", &ini.replace("driver://user:pass@localhost/dbname", &url));
    forward_and_back(&shop, "shop.db", |step| {
        let below = if step == 1 { "None".to_owned() } else { format!("'r{}'", step - 1) };
        let text = format!(
            "from alembic import op\nrevision = 'r{step}'\ndown_revision = {below}\n\
             def upgrade():\n    op.execute('CREATE TABLE t{step} (n int)')\n\
             def downgrade():\n    op.execute('DROP TABLE t{step}')\n"
        );
        shop.write(&format!("app/migrations/versions/r{step}.py"), &text);
    });
}
