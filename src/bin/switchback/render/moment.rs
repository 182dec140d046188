//! Times, durations and sizes for people.

use std::time::Duration;

use switchback::{Timestamp, report::PhaseTime};

/// Renders a time with its age: `2026-11-23 10:15:00 UTC (3 min ago)`.
pub(crate) fn absolute(at: Timestamp, now: Timestamp) -> String {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    let time = time.split('.').next().unwrap_or_default();
    format!("{day} {time} UTC ({})", ago(at, now))
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.seconds_since(at) {
        // Also 0 for a time in the future: the clock of a host may be ahead of ours.
        0..=9 => "just now".to_owned(),
        seconds @ 10..=119 => format!("{seconds} s ago"),
        seconds @ 120..=7_199 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

/// Renders bytes in decimal units: `17.4 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    UNITS.iter().find(|(unit, _)| bytes >= *unit).map_or_else(
        || format!("{bytes} B"),
        |(unit, name)| format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
    )
}

/// Renders seconds: `0.2 s` or `2 min 5 s`.
pub(crate) fn length(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    whole(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// Renders the phases that took a tenth of a second or more: `stage 4.0 s, prepare 6.1 s`; empty if the whole took less
/// than a second.
pub(crate) fn phases(times: &[PhaseTime]) -> String {
    if times.iter().map(|time| time.seconds).sum::<f64>() < 1.0 {
        return String::new();
    }
    let long = times.iter().filter(|time| time.seconds >= 0.1);
    long.map(|time| format!("{} {}", time.phase.as_str(), length(time.seconds))).collect::<Vec<_>>().join(", ")
}

/// Renders whole seconds: `9 s`, `5 min`, `2 min 5 s`.
pub(crate) fn whole(length: Duration) -> String {
    match (length.as_secs() / 60, length.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use switchback::event::Phase;

    use super::*;

    #[test]
    fn reads_well() {
        let at = |seconds: i64| Timestamp::from_unix(1_795_428_900 + seconds, 0).expect("in range");
        assert_eq!(absolute(at(0), at(200)), "2026-11-23 10:15:00 UTC (3 min ago)");
        assert_eq!(ago(at(50), at(0)), "just now");
        assert_eq!(ago(at(0), at(300_000)), "3 days ago");
        assert_eq!(size(999), "999 B");
        assert_eq!(size(17_450_000), "17.4 MB");
        assert_eq!(length(0.21), "0.2 s");
        assert_eq!(length(125.0), "2 min 5 s");
        assert_eq!(whole(Duration::from_secs(9)), "9 s");
        let times = [(Phase::Ask, 0.04), (Phase::Stage, 4.0), (Phase::Prepare, 66.0)];
        let times = times.map(|(phase, seconds)| PhaseTime::new(phase, seconds));
        assert_eq!(phases(&times), "stage 4.0 s, prepare 1 min 6 s");
        assert_eq!(phases(&times[..1]), "");
        assert_eq!(whole(Duration::from_secs(300)), "5 min");
    }
}
