//! [`DrillReport`]: the steps of a rollback rehearsal, and whether each proof held.

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::{
    data::DataVersion,
    name::ReleaseName,
    report::{PhaseTime, Report},
};

/// The report of a drill: its legs, each with its proofs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DrillReport {
    /// The digest of the rehearsed content: the same wherever it is computed.
    #[serde(rename = "digest")]
    pub digest: String,
    /// The release that was deployed first because there was no release to roll back to.
    #[serde(rename = "baseline", default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<ReleaseName>,
    /// The legs, in order, up to the first that failed.
    #[serde(rename = "legs")]
    pub legs: Vec<Leg>,
    /// The duration of the rollback, in seconds, until the fleet was validated on the old version; `None` if the
    /// drill ended earlier.
    #[serde(rename = "time_to_restore")]
    pub time_to_restore: Option<f64>,
    /// Whether every leg succeeded and every proof held.
    #[serde(rename = "passed")]
    pub passed: bool,
}

/// One leg of a drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Leg {
    /// The operation: `deploy`, `rollback`, `deploy again`.
    #[serde(rename = "name")]
    pub name: String,
    /// The duration, in seconds.
    #[serde(rename = "seconds")]
    pub seconds: f64,
    /// The time of each phase, in order.
    #[serde(rename = "phases", default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseTime>,
    /// The data version after the leg, if there is data.
    #[serde(rename = "data", default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataVersion>,
    /// The checks after the leg.
    #[serde(rename = "proofs")]
    pub proofs: Vec<Proof>,
}

/// One check after a leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Proof {
    /// The expected condition.
    #[serde(rename = "name")]
    pub name: String,
    /// Whether the condition held.
    #[serde(rename = "held")]
    pub held: bool,
    /// The observed state.
    #[serde(rename = "seen")]
    pub seen: String,
}

impl Proof {
    /// A check of the condition `name`, with the observed state.
    pub fn new(name: impl Into<String>, held: bool, seen: impl Into<String>) -> Self {
        Self { name: name.into(), held, seen: seen.into() }
    }
}

/// Whether `directory` holds the report of a passed drill of content with this digest. Ignores files that are
/// not drill reports.
///
/// # Errors
///
/// Fails when the directory cannot be read.
pub(crate) fn has_passed(directory: &Utf8Path, digest: &str) -> std::io::Result<bool> {
    for entry in fs_err::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let report = fs_err::read(&path).ok().and_then(|text| serde_json::from_slice::<Written>(&text).ok());
        if report.is_some_and(|report| report.drill.passed && report.drill.digest == digest) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The part of a written report that [`has_passed`] needs.
#[derive(Deserialize)]
struct Written {
    #[serde(rename = "drill")]
    drill: DrillReport,
}

impl DrillReport {
    /// A report for content with this digest, before any leg.
    #[must_use]
    pub fn new(digest: String) -> Self {
        Self { digest, baseline: None, legs: Vec::new(), time_to_restore: None, passed: false }
    }

    /// Returns the proofs that did not hold, each with its leg.
    pub fn broken(&self) -> impl Iterator<Item = (&Leg, &Proof)> {
        self.legs.iter().flat_map(|leg| leg.proofs.iter().filter(|proof| !proof.held).map(move |proof| (leg, proof)))
    }
}

/// Formats the report of a drill as JUnit XML.
pub(crate) fn junit(report: &Report) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"switchback drill\">\n".to_owned();
    for leg in report.drill.iter().flat_map(|drill| &drill.legs) {
        xml.push_str(&suite(&leg.name, leg.seconds, &leg.proofs));
    }
    // No proof shows why: there was none yet, or the drill stopped between two legs.
    let is_shown = report.drill.as_ref().is_some_and(|drill| drill.passed || drill.broken().next().is_some());
    if !is_shown {
        let mut errors = report.error.iter().chain(report.hosts.iter().filter_map(|host| host.error.as_ref()));
        let why = errors.next().map_or("it did not", |error| &error.message);
        xml.push_str(&suite("drill", report.seconds, &[Proof::new("the drill ran to its end", false, why)]));
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(name: &str, seconds: f64, proofs: &[Proof]) -> String {
    let failures = proofs.iter().filter(|proof| !proof.held).count();
    let (name, tests) = (escaped(name), proofs.len());
    let cases: String = proofs.iter().map(|proof| case(&name, proof)).collect();
    format!(
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" time=\"{seconds:.6}\">\n{cases}  \
         </testsuite>\n"
    )
}

fn case(leg: &str, proof: &Proof) -> String {
    let (name, seen) = (escaped(&proof.name), escaped(&proof.seen));
    if proof.held {
        return format!("    <testcase classname=\"{leg}\" name=\"{name}\"/>\n");
    }
    format!("    <testcase classname=\"{leg}\" name=\"{name}\"><failure message=\"{seen}\"/></testcase>\n")
}

/// Escapes text for XML, and replaces characters that XML 1.0 does not allow.
fn escaped(text: &str) -> String {
    let one = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\n' | '\t' | '\r' => format!("&#{};", u32::from(c)),
        c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => "\u{fffd}".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::{Error, ErrorKind},
        report::{Command, Outcome},
    };

    #[test]
    fn only_a_passed_drill_of_the_same_content_counts() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = Utf8Path::from_path(directory.path()).expect("UTF-8");
        let write = |file: &str, digest: &str, passed: bool| {
            let report = DrillReport { passed, ..DrillReport::new(digest.into()) };
            let text = serde_json::json!({ "type": "report", "drill": report }).to_string();
            fs_err::write(place.join(file), text).expect("written");
        };
        write("failed.json", "abc", false);
        write("passed.json", "def", true);
        fs_err::write(place.join("torn.json"), "{").expect("written");
        let passed = |digest| has_passed(place, digest).expect("it can be read");
        assert_eq!((passed("abc"), passed("def"), passed("")), (false, true, false));
        assert!(has_passed(&place.join("none"), "abc").is_err());
    }

    #[test]
    fn a_broken_proof_is_a_failed_case() {
        let mut report = DrillReport::new("abc".into());
        let proofs =
            vec![Proof::new("all on v1", true, "v1"), Proof::new("the data is back", false, "7 & \"8\"\u{1b}")];
        report.legs.push(Leg { name: "rollback".into(), seconds: 0.5, phases: Vec::new(), data: None, proofs });
        assert_eq!(report.broken().count(), 1);
        let mut drill = Report::new(Command::Drill, Outcome::Differs);
        drill.drill = Some(report);
        let xml = drill.to_junit();
        assert!(xml.contains("tests=\"2\" failures=\"1\" time=\"0.500000\""), "{xml}");
        assert!(xml.contains("<failure message=\"7 &amp; &quot;8&quot;\u{fffd}\"/>"), "{xml}");
    }

    /// CI systems take a file without a failed case for a success.
    #[test]
    fn a_drill_that_did_not_pass_has_a_failed_case() {
        let error = || Error::new(ErrorKind::Unreachable, "web1 is unreachable");
        let refused = Report::refused(Command::Drill, error());
        let mut stopped = refused.clone();
        let mut drill = DrillReport::new("abc".into());
        let proofs = vec![Proof::new("the deploy succeeded", true, "done")];
        drill.legs.push(Leg { name: "deploy".into(), seconds: 0.5, phases: Vec::new(), data: None, proofs });
        stopped.drill = Some(drill.clone());
        for report in [refused, stopped] {
            let xml = report.to_junit();
            assert!(
                xml.contains("failures=\"1\"") && xml.contains("<failure message=\"web1 is unreachable\"/>"),
                "{xml}"
            );
        }
        let mut passed = Report::new(Command::Drill, Outcome::Done);
        passed.drill = Some(DrillReport { passed: true, ..drill });
        assert!(!passed.to_junit().contains("<failure"));
    }
}
