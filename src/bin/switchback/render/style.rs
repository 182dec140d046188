//! The few colours. They are taken away again where nobody wants them (`NO_COLOR`, pipes).

use anstyle::{AnsiColor, Style};

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// What went wrong.
pub(crate) fn bad(text: &str) -> String {
    paint(AnsiColor::Red.on_default().bold(), text)
}

/// What stands out.
pub(crate) fn odd(text: &str) -> String {
    paint(AnsiColor::Yellow.on_default().bold(), text)
}

/// What went well.
pub(crate) fn good(text: &str) -> String {
    paint(AnsiColor::Green.on_default(), text)
}

/// What to do next.
pub(crate) fn next(text: &str) -> String {
    paint(AnsiColor::Cyan.on_default(), text)
}

/// A heading.
pub(crate) fn heading(text: &str) -> String {
    paint(Style::new().bold(), text)
}
