//! Yes-or-no questions, asked only at a terminal.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

/// Whether a person can answer: standard input and standard error are both terminals.
pub(crate) fn somebody_is_there() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

/// Asks on standard error and returns whether the answer is `y` or `yes`. Call only if [`somebody_is_there`].
pub(crate) fn confirm(question: &str) -> bool {
    let mut answer = String::new();
    let asked = write!(stderr(), "{question} [y/N] ").and_then(|()| stderr().flush());
    asked.is_ok() && stdin().lock().read_line(&mut answer).is_ok() && is_yes(&answer)
}

/// Asks on standard error until `parse` accepts the answer, and returns what it made of it; an empty answer is
/// `usual`. `None` at the end of the input.
pub(crate) fn until<T, E: std::fmt::Display>(
    question: &str,
    usual: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    loop {
        let usual_shown = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
        write!(stderr(), "{question}{usual_shown}: ").and_then(|()| stderr().flush()).ok()?;
        let mut answer = String::new();
        if stdin().lock().read_line(&mut answer).ok()? == 0 {
            return None;
        }
        let answer = answer.trim();
        match parse(if answer.is_empty() { usual } else { answer }) {
            Ok(parsed) => return Some(parsed),
            Err(why) => writeln!(stderr(), "  {}", crate::render::escaped(&why.to_string())).ok()?,
        }
    }
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes(" YES "));
        assert!(!is_yes("") && !is_yes("\n") && !is_yes("yep") && !is_yes("n"));
    }
}
