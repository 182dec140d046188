//! Reports and records with fields and words of a later version.

use serde::de::DeserializeOwned;
use serde_json::{Value, to_value};

use crate::{
    Event, Report,
    data::LedgerEntry,
    debt::Debt,
    report::{Command, HostOutcome, HostReport, Outcome},
    status::ReleaseState,
    store::Intent,
};

use super::{WORDS, status, text};

/// Changes words, and adds fields, as a later version might.
pub(super) fn later(value: Value) -> Value {
    let words = "command evidence fingerprint holder hook host kind outcome phase question state step tool";
    match value {
        Value::Object(fields) => {
            let change = |(key, value): (String, Value)| {
                let is_word = value.is_string() && words.split(' ').any(|word| word == key);
                let value = if is_word { "added-later".into() } else { later(value) };
                (key, value)
            };
            let added = (text("added-later"), Value::Array(vec![Value::Null]));
            Value::Object(fields.into_iter().map(change).chain([added]).collect())
        }
        Value::Array(values) => values.into_iter().map(later).collect(),
        value => value,
    }
}

#[test]
fn a_report_of_a_later_version_is_read() {
    let mut report = Report::new(Command::Status, Outcome::Differs);
    let mut host = HostReport::new("web1", HostOutcome::Unchanged);
    host.status = Some(status());
    report.hosts.push(host);
    let written = to_value(&report).expect("JSON");
    let read: Report = serde_json::from_value(written.clone()).expect("a report");
    assert_eq!((&read.hosts[0].status, to_value(&read).expect("JSON")), (&report.hosts[0].status, written.clone()));

    let read: Report = serde_json::from_value(later(written)).expect("a report");
    let host = &read.hosts[0];
    assert_eq!((read.command, read.outcome, host.outcome), (Command::Other, Outcome::Other, HostOutcome::Other));
    let status = host.status.as_ref().expect("its state");
    let owner = status.lock.as_ref().and_then(|lock| lock.owner.as_ref()).expect("the lock's owner");
    assert_eq!((owner.command, owner.by.as_str()), (Command::Other, "ann"));
    assert_eq!(status.releases[0].state, ReleaseState::Other);

    // A state that cannot be read is an error, and not an absent one.
    let broken = r#"{"host":"web1","outcome":"unchanged","releases":[{"name":"-rf"}]}"#;
    assert!(serde_json::from_str::<HostReport>(broken).is_err());
    let refused = r#"{"type":"report","format":1,"command":null,"outcome":"error","hosts":[]}"#;
    assert_eq!(serde_json::from_str::<Report>(refused).expect("a report").command, Command::Other);
    let event: Event = serde_json::from_str(r#"{"type":"added-later","host":"web1"}"#).expect("an event");
    assert!(matches!(event, Event::Other));
}

/// Decisions rest on these records: a word of a later version makes them unreadable.
#[test]
fn a_record_that_decides_has_only_known_words() {
    fn read<T: DeserializeOwned>(record: &str) -> bool {
        let line = WORDS.lines().find_map(|line| line.strip_prefix(record)).expect("a frozen record");
        let value: Value = serde_json::from_str(line).expect("JSON");
        serde_json::from_value::<T>(value.clone()).expect("it is whole");
        serde_json::from_value::<T>(later(value)).is_ok()
    }

    assert!(!read::<Intent>("Intent ") && !read::<Debt>("Debt ") && !read::<LedgerEntry>("LedgerEntry "));
}
