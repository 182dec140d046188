//! Answers a shell that completes a command line: commands, flags, and the values that this machine knows. Never
//! connects to a host.

mod cache;

use std::{any::TypeId, ffi::OsString, process::ExitCode};

use clap::{Arg, Command, CommandFactory, Parser, ValueHint};
use clap_complete::{
    CompleteEnv, Shell,
    engine::{ArgValueCandidates, CompletionCandidate},
    env::Shells,
};
use switchback::{Config, HostPath, ReleaseName, TargetCheck, adoption::Tool};

pub(crate) use cache::remember;

use crate::{
    args::{Cli, Global, HostArg, Hosts},
    target,
};

/// The variable by which the scripts ask for completions.
const VARIABLE: &str = "_SWITCHBACK_COMPLETE";

/// Answers the shell, if one asks; else returns `None`.
pub(crate) fn answer() -> Option<ExitCode> {
    let here = std::env::current_dir().ok();
    match CompleteEnv::with_factory(command).var(VARIABLE).try_complete(std::env::args_os(), here.as_deref()) {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::SUCCESS),
        // A message would disturb the line that is typed.
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// Returns the script by which a shell asks this program.
pub(crate) fn script(shell: Shell) -> std::io::Result<String> {
    let mut text = Vec::new();
    if let Some(completer) = Shells::builtins().completer(&shell.to_string()) {
        completer.write_registration(VARIABLE, "switchback", "switchback", "switchback", &mut text)?;
    }
    if shell == Shell::Zsh {
        // In `fpath`, the script is the body of the function that completes for the first time.
        text.extend_from_slice(b"[ \"$funcstack[1]\" = _switchback ] && _clap_dynamic_completer_switchback \"$@\"\n");
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Returns the command line, with the values of each type of argument.
fn command() -> Command {
    Cli::command().mut_args(|arg| valued(arg, false)).mut_subcommands(|command| {
        let makes_release = ["deploy", "stage", "drill"].contains(&command.get_name());
        let is_man = command.get_name() == "man";
        command.mut_args(|arg| match arg.get_id().as_str() {
            "operation" => arg.add(ArgValueCandidates::new(operations)),
            "command" if is_man => arg.add(ArgValueCandidates::new(commands)),
            _ => valued(arg, makes_release),
        })
    })
}

/// Adds the values of an argument by its type. A command that makes a release gives it a new name.
fn valued(arg: Arg, makes_release: bool) -> Arg {
    let of = arg.get_value_parser().type_id();
    let is = |known: TypeId| of == known;
    match arg.get_id().as_str() {
        "environment" => arg.add(ArgValueCandidates::new(environments)),
        "except" => arg.add(ArgValueCandidates::new(hosts)),
        "name" if makes_release => arg,
        "source" => arg.value_hint(ValueHint::AnyPath),
        _ if is(TypeId::of::<ReleaseName>()) => arg.add(ArgValueCandidates::new(releases)),
        _ if is(TypeId::of::<HostArg>()) => arg.add(ArgValueCandidates::new(hosts)),
        _ if is(TypeId::of::<HostPath>()) => arg.value_hint(ValueHint::DirPath),
        _ if is(TypeId::of::<camino::Utf8PathBuf>()) => arg.value_hint(ValueHint::FilePath),
        _ if is(TypeId::of::<TargetCheck>()) => {
            arg.add(ArgValueCandidates::new(|| words(TargetCheck::ALL, TargetCheck::as_str)))
        }
        _ if is(TypeId::of::<Tool>()) => arg.add(ArgValueCandidates::new(|| words(Tool::ALL, Tool::as_str))),
        _ => arg,
    }
}

fn words<T: Copy>(all: &[T], as_str: fn(T) -> &'static str) -> Vec<CompletionCandidate> {
    all.iter().map(|one| CompletionCandidate::new(as_str(*one))).collect()
}

fn commands() -> Vec<CompletionCandidate> {
    Cli::command().get_subcommands().map(|command| CompletionCandidate::new(command.get_name())).collect()
}

fn hosts() -> Vec<CompletionCandidate> {
    let typed = Typed::now();
    let Some(config) = typed.config() else { return Vec::new() };
    // Runs no command that lists hosts: the last report has their names.
    let names = match config.hosts_from {
        Some(_) => typed.known().hosts,
        None => config.hosts.into_iter().map(|host| host.name).collect(),
    };
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn environments() -> Vec<CompletionCandidate> {
    let typed = Typed { environment: None, ..Typed::now() };
    let names = typed.global().map(|global| target::environments(&global)).unwrap_or_default();
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn releases() -> Vec<CompletionCandidate> {
    Typed::now().known().releases.iter().map(|name| CompletionCandidate::new(name.as_str())).collect()
}

fn operations() -> Vec<CompletionCandidate> {
    let known = Typed::now().known();
    known
        .operations
        .iter()
        .map(|operation| CompletionCandidate::new(operation.digits()).help(Some(operation.to_string().into())))
        .collect()
}

/// The flags that were typed so far and that say of which fleet the values are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Typed {
    config: Option<String>,
    environment: Option<String>,
    root: Option<String>,
    hosts_from: Option<String>,
    hosts: Vec<String>,
}

impl Typed {
    /// Returns those of the line that a shell asks about: it comes after `--` and the name of the program.
    fn now() -> Self {
        let words = std::env::args_os().skip_while(|word| word != "--").skip(2);
        Self::of(words.map(OsString::into_string).filter_map(Result::ok))
    }

    fn of(words: impl Iterator<Item = String>) -> Self {
        let (mut typed, mut words) = (Self::default(), words.peekable());
        while let Some(word) = words.next() {
            let (flag, joined) = match word.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
                _ if word.starts_with("-e") && word.len() > 2 => ("-e".to_owned(), Some(word[2..].to_owned())),
                _ => (word, None),
            };
            let mut value = || joined.clone().or_else(|| words.next()).filter(|value| !value.is_empty());
            match flag.as_str() {
                "--config" => typed.config = value(),
                "-e" | "--env" => typed.environment = value(),
                "--root" => typed.root = value(),
                "--hosts-from" => typed.hosts_from = value(),
                "--host" => typed.hosts.extend(value()),
                _ => {}
            }
        }
        typed
    }

    /// Returns the global options with these values, and those of the environment.
    fn global(&self) -> Option<Global> {
        let flags = [
            ("--config", &self.config),
            ("--env", &self.environment),
            ("--root", &self.root),
            ("--hosts-from", &self.hosts_from),
        ];
        let given = flags.into_iter().filter_map(|(flag, value)| Some(format!("{flag}={}", value.as_ref()?)));
        let line = std::iter::once("switchback".to_owned()).chain(given).chain(["status".to_owned()]);
        let mut global = Cli::try_parse_from(line).ok()?.global;
        target::take_root_of_environment(&mut global).ok()?;
        Some(global)
    }

    fn config(&self) -> Option<Config> {
        target::read(&self.global()?).ok()
    }

    fn known(&self) -> cache::Known {
        let host = self.hosts.iter().filter_map(|host| host.parse().ok()).collect();
        let hosts = Hosts { host, ..Hosts::default() };
        self.global().and_then(|global| cache::read(&global, &hosts)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_found_wherever_they_are() {
        let typed = |line: &str| Typed::of(line.split(' ').map(str::to_owned));
        let some = |text: &str| Some(text.to_owned());
        let found = typed("--config a.toml rollback -e staging --host web1 --host=web2 --root /srv/shop --to ");
        let expected = Typed {
            config: some("a.toml"),
            environment: some("staging"),
            root: some("/srv/shop"),
            hosts_from: None,
            hosts: vec!["web1".to_owned(), "web2".to_owned()],
        };
        assert_eq!(found, expected);
        assert_eq!(typed("-estaging status").environment, some("staging"));
        assert_eq!(typed("--env=staging status").environment, some("staging"));
        assert_eq!(typed("status --config"), Typed::default());
        assert_eq!(typed("status -e "), Typed::default());
    }

    #[test]
    fn the_command_line_with_its_values_is_sound() {
        command().debug_assert();
    }
}
