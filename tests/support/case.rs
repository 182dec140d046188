//! The commands that sweeps disturb, and the roots that they start from.

/// A command, the state before it, and the release it leads to.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    /// The deployed releases, first to last.
    pub(crate) before: &'static [&'static str],
    /// The releases staged after that.
    pub(crate) staged: &'static [&'static str],
    /// A command that was killed after that, and left for this one to settle.
    pub(crate) cut: Option<Cut>,
    pub(crate) arguments: &'static [&'static str],
    /// The current release after the command.
    pub(crate) to: &'static str,
}

/// A command that was killed on every host, with `on` as the current release and the lock still held.
pub(crate) struct Cut {
    pub(crate) arguments: &'static [&'static str],
    /// The current release when it was killed.
    pub(crate) on: &'static str,
    /// Whether its lock names a process that is still running.
    pub(crate) lives: bool,
}

const DEPLOY_NEW: &[&str] = &["deploy", "new", "--name", "new"];

/// The template of the cases.
const NOTHING: Case =
    Case { what: "nothing", before: &["o", "a"], staged: &[], cut: None, arguments: DEPLOY_NEW, to: "new" };

pub(crate) const FIRST_DEPLOY: Case = Case { what: "first deploy", before: &[], ..NOTHING };
pub(crate) const DEPLOY: Case = Case { what: "deploy", ..NOTHING };
pub(crate) const ACTIVATE: Case =
    Case { what: "activate", staged: &["new"], arguments: &["activate", "new"], ..NOTHING };
pub(crate) const ROLLBACK: Case =
    Case { what: "rollback", before: &["o", "a", "b"], arguments: &["rollback"], to: "a", ..NOTHING };

/// Removes the oldest release.
pub(crate) const PRUNE: Case =
    Case { what: "prune", before: &["o", "a", "b"], arguments: &["prune", "--keep", "0"], to: "b", ..NOTHING };

/// Undoes a deploy that was killed before its switch.
pub(crate) const RECOVER: Case = Case {
    what: "recover",
    cut: Some(Cut { arguments: DEPLOY_NEW, on: "a", lives: false }),
    arguments: &["recover"],
    to: "a",
    ..NOTHING
};
/// Undoes a deploy that was killed after its switch, as `--back` requests.
pub(crate) const RECOVER_BACK: Case = Case {
    what: "recover --back",
    cut: Some(Cut { arguments: DEPLOY_NEW, on: "new", lives: false }),
    arguments: &["recover", "--back"],
    to: "a",
    ..NOTHING
};
/// Finishes a deploy that was killed before its switch, as `--forward` requests.
pub(crate) const RECOVER_FORWARD: Case = Case {
    what: "recover --forward",
    cut: Some(Cut { arguments: DEPLOY_NEW, on: "a", lives: false }),
    arguments: &["recover", "--forward"],
    ..NOTHING
};
/// Finishes a rollback that was killed before its switch.
pub(crate) const RECOVER_ROLLBACK: Case = Case {
    what: "recover of a rollback",
    before: &["o", "a", "b"],
    cut: Some(Cut { arguments: &["rollback"], on: "b", lives: false }),
    arguments: &["recover"],
    to: "a",
    ..NOTHING
};
/// Breaks the lock of a deploy that was killed after its switch.
pub(crate) const UNLOCK: Case = Case {
    what: "unlock",
    cut: Some(Cut { arguments: DEPLOY_NEW, on: "new", lives: false }),
    arguments: &["unlock"],
    ..NOTHING
};
/// Breaks the lock of a rollback that hangs before its switch.
pub(crate) const UNLOCK_FORCE: Case = Case {
    what: "unlock --force",
    before: &["o", "a", "b"],
    cut: Some(Cut { arguments: &["rollback"], on: "b", lives: true }),
    arguments: &["unlock", "--force"],
    to: "b",
    ..NOTHING
};

impl Case {
    /// Returns the current release before the command.
    pub(crate) fn from(&self) -> Option<&'static str> {
        self.cut.as_ref().map(|cut| cut.on).or(self.before.last().copied())
    }

    /// Returns the commands before it, each with its release.
    pub(crate) fn history(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let deployed = self.before.iter().map(|name| ("deploy", *name));
        deployed.chain(self.staged.iter().map(|name| ("stage", *name)))
    }

    /// Whether it is a rollback, or settles an interrupted one.
    pub(crate) fn is_rollback(&self) -> bool {
        self.arguments[0] == "rollback" || self.cut.as_ref().is_some_and(|cut| cut.arguments[0] == "rollback")
    }
}
