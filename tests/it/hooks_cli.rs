//! Hooks, data commands and validations through the command: exit codes and messages.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Two hosts, each a root on this machine, and a file that represents the data.
struct Ground {
    dir: TempDir,
}

/// The result of one run of the command.
struct Ended {
    code: Option<i32>,
    out: String,
    told: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), told: text(&output.stderr) }
    }
}

impl Ended {
    #[track_caller]
    fn with(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.told, self.out);
        for words in words {
            assert!(self.told.contains(words), "{words:?} is not in: {}", self.told);
        }
    }
}

const DATA: &str = r#"
[data]
version = 'cat "$D/db"'
apply = 'cat version > "$D/db"'
revert = 'echo "$SWITCHBACK_DATA_TARGET" > "$D/db"'
"#;

impl Ground {
    /// A ground on `v1`, with this configuration.
    fn new(config: &str) -> Self {
        let ground = Self { dir: TempDir::new().unwrap() };
        fs::write(ground.at("db"), "0\n").unwrap();
        ground.configure(config);
        ground.deploy("v1").with(0, &[]);
        ground
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn configure(&self, config: &str) {
        let host = |host: &str| format!("[[host]]\nname = '{host}'\nroot = '{}'\n", self.at(host).display());
        let text = format!("root = '/srv/none'\n{}{}{config}", host("web1"), host("web2"));
        fs::write(self.at("switchback.toml"), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV").env("D", self.dir.path());
        command.env("SWITCHBACK_BINARY", env!("CARGO_BIN_EXE_switchback"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().unwrap().into()
    }

    /// Returns a source whose data version is the number in its name.
    fn source(&self, name: &str) -> String {
        let source = self.at(&format!("source-{name}"));
        fs::create_dir_all(&source).unwrap();
        fs::write(source.join("version"), format!("{}\n", &name[1..])).unwrap();
        source.to_str().unwrap().to_owned()
    }

    fn deploy(&self, name: &str) -> Ended {
        self.run(&["deploy", &self.source(name), "--name", name])
    }

    #[track_caller]
    fn is_on(&self, names: [&str; 2]) {
        let link = |host: &str| fs::read_link(self.at(host).join("current")).unwrap();
        let on = ["web1", "web2"].map(link);
        assert_eq!(on, names.map(|name| Path::new("releases").join(name)));
    }

    #[track_caller]
    fn has_data(&self, version: &str) {
        assert_eq!(fs::read_to_string(self.at("db")).unwrap().trim(), version);
    }

    #[track_caller]
    fn soon(&self, what: &str, holds: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(60);
        while !holds() {
            assert!(Instant::now() < until, "{what} did not come in {}", self.dir.path().display());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts a command, sends a signal once a hook has made `flag`, and waits for its end.
    fn interrupted(&self, arguments: &[&str], flag: &str) -> Ended {
        let run = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        self.soon(flag, || self.at(flag).exists());
        assert!(Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());
        run.wait_with_output().unwrap().into()
    }
}

/// A deploy that is killed once one of its commands has made `flag`, and the process of that command.
struct Killed<'g> {
    ground: &'g Ground,
    command: u32,
}

impl<'g> Killed<'g> {
    fn of(ground: &'g Ground, flag: &str) -> Self {
        let source = ground.source("v2");
        let mut run = ground.command(&["deploy", &source, "--name", "v2"]).stderr(Stdio::null()).spawn().unwrap();
        ground.soon(flag, || fs::read_to_string(ground.at(flag)).is_ok_and(|text| text.ends_with('\n')));
        run.kill().unwrap();
        run.wait().unwrap();
        let command = fs::read_to_string(ground.at(flag)).unwrap().trim().parse().unwrap();
        Self { ground, command }
    }

    fn runs(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.command));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    fn go(&self) {
        fs::write(self.ground.at("go"), "").unwrap();
    }
}

/// A script that waits for `go`, but not longer than a test may take.
const WAITS: &str =
    "echo $$ > \"$D/flag\"; i=0; until [ -e \"$D/go\" ] || [ $i -gt 300 ]; do sleep 0.1; i=$((i + 1)); done";

#[test]
fn a_hook_that_a_killed_deploy_left_running_is_ended_and_not_waited_for() {
    for hook in ["prepare", "after_switch"] {
        let ground = Ground::new("");
        ground.configure(&format!(
            "[hooks]\n{hook} = '[ $SWITCHBACK_HOST = web1 ] || exit 0; trap \"\" TERM; {WAITS}; touch \"$D/over\"'\n"
        ));
        let killed = Killed::of(&ground, "flag");
        let left = format!("warning: web1: ends `{hook}`, which ");
        ground
            .run(&["rollback"])
            .with(0, &[&left, "left running (process ", &killed.command.to_string(), ", started "]);
        assert!(!killed.runs(), "{hook}");
        ground.is_on(["v1", "v1"]);
        killed.go();
        assert!(!ground.at("over").exists(), "{hook} went on");
    }
}

#[test]
fn a_data_command_that_a_killed_deploy_left_running_is_waited_for() {
    for keep in [false, true] {
        let ground = Ground::new(DATA);
        ground.configure(&DATA.replace("'cat version > ", &format!("'{WAITS}; cat version > ")));
        let killed = Killed::of(&ground, "flag");
        if keep {
            ground.run(&["rollback", "--keep-data"]).with(0, &[]);
            assert!(killed.runs());
            killed.go();
            ground.soon("it ends by itself", || !killed.runs());
            ground.is_on(["v1", "v1"]);
            continue;
        }
        let mut rollback = ground.command(&["rollback"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        let mut lines = BufReader::new(rollback.stderr.take().unwrap()).lines();
        while !told.contains("waits for `apply`, which ") {
            told = lines.next().expect("it says that it waits").unwrap();
        }
        assert!(told.contains("web1") && told.contains(&format!("(process {}, started ", killed.command)), "{told}");
        assert!(killed.runs());
        killed.go();
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        let end = "Reverted the interrupted deploy to v2: 2 hosts on v1, data 2 -> 1.";
        assert!(rest.iter().any(|line| line == end), "{rest:?}");
        assert_eq!(rollback.wait_with_output().unwrap().status.code(), Some(0));
        ground.is_on(["v1", "v1"]);
        ground.has_data("1");
    }
}

/// The move is detected after the hooks. FAULTS.md H10.
#[test]
fn a_hook_that_moves_current_is_found_out() {
    let ground = Ground::new(
        "[hooks]\nafter_switch = 'test ! -e \"$D/move\" || [ $SWITCHBACK_HOST = web1 ] || ln -sfn releases/$SWITCHBACK_PREVIOUS $SWITCHBACK_ROOT/current'",
    );
    ground.deploy("v2").with(0, &[]);
    fs::write(ground.at("move"), "").unwrap();
    ground.deploy("v3").with(5, &["web2", "it led to v3 before the hooks ran, and leads to v2 now"]);
    ground.is_on(["v2", "v2"]);
    ground.run(&["rollback"]).with(5, &["the hosts are not on one release", "leads to v2 now"]);
    ground.is_on(["v1", "v2"]);
    fs::remove_file(ground.at("move")).unwrap();
    ground.run(&["rollback"]).with(0, &[]);
    ground.is_on(["v1", "v1"]);
}

/// The deploy fails before the switch. FAULTS.md H10.
#[test]
fn a_hook_that_deletes_its_release_ends_before_the_switch() {
    let ground = Ground::new("");
    ground.configure("[hooks]\nprepare = 'rm -rf \"$SWITCHBACK_RELEASE_PATH\"'");
    ground.deploy("v2").with(3, &["v2"]);
    ground.is_on(["v1", "v1"]);
    ground.configure("");
    ground.deploy("v2").with(0, &[]);
}

/// The nested command ends with 6, so the hook fails. FAULTS.md H10.
#[test]
fn a_hook_that_runs_the_command_itself_finds_the_lock_held() {
    let ground = Ground::new("");
    ground.configure(
        "[hooks]\nafter_switch = '[ $SWITCHBACK_DIRECTION = rollback ] || \"$SWITCHBACK_BINARY\" --root \"$SWITCHBACK_ROOT\" rollback'",
    );
    ground.deploy("v2").with(4, &["`after_switch` on web1 exited with 6", "is locked by"]);
    ground.is_on(["v1", "v1"]);
}

/// A rollback that arrived and then failed is not forgotten by the next `status`. FAULTS.md H25.
#[test]
fn status_says_that_a_rollback_failed_after_its_switch() {
    let ground = Ground::new("[hooks]\nafter_switch = '[ ! -e \"$D/stop\" ]'");
    ground.deploy("v2").with(0, &[]);
    fs::write(ground.at("stop"), "").unwrap();
    ground.run(&["rollback"]).with(5, &["`after_switch` on web1, web2 exited with 1", "next: `switchback log` shows"]);
    ground.run(&["status"]).with(0, &["rollback to v1 switched, and then failed here"]);
    fs::remove_file(ground.at("stop")).unwrap();
    ground.deploy("v3").with(0, &[]);
    let after = ground.run(&["status"]);
    after.with(0, &[]);
    assert!(!after.told.contains("failed"), "{}", after.told);
}

#[test]
fn status_says_on_which_host_a_reverted_deploy_left_a_failed_hook() {
    let ground = Ground::new("[hooks]\nafter_switch = '[ ! -e \"$D/stop-$SWITCHBACK_HOST\" ]'");
    fs::write(ground.at("stop-web2"), "").unwrap();
    ground.deploy("v2").with(5, &[]);
    ground.is_on(["v1", "v1"]);
    let status = ground.run(&["status"]);
    status.with(0, &["deploy to v2 failed and was reverted, and then a hook failed here; `switchback log`"]);
    assert!(status.told.starts_with("web2: warning: "), "{}", status.told);
    assert_eq!(status.told.matches("warning: ").count(), 1, "{}", status.told);
}

/// A revert that failed is no interruption, and the versions are named. FAULTS.md H25.
#[test]
fn status_says_that_a_revert_failed() {
    let broken = DATA.replace("revert = '", "revert = '[ ! -e \"$D/stop\" ] || exit 1; ");
    let ground = Ground::new(&broken);
    ground.deploy("v2").with(0, &[]);
    fs::write(ground.at("stop"), "").unwrap();
    ground.run(&["rollback"]).with(5, &["but the data is not"]);
    ground.run(&["status"]).with(0, &["rollback to v1 failed, and its data is not reverted: v2 brought it from"]);
    ground.run(&["status", "--check"]).with(8, &["rollback to v1 failed"]);
    fs::remove_file(ground.at("stop")).unwrap();
    ground.run(&["rollback"]).with(0, &[]);
    ground.run(&["status", "--check"]).with(0, &[]);
}

/// The line of the phase says where, the error says why, once for all hosts that failed alike. FAULTS.md H24.
#[test]
fn a_reason_is_printed_once() {
    let ground = Ground::new("");
    ground.configure("[hooks]\nprepare = 'exit 3'");
    let ended = ground.deploy("v2");
    ended.with(3, &["prepare  web1 failed\n", "prepare  web2 failed\n", "`prepare` on web1, web2 exited with 3."]);
    assert_eq!(ended.told.matches("exited with").count(), 1, "{}", ended.told);
}

#[test]
fn a_version_that_cannot_be_asked_after_apply_is_not_claimed() {
    let broken = DATA.replace("'cat \"$D/db\"'", "'[ ! -e \"$D/broken\" ] && cat \"$D/db\"'");
    let ground = Ground::new(&broken);
    ground.configure(
        &broken
            .replace("version > \"$D/db\"'", "version > \"$D/db\"; touch \"$D/broken\"'")
            .replace("revert = '", "revert = '[ ! -e \"$D/stop\" ] || exit 1; "),
    );
    let ended = ground.run(&["--json", "deploy", &ground.source("v2"), "--name", "v2"]);
    ended.with(5, &[]);
    assert!(ended.out.contains("its version is not known"), "{}", ended.out);
    assert!(ended.out.contains(r#""data":{"before":"1","after":null}"#), "{}", ended.out);
    ground.is_on(["v1", "v1"]);
    ground.has_data("2");
    ground.run(&["recover", "--back"]).with(3, &["nothing was touched", "`version` on web1 exited with 1"]);
    fs::remove_file(ground.at("broken")).unwrap();
    fs::write(ground.at("stop"), "").unwrap();
    ground.run(&["recover", "--back"]).with(5, &["every host is on v1, but the data is not: its version is 2"]);
    fs::remove_file(ground.at("stop")).unwrap();
    ground.run(&["recover", "--back"]).with(0, &[]);
    ground.has_data("1");
}

#[test]
fn a_revert_that_fails_says_where_the_data_is_then() {
    let ground = Ground::new(DATA);
    ground.configure(&DATA.replace("revert = '", "revert = 'echo 1.5 > \"$D/db\"; exit 3; "));
    ground.deploy("v2").with(0, &[]);
    ground.run(&["rollback"]).with(5, &["every host is on v1, but the data is not: its version is 1.5", "next: "]);
}

#[test]
fn a_revert_before_the_switch_that_fails_is_taken_back() {
    let first = format!("{DATA}revert_when = 'before-switch'\n");
    for (fails, code) in [("exit 3; ", 3), ("echo 1.5 > \"$D/db\"; exit 3; ", 3)] {
        let ground = Ground::new(&first);
        ground.configure(&first.replace("revert = '", &format!("revert = '[ -e \"$D/mended\" ] || {{ {fails} }}; ")));
        ground.deploy("v2").with(0, &[]);
        ground.run(&["rollback"]).with(code, &["failed before any switch", "`revert` on web1 exited with 3"]);
        ground.is_on(["v2", "v2"]);
        ground.has_data("2");
        fs::write(ground.at("mended"), "").unwrap();
        ground.run(&["rollback"]).with(0, &["Rolled back"]);
        ground.is_on(["v1", "v1"]);
        ground.has_data("1");
    }
}

#[test]
fn a_signal_during_the_validation_is_an_interruption() {
    let long = "[validate]\ncommand = 'touch \"$D/$SWITCHBACK_DIRECTION\"'\nfor = '1h'\nevery = '1h'\n";
    let ground = Ground::new("");
    ground.configure(long);
    let ended = ground.interrupted(&["deploy", &ground.source("v2"), "--name", "v2"], "deploy");
    ended.with(130, &["interrupted; every host is where it was"]);
    assert_eq!(ended.told.matches("interrupted;").count(), 1, "{}", ended.told);
    assert!(!ended.told.contains("validate web1 failed"), "no host failed: {}", ended.told);
    ground.is_on(["v1", "v1"]);
}

#[test]
fn a_rollback_whose_validation_is_interrupted_stays_and_does_not_say_how_it_is() {
    let short = "[validate]\ncommand = 'touch \"$D/$SWITCHBACK_DIRECTION\"'\nrollback_for = '1m'\nevery = '1s'\n";
    let ground = Ground::new(short);
    ground.configure("");
    ground.deploy("v2").with(0, &[]);
    let ended = ground.interrupted(&["rollback"], "rollback");
    ended.with(5, &["every host is on v1, and stays there, but the run was interrupted: its health is unknown"]);
    ground.is_on(["v1", "v1"]);
}

/// The version is compared as printed, although messages hide the variable's value. FAULTS.md I37.
#[test]
fn a_version_that_holds_the_value_of_a_variable_is_read_as_it_is() {
    let ground = Ground { dir: TempDir::new().unwrap() };
    fs::write(ground.at("db"), "2024-0\n").unwrap();
    fs::write(ground.at("vars"), "YEAR=2024\n").unwrap();
    ground.configure(&format!(
        "[hooks]\nenv_file = 'vars'\n{}",
        DATA.replace("'cat version > ", "'echo 2024-$(cat version) > ")
    ));
    ground.deploy("v1").with(0, &[]);
    ground.deploy("v2").with(0, &[]);
    ground.run(&["rollback"]).with(0, &[]);
    ground.has_data("2024-1");
}

#[test]
fn a_drill_whose_look_fails_after_a_deploy_does_not_say_that_nothing_was_touched() {
    let config = format!("{DATA}[drill]\nfingerprint = '[ $SWITCHBACK_RELEASE = v1 ] && cat \"$D/db\"'\n");
    let ground = Ground::new(&config);
    ground.run(&["drill", &ground.source("v2"), "--name", "v2"]).with(8, &["after the deploy", "next: "]);
    ground.is_on(["v2", "v2"]);
}

#[test]
fn a_deploy_without_its_variables_is_refused_and_a_rollback_goes_on() {
    let ground = Ground::new("");
    ground.deploy("v2").with(0, &[]);
    for (hooks, words) in [
        ("env_file = 'gone.env'", "could not be read from the env_file"),
        ("pass_env = ['A_VARIABLE_THAT_IS_UNSET']", "A_VARIABLE_THAT_IS_UNSET, which is not set here"),
    ] {
        ground.configure(&format!("[hooks]\nafter_switch = 'true'\n{hooks}\n"));
        ground.deploy("v3").with(2, &[words, "nothing was touched"]);
        ground.run(&["activate", "v2"]).with(2, &[words]);
        ground.is_on(["v2", "v2"]);
    }
    ground.run(&["rollback", "--commands", "config"]).with(0, &["warning: ", "A_VARIABLE_THAT_IS_UNSET"]);
    ground.is_on(["v1", "v1"]);
}

#[test]
fn a_deploy_without_the_host_of_the_data_is_told_what_deploys_can_do() {
    let ground = Ground::new(DATA);
    let ended = ground.run(&["deploy", &ground.source("v2"), "--name", "v2", "--except", "web1"]);
    ended.with(3, &["the data is on web1, which is not selected", "next: include web1"]);
    assert!(!ended.told.contains("--keep-data"), "{}", ended.told);
    ground.is_on(["v1", "v1"]);
    ground.has_data("1");
}

#[test]
fn a_drill_of_what_cannot_go_back_is_refused_before_it_begins() {
    let ground = Ground::new(DATA);
    let source = ground.source("v2");
    fs::write(Path::new(&source).join(".switchback-irreversible"), "drops a table\n").unwrap();
    ground.run(&["drill", &source, "--name", "v2"]).with(3, &["drops a table", "nothing was touched"]);
    ground.is_on(["v1", "v1"]);
    ground.has_data("1");
}

/// Neither an interruption hides what a command printed, nor does it act on the terminal.
#[test]
fn the_log_shows_what_commands_printed_also_of_an_interrupted_run() {
    let ground = Ground::new("");
    let hook = format!("printf \"one\\\\033[2J\\\\n\"; [ $SWITCHBACK_HOST = web1 ] || exit 0; {WAITS}");
    ground.configure(&format!("[hooks]\nafter_switch = '{hook}'\n"));
    ground.run(&["log"]).with(0, &[]);
    let killed = Killed::of(&ground, "flag");
    for host in ["web1", "web2"] {
        let log = || ground.run(&["log", "--host", host]);
        log().with(0, &[]);
        assert!(log().out.contains("which has not ended"), "{}", log().out);
        ground.soon("the output", || log().out.contains(r"one\u{1b}[2J"));
    }
    killed.go();
    ground.run(&["recover", "--back"]).with(0, &[]);
    let ended = ground.run(&["log"]);
    assert!(ended.out.contains("deploy v2") && ended.out.contains("interrupted"), "{}", ended.out);
    let history = ground.run(&["history", "--host", "web1"]).out;
    let operation = history.lines().find(|line| line.contains("deploy") && line.contains("v2")).unwrap();
    let operation = operation.split(' ').next().unwrap();
    assert!(ground.run(&["log", operation]).out.contains(operation));
    ground.run(&["log", "nowhere"]).with(3, &["no host knows an operation \"nowhere\"", "history"]);
}

/// The value of a variable is in no file, unless a command prints it: then `log` hides it.
#[test]
fn the_log_hides_the_values_of_variables() {
    let ground = Ground { dir: TempDir::new().unwrap() };
    fs::write(ground.at("vars"), "TOKEN=hunter2\n").unwrap();
    ground.configure("[hooks]\nprepare = 'test -n \"$TOKEN\"'\nenv_file = 'vars'\n");
    ground.deploy("v1").with(0, &[]);
    for host in ["web1", "web2"] {
        let found = Command::new("grep").args(["-r", "hunter2"]).arg(ground.at(host)).output().unwrap();
        assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
    }
    ground.configure("[hooks]\nprepare = 'echo it is $TOKEN'\nenv_file = 'vars'\n");
    ground.deploy("v2").with(0, &[]);
    let ended = ground.run(&["log"]);
    assert!(ended.out.contains("it is ***") && !ended.out.contains("hunter2"), "{}", ended.out);
    let json = ground.run(&["log", "--json"]).out;
    assert!(json.contains("it is ***") && !json.contains("hunter2"), "{json}");
}
