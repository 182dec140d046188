//! The recipe for PostgreSQL on one host.

use std::{fs, path::Path};

use crate::recipes::{
    cluster::{Cluster, PASSWORD},
    guide::recipe,
    shop::{Shop, keeps_its_promise, said},
};

const PASS: &str = "[hooks]\npass_env = [\"PGHOST\", \"PGUSER\", \"PGDATABASE\", \"PGPASSWORD\"]\n";

#[test]
fn the_recipe_keeps_its_promise() {
    let Some(cluster) = Cluster::start() else { return };
    let mut environment = cluster.environment();
    environment.push(("PGPASSWORD", PASSWORD.into()));
    let shop = Shop::new(&recipe("PostgreSQL"), PASS, environment);
    keeps_its_promise(&shop, || cluster.dump(), || cluster.ask("select what from took_effect order by ctid"));
}

#[test]
fn asking_for_the_version_creates_nothing() {
    let Some(cluster) = Cluster::start() else { return };
    let mut environment = cluster.environment();
    environment.push(("PGPASSWORD", PASSWORD.into()));
    let shop = Shop::new(&recipe("PostgreSQL"), PASS, environment);
    let before = cluster.dump();
    assert_eq!(shop.version(), "");
    assert_eq!(cluster.dump(), before);
    shop.deploy(1);
    assert_eq!(shop.version(), "1");
}

/// The password comes from a file, and appears in no argument list, log, record or message.
#[test]
fn the_password_is_seen_nowhere() {
    let Some(cluster) = Cluster::start() else { return };
    let shop = Shop::new(&recipe("PostgreSQL"), "[hooks]\nenv_file = \"secrets.env\"\n", Vec::new());
    shop.write("secrets.env", &cluster.secrets());
    let seen = shop.path("seen");
    shop.bring(1, "");
    let look = format!("\\! for list in /proc/[0-9]*/cmdline; do cat $list >>'{}' 2>/dev/null; done\n", seen.display());
    let up = fs::read_to_string(shop.path("app/db/1.up.sql")).expect("a script");
    shop.write("app/db/1.up.sql", &format!("{look}{up}"));
    let mut output = said(&shop.ends_with(0, "deploy app --name r1"));
    shop.bring(2, "select nothing from nowhere;");
    output += &said(&shop.ends_with(0, "-v deploy app --name r2"));
    output += &said(&shop.ends_with(5, "-v rollback"));
    let listed = fs::read(&seen).expect("the lists of arguments");
    assert!(holds(&listed, "postgres"), "the lists of arguments were read");
    assert!(!holds(&listed, PASSWORD), "in an argument list");
    assert!(output.contains("nowhere"), "the failure is told: {output}");
    assert!(!output.contains(PASSWORD), "in a message: {output}");
    nowhere_below(&shop.root());
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[track_caller]
fn nowhere_below(directory: &Path) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            nowhere_below(&entry.path());
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).expect("a file");
            assert!(!holds(&bytes, PASSWORD), "in {}", entry.path().display());
        }
    }
}
