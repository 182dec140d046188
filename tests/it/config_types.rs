//! Mistakes in a configuration: wrong types of each key, and the keys of other tools.

use switchback::{Config, ConfigError};

/// The tables, each with its keys and what their values must be.
const TABLES: [(&str, &[(&str, &str)]); 12] = [
    (
        "",
        &[
            ("root", TEXT),
            ("host", "a list of tables"),
            ("hosts_from", TEXT),
            ("ssh", TABLE),
            ("layout", TABLE),
            ("parallel", NUMBER),
            ("keep", NUMBER),
            ("shared", "a list of paths"),
            ("hooks", TABLE),
            ("data", TABLE),
            ("validate", TABLE),
            ("drill", TABLE),
            ("deploy", TABLE),
            ("source", TABLE),
            ("rollback", TABLE),
            ("security", TABLE),
            ("env", "a table of tables"),
        ],
    ),
    ("host", &[("name", TEXT), ("address", TEXT), ("root", TEXT)]),
    (
        "ssh",
        &[
            ("config", TEXT),
            ("identity", TEXT),
            ("known_hosts", TEXT),
            ("known_hosts_file", TEXT),
            ("connect_timeout", DURATION),
            ("exchange_timeout", DURATION),
            ("jump", "a host such as \"user@host:22\", or a list of them"),
        ],
    ),
    ("layout", &[("current", TEXT), ("releases", TEXT), ("shared", TEXT), ("state", TEXT)]),
    (
        "hooks",
        &[("prepare", TEXT), ("after_switch", TEXT), ("timeout", DURATION), ("env_file", TEXT), ("pass_env", TEXTS)],
    ),
    (
        "data",
        &[
            ("host", TEXT),
            ("preset", TEXT),
            ("version", TEXT),
            ("apply", TEXT),
            ("revert", TEXT),
            ("revert_when", TEXT),
            ("timeout", DURATION),
            ("save", TEXTS),
        ],
    ),
    (
        "validate",
        &[
            ("command", TEXT),
            ("on", TEXT),
            ("start_within", DURATION),
            ("every", DURATION),
            ("for", DURATION),
            ("rollback_for", DURATION),
            ("allow_failures", NUMBER),
        ],
    ),
    ("drill", &[("fingerprint", TEXT)]),
    ("deploy", &[("require_drill", TEXT)]),
    ("source", &[("exclude", TEXTS), ("strip", NUMBER), ("max_ratio", NUMBER)]),
    ("rollback", &[("verify", TEXT)]),
    ("security", &[("group", TEXT), ("allow_writable", "true or false")]),
];

const TEXT: &str = "text in quotes";
const TEXTS: &str = "a list of texts in quotes";
const NUMBER: &str = "a number";
const DURATION: &str = "a duration with its unit";
const TABLE: &str = "a table";

/// A value of each type, and the beginnings of what a key of this type must be.
const VALUES: [(&str, &[&str]); 9] = [
    ("\"text\"", &[TEXT, DURATION, "a host such"]),
    ("\"5\"", &[TEXT, DURATION, "a host such"]),
    ("5", &[NUMBER]),
    ("5.5", &[]),
    ("99999999999999999999", &[]),
    ("true", &["true or false"]),
    ("2020-02-02", &[]),
    ("[[1]]", &[]),
    ("{}", &[TABLE]),
];

/// Words of the parser and of its language.
const FOREIGN: [&str; 15] = [
    "serde",
    "i64",
    "i128",
    "u64",
    "usize",
    "struct",
    "sequence",
    " map",
    "enum",
    "variant",
    "invalid type",
    "missing field",
    "boolean",
    "Layer",
    "visitor",
];

fn refused(text: &str) -> ConfigError {
    Config::parse(text, None).expect_err(text)
}

fn assert_plain(error: &ConfigError) {
    let all = error.to_string();
    assert!(!FOREIGN.iter().any(|word| all.contains(word)), "{all}");
}

/// Returns a configuration with this key in this table, and the full name of the key.
fn with(environment: &str, table: &str, key: &str, value: &str) -> (String, String) {
    let root = if environment.is_empty() && (table, key) == ("", "root") { "" } else { "root = '/srv/shop'\n" };
    let names: Vec<&str> = [environment, table].into_iter().filter(|name| !name.is_empty()).collect();
    let (open, close) = if table == "host" { ("[[", "]]") } else { ("[", "]") };
    let header = if names.is_empty() { String::new() } else { format!("{open}{}{close}\n", names.join(".")) };
    let name = names.iter().chain([&key]).copied().collect::<Vec<_>>().join(".");
    (format!("{root}{header}{key} = {value}\n"), name)
}

/// The message names the key and what it must be, and shows the line, in words of the configuration. FAULTS.md N17.
#[test]
fn every_key_with_every_wrong_type_says_what_it_must_be() {
    for (environment, (table, keys)) in ["", "env.staging"].into_iter().flat_map(|env| TABLES.map(|table| (env, table)))
    {
        for (key, must_be) in keys {
            for (value, right) in VALUES {
                if right.iter().any(|right| must_be == right || must_be.starts_with(&format!("{right} "))) {
                    continue;
                }
                if value == "{}" && must_be.starts_with("a table of") {
                    continue;
                }
                let (text, name) = with(environment, table, key, value);
                let error = refused(&text);
                let start = format!("`{name}` must be {must_be}");
                assert!(error.message().starts_with(&start), "{text}{error}");
                assert_eq!((error.line(), error.key()), (Some(text.lines().count()), Some(&*name)), "{text}{error}");
                assert_plain(&error);
            }
        }
    }
}

/// The list above has every key there is: an unknown one names the known ones.
#[test]
fn no_key_is_missing_above() {
    for (table, keys) in TABLES {
        let (text, _) = with("", table, "zzzzzzzzzzzzzzzzzzzz", "5");
        let error = refused(&text);
        let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
        assert_eq!(error.advice(), Some(&*format!("known here: {}", names.join(", "))), "{text}");
    }
}

#[test]
fn the_help_shows_how_to_write_it() {
    for (line, message, help) in [
        ("keep = \"5\"", "`keep` must be a number", "write it without quotes: keep = 5"),
        ("keep = 5.5", "`keep` must be a number", "write it without a fraction"),
        ("keep = 99999999999999999999", "`keep` must be a number", "this number is too large"),
        ("hooks.prepare = 5", "`hooks.prepare` must be text in quotes", "write it in quotes: prepare = \"5\""),
        ("hooks.prepare = ['a']", "`hooks.prepare` must be text in quotes", ""),
        (
            "security.allow_writable = 'true'",
            "`security.allow_writable` must be true or false",
            "write it without quotes: allow_writable = true",
        ),
        (
            "source.exclude = '*.map'",
            "`source.exclude` must be a list of texts in quotes",
            "write it in brackets: exclude = ['*.map']",
        ),
        ("source.exclude = ['a', 5]", "`source.exclude` must be a list of texts in quotes", ""),
        (
            "ssh.connect_timeout = 30",
            "`ssh.connect_timeout` must be a duration with its unit, such as \"30s\" or \"1m30s\"",
            "write it with its unit: connect_timeout = \"30s\"",
        ),
        (
            "[host]\nname = 'web1'",
            "`host` must be a list of tables",
            "write `[[host]]` for each, and its keys in the lines below",
        ),
        (
            "host = 'web1'",
            "`host` must be a list of tables",
            "write `[[host]]` for each, and its keys in the lines below",
        ),
        (
            "host = ['web1']",
            "`host` must be a list of tables",
            "write `[[host]]` for each, and its keys in the lines below",
        ),
        (
            "[env.a.host]\nname = 'web1'",
            "`env.a.host` must be a list of tables",
            "write `[[env.a.host]]` for each, and its keys in the lines below",
        ),
        ("[[ssh]]\njump = 'a'", "`ssh` must be a table", "write `[ssh]`, and its keys in the lines below"),
        ("drill = ['pg_dump']", "`drill` must be a table", "write `[drill]`, and its keys in the lines below"),
        ("shared = [{ seed = true }]", "`shared`: a table must have `path`", ""),
        ("shared = [{ path = 5 }]", "`shared.path` must be text in quotes", "write it in quotes: path = \"5\""),
        (
            "shared = [5]",
            "`shared` must be a list of paths, such as [\"storage/\", { path = \"uploads/\", seed = true }]",
            "",
        ),
        ("env.a = 5", "`env.a` must be a table", "write `[env.a]`, and its keys in the lines below"),
    ] {
        let error = refused(&format!("root = '/srv/shop'\n{line}\n"));
        assert_eq!((error.message(), error.advice().unwrap_or_default()), (message, help), "{line}");
        assert_eq!(error.line(), Some(2), "{error}");
    }
}

/// The first wrong line counts, whatever the order of the keys.
#[test]
fn the_first_mistake_in_the_file_is_shown() {
    let error = refused("root = '/srv/shop'\nparallel = 'x'\nkeep = 'x'\nhots = 'x'\n");
    assert_eq!((error.line(), error.key()), (Some(2), Some("parallel")));
}

#[test]
fn keys_of_other_tools_lead_to_ours() {
    for (line, meant) in [
        ("[[hosts]]\nname = 'a'", "[[host]]"),
        ("[hosts]\nname = 'a'", "[[host]]"),
        ("servers = ['a']", "[[host]]"),
        ("deploy_to = '/srv'", "root"),
        ("keep_releases = 5", "keep"),
        ("linked_dirs = ['log']", "shared"),
        ("[environments.staging]\nroot = '/b'", "[env.NAME]"),
        ("prepare = 'make'", "hooks.prepare"),
        ("identity = 'key'", "ssh.identity"),
        ("[[host]]\nuser = 'deploy'", "address = \"user@host:port\""),
        ("[ssh]\nidentity_file = 'key'", "ssh.identity"),
        ("[hooks]\nafter-switch = 'x'", "after_switch"),
        ("Root = '/a'", "root"),
        ("[data]\nmigrate = 'x'", "data.apply"),
    ] {
        let error = refused(&format!("root = '/srv/shop'\n{line}\n"));
        assert!(error.message().starts_with("unknown key `"), "{error}");
        let advice = error.advice().unwrap_or_default();
        assert!(
            advice.contains(&format!("did you mean `{meant}`?")) || advice.ends_with(&format!("{meant}`?")),
            "{error}"
        );
    }
}

#[test]
fn a_text_that_is_not_toml_is_explained_too() {
    for text in [
        "root = /srv/shop",
        "root = '/a",
        "root",
        "[ssh",
        "root = '/a'\nroot = '/b'",
        "keep = yes",
        "root = “/a”",
        "root: '/a'",
        "keep =",
    ] {
        let error = refused(text);
        assert!(error.line().is_some(), "{error}");
        assert_plain(&error);
    }
}
