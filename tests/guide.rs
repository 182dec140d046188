//! The guide leaves out no kind of error and no exit code, and says of each what the program does.

use switchback::{ErrorKind, ExitCode, report::Outcome};

const ERRORS: &str = include_str!("../src/guide/errors.md");
const EXIT_CODES: &str = include_str!("../src/guide/exit_codes.md");

/// The rows of the table that begins with this heading, as cells.
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
    // The other two signals are the command's own.
    are.extend([143, 129]);
    let readme = include_str!("../README.md");
    for (text, heading) in [(EXIT_CODES, "| code |"), (readme, "| code |")] {
        let told: Vec<u8> = rows(text, heading)
            .iter()
            .flat_map(|row| row[0].split(", "))
            .filter_map(|code| code.parse().ok())
            .collect();
        assert_eq!(told, are);
    }
}
