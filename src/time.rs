//! [`Timestamp`]: an instant, for records and for people. It never decides anything.

use std::{fmt, str::FromStr, time::SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// An instant in UTC, to the microsecond. Prints as RFC 3339: `2026-11-23T10:15:00.123456Z`.
///
/// Times are shown, never compared to decide an order: clocks of hosts and controllers may differ by any amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(jiff::Timestamp::UNIX_EPOCH);

    /// Reads the controller's clock. A clock beyond the range gives the nearest valid instant.
    #[must_use]
    pub fn now() -> Self {
        Self::of_clock(SystemTime::now())
    }

    fn of_clock(now: SystemTime) -> Self {
        let beyond = if now < SystemTime::UNIX_EPOCH { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        Self(jiff::Timestamp::try_from(now).unwrap_or(beyond))
    }

    /// Returns the instant `seconds` and `nanoseconds` after the Unix epoch; `None` outside the years -9999 to 9999.
    #[must_use]
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Option<Self> {
        let nanoseconds = i32::try_from(nanoseconds).ok()?;
        jiff::Timestamp::new(seconds, nanoseconds).ok().map(Self)
    }

    /// Returns whole seconds from `earlier` to `self`; 0 if `earlier` is later.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.as_second() - earlier.0.as_second()).unwrap_or(0)
    }

    /// Formats as `20261123T101500Z`, for generated names. An earlier instant gives the Unix epoch, since a name
    /// cannot begin with a sign.
    #[must_use]
    pub(crate) fn compact(self) -> String {
        self.0.max(jiff::Timestamp::UNIX_EPOCH).strftime("%Y%m%dT%H%M%SZ").to_string()
    }
}

/// A text that is not an RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a time such as 2026-11-23T10:15:00Z")]
pub struct TimestampError(String);

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        text.parse().map(Self).map_err(|_| TimestampError(text.to_owned()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%S.%6fZ"))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_microseconds_and_reads_them_back() {
        let at = Timestamp::from_unix(1_795_428_900, 123_456_789).expect("a year we print");
        assert_eq!(at.to_string(), "2026-11-23T10:15:00.123456Z");
        assert_eq!(at.to_string().parse::<Timestamp>().map(|t| t.to_string()), Ok(at.to_string()));
        assert_eq!(at.compact(), "20261123T101500Z");
    }

    #[test]
    fn a_clock_may_say_anything() {
        let year = std::time::Duration::from_secs(365 * 86_400);
        let clocks = [SystemTime::UNIX_EPOCH + year * 9_000, SystemTime::UNIX_EPOCH - year * 20_000];
        for clock in clocks.into_iter().map(Timestamp::of_clock) {
            assert!(!clock.to_string().is_empty());
            assert!(crate::ReleaseName::new(&clock.compact()).is_ok(), "{}", clock.compact());
            assert!(clock.seconds_since(Timestamp::UNIX_EPOCH) < u64::MAX);
        }
        for seconds in [i64::MIN, -400_000_000_000, 253_402_300_800, i64::MAX] {
            assert_eq!(Timestamp::from_unix(seconds, 999_999_999), None, "{seconds}");
        }
    }

    #[test]
    fn a_clock_that_went_back_gives_zero() {
        let later = Timestamp::from_unix(10, 0).expect("in range");
        assert_eq!(later.seconds_since(Timestamp::UNIX_EPOCH), 10);
        assert_eq!(Timestamp::UNIX_EPOCH.seconds_since(later), 0);
    }
}
