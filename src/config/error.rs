//! [`ConfigError`]: an error in a configuration, with its place.

#[cfg(feature = "config")]
use std::ops::Range;
use std::{error::Error as StdError, fmt};

use camino::{Utf8Path, Utf8PathBuf};
#[cfg(feature = "config")]
use toml::de::{DeTable, DeValue};
#[cfg(feature = "config")]
use unicode_width::UnicodeWidthStr;

/// An error in a configuration. Prints the offending line with a mark under it, as compilers do:
///
/// ```text
/// unknown key `ssh.identiy`
///  --> switchback.toml:7:1
///   |
/// 7 | identiy = "deploy_key"
///   | ^^^^^^^
///   = help: did you mean `identity`?
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    message: String,
    help: Option<String>,
    key: Option<String>,
    spot: Option<Box<Spot>>,
    file: Option<Utf8PathBuf>,
}

/// A place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spot {
    line: usize,
    column: usize,
    text: String,
    /// The columns of a terminal before the mark.
    before: usize,
    /// The columns of the mark.
    width: usize,
}

impl ConfigError {
    /// An error without a line.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: printable(&message.into()), help: None, key: None, spot: None, file: None }
    }

    /// An error at these bytes of `text`.
    #[cfg(feature = "config")]
    pub(super) fn at(text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let key = DeTable::parse(text).ok().and_then(|table| key_at(table.get_ref(), span.start));
        Self { key, spot: Some(Box::new(Spot::new(text, span))), ..Self::new(message) }
    }

    /// Adds advice.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(printable(&help.into()));
        self
    }

    /// Replaces the message.
    pub(super) fn with_message(self, message: impl Into<String>) -> Self {
        Self { message: printable(&message.into()), ..self }
    }

    /// Replaces the message by a function of the key.
    #[cfg(feature = "config")]
    pub(super) fn message_of(mut self, message: impl FnOnce(&str) -> String) -> Self {
        self.message = printable(&message(self.key.as_deref().unwrap_or_default()));
        self
    }

    /// Adds the file that the text was read from.
    #[must_use]
    pub fn in_file(mut self, file: impl AsRef<Utf8Path>) -> Self {
        self.file = Some(file.as_ref().to_owned());
        self
    }

    /// Returns the line, counted from 1; `None` for an error without a line.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.spot.as_ref().map(|spot| spot.line)
    }

    /// Returns the column, in characters, counted from 1; `None` for an error without a line.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.spot.as_ref().map(|spot| spot.column)
    }

    /// Returns the key, with its tables: `env.staging.ssh.jump`.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Returns the message, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns advice, if there is any.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl StdError for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let margin = self.spot.as_ref().map_or(1, |spot| spot.line.to_string().len());
        match (&self.file, &self.spot) {
            (Some(file), Some(spot)) => write!(f, "\n{:margin$}--> {file}:{}:{}", "", spot.line, spot.column)?,
            (None, Some(spot)) => write!(f, "\n{:margin$}--> line {}, column {}", "", spot.line, spot.column)?,
            (Some(file), None) => write!(f, "\n{:margin$}--> {file}", "")?,
            (None, None) => {}
        }
        if let Some(spot) = &self.spot {
            let marks = "^".repeat(spot.width);
            write!(f, "\n{:margin$} |\n{} | {}", "", spot.line, spot.text)?;
            write!(f, "\n{:margin$} | {:indent$}{marks}", "", "", indent = spot.before)?;
        }
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n{:margin$} = help: {help}", ""))
    }
}

impl Spot {
    /// The place of the first line of `span`. A span beyond the end stands for the end.
    #[cfg(feature = "config")]
    fn new(text: &str, span: Range<usize>) -> Self {
        let start = character_at(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let end = character_at(text, span.end.clamp(start, line_end));
        // As it is shown: a character takes up to two columns.
        let width = |text: &str| printable(text).width();
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: printable(text[line_start..line_end].trim_end()),
            before: width(&text[line_start..start]),
            width: width(text[start..end].trim_end()).max(1),
        }
    }
}

/// Returns the start of the character that contains this byte; the end for a byte beyond it.
#[cfg(feature = "config")]
fn character_at(text: &str, byte: usize) -> usize {
    (0..=byte.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Makes a text safe to show, on one line.
fn printable(text: &str) -> String {
    text.chars().map(shown).collect()
}

/// Makes a character safe to show: none acts on a terminal.
fn shown(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() || is_invisible(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// Whether `c` only changes the direction of text, or has no width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Returns the key, with its tables, at this byte or whose value is at this byte.
#[cfg(feature = "config")]
fn key_at(table: &DeTable<'_>, at: usize) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let below = match value.get_ref() {
            DeValue::Table(table) => key_at(table, at),
            DeValue::Array(items) => {
                items.iter().find_map(|item| item.get_ref().as_table().and_then(|table| key_at(table, at)))
            }
            _ => None,
        };
        let here = key.span().contains(&at) || value.span().contains(&at);
        let here = || here.then(|| key.get_ref().to_string());
        below.map(|below| format!("{}.{below}", key.get_ref())).or_else(here)
    })
}

#[cfg(all(test, feature = "config"))]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_under_what_it_means() {
        let error = ConfigError::at("a = 1\n\troot = \"é\u{1b}\"\n", 7..11, "wrong").help("right").in_file("x.toml");
        let expected = "wrong\n --> x.toml:2:2\n  |\n2 |  root = \"é\u{fffd}\"\n  |  ^^^^\n  = help: right";
        assert_eq!(error.to_string(), expected);
        let wide = ConfigError::at("a = '日本' é", 13..15, "wrong").to_string();
        assert!(wide.ends_with("1 | a = '日本' é\n  |            ^"), "{wide}");
    }

    #[test]
    fn a_span_behind_the_end_or_over_lines_is_cut() {
        assert_eq!(ConfigError::at("é", 1..90, "x").column(), Some(1));
        assert_eq!(ConfigError::at("", 5..9, "x").line(), Some(1));
        assert!(ConfigError::at("abc\ndef", 1..7, "x").to_string().ends_with("  |  ^^"));
    }

    #[test]
    fn keys_are_named_with_their_tables() {
        let text = "[[host]]\nname = 1\n[env.a.ssh]\njump = 2\n";
        let key = |word: &str| ConfigError::at(text, text.find(word).map_or(0..0, |at| at..at), "").key.clone();
        assert_eq!(key("1").as_deref(), Some("host.name"));
        assert_eq!(key("2").as_deref(), Some("env.a.ssh.jump"));
    }
}
