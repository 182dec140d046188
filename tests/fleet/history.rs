//! The history: bounded, with its newest lines always there, and with torn lines counted.

use switchback::{ExitCode, history::HistoryEntry};

use super::fixture::{Hosts, assert_code, at};

fn told(hosts: &Hosts) -> (Vec<HistoryEntry>, Vec<String>) {
    let report = hosts.history();
    let host = &report.hosts[0];
    let entries = host.status.as_ref().and_then(|has| has.history.clone()).expect("a history");
    (entries, host.warnings.clone())
}

#[test]
fn a_long_history_is_moved_aside_and_still_told() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let line = hosts.0[0].read(&at(".switchback/history")).expect("a history");
    let many = (1 << 20) / line.len() + 1;
    hosts.0[0].write(&at(".switchback/history"), line.repeat(many));
    let hosts = hosts.deployed(&["b"]);
    assert_eq!(hosts.0[0].read(&at(".switchback/older/history")).map(|older| older.len()), Some(line.len() * many));
    let (entries, warnings) = told(&hosts);
    assert_eq!((entries.len(), warnings.len()), (many + 1, 0));
    assert_eq!(entries[0].to.as_ref().map(ToString::to_string).as_deref(), Some("b"), "the newest comes first");
    // The one that was moved before goes, and no other.
    hosts.0[0].write(&at(".switchback/history"), line.repeat(many));
    let hosts = hosts.deployed(&["c", "d"]);
    assert_eq!(told(&hosts).0.len(), many + 2);
    hosts.clean();
}

#[test]
fn a_torn_line_is_counted_and_loses_no_other() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let mut content = hosts.0[0].read(&at(".switchback/history")).expect("a history");
    content.extend_from_slice(br#"{"format":1,"oper"#);
    hosts.0[0].write(&at(".switchback/history"), content);
    assert_code(&hosts.deploy("b"), ExitCode::DONE);
    let (entries, warnings) = told(&hosts);
    assert_eq!(entries.len(), 2);
    assert_eq!(warnings, ["1 torn or unreadable lines in the history"]);
}
