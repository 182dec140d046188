//! The live line: what the run is doing now, as the last line of the terminal. Gone as soon as anything else is printed.

use std::{
    fmt::Write as _,
    io::{IsTerminal, Write as _, stderr},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use switchback::Event;

use super::{fit, progress::Progress};

/// The time between two looks at the progress.
const TICK: Duration = Duration::from_millis(100);

/// Columns that stay free, so that the `^C` that a terminal shows does not wrap.
const FREE: usize = 4;

/// The live line of this process, which has one terminal.
static LINE: Mutex<Line> = Mutex::new(Line { progress: None, run: 0, shown: None });

struct Line {
    /// The progress of the run; `None` when none is under way.
    progress: Option<Progress>,
    /// The number of the run, so that the thread of an earlier one ends.
    run: u64,
    /// The text on the terminal, and the terminal's width then.
    shown: Option<(String, usize)>,
}

fn line() -> MutexGuard<'static, Line> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether standard error is a terminal that can erase a line.
pub(crate) fn is_possible() -> bool {
    stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Shows this progress until [`end`]. Only if it [is possible](is_possible).
pub(crate) fn begin(progress: Progress) {
    let mut line = line();
    line.progress = Some(progress);
    line.run += 1;
    let run = line.run;
    // Without a thread there is no line, and the run goes on.
    let _ = thread::Builder::new().name("live line".to_owned()).spawn(move || keep_drawing(run));
}

/// Draws until the run has ended. A line that did not change is not written again.
fn keep_drawing(run: u64) {
    loop {
        thread::sleep(TICK);
        let mut line = line();
        let Some(progress) = line.progress.as_ref().filter(|_| line.run == run) else { return };
        let text = progress.text(Instant::now());
        line.draw(text.as_deref().unwrap_or_default());
    }
}

/// Notes an event of the run.
pub(crate) fn note(event: &Event) {
    if let Some(progress) = &mut line().progress {
        progress.note(event, Instant::now());
    }
}

/// Notes that the run was asked to stop.
pub(crate) fn interrupted() {
    if let Some(progress) = &mut line().progress {
        progress.interrupt();
    }
}

/// Removes the line for good. Returns whether there was one.
pub(crate) fn end() -> bool {
    let mut line = line();
    line.progress = None;
    line.erase()
}

/// Erases the line, if there is one, and prints something else meanwhile. It comes back below.
pub(crate) fn aside<T>(print: impl FnOnce() -> T) -> T {
    let mut line = line();
    line.erase();
    print()
}

impl Line {
    fn draw(&mut self, text: &str) {
        let columns = fit::of_messages().unwrap_or(0);
        let text = fit::cut(text, columns.saturating_sub(FREE));
        if self.shown.as_ref().map_or(text.is_empty(), |(shown, width)| (shown, *width) == (&text, columns)) {
            return;
        }
        self.erase();
        if !text.is_empty() {
            write(&text);
            self.shown = Some((text, columns));
        }
    }

    fn erase(&mut self) -> bool {
        let Some((text, _)) = self.shown.take() else { return false };
        let mut erase = "\r".to_owned();
        // A terminal that became narrower has wrapped the line.
        let rows = fit::of_messages().map_or(0, |columns| fit::width(&text).saturating_sub(1) / columns);
        if rows > 0 {
            // Writing to a `String` cannot fail.
            let _ = write!(erase, "\x1b[{rows}A");
        }
        write(&(erase + "\x1b[J"));
        true
    }
}

/// Writes to the terminal. A failure is ignored: a terminal that is gone needs no line.
fn write(text: &str) {
    let _ = stderr().lock().write_all(text.as_bytes());
}
