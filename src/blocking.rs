//! [`Fleet`]: the commands of a fleet for programs without a runtime.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use switchback::{Config, blocking::Fleet, event::Silent, fleet::DeployOptions, release::NewRelease};
//!
//! let fleet = Fleet::from_config(&Config::for_root("/srv/shop".parse()?, &[])?)?;
//! let release = NewRelease::open("build-17".parse()?, "dist".into())?;
//! fleet.deploy(Arc::new(release), &DeployOptions::new().by("ci").keep(5), Silent)?;
//! fleet.close();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::{
    adoption::Tool,
    config::Config,
    error::{Error, ErrorKind},
    fleet::{self, ActivateOptions, Call, DeployOptions, DrillOptions, RecoverOptions, RollbackOptions, RunOptions},
    name::ReleaseName,
    release::Release,
    report::{Command, Report},
    run_error::RunError,
};

/// A [fleet](fleet::Fleet) whose commands block the calling thread.
///
/// It has a runtime with one thread of its own, which keeps connections alive between commands. If an observer panics,
/// the command is reverted first, and then the panic continues in the caller. Several threads may call commands at once;
/// a [`Cancel`](fleet::Cancel) in the [`Call`] stops a command from another thread.
///
/// On a thread of an asynchronous runtime, `spawn_blocking` included, every command is refused: use the asynchronous
/// fleet there.
#[derive(Debug)]
pub struct Fleet {
    fleet: fleet::Fleet,
    /// `None` once it is shut down.
    runtime: Option<Runtime>,
}

macro_rules! commands {
    ($($command:ident => $reported:ident($($name:ident: $type:ty),*);)+) => {
        impl Fleet {
            $(
                #[doc = concat!("Blocks on [`Fleet::", stringify!($command), "`](fleet::Fleet::", stringify!($command), ").")]
                pub fn $command(&self, $($name: $type,)* call: impl Into<Call>) -> Result<Report, RunError> {
                    self.block_on(Command::$reported, self.fleet.$command($($name,)* call))
                }
            )+
        }
    };
}

commands! {
    deploy => Deploy(release: Arc<dyn Release>, options: &DeployOptions);
    drill => Drill(release: Arc<dyn Release>, options: &DrillOptions);
    stage => Stage(release: Arc<dyn Release>, options: &RunOptions);
    activate => Activate(name: &ReleaseName, options: &ActivateOptions);
    rollback => Rollback(options: &RollbackOptions);
    recover => Recover(options: &RecoverOptions);
    adopt => Adopt(from: Option<Tool>, options: &RunOptions);
    prune => Prune(keep: impl Into<Option<u32>>, options: &RunOptions);
    pin => Pin(name: &ReleaseName, options: &RunOptions);
    unpin => Unpin(name: &ReleaseName, options: &RunOptions);
    unlock => Unlock(force: bool, options: &RunOptions);
    status => Status();
    releases => Releases();
    history => History();
    recent_history => History(newest: usize);
    log => Log(operation: Option<&str>);
    verify => Verify(name: Option<&ReleaseName>, full: bool);
    diff => Diff(from: &ReleaseName, to: &ReleaseName);
    check => Check(options: &RunOptions);
}

impl Fleet {
    /// Starts a runtime for the commands of `fleet`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when the system gives no thread.
    pub fn new(fleet: fleet::Fleet) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("switchback").enable_all().build();
        let failed = |error| Error::new(ErrorKind::Internal, "the runtime of the fleet did not start").because(error);
        Ok(Self { fleet, runtime: Some(runtime.map_err(failed)?) })
    }

    /// Builds the fleet that `config` describes, as [`Fleet::from_config`](fleet::Fleet::from_config) does.
    ///
    /// # Errors
    ///
    /// As there; and as [`new`](Self::new).
    pub fn from_config(config: &Config) -> Result<Self, Error> {
        Self::new(fleet::Fleet::from_config(config)?)
    }

    /// Returns the asynchronous fleet.
    #[must_use]
    pub fn inner(&self) -> &fleet::Fleet {
        &self.fleet
    }

    /// Closes all connections. Dropping the fleet does the same, except in a task of an asynchronous runtime.
    pub fn close(self) {
        drop(self);
    }

    fn block_on(
        &self,
        command: Command,
        run: impl Future<Output = Result<Report, RunError>>,
    ) -> Result<Report, RunError> {
        match &self.runtime {
            Some(runtime) if Handle::try_current().is_err() => runtime.block_on(run),
            _ => {
                let what = "a blocking command cannot run on a thread of an async runtime; use the async fleet there; nothing was touched";
                Err(RunError::refused(command, Error::new(ErrorKind::Internal, what)))
            }
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if Handle::try_current().is_err() {
            runtime.block_on(self.fleet.close());
        }
        // Does not wait for threads: a drop in a task must not block it.
        runtime.shutdown_background();
    }
}
