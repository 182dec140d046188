//! The output of `--json` against the guide, field by field: nothing undocumented is printed, and nothing
//! documented is missing. And against the published JSON Schemas.
#![cfg(feature = "cli")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Map, Value};
use switchback::{
    DirStore, HostPath, Layout, Timestamp,
    lock::LockOwner,
    store::{Finish, ReleaseStore},
    transport::LocalTransport,
};
use tempfile::TempDir;

use crate::support::schema::Schema as Published;

const GUIDE: &str = include_str!("../../src/guide/json.md");
const LAYOUT: &str = include_str!("../../src/guide/layout.md");
const ERRORS: &str = include_str!("../../src/guide/errors.md");

/// Returns the words in backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns the words in backticks outside of parentheses.
fn names(text: &str) -> Vec<String> {
    let (mut depth, mut outside) = (0, String::new());
    for c in text.chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth == 0 {
            outside.push(c);
        }
    }
    quoted(&outside).into_iter().filter(|name| name != "null").collect()
}

/// Returns the rows of the table with this head, each as its cells.
fn table<'t>(guide: &'t str, head: &str) -> Vec<Vec<&'t str>> {
    let rows = guide.split_once(head).unwrap_or_else(|| panic!("no table {head:?}")).1;
    let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// One field of an object, as documented in the guide.
#[derive(Debug)]
struct Field {
    required: bool,
    /// The words in backticks in its description: its values, or the fields of its value.
    words: BTreeSet<String>,
}

type Fields = BTreeMap<String, Field>;

/// Parses a table of fields.
fn fields(guide: &str, head: &str) -> Fields {
    let mut all = Fields::new();
    for row in table(guide, head) {
        let optional = ["Absent", "where there are any", " only"].iter().any(|word| row[1].contains(word));
        for name in names(row[0]) {
            all.insert(name, Field { required: !optional, words: quoted(row[1]).into_iter().collect() });
        }
    }
    all
}

struct Schema {
    events: BTreeMap<String, BTreeSet<String>>,
    report: Fields,
    host: Fields,
    status: Fields,
    phases: BTreeSet<String>,
    history: BTreeSet<String>,
    kinds: BTreeSet<String>,
    seen: BTreeSet<String>,
    published_event: Published,
    published_report: Published,
}

impl Schema {
    fn read() -> Self {
        let mut events = BTreeMap::new();
        for row in table(GUIDE, "| `type` | fields | when |") {
            for event in names(row[0]) {
                let mut fields: BTreeSet<String> = names(row[1]).into_iter().collect();
                // One row covers both of them.
                if event == "hook-started" {
                    fields.remove("end");
                }
                events.insert(event, fields);
            }
        }
        let head = "| field | what it is |";
        let (report, rest) =
            GUIDE.split_once("# The report").expect("a report").1.split_once("A host has:").expect("hosts");
        let (host, status) = rest.split_once("for every host that could be read:").expect("a status");
        let phases = GUIDE.lines().find(|line| line.starts_with("`phase` is one of")).expect("the phases");
        let history = LAYOUT.lines().find(|line| line.starts_with("| `history` |")).expect("the history");
        let history = quoted(history.split(" | ").nth(2).expect("its form"));
        let kinds =
            ERRORS.lines().filter(|line| line.starts_with("| `")).flat_map(|line| quoted(line).into_iter().take(1));
        Self {
            events,
            report: fields(report, head),
            host: fields(host, head),
            status: fields(status, head),
            phases: quoted(phases).into_iter().filter(|word| !["phase", "error"].contains(&word.as_str())).collect(),
            history: history.into_iter().collect(),
            kinds: kinds.collect(),
            seen: BTreeSet::new(),
            published_event: Published::parse(include_str!("../../schemas/event.schema.json")),
            published_report: Published::parse(include_str!("../../schemas/report.schema.json")),
        }
    }

    /// Checks one line of the output.
    fn holds(&mut self, line: &str) {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let object = value.as_object().expect("an object a line");
        let kind = object["type"].as_str().expect("a type").to_owned();
        self.seen.insert(kind.clone());
        let published = if kind == "report" { &self.published_report } else { &self.published_event };
        assert_eq!(published.refuses(&value), None, "{line}");
        if kind == "report" {
            return self.report(object, line);
        }
        let fields = self.events.get(&kind).unwrap_or_else(|| panic!("{kind} is not in the guide: {line}"));
        let there: BTreeSet<String> = object.keys().filter(|key| *key != "type").cloned().collect();
        assert_eq!(there, *fields, "{line}");
        for (key, value) in object {
            self.value(key, value, line);
        }
    }

    fn report(&self, report: &Map<String, Value>, line: &str) {
        if report["outcome"] == "error" {
            // The report of an invalid command line or configuration.
            let rest = GUIDE.split_once("An error of the command line").expect("it is told").1;
            let fields =
                names(rest.split_once("no hosts:").and_then(|(_, rest)| rest.split_once('.')).expect("fields").0);
            assert!(report.keys().all(|key| fields.contains(key)) && report.len() == fields.len(), "{line}");
            return self.value("error", &report["error"], line);
        }
        held(report, &[&self.report], line);
        for host in report["hosts"].as_array().expect("hosts") {
            let host = host.as_object().expect("an object a host");
            held(host, &[&self.host, &self.status], line);
            let has_status = host.contains_key("current");
            let needed = self.status.iter().filter(|(_, field)| field.required);
            assert!(!has_status || needed.clone().all(|(name, _)| host.contains_key(name)), "{line}");
            for (key, value) in host {
                self.value(key, value, line);
                if key == "history" {
                    let entries = value.as_array().expect("entries");
                    let unknown = |entry: &Value| {
                        !entry.as_object().expect("an entry").keys().all(|key| self.history.contains(key))
                    };
                    assert!(!entries.iter().any(unknown), "{:?}: {line}", self.history);
                }
            }
            one_of(&self.host["outcome"].words, &host["outcome"], line);
        }
        one_of(&self.report["command"].words, &report["command"], line);
        one_of(&self.report["outcome"].words, &report["outcome"], line);
        for (key, value) in report {
            self.value(key, value, line);
        }
    }

    /// Checks a value that must have the same form everywhere.
    fn value(&self, key: &str, value: &Value, line: &str) {
        match key {
            "phase" => one_of(&self.phases, value, line),
            "error" => {
                let error = value.as_object().expect("an error");
                assert!(error.keys().all(|key| ["kind", "message", "hint"].contains(&key.as_str())), "{line}");
                one_of(&self.kinds, &error["kind"], line);
            }
            "at" | "switched_at" => {
                let is_time = |text: &str| text.parse::<Timestamp>().is_ok() && text.ends_with('Z');
                assert!(value.as_str().is_none_or(is_time) && (value.is_string() || value.is_null()), "{line}");
            }
            "files" | "files_total" | "bytes" | "bytes_total" | "files_copied" | "bytes_copied" => {
                assert!(value.is_u64(), "{key}: {line}");
            }
            "transferred" => assert!(value.is_u64() || value.is_null(), "{line}"),
            "seconds" => assert!(value.is_f64(), "{line}"),
            "host" | "hook" | "stream" | "line" | "end" | "message" => {
                assert!(value.is_string() || key == "host" && value.is_null(), "{key}: {line}");
            }
            "plan" => assert!(value.as_array().is_some_and(|lines| lines.iter().all(Value::is_string)), "{line}"),
            _ => {}
        }
    }
}

/// Checks an object's fields, and those of nested objects, against the documentation.
fn held(object: &Map<String, Value>, documented: &[&Fields], line: &str) {
    for (name, field) in documented[0] {
        assert!(!field.required || object.contains_key(name), "{name} is missing: {line}");
    }
    for (name, value) in object {
        let field = documented.iter().find_map(|fields| fields.get(name));
        let field = field.unwrap_or_else(|| panic!("{name} is not in the guide: {line}"));
        let whole = ["hosts", "drill", "history", "error", "log"].contains(&name.as_str());
        let inner = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for inner in inner.iter().filter_map(Value::as_object).filter(|_| !whole) {
            let unknown: Vec<&String> = inner.keys().filter(|key| !field.words.contains(*key)).collect();
            assert!(unknown.is_empty(), "{unknown:?} of {name} is not in the guide: {line}");
        }
    }
}

fn one_of(words: &BTreeSet<String>, value: &Value, line: &str) {
    let word = value.as_str().unwrap_or_else(|| panic!("{value} is no word: {line}"));
    assert!(words.contains(word), "{word} is none of {words:?}: {line}");
}

/// The command on a root with hooks, data and a validation.
struct Site(TempDir);

const CONFIG: &str = r#"
keep = 1
[hooks]
prepare = "echo made >made; [ ! -e broken ]"
after_switch = "echo told; echo and >&2"
[data]
version = "cat ../../version 2>/dev/null || echo 0"
apply = "cat next >../../version"
revert = 'echo "$SWITCHBACK_DATA_TARGET" >../../version'
[validate]
command = "test -e index.html"
"#;

impl Site {
    fn new() -> Self {
        let site = Self(TempDir::new().expect("a directory"));
        for (name, number) in [("v1", "1"), ("v2", "2"), ("v3", "3"), ("broken", "4")] {
            let source = site.path().join(name);
            fs::create_dir(&source).expect("a directory");
            fs::write(source.join("index.html"), name).expect("a file");
            fs::write(source.join("next"), number).expect("a file");
        }
        fs::write(site.path().join("broken/broken"), "").expect("a file");
        let root = format!("root = \"{}\"\n", site.path().join("shop").display());
        fs::write(site.path().join("switchback.toml"), root + CONFIG).expect("a file");
        site
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.args(words.split(' ')).args(["--json", "--yes"]).current_dir(self.path());
        command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
        command
    }

    /// Returns all output of a command that waits for a lock, which is released once it says so.
    fn lines_of_a_wait(&self, words: &str) -> Vec<String> {
        let root: HostPath = self.path().join("shop").to_str().expect("UTF-8").parse().expect("a path");
        let store = DirStore::new(LocalTransport::new(), root, Layout::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let holder = LockOwner::new(switchback::report::Command::Deploy, "bob@desktop");
        let held = runtime.block_on(store.lock(&holder, None)).expect("the lock is free");
        let mut held = Some(held);
        let mut run = self.command(words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
        let output = BufReader::new(run.stdout.take().expect("a pipe"));
        let lines = output.lines().map(|line| {
            let line = line.expect("UTF-8");
            if line.contains("\"waiting\"")
                && let Some(held) = held.take()
            {
                runtime.block_on(held.finish(&Finish::default())).expect("the lock is released");
            }
            line
        });
        let lines = lines.collect();
        run.wait().expect("it ends");
        lines
    }

    /// Returns all output of a command, line by line.
    fn lines(&self, words: &str) -> Vec<String> {
        let output = self.command(words).output().expect("it runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert!(lines.last().is_some_and(|last| last.contains("\"report\"")), "{words}: {text}");
        lines
    }
}

#[test]
fn nothing_is_printed_but_what_the_guide_says_and_all_of_that() {
    let (site, mut schema) = (Site::new(), Schema::read());
    for words in [
        "check",
        "deploy v1 --name v1 --dry-run",
        "deploy v1 --name v1 -m first",
        "deploy v2 --name v2",
        "pin v1 -m kept",
        "deploy broken --name broken",
        "deploy v1 --name v1",
        "status --check",
        "releases",
        "verify v1 --full",
        "diff v1 v2",
        "log",
        "rollback",
        "releases",
        "history",
        "stage v3 --name v3",
        "activate v3",
        "activate nowhere",
        "unpin v1",
        "prune --keep 0 --dry-run",
        "prune --keep 0",
        "drill v2 --name d",
        "recover",
        "unlock",
        "adopt",
        "rollback --to nowhere",
        "no-such-command",
    ] {
        for line in site.lines(words) {
            schema.holds(&line);
        }
    }
    let waited = site.lines_of_a_wait("deploy v1 --name v4 --wait 5m");
    for line in &waited {
        schema.holds(line);
    }
    assert_eq!(waited.iter().filter(|line| line.contains("\"waiting\"")).count(), 1, "{waited:?}");
    // A group-writable directory gives a warning.
    fs::set_permissions(site.path().join("shop"), fs::Permissions::from_mode(0o775)).expect("ours");
    site.lines("check").iter().for_each(|line| schema.holds(line));
    fs::write(site.path().join("shop/current/index.html"), "other").expect("a file");
    site.lines("verify").iter().for_each(|line| schema.holds(line));
    let all: BTreeSet<String> = schema.events.keys().cloned().chain(["report".to_owned()]).collect();
    let never: Vec<&String> = all.difference(&schema.seen).collect();
    assert!(never.is_empty(), "these were never printed: {never:?}");
}

/// A schema that accepts everything would hold, too.
#[test]
fn the_published_schemas_refuse_what_is_never_printed() {
    let schema = Schema::read();
    let event = |text: &str| serde_json::from_str(text).expect("JSON");
    for wrong in [
        r#"{"type":"switched-off","host":"web1"}"#,
        r#"{"type":"phase","phase":"switch","hosts":"two"}"#,
        r#"{"type":"phase","phase":"cleanup","hosts":2}"#,
        r#"{"type":"host-done","phase":"switch"}"#,
        r#"{"type":"other"}"#,
    ] {
        assert!(schema.published_event.refuses(&event(wrong)).is_some(), "{wrong}");
    }
    let report = r#"{"type":"report","format":1,"command":"deploy","outcome":"done","operation":null,"release":"b-1",
        "hosts":[{"host":"web1","outcome":"switched","before":null,"after":"b-1","switched_at":null}],"seconds":0.5}"#;
    assert_eq!(schema.published_report.refuses(&event(report)), None);
    for (from, to) in [
        ("\"done\",\"operation", "\"perfect\",\"operation"),
        ("0.5", "\"0.5\""),
        ("\"before\":null,", ""),
        ("\"deploy\"", "\"teleport\""),
        ("\"report\"", "\"event\""),
    ] {
        assert!(report.contains(from), "{from}");
        assert!(schema.published_report.refuses(&event(&report.replace(from, to))).is_some(), "{from} as {to}");
    }
}
