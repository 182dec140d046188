//! Sources that are refused or warned about before any host is asked.

use std::{fs, sync::Arc};

use camino::Utf8Path;
use switchback::{
    ErrorKind, ExitCode, Report,
    commands::Commands,
    fleet::{DrillOptions, RunOptions},
    release::NewRelease,
    testing::{Collected, WholeReport as _},
    tree::SourceOptions,
};
use tempfile::TempDir;

use super::fixture::{Hosts, assert_code, deploying, name, wait};

/// Creates a directory with these files.
fn directory(files: &[&str]) -> TempDir {
    let dir = TempDir::new().expect("a directory");
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().expect("one above")).expect("a directory");
        fs::write(path, "x").expect("a file");
    }
    dir
}

fn path(dir: &TempDir) -> &Utf8Path {
    Utf8Path::from_path(dir.path()).expect("UTF-8")
}

fn open(path: &Utf8Path, exclude: &[&str]) -> NewRelease {
    let mut options = SourceOptions::default();
    options.exclude = exclude.iter().map(|pattern| (*pattern).to_owned()).collect();
    NewRelease::open_with(name("a"), path, &options).expect("a source")
}

/// Deploys, stages (dry and not) and drills the source that `open` returns, each on hosts of its own, and returns
/// the reports and warnings.
fn brought(open: &dyn Fn() -> NewRelease, run: &RunOptions) -> Vec<(Report, Vec<String>)> {
    let bring = |how: usize| {
        let (hosts, warnings) = (Hosts::new(2), Collected::warnings());
        let release = Arc::new(open());
        let (deploy, drill) = (deploying().run(run.clone()), DrillOptions::new().run(run.clone()));
        let dry = run.clone().dry_run(how == 1);
        let fleet = hosts.fleet();
        let report = match how {
            0 => wait(fleet.deploy(release, &deploy, warnings.clone()).report()),
            1 | 2 => wait(fleet.stage(release, &dry, warnings.clone()).report()),
            _ => wait(fleet.drill(release, &drill, warnings.clone()).report()),
        };
        (report, warnings.take())
    };
    (0..4).map(bring).collect()
}

fn refused(open: &dyn Fn() -> NewRelease, run: &RunOptions, named: &str) {
    for (report, _) in brought(open, run) {
        assert_code(&report, ExitCode::REFUSED);
        let error = report.error.expect("why");
        assert_eq!(error.kind, ErrorKind::Source);
        assert!(error.message.contains(named) && error.message.contains("nothing was touched"), "{}", error.message);
    }
}

#[test]
fn an_empty_source_is_refused_unless_it_is_meant() {
    let dir = directory(&[]);
    fs::create_dir(dir.path().join("empty")).expect("a directory");
    let (logs, mut run) = (directory(&["only.log"]), RunOptions::new().by("jane@laptop"));
    refused(&|| open(path(&dir), &[]), &run, "contains no files");
    refused(&|| open(path(&logs), &["*.log"]), &run, "contains no files");
    run = run.allow_empty(true);
    for (report, _) in brought(&|| open(path(&dir), &[]), &run) {
        assert_code(&report, ExitCode::DONE);
    }
}

#[test]
fn the_env_file_is_never_published() {
    let dir = directory(&["index.html", "conf/deploy.env"]);
    let mut run = RunOptions::new().by("jane@laptop");
    let mut commands = Commands::default();
    commands.env_file = Some(path(&dir).join("conf/../conf/deploy.env"));
    run = run.commands(commands);
    refused(&|| open(path(&dir), &[]), &run, "conf/deploy.env");
    let elsewhere = directory(&["index.html"]);
    for (dir, exclude) in [(&dir, &["*.env"][..]), (&elsewhere, &[])] {
        for (report, warnings) in brought(&|| open(path(dir), exclude), &run) {
            assert_code(&report, ExitCode::DONE);
            assert!(!warnings.iter().any(|warning| warning.contains("deploy.env")), "{warnings:?}");
        }
    }
}

#[test]
fn repositories_are_warned_about_once() {
    let files = ["index.html", ".git/config", ".git/modules/.git/x", "vendor/lib/.git", ".hg/x", "docs/.gitignore"];
    let dir = directory(&files);
    let said = |exclude: &[&str]| -> Vec<Vec<String>> {
        let all = brought(&|| open(path(&dir), exclude), &RunOptions::new().by("jane@laptop")).into_iter();
        let about =
            |warnings: Vec<String>| warnings.into_iter().filter(|warning| warning.contains("history")).collect();
        all.inspect(|(report, _)| assert_code(report, ExitCode::DONE)).map(|(_, warnings)| about(warnings)).collect()
    };
    for warnings in said(&[]) {
        assert_eq!(warnings.len(), 1, "once, also where the source is deployed more than once: {warnings:?}");
        assert!(warnings[0].contains("contains .git, .hg, vendor/lib/.git:"), "{}", warnings[0]);
    }
    assert!(said(&[".git", ".hg"]).iter().all(Vec::is_empty));
}

#[test]
fn an_archive_of_one_directory_is_warned_about_unless_it_is_meant() {
    let dir = directory(&["shop-1/index.html", "shop-1/img/logo"]);
    let archive = |names: &[&str]| {
        let mut builder = tar::Builder::new(Vec::new());
        for name in names {
            builder.append_dir_all(name, dir.path().join(name)).expect("a directory");
        }
        fs::write(dir.path().join("a.tar"), builder.into_inner().expect("memory")).expect("a file");
        path(&dir).join("a.tar")
    };
    let warned = |source: &Utf8Path, strip: Option<usize>| {
        let mut options = SourceOptions::default();
        options.strip = strip;
        let release = || NewRelease::open_with(name("a"), source, &options).expect("a source");
        let warnings =
            brought(&release, &RunOptions::new().by("jane@laptop")).into_iter().flat_map(|(_, warnings)| warnings);
        warnings.filter(|warning| warning.contains("is below shop-1/")).count()
    };
    assert_eq!(warned(&archive(&["shop-1"]), None), 4);
    assert_eq!(warned(&archive(&["shop-1"]), Some(0)) + warned(&archive(&["shop-1"]), Some(1)), 0);
    assert_eq!(warned(path(&dir), None), 0, "a directory is what it is");
    fs::create_dir(dir.path().join("other")).expect("a directory");
    assert_eq!(warned(&archive(&["shop-1", "other"]), None), 0);
}
