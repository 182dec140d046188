//! Signals: the first asks the run to come to a safe point, the second ends the process.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{render, under_way::UnderWay};

/// A signal that asks the command to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// `kill`, or a CI job that is cancelled.
    Terminate,
    /// The terminal is gone.
    HangUp,
}

impl Signal {
    const ALL: [Self; 3] = [Self::Interrupt, Self::Terminate, Self::HangUp];

    /// The exit code by which shells know it.
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

/// `SIGXFSZ`, which Linux sends who writes more to a file than `ulimit -f` allows.
const FILE_TOO_LARGE: i32 = 25;

/// For commands that change nothing: a signal ends them as it ends any program.
pub(crate) fn never() -> watch::Receiver<Option<Signal>> {
    watch::channel(None).1
}

/// Listens from now on; the receiver has the first signal that came. Must be called inside a runtime.
///
/// A second signal says what is left, and ends the process at once with its code: what the hosts were told to do, they
/// finish by themselves. `again` is the command with the flags that mean the same fleet.
pub(crate) fn listen(under_way: &UnderWay, again: &str) -> std::io::Result<watch::Receiver<Option<Signal>>> {
    let (sender, receiver) = watch::channel(None);
    // Listened for, so that it does not end the process: then the write that is too large fails, and says so.
    drop(signal(SignalKind::from_raw(FILE_TOO_LARGE))?);
    for which in Signal::ALL {
        let mut stream = signal(which.kind())?;
        let (sender, under_way, again) = (sender.clone(), under_way.clone(), again.to_owned());
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                // Asked and answered in one step: another signal's task may run at the same moment.
                let is_first = sender.send_if_modified(|first| {
                    let is_first = first.is_none();
                    first.get_or_insert(which);
                    is_first
                });
                if !is_first {
                    render::message(&under_way.left(&again));
                    std::process::exit(which.code().into());
                }
                render::message("Interrupted: coming to a safe point. Once more ends this at once.\n");
            }
        });
    }
    Ok(receiver)
}
