//! `switchback init`.

use std::{
    fs::File,
    io::{self, ErrorKind as IoKind, Write},
    path::Path,
    process::ExitCode,
};

use camino::Utf8Path;
use clap::{Args, Parser};
use switchback::{
    Config, Error, ErrorKind, HostPath,
    config::{SCHEMA, STARTER},
    shared::SharedPath,
};

use super::OnMachine;
use crate::{
    args::{Cli, Global, HostArg, Hosts},
    ask, render, run, target,
};

/// Write a commented switchback.toml
///
/// Writes it here, or to the file given with --config, and beside it `.switchback.schema.json`, by which editors
/// complete its keys; with the root and the hosts given by --root and --host. At a
/// terminal, it asks for the rest and ends with `switchback check`; --yes asks nothing. An existing file is never
/// overwritten.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback init"
    "switchback init --root /srv/shop --host deploy@web1.example.com"
    "switchback --config deploy/shop.toml init --yes"
))]
pub(crate) struct Init {
    /// Host to write into it, [USER@]HOST[:PORT] (repeatable)
    #[arg(long, value_name = "HOST")]
    host: Vec<HostArg>,
}

impl OnMachine for Init {
    fn run(&self, name: &str, global: &Global, hosts: &Hosts) -> Result<ExitCode, Error> {
        let hosts = [&hosts.host[..], &self.host].concat();
        let given = global.config.as_deref().filter(|file| !file.as_str().is_empty());
        let file = given.unwrap_or(Utf8Path::new(target::FILE));
        let root = global.root.as_ref();
        if !ask::somebody_is_there() || global.json || global.quiet || global.yes {
            write(file, &Answers { root: root.cloned(), hosts, ..Answers::default() })?;
            let missing = if root.is_some() { "read through it" } else { "set the root and the hosts in it" };
            let next =
                format!("Wrote {file}, and {SCHEMA_FILE} for editors. Next: {missing}, then run `switchback check`.");
            return render::done(name, global, Some(&next));
        }
        // Not after all the questions.
        if file.exists() {
            return Err(exists(file));
        }
        let Some(answers) = Answers::asked(root, hosts) else {
            return Err(Error::new(ErrorKind::Usage, "the questions were not answered; nothing was written"));
        };
        write(file, &answers)?;
        render::message(&format!("Wrote {file}. `switchback check` says whether a deploy would work:\n"));
        let words = ["switchback", "--config", file.as_str(), "check"].map(str::to_owned);
        let check = Cli::try_parse_from(&words)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot run `switchback check`").because(error))?;
        Ok(run::run(check, words.into()))
    }
}

/// The name of the JSON Schema beside the configuration, as its first line has it.
const SCHEMA_FILE: &str = ".switchback.schema.json";

/// The settings that are not as in the starter configuration.
#[derive(Debug, Default)]
struct Answers {
    root: Option<HostPath>,
    hosts: Vec<HostArg>,
    shared: Vec<String>,
    after_switch: Option<String>,
    validation: Option<String>,
}

impl Answers {
    /// Asks a person for what was not given; `None` if the person ends the input.
    fn asked(root: Option<&HostPath>, hosts: Vec<HostArg>) -> Option<Self> {
        let anything = |text: &str| Ok::<_, String>(Some(text.to_owned()).filter(|text| !text.is_empty()));
        let root = match root {
            Some(root) => root.clone(),
            None => ask::until("Deploy root on every host", "/srv/app", str::parse::<HostPath>)?,
        };
        let hosts = if hosts.is_empty() {
            ask::until("Hosts, as [user@]host[:port], separated by spaces (none: this machine)", "", addresses)?
        } else {
            hosts
        };
        Some(Self {
            root: Some(root),
            hosts,
            shared: ask::until(
                "Paths that all releases share, such as `.env storage/` (none: nothing)",
                "",
                shared_paths,
            )?,
            after_switch: ask::until("Command to run after the switch, such as a reload (none)", "", anything)?,
            validation: ask::until("Command that fails if the new release is bad (none)", "", anything)?,
        })
    }

    /// Returns the starter configuration with these settings.
    fn text(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut text = STARTER.to_owned();
        let mut set = |line: &str, with: String| text = text.replacen(line, &with, 1);
        if let Some(root) = &self.root {
            set("root = \"/srv/shop\"\n", format!("root = {}\n", quoted(root.as_str())));
        }
        if !self.shared.is_empty() {
            let paths: Vec<String> = self.shared.iter().map(|path| quoted(path)).collect();
            set("#shared = [\".env\", \"storage/\"]\n", format!("shared = [{}]\n", paths.join(", ")));
        }
        if !self.hosts.is_empty() {
            let block = |host: &HostArg| format!("[[host]]\naddress = {}\n\n", quoted(&host.to_string()));
            let blocks: String = self.hosts.iter().map(block).collect();
            set("# How to reach hosts.", format!("{blocks}# How to reach hosts."));
        }
        if let Some(command) = &self.after_switch {
            set("#after_switch = ", format!("after_switch = {}\n#after_switch = ", quoted(command)));
        }
        if let Some(command) = &self.validation {
            set("#command = ", format!("command = {}\n#command = ", quoted(command)));
        }
        text
    }
}

fn addresses(text: &str) -> Result<Vec<HostArg>, String> {
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(|error| format!("{word:?}: {error}"))).collect()
}

fn shared_paths(text: &str) -> Result<Vec<String>, String> {
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let checked = |word: &str| word.parse::<SharedPath>().map(|_| word.to_owned());
    words.map(|word| checked(word).map_err(|error| format!("{word:?}: {error}"))).collect()
}

/// Writes the configuration, and then its schema. An existing configuration is an [`ErrorKind::Usage`]; an existing
/// schema, which may be that of a newer version, stays.
fn write(file: &Utf8Path, answers: &Answers) -> Result<(), Error> {
    let text = answers.text();
    if let Err(error) = Config::parse(&text, None) {
        return Err(Error::new(ErrorKind::Config, error.to_string()));
    }
    if !publish(file, &text)? {
        return Err(exists(file));
    }
    publish(&file.with_file_name(SCHEMA_FILE), SCHEMA).map(drop)
}

/// Writes a file; `false` if it exists, whatever it holds.
fn publish(file: &Utf8Path, text: &str) -> Result<bool, Error> {
    // A temporary file, published as a whole at the end: a killed run leaves a complete file or none.
    let directory = file.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    // Opened here: an error of `tempfile` itself names the temporary file, and the permissions are those of any file.
    let open = |path: &Path| File::options().write(true).create_new(true).open(path);
    let written = tempfile::Builder::new().prefix(".switchback-init-").make_in(directory, open);
    let mut written = written.map_err(|error| failed(file, error))?;
    let content = written.write_all(text.as_bytes()).and_then(|()| written.as_file().sync_all());
    content.map_err(|error| failed(file, error))?;
    match written.persist_noclobber(file) {
        Err(refused) if refused.error.kind() == IoKind::AlreadyExists => Ok(false),
        Err(refused) => Err(failed(file, refused.error)),
        Ok(_) => Ok(true),
    }
}

fn exists(file: &Utf8Path) -> Error {
    Error::new(ErrorKind::Usage, format!("{file} already exists, and was not changed"))
        .hint("look at it with `switchback config`")
}

fn failed(file: &Utf8Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot write {file}")).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_become_settings() {
        let quiet = Answers::default().text();
        assert_eq!(quiet, STARTER);
        let answers = Answers {
            root: "/srv/a \"b\"".parse().ok(),
            hosts: addresses("deploy@web1:22, web2").expect("addresses"),
            shared: shared_paths(".env storage/").expect("paths"),
            after_switch: Some("systemctl reload 'shop'".to_owned()),
            validation: Some("curl \"x\"".to_owned()),
        };
        let config = Config::parse(&answers.text(), None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.hosts.iter().map(|host| host.root.as_str()).collect::<Vec<_>>(), ["/srv/a \"b\""; 2]);
        assert_eq!(config.hosts[1].name, "web2");
        assert_eq!(config.shared.len(), 2);
        let commands = config.commands;
        assert_eq!(commands.after_switch.as_deref(), Some("systemctl reload 'shop'"));
        assert_eq!(commands.validation.as_ref().map(|rules| rules.command.as_str()), Some("curl \"x\""));
        assert!(addresses("-oProxyCommand=x").is_err() && shared_paths("../x").is_err());
    }
}
