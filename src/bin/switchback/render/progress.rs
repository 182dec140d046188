//! Events on a terminal: uploads as bars, at most eight hosts and one total, and everything else as lines above.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use switchback::{Event, Observer, event::Phase};

use super::{escape, lines::Lines};

/// The most hosts with a bar: more bars flicker, and nobody reads them.
const MOST: usize = 8;

/// Draws bars on standard error.
#[derive(Debug)]
pub(crate) struct Bars {
    lines: Lines,
    drawn: MultiProgress,
    uploads: Mutex<Uploads>,
}

/// The progress of the uploads.
#[derive(Debug, Default)]
struct Uploads {
    /// The bytes that each host has, and all that it will get.
    hosts: HashMap<String, (u64, u64)>,
    bars: HashMap<String, ProgressBar>,
    total: Option<ProgressBar>,
}

impl Bars {
    /// Begins without bars; `lines` shows the events as lines.
    pub(crate) fn new(lines: Lines) -> Self {
        let drawn = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Self { lines, drawn, uploads: Mutex::default() }
    }

    /// Removes all bars.
    pub(crate) fn end(&self) {
        *self.uploads() = Uploads::default();
        // If this fails, the terminal is closed, and needs no clearing.
        let _ = self.drawn.clear();
    }

    fn uploads(&self) -> MutexGuard<'_, Uploads> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self, host: &str, (files, files_of): (u64, u64), (bytes, of): (u64, u64)) {
        let mut uploads = self.uploads();
        uploads.hosts.insert(host.to_owned(), (bytes, of));
        if bytes >= of {
            uploads.finish(host);
        } else if !uploads.bars.contains_key(host) && uploads.bars.len() < MOST {
            let bar = self.drawn.insert(0, bar(of, &escape::line(host)));
            uploads.bars.insert(host.to_owned(), bar);
        }
        if let Some(bar) = uploads.bars.get(host) {
            bar.set_position(bytes);
            bar.set_message(format!("{files}/{files_of} files"));
        }
        if uploads.total.is_none() {
            uploads.total = Some(self.drawn.add(bar(of, "all")));
        }
        uploads.show_total();
    }
}

impl Uploads {
    fn finish(&mut self, host: &str) {
        if let Some(bar) = self.bars.remove(host) {
            bar.finish_and_clear();
        }
    }

    fn show_total(&self) {
        let (bytes, of) = self.hosts.values().fold((0, 0), |sum, host| (sum.0 + host.0, sum.1 + host.1));
        if let Some(total) = &self.total {
            total.set_length(of);
            total.set_position(bytes);
        }
    }
}

impl Observer for Bars {
    fn event(&self, event: &Event) {
        match event {
            Event::Progress { host, files, files_total, bytes, bytes_total } => {
                self.progress(host, (*files, *files_total), (*bytes, *bytes_total));
            }
            Event::HostDone { host, phase: Phase::Stage } | Event::HostFailed { host, phase: Phase::Stage, .. } => {
                self.uploads().finish(host);
            }
            Event::Phase { phase, .. } if *phase != Phase::Stage => self.end(),
            _ => {}
        }
        // Hides the bars while a line is printed; they are drawn again below it.
        self.drawn.suspend(|| self.lines.event(event));
    }
}

fn bar(bytes: u64, name: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("  {prefix:12!} [{bar:30}] {bytes}/{total_bytes} {binary_bytes_per_sec} {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
    ProgressBar::new(bytes).with_style(style).with_prefix(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;

    #[test]
    fn at_most_eight_hosts_and_one_total() {
        let cli = <Cli as clap::Parser>::try_parse_from(["switchback", "status"]).expect("a command line");
        let bars = Bars {
            lines: Lines::new(&cli.global),
            drawn: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
            uploads: Mutex::default(),
        };
        let sent = |number: u32, bytes| Event::Progress {
            host: format!("web{number}"),
            files: 0,
            files_total: 1,
            bytes,
            bytes_total: 100,
        };
        (0..20).for_each(|number| bars.event(&sent(number, 10)));
        assert_eq!(bars.uploads().bars.len(), MOST);
        assert_eq!(
            bars.uploads().total.as_ref().map(|total| (total.position(), total.length())),
            Some((200, Some(2000)))
        );
        bars.event(&sent(0, 100));
        bars.event(&sent(19, 20));
        assert!(bars.uploads().bars.contains_key("web19"), "a bar that is done makes room for another");
        bars.end();
        assert!(bars.uploads().bars.is_empty());
    }
}
