//! [`Verdict`] and [`Summary`]: the results of the suites.

use std::fmt;

/// The result of a case that found no violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The rule holds.
    Passed,
    /// Not all of the rule could be tested here, for this reason. What was tested holds.
    Skipped(String),
}

/// The results of a suite without a violation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The number of cases that passed.
    pub passed: usize,
    /// The skipped cases by name, each with the reason.
    pub skipped: Vec<(&'static str, String)>,
}

impl Summary {
    /// Sums up the results of cases, each with its name.
    ///
    /// # Panics
    ///
    /// Panics if a case failed, with all failures.
    pub(super) fn of(results: impl IntoIterator<Item = (&'static str, Result<Verdict, String>)>) -> Self {
        let (mut summary, mut broken) = (Self::default(), Vec::new());
        for (name, result) in results {
            match result {
                Ok(Verdict::Passed) => summary.passed += 1,
                Ok(Verdict::Skipped(why)) => summary.skipped.push((name, why)),
                Err(what) => broken.push(what),
            }
        }
        assert!(broken.is_empty(), "{} cases do not hold ({summary}):\n{}", broken.len(), broken.join("\n"));
        summary
    }
}

/// Prints the number of cases, and each skipped one with its reason.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cases passed, {} skipped", self.passed, self.skipped.len())?;
        self.skipped.iter().try_for_each(|(name, why)| write!(f, "\n{name}: skipped, {why}"))
    }
}
