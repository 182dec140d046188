//! The configuration, through the library: keys, environments, and messages about a wrong one.

use std::time::Duration;

use camino::Utf8Path;
use snapbox::{assert_data_eq, str};
use switchback::{
    Config, ConfigError, HostPath,
    config::{Place, STARTER},
    transport::KnownHosts,
};

fn parse(text: &str) -> Config {
    Config::parse(text, None).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> ConfigError {
    Config::parse(text, None).expect_err("this configuration is wrong")
}

#[test]
fn a_root_alone_is_this_machine() {
    let config = parse("root = '/srv/shop'");
    let host = &config.hosts[0];
    assert_eq!((host.name.as_str(), &host.place, host.root.as_str()), ("local", &Place::Local, "/srv/shop"));
    assert_eq!((config.hosts.len(), config.parallel), (1, 32));
    assert_eq!(config.ssh.known_hosts, KnownHosts::Strict);
}

#[test]
fn every_key_is_obeyed() {
    let config = parse(
        r#"
        root = "/srv/shop"
        parallel = 4
        [[host]]
        name = "web1"
        address = "deploy@web1.example.com:2222"
        [[host]]
        name = "here"
        root = "/srv/here"
        [ssh]
        config = "ssh_config"
        identity = "~/.ssh/key"
        known_hosts = "accept-new"
        known_hosts_file = "/etc/known"
        connect_timeout = "1m30s"
        exchange_timeout = "5m"
        jump = ["a", "b:22"]
        [layout]
        current = "live"
        releases = "."
        shared = "data"
        state = ".deploy"
        "#,
    );
    assert_eq!(config.hosts[0].place, Place::Ssh("deploy@web1.example.com:2222".parse().unwrap()));
    assert_eq!((config.hosts[1].root.as_str(), &config.hosts[1].place), ("/srv/here", &Place::Local));
    assert_eq!(config.ssh.connect_timeout, Duration::from_secs(90));
    assert_eq!(config.ssh.jump.len(), 2);
    assert_eq!((config.layout.current().as_str(), config.layout.releases().is_root()), ("live", true));
    assert_eq!(config.parallel, 4);
    assert_eq!(parse(&config.to_toml()), config, "what `config` prints reads as the same configuration");
}

#[test]
fn a_single_jump_needs_no_list() {
    assert_eq!(parse("root = '/a'\nssh.jump = 'bastion'").ssh.jump, ["bastion".parse().unwrap()]);
}

#[test]
fn an_environment_merges_tables_and_replaces_hosts() {
    let text = r#"
        root = "/srv/shop"
        [ssh]
        jump = "bastion"
        connect_timeout = "5s"
        [[host]]
        name = "web1"
        [[host]]
        name = "web2"
        root = "/srv/two"
        [env.staging]
        ssh.connect_timeout = "20s"
        [[env.staging.host]]
        name = "staging"
        [env.other]
        root = "/srv/other"
    "#;
    let staging = Config::parse(text, Some("staging")).unwrap();
    assert_eq!(staging.hosts.len(), 1);
    assert_eq!((staging.hosts[0].name.as_str(), staging.hosts[0].root.as_str()), ("staging", "/srv/shop"));
    assert_eq!((staging.ssh.connect_timeout.as_secs(), staging.ssh.jump.len()), (20, 1));
    let other = Config::parse(text, Some("other")).unwrap();
    let roots: Vec<&str> = other.hosts.iter().map(|host| host.root.as_str()).collect();
    assert_eq!((roots, other.ssh.connect_timeout.as_secs()), (vec!["/srv/other", "/srv/two"], 5));
}

#[test]
fn an_unknown_environment_lists_those_there() {
    let text = "root = '/a'\n[env.staging]\n[env.production]\n";
    let error = Config::parse(text, Some("stagin")).unwrap_err();
    assert_data_eq!(
        error.in_file("switchback.toml").to_string(),
        str![[r#"
there is no environment "stagin"
 --> switchback.toml
  = help: did you mean "staging"? Known: production, staging
"#]]
    );
    let none = Config::parse("root = '/a'", Some("x")).unwrap_err();
    assert!(none.advice().unwrap().contains("[env.x]"), "{none}");
}

#[test]
fn an_unknown_key_shows_its_line_and_what_was_meant() {
    let error = refused("root = \"/srv/shop\"\n\n[ssh]\nidentiy = \"deploy_key\"\n");
    assert_eq!((error.line(), error.column(), error.key()), (Some(4), Some(1), Some("ssh.identiy")));
    assert_data_eq!(
        error.in_file("switchback.toml").to_string(),
        str![[r#"
unknown key `ssh.identiy`
 --> switchback.toml:4:1
  |
4 | identiy = "deploy_key"
  | ^^^^^^^
  = help: did you mean `identity`?
"#]]
    );
}

#[test]
fn a_key_that_is_like_no_other_lists_those_known() {
    let error = refused("root = '/a'\nlayout.velocity = 5\n");
    assert_eq!((error.message(), error.line()), ("unknown key `layout.velocity`", Some(2)));
    assert_eq!(error.advice(), Some("known here: current, releases, shared, state"));
}

#[test]
fn unknown_keys_of_other_environments_are_found_too() {
    let error = refused("root = '/a'\n[env.staging]\nrooot = '/b'\n");
    assert_eq!((error.key(), error.line()), (Some("env.staging.rooot"), Some(3)));
    let nested = refused("root = '/a'\n[env.a.env.b]\nroot = '/b'\n");
    assert_eq!(nested.message(), "an environment cannot contain environments");
}

#[test]
fn a_bare_number_is_no_duration() {
    let error = refused("root = '/a'\n[ssh]\nconnect_timeout = 30\n");
    assert_data_eq!(
        error.to_string(),
        str![[r#"
`ssh.connect_timeout` must be a duration with its unit, such as "30s" or "1m30s"
 --> line 3, column 19
  |
3 | connect_timeout = 30
  |                   ^^
  = help: write it with its unit: connect_timeout = "30s"
"#]]
    );
    let text = refused("root = '/a'\nssh.connect_timeout = '30'\n");
    assert!(text.message().contains("write it with its unit"), "{text}");
}

#[test]
fn an_error_found_after_merging_shows_the_line_it_came_from() {
    let text = "root = '/a'\n[layout]\nreleases = 'releases'\n[env.staging]\nlayout.shared = 'releases/shared'\n";
    let error = Config::parse(text, Some("staging")).unwrap_err();
    assert_eq!((error.line(), error.key()), (Some(5), Some("env.staging.layout.shared")));
    assert!(error.message().contains("get in each other's way"), "{error}");
    assert!(Config::parse(text, None).is_ok());
}

#[test]
fn twins_are_refused_at_the_second() {
    let error = refused("root = '/a'\n[[host]]\nname = 'web1'\n[[host]]\naddress = 'web2'\n[[host]]\nname = 'web1'\n");
    assert_data_eq!(
        error.to_string(),
        str![[r#"
host "web1" is listed twice
 --> line 7, column 8
  |
7 | name = 'web1'
  |        ^^^^^^
  = help: the first of the two starts on line 2
"#]]
    );
    let place = refused("root = '/a'\n[[host]]\nname='x'\naddress='u@web'\n[[host]]\nname='y'\naddress='v@WEB'\n");
    assert_eq!(place.message(), "hosts \"x\" and \"y\" are the same place: /a");
}

/// One block stands for many hosts; names and addresses are paired in order. FAULTS.md N20.
#[test]
fn ranges_are_hosts_in_their_order() {
    let config = parse(
        "root = '/a'
        [[host]]
        address = 'deploy@web[08-10].example.com:22'
        [[host]]
        name = 'db[1-2]'
        address = '10.0.0.[7,9]'
        root = '/db'
        [[host]]
        name = 'here'
        [data]
        host = 'web09.example.com'
        version = 'v'
        apply = 'a'",
    );
    let hosts: Vec<String> = config
        .hosts
        .iter()
        .map(|host| match &host.place {
            Place::Local => format!("{} {}", host.name, host.root),
            Place::Ssh(address) => format!("{} {address} {}", host.name, host.root),
        })
        .collect();
    assert_eq!(
        hosts,
        [
            "web08.example.com deploy@web08.example.com:22 /a",
            "web09.example.com deploy@web09.example.com:22 /a",
            "web10.example.com deploy@web10.example.com:22 /a",
            "db1 10.0.0.7 /db",
            "db2 10.0.0.9 /db",
            "here /a",
        ]
    );
    assert_eq!(parse(&config.to_toml()), config, "what `config` prints reads as the same configuration");
    let error = refused("root = '/a'\n[[host]]\nname = 'web[1-4]'\naddress = '10.0.0.[1-3]'\n");
    assert_data_eq!(
        error.to_string(),
        str![[r"
`host.address`: 3 addresses for 4 names
 --> line 4, column 11
  |
4 | address = '10.0.0.[1-3]'
  |           ^^^^^^^^^^^^^^
  = help: both ranges must have the same number of hosts
"]]
    );
}

/// Each invalid text, the offending line, and a part of the message.
#[test]
fn each_contradiction_shows_its_line() {
    for (text, line, message) in [
        ("", None, "no `root` is set"),
        ("root = ''", Some(1), "it is empty"),
        ("root = 'srv/shop'", Some(1), "it is not absolute"),
        ("root = 5", Some(1), "must be text in quotes"),
        ("root = '/a'\nroot = '/b'", Some(2), "duplicate key"),
        ("root = '/a'\nhost = 'web1'", Some(2), "`host`"),
        ("root = '/a'\n[[host]]\nname = 'web[1-2]'", Some(3), "several hosts need an `address`"),
        ("root = '/a'\n[[host]]\nname = 'web[2-1]'", Some(3), "a range must count up"),
        ("root = '/a'\n[[host]]\naddress = 'web[1-9999]'", Some(3), "it has more than 4096 hosts"),
        ("root = '/a'\n[[host]]\naddress = '-web[1-2]'", Some(3), "\"-web1\" is not a host address"),
        ("root = '/a'\n[[host]]\naddress = 'web[1-3,2]'", Some(3), "host \"web2\" is listed twice"),
        ("root = '/a'\n[[host]]\nname = 'w'\naddress = 'web[1-2]'", Some(4), "2 addresses for 1 name"),
        ("root = '/a'\n[[host]]\naddress = '-oProxyCommand=x'", Some(3), "is not a host address"),
        ("root = '/a'\n[[host]]\naddress = 'h:0'", Some(3), "the port must be"),
        ("root = '/a'\n[[host]]\nname = 'a b'", Some(3), "is not a host name"),
        ("root = '/a'\n[[host]]\nroot = '/b'", Some(2), "neither `name` nor `address`"),
        ("[[host]]\nname='a'\nroot='/a'\n\n[[host]]\nname='b'", Some(5), "host \"b\" has no `root`"),
        ("root = '/a'\n[[host]]\nname='a'\nhots='b'", Some(4), "unknown key `host.hots`"),
        ("root = '/a'\nparallel = 0", Some(2), "from 1 to 1024"),
        ("root = '/a'\nparallel = 1025", Some(2), "from 1 to 1024"),
        ("root = '/a'\n[ssh]\nknown_hosts = 'yes'", Some(3), "neither \"strict\" nor \"accept-new\""),
        ("root = '/a'\n[ssh]\njump = ['a', '-x']", Some(3), "is not a host address"),
        ("root = '/a'\n[ssh]\njump = ['a', 1]", Some(3), "`ssh.jump`"),
        ("root = '/a'\n[ssh]\nidentity = '~bob/key'", Some(3), "only `~/`"),
        ("root = '/a'\n[ssh]\nidentity = \"a\\nb\"", Some(3), "control character"),
        ("root = '/a'\n[layout]\ncurrent = 'a/b'", Some(3), "must be one name"),
        ("root = '/a'\n[layout]\ncurrent = '../x'", Some(3), "`..`"),
        ("root = '/a'\n[layout]\ncurrent = 'shared'", Some(3), "get in each other's way"),
        ("root = '/a", Some(1), ""),
    ] {
        let error = refused(text);
        assert_eq!(error.line(), line, "{text:?}: {error}");
        assert!(error.message().contains(message), "{text:?}: {error}");
    }
}

/// A system directory as root is refused by the run (3), and is not an error of the text.
#[test]
fn a_system_root_is_not_an_error_here() {
    assert!(parse("root = '/etc'").hosts[0].root.is_system());
}

#[test]
fn nothing_in_the_text_reaches_the_terminal() {
    let shown = refused("root = '/a'\nx = '\u{7f}\u{202e}'").to_string();
    assert!(!shown.contains(['\u{7f}', '\u{202e}']), "{shown:?}");
    let key = refused("root = '/a'\n\"\\u001b[2J\" = 1").to_string();
    assert!(!key.contains('\u{1b}'), "{key:?}");
}

#[test]
fn paths_are_taken_from_the_directory_of_the_file() {
    let text = "root = '/a'\n[ssh]\nconfig = 'ssh/config'\nidentity = '~/key'\nknown_hosts_file = '/k'\n";
    let config = parse(text).anchored(Utf8Path::new("/opt/app"), Some(Utf8Path::new("/home/jane"))).unwrap();
    let path = |path: Option<camino::Utf8PathBuf>| path.unwrap().into_string();
    assert_eq!(path(config.ssh.config), "/opt/app/ssh/config");
    assert_eq!(path(config.ssh.identity), "/home/jane/key");
    assert_eq!(path(config.ssh.known_hosts_file), "/k");
    assert!(parse(text).anchored(Utf8Path::new("/x"), None).is_err());
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = Config::from_file(Utf8Path::new("/nowhere/x.toml"), None).unwrap_err();
    assert!(error.to_string().contains("/nowhere/x.toml"), "{error}");
}

#[test]
fn the_starter_parses_as_it_is_and_uncommented() {
    assert_eq!(parse(STARTER).hosts[0].name, "local");
    let uncommented: String = STARTER
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '\t', ':'])).unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    assert!(!uncommented.contains("\n#["), "every setting is uncommented");
    let config = parse(&uncommented);
    assert_eq!((config.hosts[0].name.as_str(), config.ssh.jump.len()), ("web1", 1));
    let staging = Config::parse(&uncommented, Some("staging")).unwrap();
    assert_eq!(staging.hosts[0].name, "staging.example.com");
}

#[test]
fn a_root_of_the_command_line_makes_up_for_one_that_is_missing() {
    let root: HostPath = "/srv/shop".parse().expect("a path");
    for text in ["keep = 3\n", "root = \"/srv/other\"\nkeep = 3\n", "keep = 3\n[[host]]\nname = \"web1\"\n"] {
        let config = Config::parse_at(text, None, &root).expect("a configuration");
        assert_eq!((config.hosts[0].root.as_str(), config.keep), ("/srv/shop", Some(3)), "{text}");
    }
    assert!(Config::parse("keep = 3\n", None).is_err());
    let twins = "[[host]]\nname = \"a\"\nroot = \"/a\"\n[[host]]\nname = \"b\"\nroot = \"/b\"\n";
    assert!(Config::parse_at(twins, None, &root).is_err());
}
