//! Constructed reports, rendered for people.
#![expect(clippy::needless_raw_string_hashes, reason = "snapbox writes its snapshots so")]

use snapbox::{assert_data_eq, str};
use switchback::{
    Error, ErrorKind, Hint, ReleaseName, Report, Timestamp,
    report::{Command, HostOutcome, HostReport, Outcome},
    status::{HostStatus, ReleaseState, ReleaseStatus},
};

use super::{hint, human, sentence};
use crate::{args::Cli, invocation::Invocation};

fn name(text: &str) -> ReleaseName {
    text.parse().expect("a name")
}

fn host(name_of: &str, outcome: HostOutcome, before: &str, after: &str) -> HostReport {
    let mut host = HostReport::new(name_of, outcome);
    (host.before, host.after) = (before.parse().ok(), after.parse().ok());
    host
}

fn report(command: Command, outcome: Outcome, hosts: Vec<HostReport>) -> Report {
    let mut report = Report::new(command, outcome);
    report.hosts = hosts;
    report.seconds = 0.21;
    report
}

/// Returns the whole output, without colours.
fn shown(report: &Report) -> String {
    let now = Timestamp::from_unix(1_795_428_900, 0).expect("in range");
    let text = human::result(report, false, now)
        + &human::notes(report, &Invocation::default())
        + &sentence::closing(report, &Invocation::default());
    anstream::adapter::strip_str(&text).to_string()
}

#[test]
fn one_host() {
    let mut report = report(Command::Deploy, Outcome::Done, vec![host("local", HostOutcome::Switched, "", "build-17")]);
    report.hints.push(Hint::RollbackReverts);
    assert_data_eq!(
        shown(&report),
        str![[r#"
HOST   OUTCOME   BEFORE  AFTER
local  switched  none    build-17
Deployed: local on build-17. (0.2 s)
next: `switchback rollback` reverts it

"#]]
    );
}

#[test]
fn the_odd_one_of_three_stands_out() {
    let hosts = vec![
        host("web1", HostOutcome::Switched, "b-17", "b-16"),
        host("web2", HostOutcome::Unchanged, "b-16", "b-16"),
        host("web3", HostOutcome::Switched, "b-17", "b-16"),
    ];
    assert_data_eq!(
        shown(&report(Command::Rollback, Outcome::Done, hosts)),
        str![[r#"
HOST  OUTCOME    BEFORE  AFTER
web1  switched   b-17    b-16
web2  unchanged  b-16    b-16
web3  switched   b-17    b-16
Rolled back: 3 hosts on b-16. (0.2 s)

"#]]
    );
}

#[test]
fn a_hundred_hosts_are_three_lines() {
    let mut hosts: Vec<HostReport> =
        (1..=100).map(|number| host(&format!("web{number}"), HostOutcome::Switched, "b-16", "b-17")).collect();
    hosts[98] = host("web99", HostOutcome::Unknown, "b-16", "");
    hosts[99] = host("web100", HostOutcome::Reverted, "b-16", "b-16");
    hosts[98].error = Some(Error::new(ErrorKind::Unknown, "web99 did not answer").hint("look at web99").into());
    let mut report = report(Command::Deploy, Outcome::Inconsistent, hosts);
    report.error = Some(Error::new(ErrorKind::Unknown, "1 host is unknown").into());
    assert_data_eq!(
        shown(&report),
        str![[r#"
HOST                    OUTCOME   BEFORE  AFTER
web1..web98 (98 hosts)  switched  b-16    b-17
web99                   unknown   b-16    ?
web100                  reverted  b-16    b-16  <- differs
web99 did not answer
    next: look at web99
error: 1 host is unknown. Now: web1..web98 (98 hosts) on b-17; web99 not known; web100 on b-16. A person is needed. (0.2 s)
next: `switchback status` reads every host again

"#]]
    );
}

/// A hundred hosts, three of them odd.
fn hundred(command: Command, outcome: Outcome, usual: HostOutcome) -> Report {
    let mut hosts: Vec<HostReport> =
        (1..=100).map(|number| host(&format!("web{number}"), usual, "b-16", "b-17")).collect();
    hosts[6].outcome = HostOutcome::Unchanged;
    for (at, odd) in [(19, HostOutcome::Unreachable), (70, HostOutcome::Failed)] {
        let name = format!("web{}", at + 1);
        hosts[at] = HostReport::unread(&name, odd);
        hosts[at].error = Some(Error::new(ErrorKind::HostFailed, format!("{name} said no")).into());
    }
    report(command, outcome, hosts)
}

#[test]
fn a_rollback_of_a_hundred_hosts_of_which_three_are_odd() {
    assert_data_eq!(
        shown(&hundred(Command::Rollback, Outcome::Inconsistent, HostOutcome::Switched)),
        str![[r#"
HOST                               OUTCOME      BEFORE  AFTER
web1, web2 and 95 more (97 hosts)  switched     b-16    b-17
web7                               unchanged    b-16    b-17
web20                              unreachable  ?       ?
web71                              failed       ?       ?
web20, web71 said no
error: not everything succeeded. Now: web1, web2 and 96 more (98 hosts) on b-17; web20, web71 not known. A person is needed. (0.2 s)
next: `switchback status` reads every host again

"#]]
    );
}

#[test]
fn a_status_of_a_hundred_hosts_of_which_three_are_odd() {
    let mut report = hundred(Command::Status, Outcome::Refused, HostOutcome::Unchanged);
    for (at, host) in report.hosts.iter_mut().enumerate().filter(|(_, host)| !host.unread) {
        let mut has = HostStatus::default();
        (has.current, has.previous) = (Some(name(if at == 6 { "b-16" } else { "b-17" })), Some(name("b-1")));
        host.status = Some(has);
    }
    report.error = Some(Error::new(ErrorKind::HostFailed, "2 hosts could not be read").into());
    assert_data_eq!(
        shown(&report),
        str![[r#"
HOST                               CURRENT      PREVIOUS  LOCK
web1, web2 and 95 more (97 hosts)  b-17         b-1
web7                               b-16         b-1  <- differs
web20                              unreachable
web71                              failed
web20, web71 said no
error: 2 hosts could not be read.

"#]]
    );
}

/// Messages contain the host's name: a hundred hosts with the same failure still share one line.
#[test]
fn a_hundred_hosts_that_failed_alike_are_one_line() {
    let away = |number: usize| {
        let mut host = HostReport::unread(format!("web{number}"), HostOutcome::Unreachable);
        host.error = Some(Error::new(ErrorKind::Unreachable, format!("cannot reach web{number}")).hint("look").into());
        host
    };
    let mut report = report(Command::Deploy, Outcome::Refused, (1..=100).map(away).collect());
    report.error = Some(Error::new(ErrorKind::Unreachable, "hosts could not be asked").into());
    assert_data_eq!(
        shown(&report),
        str![[r#"
HOST                      OUTCOME      BEFORE  AFTER
web1..web100 (100 hosts)  unreachable  ?       ?
cannot reach web1..web100 (100 hosts)
    next: look
error: hosts could not be asked.

"#]]
    );
}

#[test]
fn the_sentence_says_what_was_done_and_where_current_is_gone() {
    let hosts = vec![host("web1", HostOutcome::Switched, "b-1", "b-2")];
    assert!(shown(&report(Command::Activate, Outcome::Done, hosts)).contains("\nActivated: web1 on b-2. (0.2 s)\n"));
    let undone = vec![host("web1", HostOutcome::Switched, "b-1", "")];
    assert!(
        shown(&report(Command::Recover, Outcome::Done, undone))
            .ends_with("\nRecovered: web1 without `current`, as before the first deploy. (0.2 s)\n")
    );
}

#[test]
fn a_refusal_says_what_to_do() {
    let mut locked = host("web1", HostOutcome::Refused, "b-16", "b-16");
    let error = || Error::new(ErrorKind::Locked, "web1 is locked by jane@laptop").hint("--wait 5m waits for it").into();
    locked.error = Some(error());
    let mut report = report(Command::Deploy, Outcome::Refused, vec![locked]);
    report.error = Some(error());
    assert_data_eq!(
        shown(&report),
        str![[r#"
HOST  OUTCOME  BEFORE  AFTER
web1  refused  b-16    b-16
error: web1 is locked by jane@laptop.
next: --wait 5m waits for it

"#]]
    );
}

#[test]
fn no_text_of_a_host_reaches_the_terminal() {
    let mut evil = host("web1", HostOutcome::Failed, "b", "b");
    evil.error = Some(Error::new(ErrorKind::HostFailed, "\u{1b}[2Jü \u{202e}evil\r\nsecond").hint("\u{7}").into());
    evil.warnings.push("\u{9b}31m".into());
    let text = shown(&report(Command::Deploy, Outcome::Failed, vec![evil]));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert!(text.contains("\\u{1b}[2Jü \\u{202e}evil\n    second"), "{text}");
}

#[test]
fn a_status_says_who_is_where() {
    let on = |name_of: &str, current: &str| {
        let mut has = HostStatus::default();
        (has.current, has.previous) = (current.parse().ok(), Some(name("b-1")));
        let mut host = HostReport::new(name_of, HostOutcome::Unchanged);
        host.status = Some(has);
        host
    };
    let mut hosts = vec![on("web1", "b-3"), on("web2", "b-3"), on("web3", "b-2")];
    hosts.push(HostReport::new("web4", HostOutcome::Unreachable));
    hosts.push(HostReport::new("web5", HostOutcome::Left));
    hosts[2].status.as_mut().expect("it was read").leftovers.push("the staging of b-3".into());
    assert_data_eq!(
        shown(&report(Command::Status, Outcome::Done, hosts)),
        str![[r#"
HOST  CURRENT      PREVIOUS  LOCK
web1  b-3          b-1
web2  b-3          b-1
web3  b-2          b-1  <- differs
web4  unreachable
web5  left
web3: left over: the staging of b-3
The hosts differ: web1, web2 on b-3; web3 on b-2; web4 not known; web5 left out.
next: `switchback releases` shows what each host has

"#]]
    );
}

#[test]
fn a_broken_record_is_not_shown_as_none() {
    let mut has = HostStatus::default();
    (has.current, has.chain_broken) = (Some(name("b-3")), true);
    let mut host = HostReport::new("web1", HostOutcome::Unchanged);
    host.status = Some(has);
    let text = shown(&report(Command::Status, Outcome::Done, vec![host]));
    assert!(text.contains("\nweb1  b-3      broken\n"), "{text}");
}

#[test]
fn what_was_asked_and_found_is_not_called_nothing_to_do() {
    let hosts = vec![host("web1", HostOutcome::Unchanged, "b-1", "b-1")];
    assert!(shown(&report(Command::Check, Outcome::Unchanged, hosts.clone())).contains("a deploy would be accepted"));
    assert!(
        shown(&report(Command::Rollback, Outcome::Unchanged, hosts.clone())).contains("Nothing to do: web1 on b-1.")
    );
    let mut dry = report(Command::Rollback, Outcome::Unchanged, hosts);
    dry.dry_run = true;
    assert!(shown(&dry).ends_with("A dry run: nothing was changed.\n"));
}

#[test]
fn a_history_says_what_became_of_all_and_of_this_host() {
    let entry = |outcome, host, seconds: f64| {
        let json = serde_json::json!({
            "format": 1, "operation": "0123456789abcdef0123456789abcdef", "command": "deploy",
            "at": "2026-11-23T10:11:40Z", "by": "jane@laptop", "from": "b-1", "to": "b-2", "reason": "new\u{1b}",
            "outcome": outcome, "host": host, "seconds": seconds,
            "phases": [["stage", seconds / 2.0], ["validate", seconds / 2.0]],
        });
        serde_json::from_value(json).expect("a history entry")
    };
    let mut has = HostStatus::default();
    has.history = Some(vec![entry("inconsistent", "unknown", 9.0), entry("done", "switched", 0.2)]);
    let mut host = HostReport::new("web1", HostOutcome::Unchanged);
    host.status = Some(has);
    assert_data_eq!(
        shown(&report(Command::History, Outcome::Unchanged, vec![host])),
        str![[r#"
web1
OPERATION  WHEN                                 WHAT    FROM  TO   OUTCOME                     TOOK   BY
01234567   2026-11-23 10:11:40 UTC (3 min ago)  deploy  b-1   b-2  inconsistent, here unknown  9.0 s  jane@laptop: new/u{1b}  stage 4.5 s, validate 4.5 s
01234567   2026-11-23 10:11:40 UTC (3 min ago)  deploy  b-1   b-2  done                        0.2 s  jane@laptop: new/u{1b}

"#]]
    );
}

#[test]
fn releases_of_hosts_that_are_alike_are_one_table() {
    let mut has = HostStatus::default();
    let mut release = ReleaseStatus::new(name("b-2"), ReleaseState::Current);
    release.bytes = Some(17_400_000);
    release.staged_at = Timestamp::from_unix(1_795_428_700, 0);
    release.staged_by = Some("jane@laptop".to_owned());
    has.releases = vec![release, ReleaseStatus::new(name("b-1"), ReleaseState::Good)];
    let with = |name_of: &str| {
        let mut host = HostReport::new(name_of, HostOutcome::Unchanged);
        host.status = Some(has.clone());
        host
    };
    let mut hosts = vec![with("web1"), with("web2")];
    assert_data_eq!(
        shown(&report(Command::Releases, Outcome::Done, hosts.clone())),
        str![[r#"
web1, web2
RELEASE  STATE    SIZE     STAGED                               BY
b-2      current  17.4 MB  2026-11-23 10:11:40 UTC (3 min ago)  jane@laptop
b-1      good     -        -                                    -

"#]]
    );
    hosts.push(HostReport::new("web3", HostOutcome::Unreachable));
    let text = shown(&report(Command::Releases, Outcome::Done, hosts));
    assert!(text.contains("web3\nunreachable\n"), "{text}");
}

#[test]
fn no_host_at_all_is_shown_too() {
    for command in [Command::Deploy, Command::Status, Command::Releases, Command::History] {
        let mut report = report(command, Outcome::Error, Vec::new());
        report.error = Some(Error::new(ErrorKind::Internal, "a bug").into());
        assert!(shown(&report).contains("error: a bug."));
    }
}

/// Every hint that the library has, on a rollback of one environment.
#[test]
fn every_hint_has_words() {
    let line = ["switchback", "-e", "live", "rollback", "--to", "b-1"];
    let cli = <Cli as clap::Parser>::try_parse_from(line).expect("a command line");
    let invocation = Invocation::new(&cli.global, &cli.hosts, line.iter().map(|word| (*word).to_owned()));
    let words: Vec<String> = Hint::examples().into_iter().map(|hint| hint::words(&[hint], &invocation)).collect();
    assert!(words.iter().all(|words| !words.is_empty()), "a hint has no words");
    assert_data_eq!(
        words.join("\n"),
        str![[r#"
web1
`switchback -e live adopt` adopts a plain directory
`switchback -e live adopt` continues where it stopped
`switchback -e live adopt --from TOOL` names the tool that made the tree; `--from recipe` is one made by hand
`switchback -e live activate build-17` switches to it
`switchback -e live activate build-17` runs its `prepare` again
`switchback -e live activate build-17 --verify none` switches to it anyway
`switchback -e live deploy SOURCE --name build-17` updates the host
`switchback -e live stage SOURCE --name build-17 --host web1` uploads it there
`--name NAME` uses another name
if it must be empty, `--allow-empty` allows that
`--allow-split` goes on although they differ
`switchback -e live rollback --to b-1 --allow-writable` accepts it as it is
`--accept-data` accepts and records the version that was found
without `--from`, any current release is replaced
`switchback -e live drill SOURCE --report web1/NAME.json`, on the hosts where you rehearse
`switchback -e live rollback` brings the hosts together
`switchback -e live rollback` reverts it
`switchback -e live rollback --to build-17` rolls back to it
`switchback -e live rollback --to NAME` rolls back to the one you choose
`switchback -e live rollback --to build-17 --verify none` rolls back to it anyway
another `switchback -e live rollback` goes one release further back
then `switchback -e live rollback` resumes the revert
`switchback -e live rollback --to b-1 --keep-data` rolls back the code alone and leaves the data
`switchback -e live rollback --to b-1 --no-hooks --keep-data` rolls back the code alone and runs no command
`switchback -e live rollback --to b-1 --commands config` runs the configured commands
run it where the configuration is, or name its file: `switchback -e live rollback --to b-1 --config FILE`
`switchback -e live rollback --to b-1 --data-to VERSION` reverts the data to the correct version
a later rollback will need `--data-to VERSION`
`switchback -e live rollback --to b-1 --verify none` goes there without verifying it
`switchback -e live recover` finishes or reverts it
then `switchback -e live recover --back` reverts the run
`switchback -e live recover --forward` finishes the run instead
`switchback -e live recover` links it to build-17 again
`switchback -e live recover` seals it
`switchback -e live status` shows where each host is
`switchback -e live status` names the file and its owner
`switchback -e live releases` lists the releases of each host
`switchback -e live history` shows who did what
`switchback -e live log` shows all that it printed
`switchback -e live verify build-17 --full` lists all of it
`switchback -e live verify build-17` shows whose files they are
`switchback -e live rollback --to b-1 --except web1 --except web2` leaves them out
`switchback -e live rollback --to b-1 --wait 5m` waits for the lock
if the holder is dead for certain, `switchback -e live unlock --force` removes the lock
then `switchback -e live prune` tries again
`--keep 5`, or `keep = 5` in the configuration
"#]]
    );
}

/// Every kind of error, with its exit code when it refuses a command.
#[test]
fn every_kind_is_rendered() {
    let kinds = ErrorKind::ALL.iter().map(|kind| {
        let mut report = report(Command::Deploy, Outcome::Refused, Vec::new());
        report.error = Some(Error::new(*kind, format!("web1: {kind}")).because("the cause").hint(Hint::Status).into());
        format!("{} {}", report.exit_code().code(), shown(&report))
    });
    assert_data_eq!(
        kinds.collect::<String>(),
        str![[r#"
2 error: web1: usage: the cause.
next: `switchback status` shows where each host is
2 error: web1: config: the cause.
next: `switchback status` shows where each host is
3 error: web1: inventory: the cause.
next: `switchback status` shows where each host is
3 error: web1: source: the cause.
next: `switchback status` shows where each host is
3 error: web1: root-refused: the cause.
next: `switchback status` shows where each host is
3 error: web1: not-deployed: the cause.
next: `switchback status` shows where each host is
3 error: web1: unreachable: the cause.
next: `switchback status` shows where each host is
3 error: web1: unsuitable: the cause.
next: `switchback status` shows where each host is
3 error: web1: not-ours: the cause.
next: `switchback status` shows where each host is
3 error: web1: others-may-write: the cause.
next: `switchback status` shows where each host is
3 error: web1: other-account: the cause.
next: `switchback status` shows where each host is
3 error: web1: no-current: the cause.
next: `switchback status` shows where each host is
3 error: web1: dangling: the cause.
next: `switchback status` shows where each host is
3 error: web1: name-taken: the cause.
next: `switchback status` shows where each host is
3 error: web1: no-such-release: the cause.
next: `switchback status` shows where each host is
3 error: web1: no-such-operation: the cause.
next: `switchback status` shows where each host is
3 error: web1: on-the-way-back: the cause.
next: `switchback status` shows where each host is
3 error: web1: hosts-differ: the cause.
next: `switchback status` shows where each host is
3 error: web1: conflict: the cause.
next: `switchback status` shows where each host is
6 error: web1: locked: the cause.
next: `switchback status` shows where each host is
7 error: web1: nothing-before: the cause.
next: `switchback status` shows where each host is
7 error: web1: bad-record: the cause.
next: `switchback status` shows where each host is
7 error: web1: chain-loops: the cause.
next: `switchback status` shows where each host is
7 error: web1: previous-gone: the cause.
next: `switchback status` shows where each host is
3 error: web1: unknown-tree: the cause.
next: `switchback status` shows where each host is
3 error: web1: missing-shared: the cause.
next: `switchback status` shows where each host is
3 error: web1: damaged-release: the cause.
next: `switchback status` shows where each host is
3 error: web1: no-manifest: the cause.
next: `switchback status` shows where each host is
3 error: web1: newer-format: the cause.
next: `switchback status` shows where each host is
3 error: web1: damaged-state: the cause.
next: `switchback status` shows where each host is
3 error: web1: host-failed: the cause.
next: `switchback status` shows where each host is
3 error: web1: irreversible: the cause.
next: `switchback status` shows where each host is
3 error: web1: data-differs: the cause.
next: `switchback status` shows where each host is
3 error: web1: records-differ: the cause.
next: `switchback status` shows where each host is
3 error: web1: not-configured: the cause.
next: `switchback status` shows where each host is
3 error: web1: data-failed: the cause.
next: `switchback status` shows where each host is
3 error: web1: hook-failed: the cause.
next: `switchback status` shows where each host is
3 error: web1: not-valid: the cause.
next: `switchback status` shows where each host is
3 error: web1: not-drilled: the cause.
next: `switchback status` shows where each host is
3 error: web1: drill-failed: the cause.
next: `switchback status` shows where each host is
3 error: web1: upload-failed: the cause.
next: `switchback status` shows where each host is
3 error: web1: unknown: the cause.
next: `switchback status` shows where each host is
130 error: web1: interrupted: the cause.
next: `switchback status` shows where each host is
1 error: web1: internal: the cause.
next: `switchback status` shows where each host is

"#]]
    );
}
