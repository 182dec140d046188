//! Durations as people write them: `30s`, `1m30s`.

use std::time::Duration;

use thiserror::Error;

/// A text that is not a valid duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a duration: write it with its unit, such as \"30s\", \"1m30s\" or \"2h\"")]
pub struct DurationError(String);

/// Parses a duration with its unit: `30s`, `1m30s`, `2h`. More than zero, at most a year.
///
/// Rejects a bare number, since its unit is unclear, and days, which do not always have 24 hours.
///
/// # Errors
///
/// [`DurationError`], which shows the syntax.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let duration = parse_duration_or_zero(text)?;
    if duration.is_zero() { Err(DurationError(text.to_owned())) } else { Ok(duration) }
}

/// Parses a duration like [`parse_duration`], and accepts `0s`.
pub(super) fn parse_duration_or_zero(text: &str) -> Result<Duration, DurationError> {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    let duration = text.parse::<jiff::SignedDuration>().ok().and_then(|signed| Duration::try_from(signed).ok());
    // Not hours and minutes without their units, as in `1:30:00`.
    let has_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
    duration.filter(|duration| *duration <= YEAR && has_unit).ok_or_else(|| DurationError(text.to_owned()))
}

/// Formats a duration as in a configuration.
pub(super) fn print(duration: Duration) -> String {
    jiff::SignedDuration::try_from(duration).map_or_else(|_| format!("{duration:?}"), |signed| format!("{signed:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for (text, seconds) in [("30s", 30), ("1m30s", 90), ("1m 30s", 90), ("2h", 7200)] {
            let duration = Duration::from_secs(seconds);
            assert_eq!(parse_duration(text), Ok(duration));
            assert_eq!(parse_duration(&print(duration)), Ok(duration));
        }
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration_or_zero(&print(Duration::ZERO)), Ok(Duration::ZERO));
    }

    #[test]
    fn a_number_or_nothing_is_no_duration() {
        for bad in ["", "30", " 30s", "1:30:00", "1d", "0s", "-5s", "30s ago", "soon", "99999999h", "5 s\n"] {
            assert!(parse_duration(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
