//! The setters of the options of commands.

use std::{sync::Arc, time::Duration};

use camino::Utf8PathBuf;

use crate::{
    commands::{Commands, DataPlace},
    data::{DataMigration, DataVersion},
    hook::Hook,
    name::ReleaseName,
    target::{Direction, RollbackTarget},
    target_check::TargetCheck,
};

use super::{
    ActivateOptions, Code, CommandsFrom, DeployOptions, DrillOptions, RecoverOptions, Retention, RollbackOptions,
    RunOptions,
};

/// Defines the constructor, and the setters that the options of all commands have: those of [`RunOptions`], which are
/// in the field `$run` of the others.
macro_rules! run_setters {
    ($options:ident $(, $run:ident)?) => {
        impl $options {
            /// Creates the default options.
            #[must_use]
            pub fn new() -> Self {
                Self::default()
            }

            /// Sets the name of the user, as locks and histories show it: `user@host`, and the CI job if there is one.
            ///
            /// Without it they show `an unnamed caller`.
            #[must_use]
            pub fn by(mut self, by: impl Into<String>) -> Self {
                self$(.$run)?.by = by.into();
                self
            }

            /// Sets the reason, as locks and histories show it.
            #[must_use]
            pub fn reason(mut self, reason: impl Into<String>) -> Self {
                self$(.$run)?.reason = Some(reason.into());
                self
            }

            /// Sets the revision that is deployed, as version control calls it.
            ///
            /// It is kept with the staged release and in the history.
            #[must_use]
            pub fn revision(mut self, revision: impl Into<String>) -> Self {
                self$(.$run)?.revision = Some(revision.into());
                self
            }

            /// Sets the maximum time to wait for a lock that somebody else holds; zero by default.
            #[must_use]
            pub fn wait(mut self, wait: Duration) -> Self {
                self$(.$run)?.wait = wait;
                self
            }

            /// Sets whether to stop after planning, with nothing changed.
            #[must_use]
            pub fn dry_run(mut self, dry_run: bool) -> Self {
                self$(.$run)?.dry_run = dry_run;
                self
            }

            /// Sets whether to skip unreachable hosts, instead of refusing.
            ///
            /// The other hosts record what these miss. The next run that reaches them, or a recovery, handles it.
            #[must_use]
            pub fn skip_unreachable(mut self, skip: bool) -> Self {
                self$(.$run)?.skip_unreachable = skip;
                self
            }

            /// Sets whether a source without any file is accepted. Such a source is most often a failed build.
            #[must_use]
            pub fn allow_empty(mut self, allow: bool) -> Self {
                self$(.$run)?.allow_empty = allow;
                self
            }

            /// Sets the commands around a switch; `None` for those of the configuration, if the fleet was made from one.
            ///
            /// A rollback runs the commands recorded with the releases, unless
            /// [`commands_from`](RollbackOptions::commands_from) says otherwise; until then these decide only which
            /// variables and files of this machine recorded commands may get.
            #[must_use]
            pub fn commands(mut self, commands: impl Into<Option<Commands>>) -> Self {
                self$(.$run)?.commands = commands.into();
                self
            }

            /// Sets the caller's own code around a switch.
            #[must_use]
            pub fn code(mut self, code: Code) -> Self {
                self$(.$run)?.code = code;
                self
            }

            /// Sets the working directory of commands on the controller; by default, the directory of the configuration
            /// file, else the current directory.
            #[must_use]
            pub fn directory(mut self, directory: impl Into<Utf8PathBuf>) -> Self {
                self$(.$run)?.directory = Some(directory.into());
                self
            }

            $(/// Sets the options of every command, all of them.
            #[must_use]
            pub fn $run(mut self, $run: RunOptions) -> Self {
                self.$run = $run;
                self
            })?
        }
    };
}

run_setters!(RunOptions);
run_setters!(DeployOptions, run);
run_setters!(DrillOptions, run);
run_setters!(ActivateOptions, run);
run_setters!(RollbackOptions, run);
run_setters!(RecoverOptions, run);

impl Code {
    /// Creates a set without any code.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the hook that runs on every host, in the new release, before any switch.
    #[must_use]
    pub fn prepare(mut self, hook: Arc<dyn Hook>) -> Self {
        self.prepare = Some(hook);
        self
    }

    /// Sets the hook that runs on every host after the switch, in both directions.
    #[must_use]
    pub fn after_switch(mut self, hook: Arc<dyn Hook>) -> Self {
        self.after_switch = Some(hook);
        self
    }

    /// Sets the hook that decides on every host whether the switch was good.
    #[must_use]
    pub fn validate(mut self, hook: Arc<dyn Hook>) -> Self {
        self.validate = Some(hook);
        self
    }

    /// Sets the code that applies and reverts data migrations, instead of the configured commands.
    #[must_use]
    pub fn migration(mut self, migration: Arc<dyn DataMigration>) -> Self {
        self.migration = Some(migration);
        self
    }

    /// Sets the place where the migration runs its commands; the controller by default.
    ///
    /// There, [`Occasion::directory`](crate::hook::Occasion::directory) is still the directory of the release on the hosts.
    #[must_use]
    pub fn place(mut self, place: DataPlace) -> Self {
        self.place = place;
        self
    }
}

/// Keeps this many good releases.
impl From<u32> for Retention {
    fn from(good: u32) -> Self {
        Self::Good(good)
    }
}

/// Defines the setters of the commands that switch to a new or staged release.
macro_rules! switch_setters {
    ($($options:ident)+) => {$(
        impl $options {
            /// Sets how to verify an existing release against its manifest before switching to it; `None` for the
            /// configured check.
            #[must_use]
            pub fn verify(mut self, verify: impl Into<Option<TargetCheck>>) -> Self {
                self.verify = verify.into();
                self
            }

            /// Sets whether to switch although the hosts are on different releases.
            #[must_use]
            pub fn allow_split(mut self, allow: bool) -> Self {
                self.allow_split = allow;
                self
            }

            /// Sets the release that must be current on every host that is not yet on the new one; `None` for any.
            ///
            /// Otherwise the command is refused, so that an older pipeline does not overwrite the deploy of a newer one.
            #[must_use]
            pub fn from(mut self, from: impl Into<Option<ReleaseName>>) -> Self {
                self.from = from.into();
                self
            }

            /// Sets whether to accept and record a data version other than the last known one.
            #[must_use]
            pub fn accept_data(mut self, accept: bool) -> Self {
                self.accept_data = accept;
                self
            }

            /// Sets the releases to keep: a number of good ones, or a [`Retention`]. After success, others that nothing
            /// needs are removed.
            #[must_use]
            pub fn keep(mut self, keep: impl Into<Retention>) -> Self {
                self.keep = keep.into();
                self
            }
        }
    )+};
}

switch_setters!(DeployOptions ActivateOptions);

impl DeployOptions {
    /// Sets whether a deploy of an existing release that is not current goes to it.
    ///
    /// It does so by an activation; or by a rollback, with the data, if the records lead back to it. Every host must
    /// need the same command, and a bad release is refused.
    #[must_use]
    pub fn or_return(mut self, or_return: bool) -> Self {
        self.or_return = or_return;
        self
    }

    /// Declares that the release cannot be rolled back together with its data, and why.
    #[must_use]
    pub fn irreversible(mut self, why: impl Into<String>) -> Self {
        self.irreversible = Some(why.into());
        self
    }
}

impl RollbackOptions {
    /// Sets the target; one good release back by default.
    #[must_use]
    pub fn target(mut self, target: RollbackTarget) -> Self {
        self.target = target;
        self
    }

    /// Sets the release to go to, even if it is bad or outside the chain.
    #[must_use]
    pub fn to(self, release: ReleaseName) -> Self {
        self.target(RollbackTarget::Release(release))
    }

    /// Sets the number of good releases to go back in the chain.
    #[must_use]
    pub fn steps(self, steps: u32) -> Self {
        self.target(RollbackTarget::Steps(steps))
    }

    /// Sets how to verify the target against its manifest before switching; `None` for the configured check.
    #[must_use]
    pub fn verify(mut self, verify: impl Into<Option<TargetCheck>>) -> Self {
        self.verify = verify.into();
        self
    }

    /// Moves only hosts that are on this release; `None` for all. If no host is on it, does nothing.
    #[must_use]
    pub fn from(mut self, from: impl Into<Option<ReleaseName>>) -> Self {
        self.from = from.into();
        self
    }

    /// Sets whether to keep the data as it is, and roll back the code alone.
    #[must_use]
    pub fn keep_data(mut self, keep: bool) -> Self {
        self.keep_data = keep;
        self
    }

    /// Sets the version to revert the data to, if the records disagree about it or are wrong; `None` to follow them.
    #[must_use]
    pub fn data_to(mut self, version: impl Into<Option<DataVersion>>) -> Self {
        self.data_to = version.into();
        self
    }

    /// Sets whose commands to run.
    #[must_use]
    pub fn commands_from(mut self, from: CommandsFrom) -> Self {
        self.commands = from;
        self
    }

    /// Sets whether to skip hooks and validations, those of the caller's own code too.
    ///
    /// Together with [`keep_data`](Self::keep_data) nothing is run, so that the rollback needs no records of commands or
    /// data and trusts nobody.
    #[must_use]
    pub fn no_hooks(mut self, no_hooks: bool) -> Self {
        self.no_hooks = no_hooks;
        self
    }
}

impl RecoverOptions {
    /// Sets the direction of the recovery.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Sets whether to keep the data as it is.
    #[must_use]
    pub fn keep_data(mut self, keep: bool) -> Self {
        self.keep_data = keep;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ReleaseName {
        text.parse().expect("a release name")
    }

    #[test]
    fn each_setter_sets_its_field() {
        let run = RunOptions {
            by: "ci".to_owned(),
            reason: Some("a fix".to_owned()),
            revision: Some("abc".to_owned()),
            wait: Duration::from_secs(5),
            dry_run: true,
            skip_unreachable: true,
            allow_empty: true,
            commands: Some(Commands::default()),
            code: Code { place: DataPlace::Host("web1".to_owned()), ..Code::default() },
            directory: Some("/srv".into()),
        };
        let set = RunOptions::new().by("ci").reason("a fix").revision("abc").wait(Duration::from_secs(5)).dry_run(true);
        let set = set.skip_unreachable(true).allow_empty(true).commands(Commands::default()).directory("/srv");
        let set = set.code(Code::new().place(DataPlace::Host("web1".to_owned())));
        assert_eq!(format!("{set:?}"), format!("{run:?}"));

        let deploy = DeployOptions {
            run: run.clone(),
            allow_split: true,
            from: Some(name("a")),
            or_return: true,
            verify: Some(TargetCheck::Full),
            anew: false,
            irreversible: Some("it drops a table".to_owned()),
            accept_data: true,
            keep: Retention::Good(5),
        };
        let set = DeployOptions::new().run(set).allow_split(true).from(name("a")).or_return(true);
        let set = set.verify(TargetCheck::Full).irreversible("it drops a table").accept_data(true).keep(5);
        assert_eq!(format!("{set:?}"), format!("{deploy:?}"));

        let back = RollbackOptions {
            run,
            target: RollbackTarget::Release(name("a")),
            verify: Some(TargetCheck::None),
            from: Some(name("b")),
            keep_data: true,
            data_to: Some(DataVersion::new("7").expect("a version")),
            commands: CommandsFrom::Configuration,
            no_hooks: true,
        };
        let set = RollbackOptions::new().run(set.run).steps(2).to(name("a")).verify(TargetCheck::None).from(name("b"));
        let set = set.keep_data(true).data_to(DataVersion::new("7").expect("a version")).no_hooks(true);
        let set = set.commands_from(CommandsFrom::Configuration);
        assert_eq!(format!("{set:?}"), format!("{back:?}"));
    }
}
