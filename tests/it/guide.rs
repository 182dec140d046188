//! The guide against the library: every kind of error, exit code, key and preset is in it. The pages against the
//! repository: every file that they name exists.

use std::{fs, path::Path};

use switchback::{Config, ErrorKind, ExitCode, report::Outcome};

const ERRORS: &str = include_str!("../../src/guide/errors.md");
const EXIT_CODES: &str = include_str!("../../src/guide/exit_codes.md");

/// Returns the rows of the table that begins with this heading, as cells.
fn rows<'t>(text: &'t str, heading: &str) -> Vec<Vec<&'t str>> {
    let table = text.lines().skip_while(|line| !line.starts_with(heading)).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn every_kind_of_error_stands_in_the_guide_with_its_exit_code() {
    let told: Vec<(String, String)> =
        rows(ERRORS, "| kind |").iter().map(|row| (row[0].trim_matches('`').to_owned(), row[2].to_owned())).collect();
    let are = ErrorKind::ALL.iter().map(|kind| {
        let code = ExitCode::of(Outcome::Refused, Some(*kind)).code();
        (kind.as_str().to_owned(), code.to_string())
    });
    assert_eq!(told, are.collect::<Vec<_>>());
}

#[test]
fn every_exit_code_stands_in_the_guide() {
    let mut are: Vec<u8> = [
        ExitCode::DONE,
        ExitCode::UNEXPECTED,
        ExitCode::USAGE,
        ExitCode::REFUSED,
        ExitCode::PUT_BACK,
        ExitCode::INCONSISTENT,
        ExitCode::LOCKED,
        ExitCode::NOTHING_TO_ROLL_BACK_TO,
        ExitCode::DIFFERS,
        ExitCode::INTERRUPTED,
    ]
    .map(ExitCode::code)
    .to_vec();
    // The exit codes of the two other signals belong to the command.
    are.extend([143, 129]);
    let readme = include_str!("../../README.md");
    for (text, heading) in [(EXIT_CODES, "| code |"), (readme, "| code |")] {
        let told: Vec<u8> = rows(text, heading)
            .iter()
            .flat_map(|row| row[0].split(", "))
            .filter_map(|code| code.parse().ok())
            .collect();
        assert_eq!(told, are);
    }
}

const CONFIGURATION: &str = include_str!("../../src/guide/configuration.md");

#[test]
fn every_configuration_in_the_guide_holds() {
    let blocks: Vec<&str> =
        CONFIGURATION.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3);
    for block in blocks {
        let environment = block.contains("[env.staging]").then_some("staging");
        let config = Config::parse(block, environment).unwrap_or_else(|error| panic!("{error}\n{block}"));
        assert!(!config.commands.is_empty());
    }
}

/// The keys are those that the error about an unknown key lists.
#[test]
fn every_key_and_preset_stands_in_the_guide() {
    let unknown = |text: &str| Config::parse(text, None).expect_err("an unknown key");
    let listed = |error: switchback::ConfigError| {
        let advice = error.advice().expect("the known keys").to_owned();
        advice.trim_start_matches("known here: ").split(", ").map(ToOwned::to_owned).collect::<Vec<String>>()
    };
    for table in listed(unknown("zzzzzz = 1")) {
        if matches!(table.as_str(), "root" | "host" | "hosts_from" | "parallel" | "keep" | "shared" | "env") {
            assert!(
                CONFIGURATION.contains(&format!("`{table}`")) || CONFIGURATION.contains(&format!("[{table}")),
                "{table}"
            );
            continue;
        }
        for key in listed(unknown(&format!("[{table}]\nzzzzzzzzzzzzzzzzzzzz = 1"))) {
            let row = CONFIGURATION
                .lines()
                .find(|line| line.starts_with(&format!("| `[{table}]`")) && line.contains(&format!("`{key}`")));
            assert!(row.is_some(), "[{table}] {key}");
        }
    }
    for preset in switchback::data::Preset::ALL {
        assert!(!rows(CONFIGURATION, "| preset |").iter().all(|row| row[0] != format!("`{preset}`")), "{preset}");
    }
}

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Returns the pages: the guide, and every page of its own.
fn pages() -> Vec<String> {
    let guide = fs::read_dir(Path::new(HERE).join("src/guide")).expect("the guide");
    let names = guide.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    let guide = names.filter(|name| name != "mod.rs").map(|name| format!("src/guide/{name}"));
    let others = ["README.md", "CHANGELOG.md", ".github/CONTRIBUTING.md", "tests/README.md", "tests/FAULTS.md"];
    guide.chain(others.map(ToOwned::to_owned)).collect()
}

/// Returns the targets of a page's links to other files, relative to the repository.
fn link_targets(page: &str, text: &str) -> Vec<String> {
    let directory = page.rsplit_once('/').map_or("", |(directory, _)| directory);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    // Links of rustdoc name items, which `cargo doc` checks.
    let targets = targets.filter(|target| !target.contains("://") && !target.contains("::"));
    let path = |target: &str| {
        if target.starts_with('#') {
            format!("{page}{target}")
        } else {
            format!("{directory}/{target}").trim_start_matches('/').to_owned()
        }
    };
    targets.map(path).collect()
}

/// Returns the paths of this repository that stand in backticks, without patterns.
fn quoted_paths(text: &str) -> Vec<String> {
    let directories = ["src/", "tests/", "examples/", "benches/", ".ci/", ".github/"];
    let mut in_block = false;
    let prose = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        in_block ^= fence;
        !fence && !in_block
    });
    let quoted = prose.flat_map(|line| line.split('`').skip(1).step_by(2));
    let paths = quoted.filter(|word| directories.iter().any(|directory| word.starts_with(directory)));
    paths.filter(|word| !word.contains(['*', ' '])).map(ToOwned::to_owned).collect()
}

/// Whether a page has a heading that `anchor` leads to.
fn has_heading(page: &str, anchor: &str) -> bool {
    let spelled = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    page.lines()
        .filter_map(|line| Some(line.strip_prefix('#')?.trim_start_matches('#').trim()))
        .any(|heading| spelled(heading) == anchor)
}

#[test]
fn every_file_that_a_page_names_exists() {
    let mut named = 0;
    for page in pages() {
        let text = fs::read_to_string(Path::new(HERE).join(&page)).expect("a page");
        for target in link_targets(&page, &text).into_iter().chain(quoted_paths(&text)) {
            let (file, anchor) = target.split_once('#').unwrap_or((target.as_str(), ""));
            let file = Path::new(HERE).join(file);
            assert!(file.exists(), "{page} names {target}");
            let leads = anchor.is_empty() || has_heading(&fs::read_to_string(&file).expect("a page"), anchor);
            assert!(leads, "{page} names {target}, which has no such heading");
            named += 1;
        }
    }
    assert!(named > 100, "{named} names were found");
}
