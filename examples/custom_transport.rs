//! A transport of your own, over anything that starts a shell, and the suite that tests it.
//!
//! These shells run on this machine, in an empty environment. A command that passes its last arguments on to a host, as
//! `docker exec -i NAME` does, needs no code: see `switchback::transport::shell::CommandShell`.
//!
//! ```sh
//! cargo run --example custom_transport --features testing
//! ```

use std::{fmt, process::Command, time::Duration};

use switchback::{
    BoxFuture,
    testing::conformance::{self, Fixture},
    transport::{
        ShellTransport, TransportError,
        shell::{Channel, Shell, ShellCommand},
    },
};

/// Opens shells in an empty environment.
#[derive(Debug)]
struct Clean;

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a clean shell")
    }
}

impl Shell for Clean {
    fn open(&self, shell: ShellCommand) -> BoxFuture<'_, Result<Channel, TransportError>> {
        let mut command = Command::new("env");
        command.arg("-i").args(shell.arguments());
        Box::pin(async move {
            Channel::start(command)
                .map_err(|why| TransportError::Unreachable { host: self.to_string(), source: why.into() })
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        // Nothing is kept between two channels.
        Box::pin(async {})
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
pub(crate) async fn main() {
    let summary = conformance::transport(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().to_str().expect("a plain path").parse().expect("an absolute path");
        Fixture::new(ShellTransport::new(Clean, Duration::from_secs(60)), root).keeping(directory)
    });
    println!("{}", summary.await);
}
