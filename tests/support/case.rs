//! The commands that sweeps disturb, and the roots that they start from.

/// A command, what was there before it, and where it leads.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    /// What was deployed, first to last.
    pub(crate) before: &'static [&'static str],
    /// What was staged after that.
    pub(crate) staged: &'static [&'static str],
    /// What was cut off after that, and left for this command to settle.
    pub(crate) cut: Option<Cut>,
    pub(crate) arguments: &'static [&'static str],
    /// The release that is current when it is done.
    pub(crate) to: &'static str,
}

/// A command that was killed, on every host, once its `current` was there and before its lock was given back.
pub(crate) struct Cut {
    pub(crate) arguments: &'static [&'static str],
    /// The release that is current where it was killed.
    pub(crate) on: &'static str,
    /// Whether its lock says that a process holds it that still runs.
    pub(crate) lives: bool,
}

const DEPLOY_NEW: &[&str] = &["deploy", "new", "--name", "new"];

/// What the cases are made of.
const NOTHING: Case =
    Case { what: "nothing", before: &["o", "a"], staged: &[], cut: None, arguments: DEPLOY_NEW, to: "new" };

pub(crate) const FIRST_DEPLOY: Case = Case { what: "first deploy", before: &[], ..NOTHING };
pub(crate) const DEPLOY: Case = Case { what: "deploy", ..NOTHING };
pub(crate) const ACTIVATE: Case =
    Case { what: "activate", staged: &["new"], arguments: &["activate", "new"], ..NOTHING };
pub(crate) const ROLLBACK: Case =
    Case { what: "rollback", before: &["o", "a", "b"], arguments: &["rollback"], to: "a", ..NOTHING };

/// The oldest release is removed.
pub(crate) const PRUNE: Case =
    Case { what: "prune", before: &["o", "a", "b"], arguments: &["prune", "--keep", "0"], to: "b", ..NOTHING };

/// A deploy that was killed before its switch is undone.
pub(crate) const RECOVER: Case = Case {
    what: "recover",
    cut: Some(Cut { arguments: DEPLOY_NEW, on: "a", lives: false }),
    arguments: &["recover"],
    to: "a",
    ..NOTHING
};
/// One that was killed after it is undone, since that was asked for.
pub(crate) const RECOVER_BACK: Case = Case {
    what: "recover --back",
    cut: Some(Cut { arguments: DEPLOY_NEW, on: "new", lives: false }),
    arguments: &["recover", "--back"],
    to: "a",
    ..NOTHING
};
/// One that was killed before it is finished, since that was asked for.
pub(crate) const RECOVER_FORWARD: Case = Case {
    what: "recover --forward",
    cut: Some(Cut { arguments: DEPLOY_NEW, on: "a", lives: false }),
    arguments: &["recover", "--forward"],
    ..NOTHING
};
/// A rollback that was killed before its switch is finished.
pub(crate) const RECOVER_ROLLBACK: Case = Case {
    what: "recover of a rollback",
    before: &["o", "a", "b"],
    cut: Some(Cut { arguments: &["rollback"], on: "b", lives: false }),
    arguments: &["recover"],
    to: "a",
    ..NOTHING
};
/// The lock of a deploy that was killed after its switch.
pub(crate) const UNLOCK: Case = Case {
    what: "unlock",
    cut: Some(Cut { arguments: DEPLOY_NEW, on: "new", lives: false }),
    arguments: &["unlock"],
    ..NOTHING
};
/// The lock of a rollback that hangs before its switch.
pub(crate) const UNLOCK_FORCE: Case = Case {
    what: "unlock --force",
    before: &["o", "a", "b"],
    cut: Some(Cut { arguments: &["rollback"], on: "b", lives: true }),
    arguments: &["unlock", "--force"],
    to: "b",
    ..NOTHING
};

impl Case {
    /// The release that is current before.
    pub(crate) fn from(&self) -> Option<&'static str> {
        self.cut.as_ref().map(|cut| cut.on).or(self.before.last().copied())
    }

    /// The commands before it, each with its release.
    pub(crate) fn history(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let deployed = self.before.iter().map(|name| ("deploy", *name));
        deployed.chain(self.staged.iter().map(|name| ("stage", *name)))
    }

    /// Whether it goes back, or settles what was going back.
    pub(crate) fn is_rollback(&self) -> bool {
        self.arguments[0] == "rollback" || self.cut.as_ref().is_some_and(|cut| cut.arguments[0] == "rollback")
    }
}
