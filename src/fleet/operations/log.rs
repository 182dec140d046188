//! `log`: the output of the commands of an operation, as each host keeps it.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};

use crate::{
    config::did_you_mean,
    error::{Error, ErrorKind},
    event::Phase,
    hint::Hint,
    history::HistoryEntry,
    limits,
    log::OperationLog,
    report::{Failure, HostOutcome, HostReport, Outcome, Report},
    store::{RootState, StoreError},
    token::Token,
};

use crate::fleet::{
    Host,
    observe::{Observed, failed_host, failure, observed_reports, untouched},
    operations::inspect::conclude,
    run::Run,
    secrets::redact,
};

/// The number of entries of a history that are read first: not every operation runs commands.
const RECENT: usize = 4 * limits::LOGS;

/// The number of digits of an operation that are enough for a suggestion.
const DIGITS: usize = 8;

/// Reports the output of an operation's commands on every host: of the one that begins with `operation`, else of the
/// newest that ran commands.
pub(in crate::fleet) async fn log(run: Run<'_>, operation: Option<&str>) -> Report {
    run.emit_started(None);
    let observed = run.observe().await;
    let mut known = known(&run, &observed, Some(RECENT)).await;
    let mut wanted = operation.map(|text| find(&known, text)).transpose();
    if wanted.is_err() {
        // It may be older than what was read.
        known = self::known(&run, &observed, None).await;
        wanted = operation.map(|text| find(&known, text)).transpose();
    }
    let shown = match wanted {
        Ok(Some(wanted)) => vec![Some(wanted); known.len()],
        Ok(None) => newest(&known),
        // Where a host could not be read, nobody can say that there is no such operation.
        Err(_) if known.iter().any(Result::is_err) => vec![None; known.len()],
        Err(error) => return run.report(Outcome::Refused, None, observed_reports(&observed), Some(error.into())),
    };
    let reads = observed.states.iter().zip(known).zip(shown);
    // Collected first: with a closure in the stream, the compiler cannot prove the future `Send`.
    let reads: Vec<_> =
        reads.map(|(((host, answer), known), shown)| read(&run, host, answer.as_ref(), known, shown)).collect();
    let hosts: Vec<HostReport> = stream::iter(reads).buffered(run.parallel).collect().await;
    conclude(&run, hosts, |host| host.error.is_some())
}

/// The operations that a host knows.
#[derive(Debug, Default)]
struct Known {
    /// The history, oldest first.
    history: Vec<HistoryEntry>,
    /// The operations whose output is kept, the newest first as far as the host's clock tells.
    logged: Vec<Token>,
}

impl Known {
    fn entry(&self, operation: &Token) -> Option<&HistoryEntry> {
        self.history.iter().rev().find(|entry| entry.operation == *operation)
    }

    /// Returns the newest operation with output: one that has not ended, else the last in the history, which is in
    /// order whatever the clock does.
    fn newest(&self) -> Option<&Token> {
        let told = self.history.iter().rev().map(|entry| &entry.operation);
        let open = self.logged.first().filter(|operation| self.entry(operation).is_none());
        open.or_else(|| told.clone().find(|told| self.logged.contains(told))).or_else(|| self.logged.first())
    }

    /// Whether the history has `other`, and not `operation` after it.
    fn is_newer(&self, other: &Token, operation: &Token) -> bool {
        let last = self.history.iter().rev().find(|entry| [other, operation].contains(&&entry.operation));
        last.is_some_and(|last| last.operation == *other)
    }
}

/// Reads the operations that each host knows.
async fn known(run: &Run<'_>, observed: &Observed<'_>, newest: Option<usize>) -> Vec<Result<Known, Failure>> {
    let states = observed.states.iter();
    let known: Vec<_> = states.map(|(host, answer)| known_on(run, host, answer.as_ref(), newest)).collect();
    stream::iter(known).buffered(run.parallel).collect().await
}

async fn known_on(
    run: &Run<'_>,
    host: &Host,
    answer: Result<&RootState, &Failure>,
    newest: Option<usize>,
) -> Result<Known, Failure> {
    let state = answer.map_err(Clone::clone)?;
    let read = async {
        let logged = host.store.logs(state).await?;
        let (history, _) = host.store.history(newest).await?;
        Ok::<_, StoreError>(Known { history, logged })
    };
    run.report_step(&host.name, Phase::Ask, read.await.map_err(failure))
}

/// Finds the operation that begins with `text`.
fn find(known: &[Result<Known, Failure>], text: &str) -> Result<Token, Error> {
    let of_history = known.iter().flatten().flat_map(|known| &known.history).map(|entry| &entry.operation);
    let operations: BTreeSet<&Token> =
        of_history.chain(known.iter().flatten().flat_map(|known| &known.logged)).collect();
    let wanted = text.to_ascii_lowercase();
    let mut found = operations.iter().filter(|operation| operation.as_str().starts_with(&wanted));
    match (found.next(), found.next()) {
        (Some(one), None) if !wanted.is_empty() => Ok((*one).clone()),
        (Some(_), Some(_)) if !wanted.is_empty() => {
            let what = format!("several operations begin with {text:?}");
            Err(Error::new(ErrorKind::NoSuchOperation, what).hint("give more of its digits").hint(Hint::History))
        }
        _ => {
            let digits = wanted.len().clamp(DIGITS, 32);
            let starts = operations.iter().filter_map(|operation| operation.as_str().get(..digits));
            let nearest = did_you_mean(&wanted, starts).map(|near| Hint::Advice(format!("did you mean {near}?")));
            let error = Error::new(ErrorKind::NoSuchOperation, format!("no host knows an operation {text:?}"));
            Err(error.hints(nearest).hint(Hint::History))
        }
    }
}

/// Returns the newest operation of each host.
///
/// Where another host has output of a newer one in which this host took part, that is the newest, though it ran no
/// command here.
fn newest(known: &[Result<Known, Failure>]) -> Vec<Option<Token>> {
    let candidates: Vec<&Token> = known.iter().flatten().filter_map(Known::newest).collect();
    let of = |known: &Known| {
        let own = known.newest()?;
        let newer = |newest, other| if known.is_newer(other, newest) { other } else { newest };
        Some(candidates.iter().copied().fold(own, newer).clone())
    };
    let or_told = |known: &Known| {
        let told = known.history.iter().rev().map(|entry| &entry.operation);
        of(known).or_else(|| told.into_iter().find(|told| candidates.contains(told)).cloned())
    };
    known.iter().map(|known| known.as_ref().ok().and_then(or_told)).collect()
}

/// Reads the output of the operation `shown` on a host.
async fn read(
    run: &Run<'_>,
    host: &Host,
    answer: Result<&RootState, &Failure>,
    known: Result<Known, Failure>,
    shown: Option<Token>,
) -> HostReport {
    let (state, known) = match (answer, known) {
        (Ok(state), Ok(known)) => (state, known),
        (Err(why), _) => return failed_host(&host.name, why.clone()),
        (_, Err(why)) => return failed_host(&host.name, why),
    };
    let mut report = untouched(&host.name, state);
    let Some(operation) = shown else { return report };
    let read = host.store.log(state, &operation).await.map_err(failure);
    match run.report_step(&host.name, Phase::Ask, read) {
        Ok(mut commands) => {
            let unreadable = commands.iter().find_map(|command| Some((command.hook, command.unreadable.clone()?)));
            if let Some((hook, why)) = unreadable {
                let what = format!("cannot read all that `{hook}` printed: {why}");
                (report.outcome, report.error) =
                    (HostOutcome::Failed, Some(Error::new(ErrorKind::DamagedState, what).into()));
            }
            // The host keeps what was printed. What this machine knows to be secret is not shown again.
            for command in &mut commands {
                command.stdout = redact(run.secrets(), &command.stdout);
                command.stderr = redact(run.secrets(), &command.stderr);
            }
            let entry = known.entry(&operation).cloned();
            report.log = Some(OperationLog { operation, entry, commands });
            report
        }
        Err(why) => failed_host(&host.name, why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lock::LockOwner, outcome::Command, store::Ended};

    fn token(digit: &str) -> Token {
        digit.repeat(32).parse().expect("a token")
    }

    fn host((history, logged): &(&str, &str)) -> Known {
        let entry = |digit: &str| {
            let mut owner = LockOwner::new(Command::Deploy, "ann");
            owner.operation = token(digit);
            HistoryEntry::new(&owner, &Ended::new(Outcome::Done, HostOutcome::Switched), None)
        };
        let digits = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        let history = digits(history).iter().map(|digit| entry(digit)).collect();
        Known { history, logged: digits(logged).iter().map(|digit| token(digit)).collect() }
    }

    #[test]
    fn the_newest_operation_is_by_the_records_of_each_host() {
        let shown = |hosts: &[(&str, &str)]| -> Vec<String> {
            let known: Vec<_> = hosts.iter().map(|known| Ok(host(known))).collect();
            let digit = |token: Option<Token>| token.map_or(String::new(), |token| token.as_str()[..1].to_owned());
            newest(&known).into_iter().map(digit).collect()
        };
        assert_eq!(shown(&[("123", "21")]), ["2"]);
        // The clock of the host went back.
        assert_eq!(shown(&[("123", "13")]), ["3"]);
        // An operation that is under way, or was interrupted, is in no history.
        assert_eq!(shown(&[("123", "43")]), ["4"]);
        // It ran commands on the first host only.
        assert_eq!(shown(&[("12", "21"), ("12", "1")]), ["2", "2"]);
        assert_eq!(shown(&[("12", "2"), ("12", "")]), ["2", "2"]);
        // The second host took no part in it.
        assert_eq!(shown(&[("12", "21"), ("1", "1")]), ["2", "1"]);
        assert_eq!(shown(&[("1", "1"), ("", "")]), ["1", ""]);
    }

    #[test]
    fn an_operation_is_found_by_its_first_digits() {
        let mut known = vec![Ok(host(&("12", "3")))];
        for (text, expected) in [("1", "1"), ("33", "3"), (&"2".repeat(32), "2")] {
            assert_eq!(find(&known, text).ok(), Some(token(expected)));
        }
        for text in ["", "4", "11112", "x", &"1".repeat(33)] {
            let error = find(&known, text).expect_err("there is none");
            assert_eq!(error.kind(), ErrorKind::NoSuchOperation, "{text}");
        }
        let hints = find(&known, "11111112").expect_err("there is none").next().to_vec();
        assert_eq!(hints[0], Hint::Advice("did you mean 11111111?".to_owned()));
        if let Ok(known) = &mut known[0] {
            known.logged.push(format!("12{}", "0".repeat(30)).parse().expect("a token"));
        }
        let error = find(&known, "1").expect_err("there are two");
        assert!(error.to_string().contains("several"), "{error}");
    }
}
