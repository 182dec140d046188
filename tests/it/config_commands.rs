//! The parts of the configuration about commands, data, retention and trust, through the library.

use std::time::Duration;

use camino::Utf8Path;
use switchback::{
    Config, ConfigError, TargetCheck,
    commands::{DataPlace, RevertWhen, ValidateOn},
    data::Preset,
};

fn parse(text: &str) -> Config {
    Config::parse(text, None).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> ConfigError {
    Config::parse(text, None).expect_err("this configuration is wrong")
}

const FULL: &str = r#"
    root = "/srv/shop"
    keep = 5
    shared = [".env", { path = "storage/", seed = true }]
    [[host]]
    name = "web1"
    [[host]]
    address = "web2"
    [hooks]
    prepare = "bundle install --local"
    after_switch = """
    systemctl reload 'shop'
    echo "done" """
    timeout = "10m"
    env_file = "secrets.env"
    pass_env = ["DATABASE_URL", "_x1"]
    [data]
    host = "web2"
    version = "bin/migrate version"
    apply = "bin/migrate up"
    revert = 'bin/migrate down "$SWITCHBACK_DATA_TARGET"'
    revert_when = "before-switch"
    timeout = "1h"
    save = ["db/", "bin/migrate"]
    [validate]
    command = "curl -fsS http://localhost/health"
    on = "controller"
    start_within = "10s"
    every = "500ms"
    for = "30s"
    rollback_for = "4s"
    allow_failures = 2
    [drill]
    fingerprint = "pg_dump -s shop"
    [deploy]
    require_drill = "drills"
    [source]
    exclude = ["*.log", "!keep.log", "/tmp/"]
    strip = 1
    max_ratio = 500
    [rollback]
    verify = "full"
    [security]
    allow_writable = true
"#;

#[test]
fn every_key_is_obeyed() {
    let config = parse(FULL);
    let commands = &config.commands;
    assert_eq!(commands.prepare.as_deref(), Some("bundle install --local"));
    assert_eq!(
        (commands.timeout, commands.env_file.as_deref()),
        (Duration::from_secs(600), Some("secrets.env".into()))
    );
    assert_eq!(commands.pass_env, ["DATABASE_URL", "_x1"]);
    let data = commands.data.as_ref().unwrap();
    assert_eq!((&data.place, data.revert_when), (&DataPlace::Host("web2".into()), RevertWhen::BeforeSwitch));
    assert_eq!((data.version.as_str(), data.apply.as_str()), ("bin/migrate version", "bin/migrate up"));
    assert_eq!(data.timeout, Some(Duration::from_secs(3600)));
    assert_eq!(data.save.iter().map(switchback::InnerPath::as_str).collect::<Vec<_>>(), ["db", "bin/migrate"]);
    let validation = commands.validation.as_ref().unwrap();
    assert_eq!((validation.on, validation.allow_failures), (ValidateOn::Controller, 2));
    assert_eq!(
        [validation.start_within, validation.every, validation.hold_for, validation.rollback_hold_for]
            .map(|duration| duration.as_millis()),
        [10_000, 500, 30_000, 4000]
    );
    assert_eq!(commands.fingerprint.as_deref(), Some("pg_dump -s shop"));
    assert_eq!((config.keep, config.require_drill.as_deref()), (Some(5), Some("drills".into())));
    assert_eq!((config.target_check, config.allow_writable), (TargetCheck::Full, true));
    let shared: Vec<_> = config.shared.iter().map(|path| (path.to_string(), path.seed())).collect();
    assert_eq!(shared, [(".env".to_owned(), false), ("storage/".to_owned(), true)]);
    assert_eq!(config.source_exclude, ["*.log", "!keep.log", "/tmp/"]);
    assert_eq!((config.source_strip, config.source_max_ratio), (Some(1), 500));
    let options = config.source_options();
    assert_eq!((options.exclude, options.strip, options.limits.ratio), (config.source_exclude, Some(1), 500));
}

#[test]
fn what_is_shown_reads_as_the_same_configuration() {
    for text in [
        FULL,
        "root = '/a'",
        "root = '/a'\nshared = ['a', 'b/']",
        "root = '/a'\nparallel = 2\n[[shared]]\npath = 'a'\nseed = true\n[[shared]]\npath = 'b/'\nseed = true",
        "root = '/a'\n[data]\nversion = 'v'\napply = 'a'",
        "root = '/a'\n[data]\nhost = 'controller'\npreset = 'alembic'\nrevert = 'my own'",
        "root = '/a'\n[validate]\ncommand = 'true'\nstart_within = '0s'\nfor = '0s'",
        "root = '/a'\nhooks.prepare = \"quote ' and \\\" and \\\\ and\\ttab\\nline\"",
    ] {
        let config = parse(text);
        assert_eq!(parse(&config.to_toml()), config, "{}", config.to_toml());
    }
}

#[test]
fn what_is_not_set_has_its_default() {
    let config = parse("root = '/a'\n[validate]\ncommand = 'true'\n[data]\nversion = 'v'\napply = 'a'");
    let data = config.commands.data.unwrap();
    assert_eq!((data.place, data.revert, data.timeout), (DataPlace::Host("local".into()), None, None));
    assert_eq!((data.revert_when, data.preset), (RevertWhen::AfterSwitch, None));
    let validation = config.commands.validation.unwrap();
    assert_eq!(
        (validation.on, validation.start_within, validation.hold_for),
        (ValidateOn::Hosts, Duration::ZERO, Duration::ZERO)
    );
    assert_eq!((validation.every, config.commands.timeout), (Duration::from_secs(2), Duration::from_secs(300)));
    assert_eq!((config.keep, config.target_check, config.allow_writable), (None, TargetCheck::Quick, false));
    assert!(parse("root = '/a'\n[hooks]\n[data]\n[validate]").commands.is_empty());
}

#[test]
fn an_environment_is_laid_over_key_by_key_and_lists_are_replaced() {
    let text = format!(
        "{FULL}\n{}",
        r#"
        [env.staging]
        keep = 1
        shared = ["log/"]
        hooks.pass_env = ["OTHER"]
        hooks.prepare = "true"
        data.host = "controller"
        validate.for = "5s"
        source.exclude = []
        rollback.verify = "none"
        security.allow_writable = false
        drill.fingerprint = "cat state"
        deploy.require_drill = "/other"
        "#
    );
    let config = Config::parse(&text, Some("staging")).unwrap();
    let commands = &config.commands;
    assert_eq!((commands.prepare.as_deref(), commands.timeout.as_secs()), (Some("true"), 600));
    assert_eq!((commands.pass_env.as_slice(), config.keep), (&["OTHER".to_owned()][..], Some(1)));
    let data = commands.data.as_ref().unwrap();
    assert_eq!((&data.place, data.apply.as_str()), (&DataPlace::Controller, "bin/migrate up"));
    let validation = commands.validation.as_ref().unwrap();
    assert_eq!((validation.hold_for.as_secs(), validation.start_within.as_secs()), (5, 10));
    assert_eq!(config.shared, ["log/".parse().unwrap()]);
    assert!(config.source_exclude.is_empty() && !config.allow_writable);
    assert_eq!((config.target_check, config.require_drill.unwrap().as_str()), (TargetCheck::None, "/other"));
}

/// The preset's name is shown with its commands, so that the shown configuration still parses the version as the
/// tool's.
#[test]
fn a_preset_fills_in_what_is_not_written() {
    for preset in Preset::ALL {
        let version = if preset.version().is_none() { "version = 'my own'\n" } else { "" };
        let config = parse(&format!("root = '/a'\n[data]\npreset = '{preset}'\n{version}"));
        assert_eq!(parse(&config.to_toml()), config, "{}", config.to_toml());
        let data = config.commands.data.unwrap();
        assert_eq!(
            (data.preset, data.apply.as_str(), data.revert.as_deref()),
            (Some(preset), preset.apply(), preset.revert())
        );
    }
    let config = parse("root = '/a'\n[data]\npreset = 'sqlx'\nversion = 'cd db && sqlx migrate info'\nrevert = 'no'");
    let data = config.commands.data.unwrap();
    assert_eq!((data.version.as_str(), data.revert.as_deref()), ("cd db && sqlx migrate info", Some("no")));
    assert_eq!(data.read_version(0, b"7/installed seven\n", b"").unwrap().as_str(), "7");
}

#[test]
fn hosts_of_an_environment_must_have_the_data_host() {
    let text = "root = '/a'\n[[host]]\nname = 'web1'\n[data]\nhost = 'web1'\nversion = 'v'\napply = 'a'\n\
                [[env.s.host]]\nname = 's1'\n";
    let error = Config::parse(text, Some("s")).unwrap_err();
    assert_eq!((error.line(), error.key()), (Some(5), Some("data.host")));
    assert_eq!(error.message(), "`data.host`: no host is called \"web1\"");
    assert_eq!(error.advice(), Some("known: s1, and \"controller\", the machine switchback runs on"));
    let set = text.to_owned() + "[env.s.data]\nhost = 's1'\n";
    assert!(Config::parse(&set, Some("s")).is_ok());
}

/// Each invalid text, the offending line, and a part of the message.
#[test]
fn each_contradiction_shows_its_line() {
    for (text, line, message) in [
        ("keep = -1", 2, "how many good releases, from 0"),
        ("keep = '5'", 2, "`keep` must be a number"),
        ("shared = 'a'", 2, "`shared` must be a list of paths"),
        ("shared = ['a', '../b']", 2, "`..`"),
        ("shared = ['']", 2, "it is empty"),
        ("shared = ['previousVersion']", 2, "cannot be shared"),
        ("shared = ['a/',\n'a/b']", 3, "cannot both be shared"),
        ("shared = [{ path = 'a', sed = true }]", 2, "unknown"),
        ("[hooks]\nprepare = ''", 3, "the command is empty"),
        ("[hooks]\nafter_switch = \" \\n\"", 3, "the command is empty"),
        ("[hooks]\nprepare = \"a\\u0000b\"", 3, "NUL byte"),
        ("[hooks]\nprepare = ['a']", 3, "`hooks.prepare` must be text in quotes"),
        ("[hooks]\ntimeout = '0s'", 3, "is not a duration"),
        ("[hooks]\ntimeout = 5", 3, "must be a duration with its unit"),
        ("[hooks]\nenv_file = ''", 3, "is not a path"),
        ("[hooks]\npass_env = 'A'", 3, "`hooks.pass_env` must be a list of texts"),
        ("[hooks]\npass_env = ['A', 'B-C']", 3, "not a variable name"),
        ("[hooks]\npass_env = ['1A']", 3, "not a variable name"),
        ("[hooks]\npass_env = ['']", 3, "not a variable name"),
        ("[hooks]\npass_env = ['A',\n'A']", 4, "listed twice"),
        ("[hooks]\npass_env = ['SWITCHBACK_ROOT']", 3, "switchback sets the variables"),
        ("[data]\nversion = 'v'", 3, "has no `apply`"),
        ("[data]\nhost = 'local'\napply = 'a'", 3, "has no `version`"),
        ("[data]\nversion = ''\napply = 'a'", 3, "the command is empty"),
        ("[data]\nversion = 'v'\napply = \"\\u0000\"", 4, "the command contains a NUL byte"),
        ("[data]\nversion = 'v'\napply = 'a'\nhost = 'web9'", 5, "no host is called \"web9\""),
        ("[data]\nversion = 'v'\napply = 'a'\nrevert = 'r'\nrevert_when = 'never'", 6, "neither \"after-switch\" nor"),
        ("[data]\nversion = 'v'\napply = 'a'\nrevert_when = 'after-switch'", 5, "no effect without `revert`"),
        ("[data]\nversion = 'v'\napply = 'a'\nsave = ['db']", 5, "no effect without `revert`"),
        ("[data]\nversion = 'v'\napply = 'a'\nrevert = 'r'\nsave = ['db', '../x']", 6, "`..`"),
        ("[data]\nversion = 'v'\napply = 'a'\nrevert = 'r'\nsave = ['/']", 6, "it is absolute"),
        ("[data]\nversion = 'v'\napply = 'a'\ntimeout = '5'", 5, "is not a duration"),
        ("[data]\npreset = 'alembik'", 3, "\"alembik\" is not one of"),
        ("[[host]]\nname = 'controller'\n[data]\nversion = 'v'\napply = 'a'", 5, "a host is called \"controller\""),
        ("[data]\npreset = 'refinery'", 3, "and the preset refinery has no command"),
        ("[validate]\non = 'hosts'", 3, "has no `command`"),
        ("[validate]\ncommand = ' '", 3, "the command is empty"),
        ("[validate]\ncommand = 'c'\non = 'web1'", 4, "neither \"hosts\" nor \"controller\""),
        ("[validate]\ncommand = 'c'\nstart_within = '-5s'", 4, "is not a duration"),
        ("[validate]\ncommand = 'c'\nevery = '0s'", 4, "is not a duration"),
        ("[validate]\ncommand = 'c'\nfor = 30", 4, "must be a duration with its unit"),
        ("[validate]\ncommand = 'c'\nfor = '5s'\nallow_failures = -1", 5, "from 0 to 1000"),
        ("[validate]\ncommand = 'c'\nallow_failures = 1", 4, "only during `for`"),
        ("[drill]\nfingerprint = ''", 3, "the command is empty"),
        ("[deploy]\nrequire_drill = true", 3, "`deploy.require_drill` must be text in quotes"),
        ("[source]\nstrip = -1", 3, "how many leading directories, from 0 to 256"),
        ("[source]\nmax_ratio = 0", 3, "how many times its size, from 1 to 1000000"),
        ("[source]\nexclude = ['a', ' ']", 3, "is not a pattern"),
        ("[source]\nexclude = ['a', \"b\\u0000\"]", 3, "is not a pattern"),
        ("[rollback]\nverify = 'fast'", 3, "is not one of \"quick\", \"full\", \"none\""),
        ("[security]\nallow_writable = 'yes'", 3, "`security.allow_writable` must be true or false"),
    ] {
        let error = refused(&format!("root = '/a'\n{text}"));
        assert_eq!(error.line(), Some(line), "{text:?}: {error}");
        assert!(error.message().contains(message), "{text:?}: {error}");
    }
}

#[test]
fn unknown_keys_and_words_are_met_with_what_was_meant() {
    for (text, key, meant) in [
        ("[hooks]\nafter_swich = 'a'", "hooks.after_swich", "did you mean `after_switch`?"),
        ("[data]\nrever = 'a'", "data.rever", "did you mean `revert`?"),
        ("[validate]\ncomand = 'a'", "validate.comand", "did you mean `command`?"),
        ("[drill]\nfingerprnt = 'a'", "drill.fingerprnt", "did you mean `fingerprint`?"),
        ("[deploy]\nrequire_dril = 'a'", "deploy.require_dril", "did you mean `require_drill`?"),
        ("[source]\nexlude = []", "source.exlude", "did you mean `exclude`?"),
        ("[rollback]\nverfy = 'full'", "rollback.verfy", "did you mean `verify`?"),
        ("[security]\nallow_writeable = true", "security.allow_writeable", "did you mean `allow_writable`?"),
        ("[hook]\nprepare = 'a'", "hook", "did you mean `hooks`?"),
        ("[data]\npreset = 'alembik'", "data.preset", "did you mean \"alembic\"?"),
    ] {
        let error = refused(&format!("root = '/a'\n{text}"));
        assert_eq!((error.key(), error.advice()), (Some(key), Some(meant)), "{error}");
    }
}

#[test]
fn a_value_beside_the_name_of_a_variable_is_not_repeated() {
    let error = refused("root = '/a'\nhooks.pass_env = ['TOKEN=hush']");
    assert!(!error.message().contains("hush"), "{error}");
}

#[test]
fn paths_are_taken_from_the_directory_of_the_file() {
    let config = parse(FULL).anchored(Utf8Path::new("/opt/app"), None).unwrap();
    assert_eq!(config.commands.env_file.as_deref(), Some("/opt/app/secrets.env".into()));
    assert_eq!(config.require_drill.as_deref(), Some("/opt/app/drills".into()));
    assert_eq!(config.directory.as_deref(), Some("/opt/app".into()));
}

/// Commands recorded on a host stay readable, whatever later versions add.
#[test]
fn recorded_commands_stay_readable() {
    let commands = parse(FULL).commands;
    let recorded = serde_json::to_string(&commands).unwrap();
    assert_eq!(serde_json::from_str::<switchback::commands::Commands>(&recorded).unwrap(), commands);
    let old = r#"{"format":1,"timeout":{"secs":300,"nanos":0},
        "data":{"place":{"host":"web1"},"version":"v","apply":"a","later":1},"later":{}}"#;
    let old: switchback::commands::Commands = serde_json::from_str(old).unwrap();
    assert_eq!(old.data.unwrap().preset, None);
}
