//! [`Terminal`]: a command on a terminal of its own, and what that terminal shows.

use std::{
    fs::File,
    io::{Read, Write},
    num::NonZeroU16,
    process::{Child, Command},
    sync::{Arc, Mutex},
    thread,
};

use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use super::wait::until;

/// The rows of each terminal: more than any test prints.
const ROWS: u16 = 60;

/// The output so far.
struct Seen {
    screen: vt100::Parser,
    output: Vec<u8>,
}

/// A command on a terminal. It is killed when this is dropped.
pub(crate) struct Terminal {
    keys: File,
    command: Child,
    seen: Arc<Mutex<Seen>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Terminal {
    /// Starts `command` on a terminal that is so wide.
    ///
    /// `setsid` makes it the one that Ctrl-C interrupts.
    pub(crate) fn start(command: &Command, columns: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keys = openpt(flags).expect("a terminal");
        grantpt(&keys).and_then(|()| unlockpt(&keys)).expect("a terminal of ours");
        tcsetwinsize(&keys, size(columns)).expect("it has a size");
        let end = || ioctl_tiocgptpeer(&keys, flags).expect("its other end");
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg(command.get_program()).args(command.get_args());
        session.current_dir(command.get_current_dir().expect("a directory")).env("TERM", "xterm");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        let command = session.stdin(end()).stdout(end()).stderr(end()).spawn().expect("`setsid` runs");
        // The ends that are left are the command's: when they are closed, the output has ended.
        drop(session);
        let keys = File::from(keys);
        let screen = vt100::Parser::new(positive(ROWS), positive(columns), 0);
        let seen = Arc::new(Mutex::new(Seen { screen, output: Vec::new() }));
        let (mut output, shown) = (keys.try_clone().expect("a second handle"), Arc::clone(&seen));
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                let mut seen = shown.lock().expect("no reader panics");
                seen.screen.process(&bytes[..length]);
                seen.output.extend_from_slice(&bytes[..length]);
            }
        });
        Self { keys, command, seen, reader: Some(reader) }
    }

    /// Returns what the terminal shows, row by row, without the spaces at their ends.
    pub(crate) fn screen(&self) -> String {
        let seen = self.seen.lock().expect("no reader panics");
        let screen = seen.screen.screen();
        let (_, columns) = screen.size();
        let rows: Vec<String> = screen.rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect();
        format!("{}\n", rows.join("\n").trim_end())
    }

    /// Returns all output, also what is not on the screen any more.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().expect("no reader panics").output).into_owned()
    }

    /// Waits until the screen shows this text, and returns the screen.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> String {
        let last = Mutex::new(String::new());
        until(text, || {
            let screen = self.screen();
            let shows = screen.contains(text);
            *last.lock().expect("one thread") = screen;
            shows || self.has_ended()
        });
        let screen = last.into_inner().expect("one thread");
        assert!(screen.contains(text), "the command ended without {text:?}:\n{screen}");
        screen
    }

    /// Whether all output has been read.
    fn has_ended(&self) -> bool {
        self.reader.as_ref().is_none_or(thread::JoinHandle::is_finished) && !self.screen().is_empty()
    }

    /// Types these characters.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal is open");
    }

    /// Makes the terminal so wide.
    pub(crate) fn resize(&self, columns: u16) {
        self.seen.lock().expect("no reader panics").screen.set_size(positive(ROWS), positive(columns));
        tcsetwinsize(&self.keys, size(columns)).expect("it has a size");
    }

    /// Waits for the end of the command, and returns its exit code and the last screen.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let code = self.command.wait().expect("it ends").code();
        self.reader.take().expect("it is read once").join().expect("no reader panics");
        (code, self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let (Ok(None), Some(pid)) = (self.command.try_wait(), Pid::from_raw(self.command.id().cast_signed())) {
            // The test has failed; the hosts' shells end with their client.
            let _ = kill_process(pid, Signal::KILL);
            let _ = self.command.wait();
        }
    }
}

fn positive(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has a size")
}

fn size(columns: u16) -> Winsize {
    Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
