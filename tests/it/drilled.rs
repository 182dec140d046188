//! `deploy` with `require_drill`, and releases that `prepare` builds in, through the command.

use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

/// A directory with a source, a configuration and a root.
struct Site(TempDir);

impl Site {
    fn new(configuration: &str) -> Self {
        let site = Self(tempfile::tempdir().expect("a directory"));
        let root = site.path().join("root");
        let text = format!("root = \"{}\"\n{configuration}", root.display());
        fs_err::write(site.path().join("switchback.toml"), text).expect("written");
        fs_err::create_dir(site.path().join("src")).expect("made");
        site.page("one");
        site
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn page(&self, text: &str) {
        fs_err::write(self.path().join("src/index.html"), text).expect("written");
    }

    /// Returns the exit code and the output.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::cargo_bin("switchback").expect("the command is built");
        command.current_dir(self.path()).env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
        let output = command.args(arguments).output().expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().expect("it ended by itself"), String::from_utf8_lossy(&said).into_owned())
    }
}

#[test]
fn only_what_was_rehearsed_is_deployed() {
    let site = Site::new("[deploy]\nrequire_drill = \"drills\"\n");
    let (code, said) = site.run(&["deploy", "src", "--name", "v1"]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("drills") && said.contains("switchback drill"), "{said}");
    assert!(!site.path().join("root/current").exists());

    let (code, said) =
        site.run(&["drill", "src", "--name", "v1", "--report", "drills/v1.json", "--junit", "drill.xml"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Drill passed"), "{said}");
    let junit = fs_err::read_to_string(site.path().join("drill.xml")).expect("written");
    assert!(junit.contains("<testsuite name=\"rollback\"") && !junit.contains("<failure"), "{junit}");

    let (code, said) = site.run(&["deploy", "src", "--name", "v2"]);
    assert_eq!(code, 0, "the same content under another name: {said}");
    site.page("two");
    assert_eq!(site.run(&["deploy", "src", "--name", "v3"]).0, 3, "other content");
}

/// The report of a passed drill lets the same content be deployed, so only another drill may replace it.
#[test]
fn only_a_drill_replaces_the_report_of_a_drill() {
    let site = Site::new("[deploy]\nrequire_drill = \"drills\"\n[validate]\ncommand = \"test ! -e bad\"\n");
    let drill = |source: &str, name: &str, more: &[&str]| {
        let files = ["--report", "drills/n1.json", "--junit", "drill.xml"];
        site.run(&[&["drill", source, "--name", name][..], &files, more].concat())
    };
    let read = |file: &str| fs_err::read_to_string(site.path().join(file)).expect("written");
    let (code, said) = drill("src", "n1", &[]);
    assert_eq!(code, 0, "{said}");
    let passed = (read("drills/n1.json"), read("drill.xml"));

    let (code, said) = drill("src", "n2", &["--dry-run"]);
    assert_eq!((code, (read("drills/n1.json"), read("drill.xml"))), (0, passed.clone()), "{said}");
    // Refused when the source is read, and when the hosts are asked.
    for (source, name) in [("nope", "n2"), ("src", "n1")] {
        let (code, said) = drill(source, name, &[]);
        assert_eq!((code, read("drills/n1.json")), (3, passed.0.clone()), "{said}");
        assert!(read("drill.xml").contains("<failure message="), "{said}");
    }
    let (code, said) = site.run(&["drill", "nope", "--report", "new/n2.json"]);
    assert!(code == 3 && !site.path().join("new").exists(), "{code}: {said}");
    assert_eq!(site.run(&["deploy", "src", "--name", "n3"]).0, 0);

    fs_err::write(site.path().join("src/bad"), "").expect("written");
    let (code, said) = drill("src", "n4", &[]);
    assert!(code == 4 && read("drills/n1.json").contains("\"passed\": false"), "{code}: {said}");
}

/// A drill takes minutes, and its exit code says what became of the hosts.
#[test]
fn a_file_that_cannot_be_written_is_refused_first() {
    let site = Site::new("");
    fs_err::write(site.path().join("ro"), "").expect("written");
    for file in ["ro/x.json", "ro/deep/x.json", "src", "new/", ""] {
        for option in ["--report", "--junit"] {
            for dry in [&["--json"][..], &["--dry-run"]] {
                let (code, said) = site.run(&[&["drill", "src", "--name", "v1", option, file][..], dry].concat());
                assert!(code == 2 && said.contains("nothing was touched"), "{option} {file}: {code}: {said}");
                assert!(said.matches("\"type\":\"report\"").count() < 2, "{said}");
            }
        }
    }
    let (code, said) = site.run(&["drill", "src", "--report", "deep/er/x.json", "--dry-run"]);
    assert!(code == 0 && !site.path().join("deep").exists(), "{code}: {said}");
    assert!(!site.path().join("root").exists());
}

/// `prepare` takes the directory of the report away, after it was looked at.
#[test]
fn a_report_that_is_lost_does_not_hide_the_outcome() {
    let rules = "[hooks]\nprepare = \"rm -rf '{}' && touch '{}'\"\n[validate]\ncommand = \"test ! -e bad\"\n";
    let site = Site::new("");
    let lost = site.path().join("lost");
    let rules = rules.replace("{}", lost.to_str().expect("UTF-8"));
    let file = site.path().join("switchback.toml");
    let text = fs_err::read_to_string(&file).expect("written") + &rules;
    fs_err::write(&file, text).expect("written");
    for (bad, expected) in [(false, 1), (true, 4)] {
        if bad {
            fs_err::write(site.path().join("src/bad"), "").expect("written");
        }
        let name = format!("v{expected}");
        fs_err::remove_file(&lost).ok();
        let (code, said) = site.run(&["--json", "drill", "src", "--name", &name, "--report", "lost/x.json"]);
        assert_eq!((code, said.matches("\"type\":\"report\"").count()), (expected, 1), "{said}");
        assert!(said.contains("error: cannot write the report of the drill to lost/x.json"), "{said}");
    }
}

#[test]
fn the_baseline_of_a_drill_is_pinned() {
    let site = Site::new("keep = 0\n");
    assert_eq!(site.run(&["drill", "src", "--name", "v1"]).0, 0);
    let (_, releases) = site.run(&["releases"]);
    assert!(releases.contains("the baseline of the drill of v1"), "{releases}");
}

#[test]
fn what_prepare_made_belongs_to_the_release() {
    let site = Site::new("[hooks]\nprepare = \"echo built >built.txt\"\n[rollback]\nverify = \"full\"\n");
    for name in ["v1", "v2"] {
        assert_eq!(site.run(&["deploy", "src", "--name", name]).0, 0);
    }
    let (code, said) = site.run(&["verify", "v1", "--full"]);
    assert_eq!(code, 0, "{said}");
    fs_err::write(site.path().join("root/releases/v1/built.txt"), "other\n").expect("written");
    let (code, said) = site.run(&["verify", "v1", "--full"]);
    assert!(code == 8 && said.contains("built.txt"), "{code}: {said}");
    let (code, said) = site.run(&["rollback"]);
    assert!(code == 3 && said.contains("built.txt"), "{code}: {said}");
}
