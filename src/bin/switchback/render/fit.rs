//! Text that fits the terminal: its width, cut, or wrapped between words.

use std::{
    io::{IsTerminal, stderr, stdout},
    os::fd::AsFd,
    sync::atomic::{AtomicUsize, Ordering},
};

use unicode_width::UnicodeWidthChar;

/// The least columns for a quoted line of which only a part is shown.
const MARKED: usize = 20;

/// The width of a terminal that does not tell its own.
const USUAL: usize = 80;

/// Returns the width of the terminal that messages go to; `None` if they go elsewhere.
pub(crate) fn of_messages() -> Option<usize> {
    columns(stderr())
}

/// The width of the terminal that results go to; 0 if they go elsewhere.
static RESULTS: AtomicUsize = AtomicUsize::new(0);

/// Fits results to the terminal that they go to.
pub(crate) fn begin_results() {
    RESULTS.store(columns(stdout()).unwrap_or(0), Ordering::Relaxed);
}

/// Returns the width that results must fit; `None` if any does.
pub(crate) fn of_results() -> Option<usize> {
    Some(RESULTS.load(Ordering::Relaxed)).filter(|columns| *columns > 0)
}

/// Wraps a result to the terminal that it goes to.
pub(crate) fn result(text: String) -> String {
    match of_results() {
        Some(columns) => wrap(&text, columns),
        None => text,
    }
}

fn columns(stream: impl AsFd + IsTerminal) -> Option<usize> {
    let told = |size: rustix::termios::Winsize| Some(usize::from(size.ws_col)).filter(|columns| *columns > 0);
    stream.is_terminal().then(|| rustix::termios::tcgetwinsize(stream).ok().and_then(told).unwrap_or(USUAL))
}

/// Returns the columns that the text takes, without its styles.
pub(crate) fn width(text: &str) -> usize {
    anstream::adapter::strip_str(text).flat_map(str::chars).map(of_char).sum()
}

fn of_char(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Cuts a text to `columns`, with `…` at the end.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fits = |c: &char| {
        let fits = of_char(*c) <= left;
        left = left.saturating_sub(of_char(*c));
        fits
    };
    text.chars().take_while(fits).chain((columns > 0).then_some('…')).collect()
}

/// Wraps lines that are wider than `columns` between words; what follows is indented by two more. A command in backticks
/// stays whole, so that it can be pasted. Of a quoted line with a mark under it, the part with the mark is shown.
pub(crate) fn wrap(text: &str, columns: usize) -> String {
    let mut wrapped = String::new();
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        match lines.peek().and_then(|mark| excerpt(line, mark, columns)) {
            Some(excerpt) => {
                wrapped.push_str(&excerpt);
                lines.next();
            }
            None => wrapped.push_str(&wrap_line(line, columns)),
        }
    }
    wrapped
}

/// Returns the part of a quoted line that the marks are under, with the marks; `None` if this is no such pair or it
/// fits.
///
/// ```text
/// 7 | identiy = "deploy_key"
///   | ^^^^^^^
/// ```
fn excerpt(line: &str, marks: &str, columns: usize) -> Option<String> {
    let (margin, mark) = marks.split_once("| ")?;
    let (number, quoted) = line.split_at_checked(margin.len())?;
    let quoted = quoted.strip_prefix("| ")?.trim_end();
    let is_pair = margin.trim().is_empty() && mark.trim().chars().all(|c| c == '^') && mark.contains('^');
    let room = columns.saturating_sub(margin.len() + 2);
    if !is_pair || number.trim().parse::<usize>().is_err() || width(quoted) <= room || room < MARKED {
        return None;
    }
    let before = mark.len() - mark.trim_start().len();
    let marked = mark.trim().len().min(room / 2);
    // Some of what follows the mark, and an ellipsis, are seen too.
    let cut_off = (before + marked + MARKED / 2).saturating_sub(room).min(before.saturating_sub(1));
    // What each column shows; a wide character leaves its second one empty.
    let mut cells: Vec<String> = Vec::new();
    for c in quoted.chars() {
        match (of_char(c), cells.last_mut()) {
            (0, Some(last)) => last.push(c),
            (wide, _) => {
                cells.push(c.to_string());
                cells.extend((1..wide).map(|_| String::new()));
            }
        }
    }
    let shown = match cells.get(cut_off + 1) {
        _ if cut_off == 0 => cells.concat(),
        Some(half) if half.is_empty() => format!("… {}", cells[cut_off + 2..].concat()),
        _ => format!("…{}", cells[(cut_off + 1).min(cells.len())..].concat()),
    };
    let indent = " ".repeat(before - cut_off);
    let end = if marks.ends_with('\n') { "\n" } else { "" };
    Some(format!("{number}| {}\n{margin}| {indent}{}{end}", cut(&shown, room), "^".repeat(marked)))
}

fn wrap_line(line: &str, columns: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    let indent = line.len() - line.trim_start_matches(' ').len();
    let mut wrapped = " ".repeat(indent);
    let mut used = indent;
    let mut is_first = true;
    for word in words(&line[indent..]) {
        let wide = width(word);
        if is_first {
            is_first = false;
        } else if used + 1 + wide > columns {
            let more = (indent + 2).min(columns / 2);
            wrapped.truncate(wrapped.trim_end_matches(' ').len());
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(more));
            used = more;
        } else {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += wide;
    }
    wrapped
}

/// Splits a line at its spaces, but not at those between backticks.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    line.split(move |c: char| {
        quoted ^= c == '`';
        c == ' ' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_to_the_columns_that_it_takes() {
        assert_eq!(cut("prepare", 7), "prepare");
        assert_eq!(cut("prepare", 6), "prepa…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!((cut("a", 0), cut("ab", 1)), (String::new(), "…".to_owned()));
    }

    #[test]
    fn lines_wrap_between_words_and_commands_stay_whole() {
        assert_eq!(wrap("one two three\nfour\n", 8), "one two\n  three\nfour\n");
        assert_eq!(wrap("  one two three", 9), "  one two\n    three");
        assert_eq!(wrap("next: `a b c d` it\n", 10), "next:\n  `a b c d`\n  it\n");
        assert_eq!(wrap("a-word-too-long to fit", 8), "a-word-too-long\n  to fit");
        let quoted = format!("wrong\n7 | {}x = ['日本', bad]\n  | {}^^^\n  = help\n", "a".repeat(30), " ".repeat(43));
        assert_eq!(wrap(&quoted, 60), quoted);
        assert_eq!(wrap(&quoted, 30), "wrong\n7 | … = ['日本', bad]\n  |              ^^^\n  = help\n");
        assert_eq!(wrap("\u{1b}[1mone\u{1b}[0m two", 7), "\u{1b}[1mone\u{1b}[0m two", "styles take no room");
    }
}
