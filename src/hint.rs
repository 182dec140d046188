//! [`Hint`]: the next step after a failure, and [`Notice`], a text with hints.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{name::ReleaseName, report::Command};

macro_rules! hints {
    ($($(#[$doc:meta])+ $hint:ident $(($($part:ty),+))?,)+) => {
        /// A next step for the user, as a value.
        ///
        /// The library names no command and no flag. A front end words each hint in its own terms, and replaces it by
        /// [`Advice`](Self::Advice) before it writes JSON: see [`Report::word_hints`](crate::Report::word_hints).
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Hint {
            /// Advice in words: something to do outside the program, or a hint that a front end has worded.
            Advice(String),
            $($(#[$doc])+ $hint $(($($part),+))?,)+
        }

        impl Hint {
            /// Returns an example of every hint, for tests of front ends.
            #[doc(hidden)]
            #[must_use]
            pub fn examples() -> Vec<Self> {
                vec![Self::Advice(String::example()), $(Self::$hint $(($(<$part>::example()),+))?,)+]
            }
        }
    };
}

hints! {
    /// Adopt the plain directory that stands where `current` belongs.
    AdoptDirectory,
    /// Adopt again: an adoption continues where it stopped.
    AdoptAgain,
    /// Adopt, and name the tool that made the tree.
    AdoptFrom,
    /// Activate this release.
    Activate(ReleaseName),
    /// Activate this release, which runs its `prepare` again.
    PrepareAgain(ReleaseName),
    /// Activate this release without verifying it.
    ActivateUnverified(ReleaseName),
    /// Deploy the source as this release, to the hosts that lack it.
    DeployAs(ReleaseName),
    /// Stage the source as this release on this host.
    StageOn(ReleaseName, String),
    /// Give the release another name.
    AnotherName,
    /// Allow a source without files.
    AllowEmpty,
    /// Go on although the hosts are on different releases.
    AllowSplit,
    /// Accept owners and permissions as they are.
    AllowWritable,
    /// Accept and record the data version that was found.
    AcceptData,
    /// Name no release that must be current.
    FromAny,
    /// Rehearse the source, and write the report to this directory.
    Drill(String),
    /// Roll back; the hosts that differ then agree.
    Rollback,
    /// Roll back, which reverts what was done.
    RollbackReverts,
    /// Roll back to this release.
    RollbackTo(ReleaseName),
    /// Roll back to a release that the user chooses.
    RollbackToAnother,
    /// Roll back to this release without verifying it.
    RollbackUnverified(ReleaseName),
    /// Mind that another rollback goes one release further back.
    RollbackFurther,
    /// Run this command again: it resumes the revert of the data.
    ResumeRevert(Command),
    /// Leave the data as it is, and move the code alone.
    KeepData,
    /// Run no recorded command at all, and move the code alone.
    CodeAlone,
    /// Run the commands of the configuration instead of the recorded ones.
    ConfiguredCommands,
    /// Run the command where the configuration is.
    WithConfiguration,
    /// Revert the data to a version that the user chooses.
    DataTo,
    /// Mind that a later rollback must be told the data version.
    DataToLater,
    /// Go there without verifying the release.
    Unverified,
    /// Recover: the interrupted run is finished or reverted.
    Recover,
    /// Recover, and revert the interrupted run.
    RecoverBack,
    /// Recover, and finish the interrupted run.
    RecoverForward,
    /// Recover: `current` is linked to this release again.
    Relink(ReleaseName),
    /// Recover: the release that commands changed is sealed.
    Seal,
    /// Look where each host is.
    Status,
    /// Look which file is unreadable, and who owns it.
    UnreadableFile,
    /// List the releases of the hosts.
    Releases,
    /// Look who did what.
    History,
    /// Look what the commands of the operation printed.
    Log,
    /// Compare this release with its manifest, with contents.
    VerifyFull(ReleaseName),
    /// Look who owns the files of this release.
    VerifyOwners(ReleaseName),
    /// Leave these hosts out, or a host that the user chooses.
    Except(Vec<String>),
    /// Wait for the lock.
    Wait,
    /// Remove the lock of a holder that is known to be dead.
    UnlockForce,
    /// Prune again.
    Prune,
    /// Say how many releases to keep.
    Keep,
}

/// A value for examples of hints.
trait Example {
    fn example() -> Self;
}

impl Example for String {
    fn example() -> Self {
        "web1".to_owned()
    }
}

impl Example for Vec<String> {
    fn example() -> Self {
        vec!["web1".to_owned(), "web2".to_owned()]
    }
}

impl Example for ReleaseName {
    fn example() -> Self {
        "build-17".parse().unwrap_or_else(|_| unreachable!("it is a name"))
    }
}

impl Example for Command {
    fn example() -> Self {
        Self::Rollback
    }
}

impl From<&str> for Hint {
    fn from(advice: &str) -> Self {
        Self::Advice(advice.to_owned())
    }
}

impl From<String> for Hint {
    fn from(advice: String) -> Self {
        Self::Advice(advice)
    }
}

/// The words of a front end for hints that belong together.
pub(crate) type Words<'a> = dyn Fn(&[Hint]) -> String + 'a;

/// Replaces the hints by their words.
pub(crate) fn word(hints: &mut Vec<Hint>, words: &Words<'_>) {
    if !hints.is_empty() {
        *hints = vec![Hint::Advice(words(hints))];
    }
}

/// Joins the hints that are words. The others have none yet.
fn advice(hints: &[Hint]) -> Option<String> {
    let words = hints.iter().filter_map(|hint| match hint {
        Hint::Advice(advice) => Some(advice.as_str()),
        _ => None,
    });
    let words: Vec<&str> = words.collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// Writes the hints that are words as one text.
pub(crate) fn serialize<S: Serializer>(hints: &[Hint], serializer: S) -> Result<S::Ok, S::Error> {
    advice(hints).serialize(serializer)
}

/// Reads hints that are words.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hint>, D::Error> {
    let words = Option::<String>::deserialize(deserializer)?;
    Ok(words.into_iter().map(Hint::Advice).collect())
}

/// Whether no hint is in words, so that there is nothing to write.
pub(crate) fn is_wordless(hints: &[Hint]) -> bool {
    advice(hints).is_none()
}

/// A text for the user, with the next steps where there are some. JSON has both as one text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// The text.
    pub text: String,
    /// The next steps.
    pub hints: Vec<Hint>,
}

impl Notice {
    /// A text without next steps.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hints: Vec::new() }
    }

    /// Adds a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn word_hints(&mut self, words: &Words<'_>) {
        word(&mut self.hints, words);
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        advice(&self.hints).map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl Serialize for Notice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads the whole text, which contains the hints.
impl<'de> Deserialize<'de> for Notice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl From<String> for Notice {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Notice {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_shows_only_hints_in_words() {
        let mut notice = Notice::new("it is damaged").hint(Hint::Recover).hint("look");
        assert_eq!(notice.to_string(), "it is damaged; look");
        notice.word_hints(&|hints| format!("{} hints", hints.len()));
        assert_eq!(serde_json::to_string(&notice).expect("a text"), "\"it is damaged; 2 hints\"");
    }
}
