//! Checks a run's report and exit code against the roots.

use std::process::Output;

use serde_json::Value;

use super::site::{Case, Site, said};

/// Returns the report at the end of a run with `--json`.
pub(crate) fn report(output: &Output) -> Option<Value> {
    let last = output.stdout.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty())?;
    serde_json::from_slice(last).ok().filter(|report: &Value| report["type"] == "report")
}

/// Checks the exit code and the report of a disturbed run against the roots. Returns the code.
#[track_caller]
pub(crate) fn is_true(site: &Site, case: &Case, output: &Output, at: &str) -> i32 {
    let told = said(output);
    assert!(!told.contains("panicked"), "{at}: {told}");
    let report = report(output).unwrap_or_else(|| panic!("{at}: no report: {told}"));
    let hosts = report["hosts"].as_array().expect("hosts");
    let code = output.status.code().expect("no signal ended it");
    match code {
        0 => assert!(site.all_on(Some(case.to)), "{at}: it says done: {told}"),
        3 | 4 => assert!(site.all_on(case.from()), "{at}: it says untouched or put back: {told}"),
        5 => {
            let unknown = hosts.iter().any(|host| host["outcome"] == "unknown");
            let settled = site.all_on(case.from());
            assert!(unknown || !settled, "{at}: it says mixed, and all are where they were: {told}");
        }
        _ => panic!("{at}: {told}"),
    }
    for (place, host) in hosts.iter().enumerate() {
        // If nothing was read, the report makes no claim.
        if host["outcome"] != "unknown" && host["after"].is_string() {
            assert_eq!(host["after"].as_str(), site.current(place).as_deref(), "{at}: host {place}: {told}");
        }
    }
    if code != 0 {
        let message = report["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("web"), "{at}: no host is named: {told}");
    }
    code
}
