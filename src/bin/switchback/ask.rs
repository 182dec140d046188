//! Yes-or-no questions, asked only at a terminal.

use std::io::{BufRead, IsTerminal, stderr, stdin};

use crate::render;

/// Whether a person can answer: standard input and standard error are both terminals.
pub(crate) fn somebody_is_there() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

/// Says `why`, asks on standard error whether to continue, and returns whether the answer is `y` or `yes`. Call only if
/// [`somebody_is_there`].
pub(crate) fn confirm(why: &str) -> bool {
    let mut answer = String::new();
    render::message(&format!("{why}\nContinue? [y/N] "));
    read(&mut answer) && is_yes(&answer)
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
        render::message(&format!("{question}{usual_shown}: "));
        let mut answer = String::new();
        if !read(&mut answer) {
            return None;
        }
        let answer = answer.trim();
        match parse(if answer.is_empty() { usual } else { answer }) {
            Ok(parsed) => return Some(parsed),
            Err(why) => render::message(&format!("  {}\n", render::escaped(&why.to_string()))),
        }
    }
}

/// Reads a line; `false` at the end of the input.
fn read(answer: &mut String) -> bool {
    let is_read = stdin().lock().read_line(answer).is_ok_and(|length| length > 0);
    if !is_read {
        // The question is still on this line of the terminal.
        render::message("\n");
    }
    is_read
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
