//! The command as a person types it: help, exit codes, and what goes to which stream. Nothing here reaches a
//! host.
#![cfg(feature = "cli")]

use std::{io::Write, path::Path, process::Stdio};

use assert_cmd::Command;
use tempfile::TempDir;

const COMMANDS: [&str; 22] = [
    "deploy",
    "stage",
    "drill",
    "activate",
    "rollback",
    "recover",
    "unlock",
    "adopt",
    "prune",
    "pin",
    "unpin",
    "status",
    "releases",
    "history",
    "log",
    "check",
    "verify",
    "diff",
    "config",
    "init",
    "completions",
    "man",
];

/// Builds the command in this directory, without our variables in its environment.
fn switchback(directory: &Path) -> Command {
    let mut command = Command::cargo_bin("switchback").expect("the command is built");
    command.current_dir(directory).env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
    command.env_remove("SWITCHBACK_ROOT").env_remove("SWITCHBACK_HOST");
    command
}

/// Returns the exit code, standard output and standard error.
fn run(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    ended(switchback(directory).args(arguments))
}

fn ended(command: &mut Command) -> (i32, String, String) {
    let output = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
    (output.status.code().expect("no signal ended it"), text(output.stdout), text(output.stderr))
}

fn empty() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

/// Creates a directory with this configuration.
fn with(config: &str) -> TempDir {
    let directory = empty();
    fs_err::write(directory.path().join("switchback.toml"), config).expect("it can be written");
    directory
}

#[test]
fn every_help_has_an_example_and_the_exit_codes() {
    let directory = empty();
    for command in COMMANDS {
        let (code, help, _) = run(directory.path(), &[command, "--help"]);
        assert_eq!(code, 0, "{command}");
        for part in ["Exit codes:", "Examples:", "--json", "--config", "--allow-writable"] {
            assert!(help.contains(part), "the help of {command} lacks {part}");
        }
    }
}

/// The short help of 80 columns fits on a screen of 45 lines.
#[test]
fn every_short_help_fits_on_a_screen() {
    let directory = empty();
    for command in COMMANDS.into_iter().map(Some).chain([None]) {
        let arguments: Vec<&str> = command.into_iter().chain(["-h"]).collect();
        let (code, help, _) = ended(switchback(directory.path()).args(arguments).env("COLUMNS", "80"));
        assert_eq!(code, 0, "{command:?}");
        assert!(help.lines().count() <= 45, "{command:?} has {} lines:\n{help}", help.lines().count());
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        assert!(help.contains("--json") && help.contains("--help"), "{help}");
    }
}

#[test]
fn color_is_as_asked() {
    let directory = empty();
    for (line, variable, colored) in [
        ("--color always status", None, true),
        ("--color=always status", Some(("NO_COLOR", "1")), true),
        ("status --color never", Some(("CLICOLOR_FORCE", "1")), false),
        ("status", Some(("CLICOLOR_FORCE", "1")), true),
        ("status --color auto", None, false),
        ("--color always --help", None, true),
        ("--color always deploy . --wait x", None, true),
        ("--color never deploy . --wait x", Some(("CLICOLOR_FORCE", "1")), false),
        ("--color always undo", None, true),
    ] {
        let mut command = switchback(directory.path());
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").envs(variable).args(line.split(' '));
        let (_, out, err) = ended(&mut command);
        assert_eq!((out + &err).contains('\u{1b}'), colored, "{line} {variable:?}");
    }
    assert_eq!(run(directory.path(), &["--color", "sometimes", "status"]).0, 2);
}

#[test]
fn the_help_shows_the_commands_there_are_and_no_other() {
    let directory = empty();
    let (_, help, _) = run(directory.path(), &["--help"]);
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command}")), "{command} is missing");
    }
    assert_eq!(run(directory.path(), &["dirll"]).0, 2);
    let (code, version, _) = run(directory.path(), &["--version"]);
    assert_eq!((code, version.trim()), (0, concat!("switchback ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn a_wrong_command_line_is_2() {
    let directory = with("root = '/srv/shop'");
    for arguments in [
        &["--nonsense", "status"][..],
        &["deploy"],
        &["rollback", "--to", "a", "--steps", "1"],
        &["--root", "srv/shop", "config"],
        &["--root", "", "config"],
        &["--host", "-oProxyCommand=x", "config"],
        &["--except", "web9", "config"],
        &["--except", "local", "config"],
        &["-e", "staging", "--root", "/srv/x", "config"],
        &["man", "deplyo"],
    ] {
        let (code, out, err) = run(directory.path(), arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains("error: "), "{arguments:?}: {err}");
    }
}

/// The configuration is not even TOML, so it was not read. FAULTS.md N21.
#[test]
fn what_was_meant_is_named_before_anything_is_read() {
    let directory = with("this is not TOML");
    for (line, meant) in [
        ("rollback build-16", "did you mean `switchback rollback --to build-16`?"),
        ("undo", "did you mean `switchback rollback`?"),
        ("version", "did you mean `switchback --version`?"),
        ("status --host a,b", "did you mean `switchback status --host a --host b`?"),
        ("--except a,b status", "did you mean `switchback --except a --except b status`?"),
        ("production deploy:rollback", "did you mean `switchback -e production rollback`?"),
        ("deploy . --version 17", "did you mean `switchback deploy . --name 17`?"),
        ("deploy", "`switchback deploy ./dist`, for instance"),
        ("status -host web1", "did you mean `switchback status --host web1`?"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let (code, out, err) = run(directory.path(), &words);
        assert_eq!((code, out.as_str()), (2, ""), "{line}: {err}");
        assert!(err.starts_with("error: ") && err.ends_with(&format!("\nnext: {meant}\n")), "{line}: {err}");
        let (code, out, _) = run(directory.path(), &[&words[..], &["--json"]].concat());
        let report: serde_json::Value = serde_json::from_str(&out).expect("one line of JSON");
        assert_eq!((code, &report["error"]["kind"]), (2, &"usage".into()), "{line}");
        assert!(report["error"]["hint"].as_str().is_some_and(|hint| hint.contains("switchback")), "{report}");
    }
}

/// What is not there as a source may be a command, an environment or a release.
#[test]
fn a_source_that_is_not_there_may_be_something_else() {
    let directory = with(&format!("root='{}/root'\n[env.live]\n", empty().path().display()));
    for (source, hint) in [
        ("rollback", "did you mean `switchback rollback`?"),
        ("live", "`switchback -e live deploy SOURCE` deploys to that environment"),
        ("build-17", "if build-17 is a release on the hosts, `switchback activate build-17` switches to it"),
    ] {
        let (code, _, err) = run(directory.path(), &["deploy", source]);
        assert!(code == 3 && err.contains(hint), "{source}: {code}: {err}");
    }
}

#[test]
fn with_json_the_last_line_is_a_report_even_then() {
    let directory = with("rooot = '/srv/shop'");
    for (arguments, kind) in [
        (&["status", "--nonsense", "--json"][..], "usage"),
        (&["--json", "status"], "config"),
        (&["--json", "--root", "/x", "--host", "a", "--host", "a", "status"], "config"),
    ] {
        let (code, out, _) = run(directory.path(), arguments);
        let report: serde_json::Value = serde_json::from_str(out.lines().last().expect("a line")).expect("it is JSON");
        assert_eq!(
            (code, &report["type"], &report["outcome"]),
            (2, &"report".into(), &"error".into()),
            "{arguments:?}"
        );
        assert_eq!(report["error"]["kind"], kind, "{arguments:?}");
    }
}

#[test]
fn a_wrong_configuration_shows_its_line() {
    let directory = with("root = '/srv/shop'\n[ssh]\nidentiy = 'x'\n");
    let (code, out, err) = run(directory.path(), &["status"]);
    assert_eq!((code, out.as_str()), (2, ""));
    for part in ["unknown key `ssh.identiy`", "switchback.toml:3:1", "3 | identiy = 'x'", "did you mean `identity`?"] {
        assert!(err.contains(part), "{err}");
    }
}

#[test]
fn init_then_config() {
    let directory = empty();
    let (code, out, err) = run(directory.path(), &["init"]);
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    assert!(err.contains("switchback check"), "{err}");
    let (code, resolved, _) = run(directory.path(), &["config"]);
    assert_eq!(code, 0);
    assert!(resolved.contains("name = \"local\""), "{resolved}");
    // The first line names the schema for editors, a file beside it.
    let written = |name: &str| fs_err::read_to_string(directory.path().join(name)).expect("it was written");
    let (code, schema, _) = run(directory.path(), &["config", "--schema"]);
    let named = written("switchback.toml").lines().next().map(|line| line.trim_start_matches("#:schema ./").to_owned());
    assert_eq!((code, schema), (0, written(&named.expect("a line"))));
    fs_err::write(directory.path().join("switchback.toml"), "root = '/mine'").expect("it can be written");
    let (code, _, err) = run(directory.path(), &["init"]);
    assert_eq!(code, 2, "{err}");
    assert!(run(directory.path(), &["config"]).1.contains("/mine"), "it was overwritten");
}

/// clap sees options that exclude each other only on the same side of the command.
#[test]
fn options_that_exclude_each_other_are_refused_on_both_sides_of_the_command() {
    for line in ["-q status -v", "status -q -v", "--json config --schema", "config --schema --json"] {
        let (code, _, err) = run(empty().path(), &line.split(' ').collect::<Vec<_>>());
        assert!(code == 2 && err.contains("cannot be used together"), "{line}: {code}: {err}");
    }
}

/// The words of the system and of Rust stay out: numbers of errors, names of temporary files, what a parser expects.
#[test]
fn messages_are_not_in_the_words_of_a_program() {
    let directory = empty();
    let told = |line: &str| run(directory.path(), &line.split(' ').collect::<Vec<_>>());
    for (line, expected, words) in [
        ("--root /tmp/none rollback --steps x", 2, "whole number from 1 to"),
        ("--root /tmp/none rollback --steps 0", 2, "whole number from 1 to"),
        ("--root /tmp/none prune --keep x", 2, "whole number from 0 to"),
        ("--root /tmp/none history --limit x", 2, "whole number from 0 to"),
        ("--root /tmp/none deploy ./nope", 3, "No such file or directory"),
        ("--config nope.toml status", 2, "No such file or directory\n"),
        ("--config x/y.toml init --yes", 1, "cannot write x/y.toml: No such file or directory\n"),
    ] {
        let (code, _, err) = told(line);
        assert!(code == expected && err.contains(words), "{line}: {code}: {err}");
        assert!(!err.contains("os error") && !err.contains("invalid digit"), "{line}: {err}");
    }
}

/// Without a terminal, nothing is asked: flags are all that is known.
#[test]
fn init_writes_the_root_and_the_hosts_that_are_given() {
    let directory = empty();
    let (code, _, err) =
        run(directory.path(), &["init", "--root", "/srv/a b", "--host", "deploy@web1", "--host", "web2"]);
    assert_eq!(code, 0, "{err}");
    let (code, resolved, err) = run(directory.path(), &["config"]);
    assert!(code == 0 && resolved.contains("root = \"/srv/a b\""), "{resolved}{err}");
    assert!(resolved.contains("deploy@web1") && resolved.contains("web2"), "{resolved}");
    let (code, ..) = run(directory.path(), &["init", "--root", "/srv/b"]);
    assert!(code == 2 && run(directory.path(), &["config"]).1.contains("/srv/a b"), "it was overwritten");
}

/// At a terminal it asks, again where an answer is no good, and ends with the check.
#[test]
fn init_at_a_terminal_asks_and_checks() {
    let directory = empty();
    let binary = assert_cmd::cargo::cargo_bin("switchback");
    let root = directory.path().join("root");
    let guided = |answers: &str| {
        let mut script = std::process::Command::new("script");
        script.args(["-qec", &format!("'{}' init", binary.display()), "/dev/null"]).current_dir(directory.path());
        script.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV").env_remove("SWITCHBACK_ROOT");
        let mut run = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        run.stdin.take().expect("a pipe").write_all(answers.as_bytes()).expect("it reads");
        let output = run.wait_with_output().expect("it ends");
        Some((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let answers = format!("not/absolute\n{}\n\n.env ../x\n\ntrue\n\n", root.display());
    let Some((code, out)) = guided(&answers) else {
        #[expect(clippy::print_stderr, reason = "a skip is said in words")]
        {
            eprintln!("skipped: there is no `script`, which makes a terminal");
        }
        return;
    };
    assert!(code == Some(0) && out.contains("Ready"), "{out}");
    let (_, resolved, _) = run(directory.path(), &["config"]);
    assert!(
        resolved.contains(root.to_str().expect("UTF-8")) && resolved.contains("after_switch = \"true\""),
        "{resolved}"
    );
    let (code, out) = guided("").expect("it ran before");
    assert!(code == Some(2) && out.contains("already exists"), "{out}");
    fs_err::remove_file(directory.path().join("switchback.toml")).expect("it is there");
    let (code, out) = guided("\u{4}").expect("it ran before");
    assert!(code == Some(2) && out.contains("nothing was written"), "{out}");
    assert!(!directory.path().join("switchback.toml").exists());
    // What is refused is the check, and so the hint is about that.
    let open = directory.path().join("open");
    fs_err::create_dir_all(open.join("root")).expect("it can be made");
    fs_err::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("it is ours");
    let (code, out) = guided(&format!("{}/root\n\n\n\n\n", open.display())).expect("it ran before");
    assert!(code == Some(3) && out.contains("switchback.toml check --allow-writable` accepts it"), "{out}");
}

#[test]
fn what_config_prints_is_a_configuration() {
    let directory = with("root = '/a'\n[[host]]\naddress = 'u@web1:22'\n[env.staging]\nroot = '/b'\n");
    let (_, resolved, _) = run(directory.path(), &["-e", "staging", "config"]);
    assert!(resolved.contains("root = \"/b\"") && resolved.contains("u@web1:22"), "{resolved}");
    let again = with(&resolved);
    assert_eq!(run(again.path(), &["config"]).1, resolved);
    let (_, json, _) = run(directory.path(), &["config", "--json"]);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().expect("a line")).expect("it is JSON");
    assert_eq!((&first["type"], &first["config"]["host"][0]["name"]), (&"config".into(), &"web1".into()));
}

#[test]
fn the_configuration_is_looked_for_upward_and_in_the_environment() {
    let directory = with("root = '/up'\n[env.staging]\nroot = '/staging'\n");
    let below = directory.path().join("a/b");
    fs_err::create_dir_all(&below).expect("it can be made");
    assert!(run(&below, &["config"]).1.contains("/up"));
    let (_, staging, _) = ended(switchback(&below).env("SWITCHBACK_ENV", "staging").arg("config"));
    assert!(staging.contains("/staging"), "{staging}");
    let elsewhere = empty();
    let (code, _, err) = run(elsewhere.path(), &["config"]);
    assert!(code == 2 && err.contains("switchback init"), "{err}");
    let file = directory.path().join("switchback.toml");
    assert!(ended(switchback(elsewhere.path()).env("SWITCHBACK_CONFIG", file).arg("config")).1.contains("/up"));
    let (code, _, _) = ended(switchback(&below).env("SWITCHBACK_ENV", "").arg("config"));
    assert_eq!(code, 0, "an empty variable is an unset one");
}

#[test]
fn a_root_needs_no_configuration() {
    let directory = with("this is not even TOML");
    let (code, out, err) = run(directory.path(), &["--root", "/srv/shop", "config", "--host", "web1"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("address = \"web1\"") && out.contains("/srv/shop"), "{out}");
}

/// The variable counts only where nothing else says where; on the controller of a hook it is of another machine.
#[test]
fn a_root_of_the_environment_counts_only_without_a_configuration() {
    let (configured, empty) = (with("root = '/of/the/file'\n"), empty());
    let root_of = |directory: &Path, arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = switchback(directory);
        command.envs(variables.iter().copied()).args(arguments).arg("config");
        let (code, out, err) = ended(&mut command);
        let root = out.lines().find_map(|line| line.strip_prefix("root = ")).unwrap_or_default().to_owned();
        (code, root, err)
    };
    let variable = [("SWITCHBACK_ROOT", "/of/the/variable")];
    let file = configured.path().join("switchback.toml").display().to_string();
    for (directory, arguments, root) in [
        (empty.path(), &[][..], "\"/of/the/variable\""),
        (empty.path(), &["--root", "/given"], "\"/given\""),
        (empty.path(), &["--config", &file], "\"/of/the/file\""),
        (configured.path(), &[], "\"/of/the/file\""),
    ] {
        let (code, found, err) = root_of(directory, arguments, &variable);
        assert_eq!((code, found.as_str()), (0, root), "{arguments:?}: {err}");
    }
    for (variables, message) in [
        (&[("SWITCHBACK_ROOT", "")][..], "there is no switchback.toml"),
        (&[("SWITCHBACK_ROOT", "srv/shop")], "the variable SWITCHBACK_ROOT is wrong: \"srv/shop\""),
        (&[variable[0], ("SWITCHBACK_HOST", "controller")], "there is no switchback.toml"),
        (&[variable[0], ("SWITCHBACK_ENV", "staging")], "-e \"staging\" needs a configuration"),
    ] {
        let (code, _, err) = root_of(empty.path(), &[], variables);
        assert!(code == 2 && err.contains(message), "{variables:?}: {code}: {err}");
    }
}

/// A hook that asks where it is gets the answer for its own root.
#[test]
fn a_hook_calls_the_program_on_its_own_root() {
    let directory = empty();
    let root = directory.path().join("shop");
    let program = assert_cmd::cargo::cargo_bin("switchback");
    let hook = format!("'{}' status --json > '{}/told'", program.display(), directory.path().display());
    let config = format!("root = {root:?}\nhooks.after_switch = {hook:?}\n");
    fs_err::create_dir(directory.path().join("controller")).expect("it can be made");
    fs_err::write(directory.path().join("controller/switchback.toml"), config).expect("it can be written");
    let site = format!("{}/examples/site/v1", env!("CARGO_MANIFEST_DIR"));
    let (code, _, err) = run(&directory.path().join("controller"), &["deploy", &site, "--name", "v1"]);
    assert_eq!(code, 0, "{err}");
    let told = fs_err::read_to_string(directory.path().join("told")).expect("the hook ran");
    let report: serde_json::Value = serde_json::from_str(told.lines().last().expect("a line")).expect("it is JSON");
    assert_eq!(report["hosts"][0]["current"], "v1", "{report}");
}

#[test]
fn hosts_are_left_out_on_both_sides_of_the_command() {
    let directory = with("root='/a'\n[[host]]\naddress='web1'\n[[host]]\naddress='web2'\n[[host]]\naddress='web3'\n");
    let (_, out, _) = run(directory.path(), &["--except", "web1", "config", "--except", "web2"]);
    assert!(out.contains("web3") && !out.contains("web1") && !out.contains("web2"), "{out}");
}

#[test]
fn completions_and_pages_are_printed() {
    let directory = empty();
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = run(directory.path(), &["completions", shell]);
        assert!(code == 0 && out.contains("_SWITCHBACK_COMPLETE"), "{shell}");
    }
}

/// Each page has its sections, and groff has nothing to warn about.
#[test]
fn manual_pages_are_complete_and_render_without_warnings() {
    let directory = empty();
    for command in COMMANDS.into_iter().map(Some).chain([None]) {
        let arguments: Vec<&str> = ["man"].into_iter().chain(command).collect();
        let (code, page, _) = run(directory.path(), &arguments);
        assert!(code == 0 && page.contains(".TH"), "{command:?}");
        for part in [
            "\n.SH EXAMPLES\n.nf\n  ",
            "\n.SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR\n",
            "\n.SH ENVIRONMENT\n.TP\n\\fBSWITCHBACK_CONFIG\\fR\n",
            "\n.TP\n\\fBSWITCHBACK_ROOT\\fR\n",
            "\n.SH FILES\n.TP\n\\fIswitchback.toml\\fR\n",
        ] {
            assert!(page.contains(part), "{command:?} lacks {part:?}: {page}");
        }
        assert!(!page.contains("EXTRA") && !page.contains("Exit codes"), "{command:?}: {page}");
        let mut groff = Command::new("groff");
        groff.args(["-man", "-ww", "-Tutf8", "-z"]).write_stdin(page);
        let Ok(output) = groff.output() else { continue };
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command:?}");
    }
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let directory = empty();
    let binary = assert_cmd::cargo::cargo_bin("switchback");
    let shell = format!("'{}' completions bash | head -1; exit ${{PIPESTATUS[0]}}", binary.display());
    let output = std::process::Command::new("bash").args(["-c", &shell]).current_dir(directory.path()).output();
    let output = output.expect("bash runs");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

/// A misspelled host is an error, not a new host, where the configuration lists hosts.
#[test]
fn a_host_that_is_not_configured_is_2_and_the_nearest_is_named() {
    let directory = with("root='/a'\n[[host]]\naddress='web1'\n[[host]]\naddress='web2'\n");
    let (code, _, err) = run(directory.path(), &["--host", "wbe2", "config"]);
    assert!(
        code == 2 && err.contains("host \"wbe2\" is not configured") && err.contains("did you mean web2?"),
        "{err}"
    );
    let (code, _, err) = run(directory.path(), &["--host", "db.example.com", "config"]);
    assert!(code == 2 && err.contains("the hosts are: web1, web2"), "{err}");
    let directory = with("root='/a'\n");
    let (code, out, err) = run(directory.path(), &["--host", "db.example.com", "config"]);
    assert!(code == 0 && out.contains("db.example.com"), "{err}");
}

/// Ranges select and leave out hosts. FAULTS.md N20.
#[test]
fn ranges_of_hosts_on_the_command_line() {
    let directory = with("root='/a'\n[[host]]\naddress='web[01-10]'\n");
    let names = |args: &[&str]| {
        let (code, out, err) = run(directory.path(), args);
        assert_eq!(code, 0, "{err}");
        let names = out.lines().filter_map(|line| line.strip_prefix("name = ")).map(|name| name.trim_matches('"'));
        names.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&["--host", "web[01-03,07]", "config", "--except", "web[02-03]"]), "web01 web07");
    let (code, _, err) = run(directory.path(), &["--host", "web[09-11]", "config"]);
    assert!(code == 2 && err.contains("host \"web11\" is not configured"), "{err}");
    let (code, _, err) = run(directory.path(), &["--except", "web[3-1]", "config"]);
    assert!(code == 2 && err.contains("a range must count up"), "{err}");
}

#[test]
fn a_source_that_is_not_there_is_3() {
    let directory = with(&format!("root='{}/root'\n", empty().path().display()));
    let (code, out, _) = run(directory.path(), &["deploy", "nope", "--json"]);
    let report: serde_json::Value = serde_json::from_str(out.lines().last().expect("a line")).expect("it is JSON");
    assert_eq!((code, &report["outcome"], &report["error"]["kind"]), (3, &"refused".into(), &"source".into()));
}

/// The command in a hint works on the same fleet and keeps the given options, in the JSON report too.
#[test]
fn hints_keep_what_was_asked() {
    let directory = empty();
    let root = format!("{}/shop", directory.path().display());
    fs_err::create_dir(directory.path().join("site")).expect("it can be made");
    for (name, page) in [("one", "1"), ("two", "2")] {
        fs_err::write(directory.path().join("site/index.html"), page).expect("it can be written");
        let (code, _, err) = run(directory.path(), &["--root", &root, "-q", "deploy", "site", "--name", name]);
        assert_eq!(code, 0, "{err}");
    }
    let hint = |arguments: &[&str]| {
        let all = [&["--root", &root, "--json"][..], arguments].concat();
        let (_, out, _) = run(directory.path(), &all);
        let report: serde_json::Value = serde_json::from_str(out.lines().last().expect("a line")).expect("it is JSON");
        report["error"]["hint"].as_str().unwrap_or_else(|| panic!("no hint: {report}")).to_owned()
    };
    assert_eq!(
        hint(&["rollback", "--to", "nope"]),
        format!("`switchback --root {root} releases` lists the releases of each host")
    );
    assert_eq!(hint(&["activate", "one"]), format!("`switchback --root {root} rollback --to one` rolls back to it"));
    fs_err::remove_file(format!("{root}/releases/one/index.html")).expect("it is there");
    let (_, _, err) = run(directory.path(), &["--root", &root, "rollback"]);
    assert!(err.contains(&format!("`switchback --root {root} rollback --to one --verify none`")), "{err}");
    let marks = format!("{root}/.switchback/releases/two");
    fs_err::write(format!("{marks}/data"), "{\"format\":1,\"irreversible\":\"it dropped a table\"}")
        .expect("it can be written");
    assert_eq!(
        hint(&["rollback", "--to", "one", "--verify", "none"]).split(" rolls back").next(),
        Some(&*format!("`switchback --root {root} rollback --to one --verify none --keep-data`"))
    );
}

/// The exit code tells the state of the fleet although nothing can be written to standard output.
#[test]
fn a_full_standard_output_hides_nothing() {
    let (directory, full) = (empty(), || fs_err::OpenOptions::new().write(true).open("/dev/full").expect("a device"));
    let source = format!("{}/examples/site/v1", env!("CARGO_MANIFEST_DIR"));
    let root = directory.path().join("shop").display().to_string();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.args(["--root", &root]).args(arguments).current_dir(directory.path()).stdout(full().into_parts().0);
        let output = command.output().expect("it runs");
        (output.status.code().expect("no signal ended it"), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = run(&["--json", "deploy", &source, "--name", "v1"]);
    assert_eq!(code, 0, "it is deployed: {told}");
    assert!(told.contains("v1") && told.contains("cannot write to standard output"), "{told}");
    let (code, told) = run(&["-q", "deploy", &source, "--name", "v2"]);
    assert!(code == 0 && told.contains("v2"), "{code}: {told}");
    let (code, told) = run(&["activate", "none-such"]);
    assert_eq!(code, 3, "nothing was touched: {told}");
    assert!(told.contains("none-such"), "{told}");
    let (code, told) = run(&["status"]);
    assert_eq!(code, 1, "the status was not told: {told}");
    assert!(told.contains("v2"), "{told}");
    let (code, told) = run(&["deploy", &source, "--name", "v3", "--dry-run"]);
    assert!(code == 1 && told.contains("cannot write to standard output"), "the plan was not told: {code}: {told}");
}

/// Rust aborts a process that gets no memory, without a message. Whatever state that leaves, the root is intact,
/// and the next command with enough memory settles it.
#[test]
fn no_memory_leaves_a_root_that_recovers() {
    let directory = empty();
    let root = directory.path().join("shop");
    let sources = ["v1", "v2"].map(|version| format!("{}/examples/site/{version}", env!("CARGO_MANIFEST_DIR")));
    let run = |limit: &str, line: &str| {
        let root = root.display();
        // The shell stays, and exits as after an abort of the program: with 134.
        let program = env!("CARGO_BIN_EXE_switchback");
        let script = format!("ulimit -v {limit}; {program} -q --root {root} {line}; exit $?");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(directory.path()).env_remove("RUST_BACKTRACE");
        ended(&mut shell)
    };
    for (name, source) in ["a", "b"].iter().zip(&sources) {
        assert_eq!(run("unlimited", &format!("deploy {source} --name {name}")).0, 0);
    }
    for limit in (20_000..160_000).step_by(20_000) {
        for line in [format!("deploy {} --name m{limit}", sources[0]), "rollback".to_owned(), "recover".to_owned()] {
            let (_, _, told) = run(&limit.to_string(), &line);
            assert!(!told.contains("panicked"), "{limit} KiB: {line}: {told}");
            let page = root.join("current/index.html");
            assert!(page.exists(), "{limit} KiB: {line}: `current` leads to a whole release");
        }
        let (code, _, told) = run("unlimited", "recover");
        assert_eq!(code, 0, "{limit} KiB: {told}");
        let (code, _, told) = run("unlimited", "status --check");
        assert_eq!(code, 0, "{limit} KiB: {told}");
    }
}

/// A shortage of file descriptors ends with a message: neither a panic nor an abort.
#[test]
fn little_to_work_with_ends_in_words() {
    let directory = empty();
    let root = directory.path().join("shop").display().to_string();
    let source = format!("{}/examples/site/v1", env!("CARGO_MANIFEST_DIR"));
    for files in [4, 6, 8, 10, 12, 16, 20, 24] {
        for arguments in
            ["--root ROOT status", "--root ROOT deploy SOURCE", "--root ROOT --host root@127.0.0.1:1 status"]
        {
            let line = arguments.replace("ROOT", &root).replace("SOURCE", &source);
            let script = format!("ulimit -n {files}; exec {} {line}", env!("CARGO_BIN_EXE_switchback"));
            let mut shell = Command::new("sh");
            // With this variable, Rust shows a panic in full, as its user requested.
            shell.args(["-c", &script]).current_dir(directory.path()).env_remove("RUST_BACKTRACE");
            let (code, _, told) = ended(&mut shell);
            assert!([0, 1, 3].contains(&code), "{files} files: {code}: {told}");
            assert!(!told.contains("panicked") && (code == 0 || told.contains("error")), "{files} files: {told}");
        }
    }
}
