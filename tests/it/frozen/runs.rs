//! Each command as it runs today: what it sends to a host, step by step, the events, the report, the exit code.
//!
//! A change of the code alone changes none of these files; a change of behaviour shows in them, and belongs into its
//! commit. `SNAPSHOTS=overwrite cargo test --all-features --test it frozen::runs` writes them.

use std::{fmt::Write, path::Path, sync::Arc};

use serde_json::Value;
use switchback::{
    DirStore, Fleet, Host, HostPath, Layout, Report,
    adoption::Tool,
    fleet::{ActivateOptions, DeployOptions, Direction, RecoverOptions, RollbackTarget, RunOptions},
    testing::{Collected, Recording, WholeReport as _},
    transport::{MemoryHost, MemoryTransport, raw::OnFailure},
};

use crate::fleet::fixture::{Hosts, ROOT, deploying, going_back, name, release, wait};

type Observed = Collected<Value>;
type Recorded = Arc<Recording<MemoryTransport>>;

fn by() -> RunOptions {
    RunOptions::new().by("jane@laptop")
}

/// Defines a test for each command, on two hosts that were deployed `a` and `b` to.
macro_rules! commands {
    ($($command:ident: |$fleet:ident, $observer:ident| $run:expr,)+) => {
        $(#[test]
        fn $command() {
            fn run($fleet: &Fleet, $observer: Observed) -> Report {
                wait($run)
            }
            freeze(stringify!($command), &Hosts::new(2).deployed(&["a", "b"]), run);
        })+
    };
}

commands! {
    activate: |fleet, observer| async {
        fleet.stage(release("c"), &by(), switchback::event::Silent).report().await;
        fleet.activate(&name("c"), &ActivateOptions::default(), observer).report().await
    },
    adopt: |fleet, observer| fleet.adopt(Some(Tool::Capistrano), &by(), observer).report(),
    check: |fleet, observer| fleet.check(&by(), observer).report(),
    deploy: |fleet, observer| async { fleet.deploy(release("c"), &deploying(), observer).report().await },
    deploy_dry: |fleet, observer| async {
        let options = deploying().dry_run(true);
        fleet.deploy(release("c"), &options, observer).report().await
    },
    deploy_same_name: |fleet, observer| async { fleet.deploy(release("a"), &DeployOptions::default(), observer).report().await },
    diff: |fleet, observer| async { fleet.diff(&name("a"), &name("b"), observer).report().await },
    history: |fleet, observer| fleet.history(observer).report(),
    log: |fleet, observer| fleet.log(None, observer).report(),
    pin: |fleet, observer| async { fleet.pin(&name("a"), &by(), observer).report().await },
    prune: |fleet, observer| fleet.prune(0, &by(), observer).report(),
    recover: |fleet, observer| async { fleet.recover(&RecoverOptions::new().direction(Direction::Safest).run(by()), observer).report().await },
    releases: |fleet, observer| fleet.releases(observer).report(),
    rollback: |fleet, observer| async { fleet.rollback(&going_back(RollbackTarget::Steps(1)), observer).report().await },
    rollback_too_far: |fleet, observer| async { fleet.rollback(&going_back(RollbackTarget::Steps(2)), observer).report().await },
    stage: |fleet, observer| fleet.stage(release("c"), &by(), observer).report(),
    status: |fleet, observer| fleet.status(observer).report(),
    unlock: |fleet, observer| fleet.unlock(false, &by(), observer).report(),
    unpin: |fleet, observer| async { fleet.unpin(&name("a"), &by(), observer).report().await },
    verify: |fleet, observer| fleet.verify(None, true, observer).report(),
}

/// Compares what a command does on these hosts with what is written beside this file.
fn freeze(command: &str, hosts: &Hosts, run: fn(&Fleet, Observed) -> Report) {
    let root: HostPath = ROOT.parse().expect("a path");
    let connect = |(at, host): (usize, &MemoryHost)| Arc::new(Recording::new(host.connect(format!("web{}", at + 1))));
    let recordings: Vec<Recorded> = hosts.0.iter().enumerate().map(connect).collect();
    let store = |recording: &Recorded| DirStore::new(Arc::clone(recording), root.clone(), Layout::default());
    let members = recordings.iter().map(|recording| Host::new(recording.to_string(), store(recording)));
    let fleet = Fleet::new(members.collect()).expect("a fleet");
    let events = Collected::new(|event| [serde_json::to_value(event).expect("JSON")]);
    let report = run(&fleet, events.clone());

    let mut text = format!("exit {}\n\nevents\n", report.exit_code().code());
    // Hosts overtake each other, and progress is told of as often as there is time.
    let of_one = |event: &Value| event["host"] != "web2" && event["type"] != "progress";
    for mut event in events.take().into_iter().filter(of_one) {
        omit_what_may_change(&mut event);
        writeln!(text, "{event}").expect("memory");
    }
    let mut report = report;
    report.word_hints(&|_| String::new());
    let mut report = serde_json::to_value(&report).expect("JSON");
    omit_what_may_change(&mut report);
    writeln!(text, "\nreport\n{report:#}").expect("memory");
    let mut text = without_chance(&text);
    let mut before: Option<String> = None;
    for host in &recordings {
        let sent = without_chance(&sent(host));
        let same = before.as_ref() == Some(&sent);
        write!(text, "\n{host}{}", if same { ": the same\n" } else { &sent }).expect("memory");
        before = Some(sent);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/frozen/runs/{command}.txt"));
    snapbox::assert_data_eq!(text, snapbox::Data::read_from(&file, None).raw());
}

/// Lists what was sent to a host, step by step.
fn sent(host: &Recorded) -> String {
    let mut text = format!(": {} uploads\n", host.uploads());
    for (at, batch) in host.batches().iter().enumerate() {
        let root = if batch.make_root { ", makes the root" } else { "" };
        writeln!(text, "exchange {}{root}", at + 1).expect("memory");
        for step in &batch.steps {
            let lenient = if step.on_failure == OnFailure::GoOn { " (may fail)" } else { "" };
            writeln!(text, "  {:?}{lenient}", step.op).expect("memory");
        }
    }
    text
}

/// Replaces sentences for people, whose wording may change, and times.
fn omit_what_may_change(value: &mut Value) {
    const SENTENCES: [&str; 8] = ["plan", "message", "hint", "next", "text", "reason", "causes", "note"];
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if (SENTENCES.contains(&key.as_str()) && !value.is_null()) || key == "seconds" {
                    *value = Value::from("...");
                } else {
                    omit_what_may_change(value);
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(omit_what_may_change),
        Value::Number(number) if number.is_f64() => *value = Value::from("..."),
        _ => {}
    }
}

/// Replaces times and durations, and gives random tokens numbers in the order of their first appearance.
fn without_chance(text: &str) -> String {
    let mut tokens: Vec<&str> = Vec::new();
    let mut lines = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, ':' | '-' | '.')) {
        let (word, end) = word.split_at(word.len() - word.chars().next_back().map_or(0, char::len_utf8));
        let start = word.len().saturating_sub(32);
        let is_token = word.len() >= 32 && word.bytes().skip(start).all(|byte| byte.is_ascii_hexdigit());
        let is_time =
            word.len() >= 16 && word.starts_with("20") && [8, 10].iter().any(|at| word.as_bytes()[*at] == b'T');
        if is_token && (start == 0 || word.as_bytes()[start - 1] == b'-') {
            let token = &word[start..];
            let number = tokens.iter().position(|known| *known == token).unwrap_or(tokens.len());
            if number == tokens.len() {
                tokens.push(token);
            }
            write!(lines, "{}TOKEN{number}", &word[..start]).expect("memory");
        } else if is_time {
            lines += "TIME";
        } else if lines.ends_with("seconds\\\"") && word.starts_with(':') {
            lines += ":SECONDS";
        } else if lines.ends_with("\\\",") && word.contains(['.', 'e']) && word.parse::<f64>().is_ok() {
            // The second of a pair.
            lines += "SECONDS";
        } else {
            lines += word;
        }
        lines += end;
    }
    lines
}
