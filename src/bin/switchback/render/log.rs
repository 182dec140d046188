//! The output of an operation's commands, for people.

use switchback::{
    Timestamp,
    report::{CommandLog, OperationLog},
};

use super::{escape, fit, human, moment, style};

/// The digits of an operation that people see and type.
pub(crate) const DIGITS: usize = 8;

/// Renders the output of each command, indented below the command and its end.
pub(crate) fn log(log: Option<&OperationLog>, now: Timestamp) -> String {
    let Some(log) = log else { return "no output is kept\n".to_owned() };
    let id = &log.operation.as_str()[..DIGITS];
    let what = log.entry.as_ref().map_or_else(
        || format!("operation {id}, which has not ended\n"),
        |entry| {
            let to = entry.to.as_ref().map(|to| format!(" {to}")).unwrap_or_default();
            let (ended, at, by) = (human::ended(entry), moment::absolute(entry.at, now), escape::line(&entry.by));
            format!("operation {id}: {}{to} by {by}, {ended}, {at}\n", entry.command)
        },
    );
    let nothing = if log.commands.is_empty() { "no output of it is kept\n" } else { "" };
    fit::result(what + nothing + &log.commands.iter().map(command).collect::<String>())
}

fn command(log: &CommandLog) -> String {
    let end = log.end.as_deref().map_or("has not ended".to_owned(), escape::line);
    let title = format!("{} {end}", log.hook);
    let mut text = if log.ok { title } else { style::odd(&title) } + "\n";
    add(&mut text, "$", &log.command);
    if log.cut {
        text += "  (a part of the output is missing: it exceeded the limit)\n";
    }
    add(&mut text, "out |", &log.stdout);
    add(&mut text, "err |", &log.stderr);
    text
}

/// Adds lines of others, each after `mark`.
fn add(text: &mut String, mark: &str, lines: &str) {
    for line in lines.lines() {
        text.extend(["  ", mark, " ", &escape::line(line), "\n"]);
    }
}
