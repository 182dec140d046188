//! Colours and bold text; `anstream` removes them for pipes and `NO_COLOR`.

use anstyle::{AnsiColor, Style};

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Styles an error.
pub(crate) fn bad(text: &str) -> String {
    paint(AnsiColor::Red.on_default().bold(), text)
}

/// Styles text that stands out.
pub(crate) fn odd(text: &str) -> String {
    paint(AnsiColor::Yellow.on_default().bold(), text)
}

/// Styles a success.
pub(crate) fn good(text: &str) -> String {
    paint(AnsiColor::Green.on_default(), text)
}

/// Styles the label of the next command.
pub(crate) fn next(text: &str) -> String {
    paint(AnsiColor::Cyan.on_default(), text)
}

/// Styles a heading.
pub(crate) fn heading(text: &str) -> String {
    paint(Style::new().bold(), text)
}
