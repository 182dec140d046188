//! What people type by mistake, and what they mean: names of other tools, values where a flag belongs, typing errors.
//!
//! A refused command line is rewritten, one mistake after the other, until it is a valid one. Only that is suggested.

mod table;

use clap::{
    CommandFactory, Parser,
    error::{ContextKind, ContextValue, ErrorKind as ClapKind},
};
use switchback::{Error, ErrorKind, config::did_you_mean};

use self::table::{ARCHIVES, COMMANDS, ENVIRONMENTS, FLAGS, To};
use crate::{args::Cli, invocation::quoted};

/// The maximum number of mistakes in one command line; more are no mistakes of typing.
const MOST: usize = 6;

/// Explains a refused command line, without the program's name; `None` if the parser's own words are the best.
pub(crate) fn explain(error: &clap::Error, words: &[String]) -> Option<Error> {
    let first = Mistake::of(error, words)?;
    let refused = Error::new(ErrorKind::Usage, first.message.clone());
    Some(match (meant(words), first.note) {
        (Some(line), _) => refused.hint(format!("did you mean `switchback {line}`?")),
        (None, Some(note)) => refused.hint(note),
        (None, None) => refused.hint(match command(words) {
            Some((_, command)) => format!("`switchback {command} -h` lists its options"),
            None => "`switchback -h` lists the commands and options".to_owned(),
        }),
    })
}

/// Returns the words of the valid command line that was probably meant.
fn meant(words: &[String]) -> Option<String> {
    let mut words = words.to_vec();
    for _ in 0..MOST {
        let Err(error) = parsed(&words) else {
            return Some(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "));
        };
        words = Mistake::of(&error, &words)?.rewritten?;
    }
    None
}

fn parsed(words: &[String]) -> Result<Cli, clap::Error> {
    match Cli::try_parse_from(std::iter::once("switchback").chain(words.iter().map(String::as_str))) {
        // To ask for the help or the version is valid, too; but `-host web1` is `-h` to the parser.
        Err(error)
            if error.kind() == ClapKind::DisplayVersion
                || error.kind() == ClapKind::DisplayHelp && words.iter().any(|word| word == "help") =>
        {
            Cli::try_parse_from(["switchback", "status"])
        }
        parsed => parsed,
    }
}

/// The first mistake in a command line.
#[derive(Debug, Default)]
struct Mistake {
    message: String,
    /// The words without this mistake.
    rewritten: Option<Vec<String>>,
    /// What to do where no command line does it.
    note: Option<String>,
}

impl Mistake {
    fn of(error: &clap::Error, words: &[String]) -> Option<Self> {
        match error.kind() {
            ClapKind::InvalidSubcommand => Self::command(words),
            ClapKind::UnknownArgument => {
                let argument = text(error, ContextKind::InvalidArg)?;
                if argument.len() > 1 && argument.starts_with('-') {
                    Some(Self::flag(&argument, words))
                } else {
                    Self::value(&argument, words)
                }
            }
            ClapKind::InvalidValue | ClapKind::ValueValidation => Self::list(error, words),
            ClapKind::MissingRequiredArgument => Self::missing(error, words),
            // `-host web1` is `-h` to the parser.
            ClapKind::DisplayHelp => {
                let word = words.iter().find(|word| word.starts_with("-host"))?;
                let message = format!("`{word}` is no option; a long one begins with `--`");
                let rewritten = Some(swapped(words, word, &[&format!("-{word}")]));
                Some(Self { message, rewritten, note: None })
            }
            _ => None,
        }
    }

    /// A word where a command's name belongs.
    fn command(words: &[String]) -> Option<Self> {
        let mut at = first(words)?;
        let is_help = words[at] == "help";
        if is_help {
            // `help foo`: it is foo that there is none of.
            at += 1 + usize::from(words.get(at + 1).is_some_and(|word| is_command(word)));
        }
        let (word, rest) = (words.get(at)?.as_str(), &words[at + 1..]);
        let message = format!("there is no command {word:?}");
        let lower = word.to_lowercase();
        let pair = rest.first().map(|next| format!("{lower} {next}"));
        let find =
            |typed: &str| COMMANDS.iter().find(|(typed_words, _)| typed_words.contains(&typed)).map(|(_, to)| to);
        let replaced = |by: &str, count: usize| {
            let by = by.split(' ').map(ToOwned::to_owned);
            Some(words[..at].iter().cloned().chain(by).chain(words[at + count..].iter().cloned()).collect())
        };
        let (rewritten, note) = if let Some(To::Words(by)) = pair.as_deref().and_then(find) {
            (replaced(by, 2), None)
        } else if let Some(to) = find(&lower) {
            match to {
                To::Words(by) => (replaced(by, 1), None),
                To::Note(note) => (None, Some((*note).to_owned())),
                To::Value | To::Json => (None, None),
            }
        } else if is_command(&lower) {
            (replaced(&lower, 1), None)
        } else if let Some(taken) = at.checked_sub(1).filter(|taken| !is_help && is_command(&words[*taken])) {
            // `-e deploy ./dist`
            let option = taken.checked_sub(1).map_or("an option", |option| words[option].as_str());
            (None, Some(format!("{option} took {:?} as its value: give it one of its own", words[taken])))
        } else if ENVIRONMENTS.contains(&word) && rest.is_empty() {
            (None, Some(format!("`-e {word}` selects an environment, and a command comes with it")))
        } else if word.contains('/') || ARCHIVES.iter().any(|end| word.ends_with(end)) {
            (Some([&words[..at], &["deploy".to_owned()], &words[at..]].concat()), None)
        } else if rest.first().is_some_and(|next| is_command(next) || find(&next.to_lowercase()).is_some()) {
            // `cap production deploy`
            let by = if word == "switchback" { String::new() } else { format!("-e {word}") };
            let before = words[..at].iter().cloned().chain(by.split_whitespace().map(ToOwned::to_owned));
            (Some(before.chain(rest.iter().cloned()).collect()), None)
        } else {
            let near = did_you_mean(&lower, names().iter().map(String::as_str)).map(ToOwned::to_owned);
            (near.and_then(|near| replaced(&near, 1)), None)
        };
        Some(Self { message, rewritten, note })
    }

    /// An option that the command does not have.
    fn flag(flag: &str, words: &[String]) -> Self {
        let command = command(words).map(|(_, command)| command);
        let message = match &command {
            Some(command) => format!("`{command}` has no option `{flag}`"),
            None => format!("there is no option `{flag}`"),
        };
        let is_here =
            |commands: &[&str]| commands.is_empty() || command.as_deref().is_some_and(|at| commands.contains(&at));
        let rule = FLAGS.iter().find(|(commands, flags, _)| is_here(commands) && flags.contains(&flag));
        let steps = flag[1..].parse::<u32>().ok().filter(|_| command.as_deref() == Some("rollback"));
        let (rewritten, note) = match rule.map(|(.., to)| to) {
            _ if steps.is_some() => (Some(swapped(words, flag, &["--steps", &flag[1..]])), None),
            Some(To::Words(by)) => (Some(swapped(words, flag, &[by])), None),
            Some(To::Value) => (Some(swapped(words, flag, &[])), None),
            Some(To::Json) => (json(words, flag), None),
            Some(To::Note(note)) => (None, Some((*note).to_owned())),
            None if command.is_none() && is_command(flag.trim_start_matches('-')) => {
                (Some(swapped(words, flag, &[flag.trim_start_matches('-')])), None)
            }
            None => {
                let options = options(command.as_deref());
                let near = did_you_mean(flag.trim_start_matches('-'), options.iter().map(String::as_str));
                let near = near.filter(|_| flag.len() > 3);
                (near.map(|near| swapped(words, flag, &[&format!("--{near}")])), None)
            }
        };
        Self { message, rewritten, note }
    }

    /// A value after a command that takes none, or no more.
    fn value(value: &str, words: &[String]) -> Option<Self> {
        let (at, command) = command(words)?;
        let place = at + 1 + words[at + 1..].iter().rposition(|word| word == value)?;
        let message = format!("`{command}` does not take {value:?}");
        let is_number = value.parse::<u32>().is_ok();
        let flag = match command.as_str() {
            _ if ENVIRONMENTS.contains(&value) => Some("-e"),
            "rollback" if ["previous", "last", "back", "HEAD^", "HEAD~1"].contains(&value) => Some(""),
            "rollback" if value == "to" => Some("--to "),
            "rollback" | "deploy" if value == "from" => Some("--from "),
            "deploy" | "stage" | "drill" if value == "as" => Some("--name "),
            _ if ["to", "on"].contains(&value) => Some("--host "),
            "rollback" if is_number && value.len() == 1 => Some("--steps"),
            "rollback" => Some("--to"),
            "deploy" | "stage" | "drill" => Some("--name"),
            "prune" if is_number => Some("--keep"),
            "history" if is_number => Some("--limit"),
            "recover" if value == "forward" => Some("--forward "),
            "recover" if value == "back" => Some("--back "),
            "config" | "releases" if ["show", "list", "ls", "get", "print"].contains(&value) => Some(""),
            "adopt" if value.parse::<switchback::adoption::Tool>().is_ok() => Some("--from"),
            "init" if value.starts_with('/') => Some("--root"),
            "man" | "completions" | "activate" | "pin" | "unpin" => None,
            _ if value.contains('/') => None,
            _ => Some("--host"),
        };
        let rewritten = flag.map(|flag| {
            let by: Vec<&str> = match flag.strip_suffix(' ') {
                Some(flag) => vec![flag],
                None if flag.is_empty() => vec![],
                None => vec![flag, value],
            };
            let by = by.into_iter().map(ToOwned::to_owned);
            words[..place].iter().cloned().chain(by).chain(words[place + 1..].iter().cloned()).collect()
        });
        Some(Self { message, rewritten, note: None })
    }

    /// Several hosts in one value.
    fn list(error: &clap::Error, words: &[String]) -> Option<Self> {
        let argument = text(error, ContextKind::InvalidArg)?;
        let flag = ["--host", "--except"].into_iter().find(|flag| argument.split(' ').next() == Some(flag))?;
        let value = text(error, ContextKind::InvalidValue)?;
        // Brackets hold the commas of a range.
        let mut depth = 0_usize;
        let apart = |c: char| {
            depth = if c == '[' { depth + 1 } else { depth.saturating_sub(usize::from(c == ']')) };
            depth == 0 && [',', ' ', ';'].contains(&c)
        };
        let hosts: Vec<&str> = value.split(apart).filter(|host| !host.is_empty()).collect();
        if hosts.len() < 2 && !value.ends_with(',') {
            return None;
        }
        let joined = words.iter().position(|word| *word == format!("{flag}={value}"));
        let apart = words.windows(2).position(|pair| pair[0] == flag && pair[1] == value);
        let (at, count) = joined.map(|at| (at, 1)).or(apart.map(|at| (at, 2)))?;
        let by = hosts.iter().flat_map(|host| [flag.to_owned(), (*host).to_owned()]);
        let rewritten = words[..at].iter().cloned().chain(by).chain(words[at + count..].iter().cloned()).collect();
        let message = format!("{flag} takes one host, and {value:?} is several; repeat the option");
        Some(Self { message, rewritten: Some(rewritten), note: None })
    }

    /// A command without a value that it needs.
    fn missing(error: &clap::Error, words: &[String]) -> Option<Self> {
        let (_, command) = command(words)?;
        let ContextValue::Strings(lacks) = error.get(ContextKind::InvalidArg)? else { return None };
        let lacks: Vec<&str> = lacks.iter().map(|name| name.trim_matches(['<', '>'])).collect();
        let (what, note) = match command.as_str() {
            "deploy" | "stage" | "drill" => (
                ": a directory, or an archive (.tar, .tar.gz or .tar.zst)",
                format!("`switchback {command} ./dist`, for instance"),
            ),
            "completions" => (
                ": bash, zsh, fish, elvish or powershell",
                format!("`switchback {command} -h` shows where to put them"),
            ),
            _ => (", a release", "`switchback releases` lists them".to_owned()),
        };
        let message = format!("`{command}` needs {}{what}", lacks.join(" and "));
        Some(Self { message, rewritten: None, note: Some(note) })
    }
}

/// Returns the words with `flag` replaced by `by`; a value that is joined to it is joined to the last word of `by`.
fn swapped(words: &[String], flag: &str, by: &[&str]) -> Vec<String> {
    let is_short = !flag.starts_with("--");
    let mut swapped = Vec::new();
    for word in words {
        let rest = word.strip_prefix(flag).map(|rest| (rest, rest.strip_prefix('=').unwrap_or(rest)));
        match rest {
            Some((rest, value)) if rest.is_empty() || rest.starts_with('=') || is_short => {
                let mut by: Vec<String> = by.iter().map(|word| (*word).to_owned()).collect();
                match by.last_mut() {
                    _ if rest.is_empty() => {}
                    Some(last) if last.starts_with("--") => *last = format!("{last}={value}"),
                    _ => by.push(value.to_owned()),
                }
                swapped.extend(by);
            }
            _ => swapped.push(word.clone()),
        }
    }
    swapped
}

/// Returns the words with `--output json` as `--json`; `None` for another format.
fn json(words: &[String], flag: &str) -> Option<Vec<String>> {
    let words = swapped(words, flag, &["--output"]);
    let joined = words.iter().position(|word| word == "--output=json");
    let apart = words.windows(2).position(|pair| pair == ["--output", "json"]);
    let (at, count) = joined.map(|at| (at, 1)).or(apart.map(|at| (at, 2)))?;
    Some([&words[..at], &["--json".to_owned()], &words[at + count..]].concat())
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// Returns the place and the name of the command, if one is given.
fn command(words: &[String]) -> Option<(usize, String)> {
    let at = first(words)?;
    is_command(&words[at]).then(|| (at, words[at].clone()))
}

/// Returns the place of the first word that is neither an option nor the value of one.
fn first(words: &[String]) -> Option<usize> {
    let cli = Cli::command();
    let takes_value = |word: &str| {
        let is_it = |argument: &&clap::Arg| match word.strip_prefix("--") {
            Some(long) => argument.get_long() == Some(long),
            None => argument.get_short().is_some_and(|short| word == format!("-{short}")),
        };
        cli.get_arguments().find(is_it).is_some_and(|argument| argument.get_action().takes_values())
    };
    let mut at = 0;
    while words.get(at)?.starts_with('-') {
        at += if takes_value(&words[at]) { 2 } else { 1 };
    }
    (at < words.len()).then_some(at)
}

/// Whether a command has this name.
pub(crate) fn is_command(word: &str) -> bool {
    names().iter().any(|name| name == word)
}

/// Returns the names of the commands.
fn names() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// Returns the long options of a command, and those of all commands.
fn options(command: Option<&str>) -> Vec<String> {
    let cli = Cli::command();
    let own = command.and_then(|name| cli.find_subcommand(name)).into_iter().flat_map(clap::Command::get_arguments);
    own.chain(cli.get_arguments()).filter_map(|argument| argument.get_long().map(ToOwned::to_owned)).collect()
}

#[cfg(test)]
mod tests;
