//! Escapes text from hosts and files: it cannot control the terminal, and its characters appear in their order.

use std::fmt::Write;

/// Escapes the text, line breaks too.
pub(crate) fn line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if is_harmless(c) {
            shown.push(c);
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(shown, "{}", c.escape_default());
        }
        shown
    })
}

/// Escapes the text, but keeps its line breaks.
pub(crate) fn lines(text: &str) -> String {
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether a terminal just draws the character: no control character, no change of direction, no zero width.
fn is_harmless(c: char) -> bool {
    let invisible =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !c.is_control() && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_the_terminal() {
        assert_eq!(line("a\u{1b}[2J\rb\n\u{202e}ü\u{9b}"), "a\\u{1b}[2J\\rb\\n\\u{202e}ü\\u{9b}");
        assert_eq!(lines("a\r\nb\u{7}\n"), "a\nb\\u{7}");
    }
}
