//! Signals: the first asks the run to stop at a safe point, the second ends the process.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

use crate::{render, under_way::UnderWay};

/// A signal that asks the command to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// `kill`, or a cancelled CI job.
    Terminate,
    /// The terminal was closed.
    HangUp,
}

impl Signal {
    const ALL: [Self; 3] = [Self::Interrupt, Self::Terminate, Self::HangUp];

    /// Returns the signals to listen to. A handler would undo what `nohup` did.
    fn heard() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|which| *which != Self::HangUp || !is_hang_up_ignored())
    }

    /// Returns the exit code that shells use for it: 128 plus the signal's number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::HangUp => 129,
        }
    }

    fn kind(self) -> SignalKind {
        match self {
            Self::Interrupt => SignalKind::interrupt(),
            Self::Terminate => SignalKind::terminate(),
            Self::HangUp => SignalKind::hangup(),
        }
    }
}

/// Whether this process was started with `SIGHUP` ignored: `proc_pid_status(5)` has a bit for each signal.
fn is_hang_up_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 != 0)
}

/// `SIGXFSZ`: Linux sends it to a process that writes a file beyond `ulimit -f`.
const FILE_TOO_LARGE: i32 = 25;

/// Returns a receiver that never receives: a signal ends a command that changes nothing like any other program.
pub(crate) fn never() -> watch::Receiver<Option<Signal>> {
    watch::channel(None).1
}

/// While it lives, a signal erases the live line and ends the process at once. Must be made inside a runtime.
pub(crate) struct EndsAtOnce(Vec<JoinHandle<()>>);

impl EndsAtOnce {
    /// Begins to listen where there is a terminal; elsewhere, and if that fails, signals end the process by themselves.
    pub(crate) fn begin() -> Self {
        if !render::is_live() {
            return Self(Vec::new());
        }
        let listen = |which: Signal| {
            let mut stream = signal(which.kind()).ok()?;
            Some(tokio::spawn(async move {
                if stream.recv().await.is_some() {
                    if !render::end() {
                        // The terminal shows `^C` on this line.
                        render::message("\n");
                    }
                    std::process::exit(which.code().into());
                }
            }))
        };
        Self(Signal::heard().filter_map(listen).collect())
    }
}

impl Drop for EndsAtOnce {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Starts to listen, and returns a receiver of the first signal. Must be called inside a runtime.
///
/// A second signal prints what the run leaves, and ends the process at once with that signal's exit code; hosts finish
/// by themselves what they were sent. `again` is `switchback` with the flags that select the same fleet.
pub(crate) fn listen(under_way: &UnderWay, again: &str) -> std::io::Result<watch::Receiver<Option<Signal>>> {
    let (sender, receiver) = watch::channel(None);
    // The handler stays when the stream is dropped. With it, SIGXFSZ does not end the process: the write fails, and the
    // run reports the error.
    drop(signal(SignalKind::from_raw(FILE_TOO_LARGE))?);
    for which in Signal::heard() {
        let mut stream = signal(which.kind())?;
        let (sender, under_way, again) = (sender.clone(), under_way.clone(), again.to_owned());
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                // Test and set in one step: the task of another signal may run at the same moment.
                let is_first = sender.send_if_modified(|first| {
                    let is_first = first.is_none();
                    first.get_or_insert(which);
                    is_first
                });
                if !is_first {
                    render::end();
                    render::message(&under_way.left(&again));
                    std::process::exit(which.code().into());
                }
                render::interrupted();
                render::message("Interrupted: stopping at a safe point. Interrupt again to end at once.\n");
            }
        });
    }
    Ok(receiver)
}
