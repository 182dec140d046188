//! The guide against the library: every kind of error, exit code, key and preset is in it.

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
        if matches!(table.as_str(), "root" | "host" | "parallel" | "keep" | "shared" | "env") {
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
