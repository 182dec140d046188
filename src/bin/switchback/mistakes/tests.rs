use switchback::Hint;

use super::*;

/// Returns the message and the advice for a command line that is refused.
fn told(line: &str) -> (String, String) {
    let words: Vec<String> = line.split(' ').filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect();
    let error = Cli::try_parse_from(std::iter::once("switchback".to_owned()).chain(words.clone())).expect_err(line);
    let error = explain(&error, &words).unwrap_or_else(|| panic!("{line}: {error}"));
    assert_eq!(error.kind(), ErrorKind::Usage, "{line}");
    let [Hint::Advice(advice)] = error.next() else { panic!("{line}: no advice: {error}") };
    (error.full_message(), advice.clone())
}

/// The suggestion is a command line that is valid, and keeps the other options. FAULTS.md N21.
#[test]
fn the_right_command_is_named() {
    for (line, meant) in [
        ("rollback build-16", "rollback --to build-16"),
        ("rollback -1", "rollback --steps 1"),
        ("rollback -2 --keep-data", "rollback --steps 2 --keep-data"),
        ("rollback 2", "rollback --steps 2"),
        ("rollback 42", "rollback --to 42"),
        ("rollback previous", "rollback"),
        ("rollback to build-16", "rollback --to build-16"),
        ("rollback from build-17", "rollback --from build-17"),
        ("deploy ./dist as build-17 on web1", "deploy ./dist --name build-17 --host web1"),
        ("./dist", "deploy ./dist"),
        ("build.tar.gz --tag v1", "deploy build.tar.gz --name v1"),
        ("rollback production", "rollback -e production"),
        ("-e staging rollback build-16 -m bad", "-e staging rollback --to build-16 -m bad"),
        ("rollback --version build-16", "rollback --to build-16"),
        ("rollback --to-revision=build-16", "rollback --to=build-16"),
        ("rollback --no-migrate", "rollback --keep-data"),
        ("rollback --form build-17", "rollback --from build-17"),
        ("rollbakc", "rollback"),
        ("Rollback", "rollback"),
        ("--rollback", "rollback"),
        ("undo", "rollback"),
        ("revert", "rollback"),
        ("undo build-16", "rollback --to build-16"),
        ("deploy:rollback", "rollback"),
        ("production deploy:rollback", "-e production rollback"),
        ("rollout undo --to-revision=4", "rollback --to=4"),
        ("list", "releases"),
        ("ls", "releases"),
        ("get releases", "releases"),
        ("releases list", "releases"),
        ("version", "--version"),
        ("logs", "log"),
        ("logs --hosts web1", "log --host web1"),
        ("current", "status"),
        ("details", "status"),
        ("status web1", "status --host web1"),
        ("status web1,web2", "status --host web1 --host web2"),
        ("status staging", "status -e staging"),
        ("status -n", "status --dry-run"),
        ("--host a,b status", "--host a --host b status"),
        ("status --host=a,b --json", "status --host a --host b --json"),
        ("status --except a,b", "status --except a --except b"),
        ("status --host web[1-3,7],db", "status --host 'web[1-3,7]' --host db"),
        ("--hosts a,b status", "--host a --host b status"),
        ("--environment staging status", "--env staging status"),
        ("status -d staging", "status --env staging"),
        ("status -dstaging", "status --env=staging"),
        ("status -o json", "status --json"),
        ("status --output=json", "status --json"),
        ("status -host web1", "status --host web1"),
        ("activate --to build-17", "activate build-17"),
        ("activate --name=build-17 -m ready", "activate build-17 -m ready"),
        ("promote build-17", "activate build-17"),
        ("deploy ./dist build-17", "deploy ./dist --name build-17"),
        ("deploy ./dist production", "deploy ./dist -e production"),
        ("deploy . --version 1", "deploy . --name 1"),
        ("deploy . --message why", "deploy . --reason why"),
        ("deploy --source ./dist --tag v1", "deploy ./dist --name v1"),
        ("production deploy ./dist", "-e production deploy ./dist"),
        ("shop deploy ./dist", "-e shop deploy ./dist"),
        ("push ./dist --dry", "deploy ./dist --dry-run"),
        ("upload ./dist", "stage ./dist"),
        ("cleanup", "prune"),
        ("prune 3", "prune --keep 3"),
        ("history 5", "history --limit 5"),
        ("history --tail 5", "history --limit 5"),
        ("recover back", "recover --back"),
        ("abort", "recover --back"),
        ("adopt capistrano", "adopt --from capistrano"),
        ("init /srv/shop", "init --root /srv/shop"),
        ("force-unlock", "unlock"),
        ("unlock -f", "unlock --force"),
        ("audit", "history"),
        ("doctor -y", "check --yes"),
        ("verify --deep", "verify --full"),
        ("dirll ./dist", "drill ./dist"),
        ("switchback status", "status"),
        ("log abc web1", "log abc --host web1"),
    ] {
        let (message, advice) = told(line);
        assert_eq!(advice, format!("did you mean `switchback {meant}`?"), "{line}: {message}");
        let words: Vec<String> = meant.replace('\'', "").split(' ').map(ToOwned::to_owned).collect();
        assert!(parsed(&words).is_ok(), "{meant}");
    }
}

#[test]
fn the_message_says_what_is_wrong() {
    for (line, message, advice) in [
        ("undo", "there is no command \"undo\"", "did you mean `switchback rollback`?"),
        (
            "rollback build-16",
            "`rollback` does not take \"build-16\"",
            "did you mean `switchback rollback --to build-16`?",
        ),
        ("status --hosts a", "`status` has no option `--hosts`", "did you mean `switchback status --host a`?"),
        ("--hosts a status", "there is no option `--hosts`", "did you mean `switchback --host a status`?"),
        (
            "--host a,b status",
            "--host takes one host, and \"a,b\" is several; repeat the option",
            "did you mean `switchback --host a --host b status`?",
        ),
        (
            "deploy",
            "`deploy` needs SOURCE: a directory, or an archive (.tar, .tar.gz or .tar.zst)",
            "`switchback deploy ./dist`, for instance",
        ),
        ("activate", "`activate` needs NAME, a release", "`switchback releases` lists them"),
        ("diff build-16", "`diff` needs B, a release", "`switchback releases` lists them"),
        (
            "deploy . --force",
            "`deploy` has no option `--force`",
            "no option overrides every refusal; each refusal names the one that does",
        ),
        (
            "-e deploy ./dist",
            "there is no command \"./dist\"",
            "-e took \"deploy\" as its value: give it one of its own",
        ),
        (
            "production",
            "there is no command \"production\"",
            "`-e production` selects an environment, and a command comes with it",
        ),
        ("frobnicate", "there is no command \"frobnicate\"", "`switchback -h` lists the commands and options"),
        ("help frobnicate", "there is no command \"frobnicate\"", "`switchback -h` lists the commands and options"),
        (
            "help deploy frobnicate",
            "there is no command \"frobnicate\"",
            "`switchback -h` lists the commands and options",
        ),
        ("help rolback", "there is no command \"rolback\"", "did you mean `switchback help rollback`?"),
        ("help undo", "there is no command \"undo\"", "did you mean `switchback help rollback`?"),
        ("status --frobnicate", "`status` has no option `--frobnicate`", "`switchback status -h` lists its options"),
        ("pin a b", "`pin` does not take \"b\"", "`switchback pin -h` lists its options"),
    ] {
        assert_eq!(told(line), (message.to_owned(), advice.to_owned()), "{line}");
    }
}

/// No row is in the way of a command or option of ours, and each leads to one.
#[test]
fn the_tables_are_sound() {
    let all = COMMANDS.iter().flat_map(|(words, _)| words.iter());
    for word in all.clone() {
        assert!(!names().iter().any(|name| name == word), "{word} is a command");
        assert_eq!(all.clone().filter(|other| *other == word).count(), 1, "{word} is there twice");
    }
    for (words, to) in COMMANDS {
        let To::Words(to) = to else { continue };
        let name = to.split(' ').next().expect("a word");
        assert!(names().iter().any(|known| known == name) || name == "--version", "{words:?} lead to {name}");
    }
    for (commands, flags, to) in FLAGS {
        assert!(commands.iter().all(|command| names().iter().any(|name| name == command)), "{commands:?}");
        for flag in *flags {
            let own = |command: &&&str| options(Some(command)).iter().any(|option| *flag == format!("--{option}"));
            assert_eq!(commands.iter().find(own), None, "{flag} is an option");
        }
        let To::Words(to) = to else { continue };
        let to = to.split('=').next().and_then(|to| to.strip_prefix("--")).expect("an option");
        let every = names();
        let known = |command: &str| options(Some(command)).iter().any(|option| option == to);
        let mut here: Box<dyn Iterator<Item = &str>> = if commands.is_empty() {
            Box::new(every.iter().map(String::as_str))
        } else {
            Box::new(commands.iter().copied())
        };
        assert!(if commands.is_empty() { here.any(known) } else { here.all(known) }, "{flags:?} lead to --{to}");
    }
}
