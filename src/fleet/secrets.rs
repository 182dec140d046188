//! The variables for hooks, hidden from everybody else.

use crate::{
    commands::Commands,
    error::{Error, ErrorKind, full_message},
    transport::Secrets,
};

/// The minimum length of a value that is redacted, in bytes.
const SHORTEST: usize = 4;

/// Reads the variables that `commands` name. Warns of those that cannot be read, and continues without
/// them.
///
/// A rollback must work from a machine that does not have them.
pub(super) fn load(commands: &Commands, warn: &mut dyn FnMut(String)) -> Secrets {
    let mut variables = Vec::new();
    if let Some(file) = &commands.env_file {
        match fs_err::read_to_string(file) {
            Ok(text) => variables.extend(lines_of(&text)),
            Err(error) => warn(format!("hooks run without the variables of the env_file: {}", full_message(&error))),
        }
    }
    for name in &commands.pass_env {
        match std::env::var(name) {
            Ok(value) => variables.push((name.clone(), value)),
            Err(_) => warn(format!("hooks run without the variable {name}, which is not set here")),
        }
    }
    Secrets::new(variables)
}

/// Returns an error if variables that `commands` name are missing. Commands that go forward are refused by
/// it.
pub(super) fn missing(commands: &Commands) -> Option<Error> {
    if let Some(Err(error)) = commands.env_file.as_ref().map(fs_err::read_to_string) {
        let what = "the variables for hooks could not be read from the env_file, and nothing was touched";
        return Some(Error::new(ErrorKind::Config, what).because(error));
    }
    let unset: Vec<&str> =
        commands.pass_env.iter().map(String::as_str).filter(|name| std::env::var(name).is_err()).collect();
    if unset.is_empty() {
        return None;
    }
    let what = format!("hooks need {}, which is not set here; nothing was touched", unset.join(", "));
    Some(Error::new(ErrorKind::Config, what).hint("set it, or take it out of `[hooks] pass_env`"))
}

/// Returns `text` without the values of `secrets`. Very short values stay: too many words contain them.
pub(super) fn redact(secrets: &Secrets, text: &str) -> String {
    // Output is redacted line by line, and a value can have several lines.
    let lines = secrets.pairs().iter().flat_map(|(_, value)| value.lines()).map(str::trim);
    let mut values: Vec<&str> = lines.filter(|value| value.len() >= SHORTEST).collect();
    // The longest first: one can be a prefix of another.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.into_iter().fold(text.to_owned(), |text, value| text.replace(value, "***"))
}

/// Parses a file of variables: lines `NAME=VALUE`, comments after `#`, values optionally quoted.
fn lines_of(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.strip_prefix("export ").unwrap_or(line).split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), unquoted(value.trim()).to_owned())).collect()
}

fn unquoted(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_out_of_what_is_shown() {
        let secrets = Secrets::new([("A", "hunter2"), ("B", "x")]);
        assert_eq!(redact(&secrets, "hunter2 said x"), "*** said x");
        let secrets = Secrets::new([("A", "hunter2"), ("B", "hunter2-more"), ("C", "line one\nline two\n")]);
        assert_eq!(
            redact(&secrets, "hunter2-more, line two"),
            "***, ***",
            "a value within another, and one of two lines"
        );
    }

    #[test]
    fn a_line_is_a_variable() {
        let text = "# comment\n\nA=1\nexport B = two words \nC='#3'\nD=\"a=b\"\nnothing\n";
        let pairs = lines_of(text);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("A", "1"), ("B", "two words"), ("C", "#3"), ("D", "a=b")]);
    }
}
