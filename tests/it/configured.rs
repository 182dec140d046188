//! The command and a library caller on one configuration: what it says holds for both.

use std::{path::Path, sync::Arc};

use assert_cmd::Command;
use camino::Utf8Path;
use switchback::{
    Config, Fleet, Report,
    event::Silent,
    fleet::{DeployOptions, RollbackOptions},
    release::NewRelease,
    testing::WholeReport as _,
};
use tempfile::TempDir;

/// A part of a configuration, and the exit codes of deploys of v1, v2 and v3 and of a rollback.
const CASES: &[(&str, &str, [u8; 4])] = &[
    ("", "nothing", [0, 0, 0, 0]),
    ("keep = 0", "retention", [0, 0, 0, 0]),
    ("hosts_from = 'cat inventory'", "hosts", [0, 0, 0, 0]),
    ("[hooks]\nprepare = 'echo built >built'\nafter_switch = 'cat page >>$SWITCHBACK_ROOT/log'", "hooks", [0, 0, 0, 0]),
    ("[hooks]\nafter_switch = 'echo $WORD >>$SWITCHBACK_ROOT/log'\nenv_file = 'secrets'", "variables", [0, 0, 0, 0]),
    ("[validate]\ncommand = 'grep -v v3 page'", "validation", [0, 0, 4, 0]),
    (
        "[data]\nhost = 'controller'\nversion = 'cat data'\napply = 'cat source/page >data'\nrevert = 'echo $SWITCHBACK_DATA_TARGET >data'",
        "data",
        [0, 0, 0, 0],
    ),
    ("source.exclude = ['other']", "source", [0, 0, 0, 0]),
    (
        "[hooks]\nafter_switch = 'case $(cat page) in v3) echo XX >../v2/page;; esac'\n[rollback]\nverify = 'full'",
        "check",
        [0, 0, 0, 3],
    ),
    ("[deploy]\nrequire_drill = 'drills'", "drill", [3, 3, 3, 3]),
    ("[layout]\ncurrent = 'live'", "layout", [0, 0, 0, 0]),
];

/// This machine, as an inventory has it.
const INVENTORY: &str = r#"{"all":{"hosts":["here"]},"_meta":{"hostvars":{"here":{"ansible_connection":"local"}}}}"#;

fn source(site: &Path, page: &str) {
    fs_err::create_dir_all(site.join("source")).expect("made");
    for file in ["page", "other"] {
        fs_err::write(site.join("source").join(file), page).expect("written");
    }
}

fn site(text: &str) -> TempDir {
    let site = tempfile::tempdir().expect("a directory");
    let text = format!("root = '{}'\n{text}\n", site.path().join("root").display());
    for (file, content) in
        [("switchback.toml", text.as_str()), ("data", "v0\n"), ("secrets", "WORD=secret\n"), ("inventory", INVENTORY)]
    {
        fs_err::write(site.path().join(file), content).expect("written");
    }
    site
}

/// Lists what is in the root, besides the tool's own files, with the contents.
fn tree(site: &Path) -> Vec<String> {
    fn add(lines: &mut Vec<String>, root: &Path, directory: &Path) {
        let mut entries: Vec<_> =
            fs_err::read_dir(directory).into_iter().flatten().map(|entry| entry.expect("an entry")).collect();
        entries.sort_by_key(fs_err::DirEntry::file_name);
        for path in entries.iter().map(fs_err::DirEntry::path).filter(|path| !path.ends_with(".switchback")) {
            let name = path.strip_prefix(root).expect("below").display().to_string();
            if path.is_symlink() {
                lines.push(format!("{name} -> {}", fs_err::read_link(&path).expect("a link").display()));
            } else if path.is_dir() {
                add(lines, root, &path);
            } else {
                lines.push(format!("{name}: {:?}", fs_err::read_to_string(&path).expect("text")));
            }
        }
    }
    let mut lines = vec![format!("data: {}", fs_err::read_to_string(site.join("data")).expect("there").trim_end())];
    add(&mut lines, &site.join("root"), &site.join("root"));
    lines
}

fn by_the_command(site: &Path) -> [u8; 4] {
    let run = |arguments: &[&str]| {
        let mut command = Command::cargo_bin("switchback").expect("the command is built");
        command.current_dir(site).env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
        u8::try_from(command.args(arguments).output().expect("it runs").status.code().expect("it ended"))
            .expect("small")
    };
    let deploys = ["v1", "v2", "v3"].map(|name| {
        source(site, name);
        run(&["deploy", "source", "--name", name])
    });
    [deploys[0], deploys[1], deploys[2], run(&["rollback"])]
}

async fn by_the_library(site: &Path) -> [u8; 4] {
    let path = |file: &str| Utf8Path::from_path(site).expect("UTF-8").join(file);
    let config = Config::from_file(&path("switchback.toml"), None).expect("a configuration");
    let fleet = Fleet::from_config(&config).expect("a fleet");
    let code = |report: Report| report.exit_code().code();
    let mut codes = [0; 4];
    for (at, name) in ["v1", "v2", "v3"].into_iter().enumerate() {
        source(site, name);
        let release = NewRelease::open_with(name.parse().expect("a name"), &path("source"), &config.source_options());
        let release = Arc::new(release.expect("a source"));
        codes[at] = code(fleet.deploy(release, &DeployOptions::default(), Silent).report().await);
    }
    codes[3] = code(fleet.rollback(&RollbackOptions::default(), Silent).report().await);
    fleet.close().await;
    codes
}

#[tokio::test]
async fn the_library_obeys_a_configuration_as_the_command_does() {
    for (text, what, expected) in CASES {
        let (one, other) = (site(text), site(text));
        let (command, library) = (by_the_command(one.path()), by_the_library(other.path()).await);
        assert_eq!((command, library), (*expected, *expected), "{what}");
        let plain = |site: &Path| {
            let root = site.display().to_string();
            tree(site).into_iter().map(|line| line.replace(&root, "SITE")).collect::<Vec<_>>()
        };
        let (command, library) = (plain(one.path()), plain(other.path()));
        assert_eq!(command, library, "{what}");
    }
}
