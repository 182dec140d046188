//! The composite action. FAULTS.md G02, G03.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use super::{CRATE, Project, has_tools, pack, said, variables, write_program, yaml};
use crate::support::{sshd::text, wait::until};

/// What a run of the action left: its exit code, log, outputs and summary.
struct Ran {
    code: i32,
    log: String,
    outputs: BTreeMap<String, String>,
    summary: String,
}

impl Ran {
    fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    /// What the runner takes for its commands, in order, without `stop-commands` and what ends it.
    fn commands(&self) -> Vec<String> {
        let mut stopped: Option<String> = None;
        let mut commands = Vec::new();
        for line in self.log.split(['\n', '\r']).map(str::trim_start) {
            match &stopped {
                Some(word) if line.trim_end() == format!("::{word}::") => stopped = None,
                Some(_) => {}
                None => match line.strip_prefix("::stop-commands::") {
                    Some(word) => stopped = Some(word.to_owned()),
                    None if line.starts_with("::") || line.starts_with("##[") => commands.push(line.to_owned()),
                    None => {}
                },
            }
        }
        assert_eq!(stopped, None, "the runner takes commands again: {}", self.log);
        commands
    }

    fn expect(&self, code: i32, outcome: &str, release: &str) {
        let found = (self.code, self.output("outcome"), self.output("release"), self.output("exit-code"));
        assert_eq!(found, (code, outcome, release, code.to_string().as_str()), "{}", self.log);
    }
}

/// A runner, for the steps of one job.
struct Runner<'a> {
    project: &'a Project,
    action: Value,
}

impl<'a> Runner<'a> {
    fn new(project: &'a Project) -> Self {
        Self { project, action: yaml("action.yml") }
    }

    /// Fills in the expressions of a value: inputs with their defaults, outputs of earlier steps, nothing else.
    fn evaluate(
        &self,
        value: &str,
        inputs: &BTreeMap<&str, &str>,
        steps: &BTreeMap<String, BTreeMap<String, String>>,
    ) -> String {
        let Some(expression) = value.strip_prefix("${{ ").and_then(|rest| rest.strip_suffix(" }}")) else {
            assert!(!value.contains("${{"), "{value}");
            return value.to_owned();
        };
        match expression.split('.').collect::<Vec<_>>()[..] {
            ["inputs", name] => {
                let input = self.action["inputs"].get(name).unwrap_or_else(|| panic!("there is no input {name}"));
                (*inputs.get(name).unwrap_or(&input["default"].as_str().expect("a default"))).to_owned()
            }
            ["steps", step, "outputs", name] => {
                steps.get(step).and_then(|outputs| outputs.get(name)).cloned().unwrap_or_default()
            }
            ["github", "action_repository"] => "owner/switchback".to_owned(),
            _ => panic!("an expression that no runner of this test knows: {expression}"),
        }
    }

    /// Builds the command of each step in turn, and gives it to `execute`.
    fn run(&self, inputs: &[(&str, &str)], mut execute: impl FnMut(Command) -> Output) -> Ran {
        let inputs: BTreeMap<_, _> = inputs.iter().copied().collect();
        for name in inputs.keys() {
            assert!(self.action["inputs"].get(name).is_some(), "there is no input {name}");
        }
        let file = |name: &str| self.project.path(&format!("temp/{name}"));
        let mut steps = BTreeMap::new();
        let mut ran = Ran { code: 0, log: String::new(), outputs: BTreeMap::new(), summary: String::new() };
        for name in ["output", "summary", "path"] {
            fs_err::write(file(name), "").expect("a file");
        }
        for step in self.action["runs"]["steps"].as_array().expect("steps") {
            assert_eq!(step["shell"], "bash");
            let script = step["run"].as_str().expect("a script");
            assert!(!script.contains("${{"), "an expression in a script is code: {script}");
            let mut command = self.project.shell(script);
            for (name, value) in step["env"].as_object().expect("variables") {
                command.env(name, self.evaluate(value.as_str().expect("text"), &inputs, &steps));
            }
            if let Some(directory) = step.get("working-directory") {
                let directory = self.evaluate(directory.as_str().expect("text"), &inputs, &steps);
                command.current_dir(self.project.path("project").join(directory));
            }
            let added = fs_err::read_to_string(file("path")).expect("a file");
            let path =
                added.lines().rev().collect::<Vec<_>>().join(":") + ":" + &std::env::var("PATH").expect("a PATH");
            fs_err::write(file("output"), "").expect("a file");
            command.env("PATH", path).env("GITHUB_ACTIONS", "true").env("GITHUB_ACTION_PATH", CRATE);
            command.env("GITHUB_OUTPUT", file("output")).env("GITHUB_STEP_SUMMARY", file("summary"));
            command
                .env("GITHUB_PATH", file("path"))
                .env("GITHUB_ENV", file("env"))
                .env("RUNNER_TEMP", self.project.path("temp"));
            command.env("GITHUB_SERVER_URL", "https://github.invalid").env("GITHUB_REPOSITORY", "owner/project");
            let output = execute(command);
            ran.log += &said(&output);
            ran.code = output.status.code().expect("no signal ended the step");
            steps.insert(step["id"].as_str().expect("an id").to_owned(), variables(&file("output")));
            if ran.code != 0 {
                break;
            }
        }
        for (name, output) in self.action["outputs"].as_object().expect("outputs") {
            let value = self.evaluate(output["value"].as_str().expect("text"), &inputs, &steps);
            ran.outputs.insert(name.clone(), value);
        }
        ran.summary = fs_err::read_to_string(file("summary")).expect("a file");
        ran
    }

    fn act(&self, inputs: &[(&str, &str)]) -> Ran {
        self.run(inputs, |mut command| command.output().expect("the step runs"))
    }

    /// Runs the real program on production.
    fn on_production(&self, inputs: &[(&str, &str)]) -> Ran {
        let always = [("binary", env!("CARGO_BIN_EXE_switchback")), ("environment", "production")];
        self.act(&[&always, inputs].concat())
    }

    fn deploy(&self, name: &str, from: &str) -> Ran {
        self.on_production(&[("source", "dist"), ("name", name), ("from", from)])
    }
}

/// Writes a program that prints these events and ends so.
fn program(project: &Project, events: &[Value], code: i32) -> PathBuf {
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    fs_err::write(project.path("events"), lines.join("\n") + "\n").expect("events");
    let path = project.path("program");
    let version = "[ \"$1\" != --version ] || { echo switchback 0; exit; }";
    write_program(&path, &format!("{version}\ncat '{}'\nexit {code}", text(&project.path("events"))));
    path
}

fn report(outcome: &str, release: &str, hosts: &[Value], error: &Value) -> Value {
    json!({"type": "report", "format": 1, "command": "deploy", "outcome": outcome, "release": release, "hosts": hosts,
           "error": error})
}

/// Builds 1, 2 and 3: a retry changes nothing, an old run that is late is refused, and one that runs again returns.
#[test]
fn an_old_job_does_not_overtake_a_newer_one_but_returns() {
    if !has_tools() {
        return;
    }
    let project = Project::new("");
    let runner = Runner::new(&project);
    project.build("1");
    let first = runner.deploy("build-1", "");
    first.expect(0, "done", "build-1");
    assert_eq!(first.commands(), Vec::<String>::new());
    assert!(first.summary.contains("switchback deploy: done (exit code 0)"), "{}", first.summary);
    assert!(first.summary.contains("| local | switched |  | build&#45;1 |  |"), "{}", first.summary);
    let before = runner.on_production(&[("command", "status")]);
    before.expect(0, "done", "build-1");
    project.build("2");
    runner.deploy("build-2", before.output("release")).expect(0, "done", "build-2");
    runner.deploy("build-2", before.output("release")).expect(0, "unchanged", "build-2");
    // A newer run that also began when build 1 was current, and the button of build 2.
    project.build("3");
    runner.deploy("build-3", before.output("release")).expect(0, "done", "build-3");
    project.build("2");
    runner.deploy("build-2", before.output("release")).expect(0, "done", "build-2");
    // A run that began when build 1 was current, and was slow.
    project.build("late");
    let late = runner.deploy("a-build-3", before.output("release"));
    late.expect(3, "refused", "build-2");
    let late = runner.deploy("build-0", before.output("release"));
    late.expect(3, "refused", "build-2");
    assert_eq!(project.current(), "build-2");
    assert_eq!(late.commands().len(), 1, "{:?}", late.commands());
    // The job of build 1 runs again: it began when nothing was current.
    project.build("1");
    runner.deploy("build-1", "build-0").expect(0, "done", "build-1");
    assert_eq!(project.current(), "build-1");
    // The form: only from what the person saw.
    project.build("4");
    runner.deploy("build-4", "build-1").expect(0, "done", "build-4");
    let form = |from| {
        runner.on_production(&[("command", "rollback"), ("from", from), ("reason", "$(touch x) `y`; it's -m bad")])
    };
    form("build-2").expect(0, "unchanged", "build-4");
    assert_eq!(project.current(), "build-4");
    form("build-4").expect(0, "done", "build-1");
    assert!(!project.path("project/x").exists(), "a reason is text");
    let history = runner.on_production(&[("command", "history")]);
    let events = fs_err::read_to_string(history.output("report")).expect("events");
    assert!(events.contains("$(touch x) `y`; it's -m bad"), "{events}");
    // The bad release does not come back by itself.
    project.build("4");
    runner.deploy("build-4", "build-1").expect(3, "refused", "build-1");
}

/// The other hosts tell what is current, so that an old job returns although one is skipped. FAULTS.md G02.
#[test]
fn a_host_that_is_down_hides_nothing_from_a_job_that_runs_again() {
    if !has_tools() {
        return;
    }
    let project = Project::new("");
    let unreachable = json!({"kind": "unreachable", "message": "no route"});
    let releases = json!([{"name": "build-2", "state": "good"}]);
    let hosts = [
        json!({"host": "web1", "outcome": "unchanged", "current": "build-4", "releases": releases}),
        json!({"host": "web2", "outcome": "unreachable", "current": null, "error": unreachable}),
    ];
    let path = project.path("program");
    let (listed, done) = (report("refused", "", &hosts, &unreachable), report("done", "build-2", &[], &Value::Null));
    let script = format!(
        "case $* in --version) echo switchback 0 ;; *' releases') echo '{listed}'; exit 3 ;;\n\
         *) echo \"$*\" >'{}'; echo '{done}' ;; esac",
        text(&project.path("arguments"))
    );
    write_program(&path, &script);
    let inputs = [("name", "build-2"), ("from", "build-1"), ("arguments", "--skip-unreachable")];
    let ran = Runner::new(&project).act(&[&[("binary", text(&path))][..], &inputs].concat());
    ran.expect(0, "done", "build-2");
    let arguments = fs_err::read_to_string(project.path("arguments")).expect("arguments");
    assert!(arguments.contains("--from=build-4 "), "{arguments}");
}

#[test]
fn what_went_wrong_is_annotated_and_what_commands_print_is_text() {
    if !has_tools() {
        return;
    }
    let hook = r"printf '::error::from a hook\n::set-output name=release::x\n##[error]y\n| <b>z</b>\r::warning::w\n'; [ ! -e fails ]";
    let project = Project::new(&format!("[hooks]\nafter_switch = {hook:?}\n"));
    let runner = Runner::new(&project);
    project.build("1");
    let first = runner.deploy("build-1", "");
    first.expect(0, "done", "build-1");
    assert!(first.log.contains("from a hook"), "it is in the log: {}", first.log);
    assert_eq!(first.commands(), Vec::<String>::new());
    fs_err::write(project.path("project/dist/fails"), "").expect("a file");
    let failed = runner.deploy("build-2", "build-1");
    failed.expect(4, "put-back", "build-2");
    let commands = failed.commands();
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert!(commands[0].starts_with("::error title=switchback deploy%2C exit code 4::deploy failed"), "{commands:?}");
    assert!(commands[0].contains(": `after_switch` on local exited with 1"), "{commands:?}");
    let table = failed.summary.lines().filter(|line| line.starts_with('|')).collect::<Vec<_>>();
    assert_eq!(table.len(), 3, "{}", failed.summary);
    assert_eq!(table[2].matches('|').count(), 6, "{}", table[2]);
    assert!(!failed.summary.contains("<b>"), "{}", failed.summary);
    // A rollback that arrives, and whose hook fails there.
    fs_err::remove_file(project.path("project/dist/fails")).expect("a file");
    runner.deploy("build-3", "build-1").expect(0, "done", "build-3");
    fs_err::write(project.path("production/releases/build-1/fails"), "").expect("a file");
    let mixed = runner.on_production(&[("command", "rollback"), ("arguments", "--verify=none\n\n-v\n")]);
    mixed.expect(5, "inconsistent", "build-1");
    // Options of the wrong kind are refused by the program, and its report says so.
    let usage = runner.on_production(&[("command", "rollback"), ("arguments", "--nonsense")]);
    assert_eq!((usage.code, usage.output("outcome")), (2, "error"), "{}", usage.log);
    assert_eq!(runner.on_production(&[("command", "deploy; true")]).code, 2);
    assert_eq!(runner.on_production(&[("dry-run", "yes")]).code, 2);
    assert_eq!(runner.on_production(&[("source", "dist"), ("name", "build-9"), ("dry-run", "true")]).code, 0);
    assert_eq!(project.current(), "build-1");
}

#[test]
fn at_most_ten_annotations_and_every_host_in_the_table() {
    if !has_tools() {
        return;
    }
    let project = Project::new("");
    let runner = Runner::new(&project);
    let evil = "100% | <a href=x>\r\n::error::b:c,d\u{1b}[31m";
    let host = |number: usize| {
        let error = if number == 0 { evil.to_owned() } else { evil.to_owned() + &"|".repeat(400) };
        json!({"host": format!("web{number},:\n::error::{number}"), "outcome": "failed", "before": "a|b", "after": null,
               "error": {"kind": "unreachable", "message": error}})
    };
    let mut hosts: Vec<_> = (0..700).map(host).collect();
    hosts.push(json!({"host": "well", "outcome": "unchanged", "before": "a", "after": "a"}));
    let warning = json!({"type": "warning", "host": null, "message": evil});
    let error = json!({"kind": "failed", "message": "some\nhosts: failed", "hint": evil});
    let release = "x\nexit-code=0\noutcome=done";
    let events = [warning.clone(), warning, report("inconsistent", release, &hosts, &error)];
    let program = program(&project, &events, 5);
    let ran = runner.act(&[("binary", text(&program)), ("name", "x")]);
    ran.expect(5, "inconsistent", "");
    let commands = ran.commands();
    assert_eq!(commands.len(), 10, "{commands:?}");
    assert!(commands[9].contains("694 more"), "{}", commands[9]);
    assert_eq!(
        commands[1],
        "::error title=web0%2C%3A%0A%3A%3Aerror%3A%3A0::100%25 | <a href=x>%0D%0A::error::b:c,d\u{1b}[31m"
    );
    let table = ran.summary.lines().filter(|line| line.starts_with('|')).collect::<Vec<_>>();
    let shown = table.len() - 2;
    assert!((400..600).contains(&shown), "{shown} of 701 hosts");
    assert!(table.iter().all(|line| line.matches('|').count() == 6), "{}", table[2]);
    assert!(ran.summary.contains(&format!("{} more hosts are not shown", 701 - shown)), "and it says so");
    assert!(!ran.summary.contains(['<', '\u{1b}', '\r']) && ran.summary.len() < 1 << 20, "{}", ran.summary.len());
    assert!(
        !ran.log.contains('\u{1b}') || !ran.log.split("::error").next().expect("a log").contains('\u{1b}'),
        "the log"
    );
    assert_eq!(ran.outputs.len(), 4, "{:?}", ran.outputs);
}

/// A program that was killed has printed half a line, or nothing.
#[test]
fn a_run_without_a_report_is_said_to_have_none() {
    if !has_tools() {
        return;
    }
    let project = Project::new("");
    let runner = Runner::new(&project);
    let path = program(&project, &[json!({"type": "started", "command": "deploy", "hosts": 1, "release": null})], 137);
    fs_err::write(project.path("events"), "{\"type\":\"started\",\"command\":\"deploy\",\"hosts\":1}\n{\"type\":\"rep")
        .expect("events");
    let ran = runner.act(&[("binary", text(&path))]);
    ran.expect(137, "", "");
    assert_eq!(ran.commands(), ["::error title=switchback deploy%2C exit code 137::switchback printed no report"]);
    assert!(ran.summary.contains("no report (exit code 137)"), "{}", ran.summary);
}

/// Runs a step whose job is cancelled while the program runs: the runner interrupts the first process of the step, and
/// then again. Returns the signals that the program received, and the commands with which it was called.
fn cancelled(project: &Project, inputs: &[(&str, &str)]) -> (Ran, String, Vec<String>) {
    let runner = Runner::new(project);
    let path = project.path("program");
    let ends = report("interrupted", "build-1", &[], &json!({"kind": "interrupted", "message": "reverted"}));
    let script = format!(
        "[ \"$1\" != --version ] || {{ echo switchback 0; exit; }}\n\
         signalled=0\ntrap 'signalled=$((signalled + 1))' TERM\n\
         echo \"$3\" >>'{began}'\n\
         while [ -e '{began}' ] && [ ! -e '{go_on}' ]; do sleep 0.05; [ $signalled -eq 0 ] || : >'{heard}'; done\n\
         echo \"$signalled\" >'{heard}'\necho '{ends}'\nexit 143",
        began = text(&project.path("began")),
        heard = text(&project.path("heard")),
        go_on = text(&project.path("go-on")),
    );
    write_program(&path, &script);
    let signal = |child: u32, name: &str| {
        assert!(Command::new("kill").args(["-s", name, &child.to_string()]).status().expect("kill runs").success());
    };
    let always = [("binary", text(&path)), ("environment", "production")];
    let ran = runner.run(&[&always, inputs].concat(), |mut command| {
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let child = command.spawn().expect("the step runs");
        if command.get_envs().any(|(name, _)| name == "INPUT_COMMAND") {
            until("the program began", || project.path("began").exists());
            signal(child.id(), "INT");
            until("it was told", || project.path("heard").exists());
            signal(child.id(), "TERM");
            fs_err::write(project.path("go-on"), "").expect("a file");
        }
        child.wait_with_output().expect("the step ends")
    });
    let read = |name: &str| fs_err::read_to_string(project.path(name)).expect("a file");
    (ran, read("heard"), read("began").lines().map(ToOwned::to_owned).collect())
}

/// FAULTS.md G04.
#[test]
fn a_cancelled_job_lets_the_program_revert() {
    if !has_tools() {
        return;
    }
    let (ran, heard, calls) = cancelled(&Project::new(""), &[]);
    ran.expect(143, "interrupted", "build-1");
    assert_eq!((heard.trim(), &calls[..]), ("1", &["deploy".to_owned()][..]), "only the first signal is passed on");
}

/// FAULTS.md G04.
#[test]
fn a_job_that_is_cancelled_before_its_deploy_does_not_deploy() {
    if !has_tools() {
        return;
    }
    let (ran, heard, calls) = cancelled(&Project::new(""), &[("name", "build-2"), ("from", "build-1")]);
    ran.expect(143, "", "");
    assert_eq!((heard.trim(), &calls[..]), ("1", &["releases".to_owned()][..]));
}

/// A download that is cut or changed is never run. FAULTS.md G05.
#[test]
fn the_package_is_installed_only_if_its_checksum_holds() {
    if !has_tools() {
        return;
    }
    let project = Project::new("");
    let runner = Runner::new(&project);
    let archive = pack(project.directory.path());
    let packages = archive.parent().expect("a directory");
    let url = format!("file://{}", text(packages));
    let status = |inputs: &[(&str, &str)]| {
        let always = [("command", "status"), ("environment", "production")];
        runner.act(&[&always[..], inputs].concat())
    };
    let installed = status(&[("url", &url)]);
    assert_eq!((installed.code, installed.output("outcome")), (0, "done"), "{}", installed.log);
    let path = fs_err::read_to_string(project.path("temp/path")).expect("a file");
    assert!(Path::new(path.trim()).join("switchback").is_file(), "later steps find it: {path}");
    // The second use in a job downloads nothing.
    fs_err::rename(packages, project.path("away")).expect("a directory");
    assert_eq!(status(&[("url", &url)]).code, 0);
    fs_err::rename(project.path("away"), packages).expect("a directory");
    let left = fs_err::read_dir(project.path("temp")).expect("it is read").map(|entry| entry.expect("an entry").path());
    let installed = left.filter(|path| text(path).contains("unknown-linux-musl")).collect::<Vec<_>>();
    for path in installed {
        fs_err::remove_dir_all(path).expect("a directory");
    }
    fs_err::write(&archive, "cut").expect("an archive");
    let changed = status(&[("url", &url)]);
    assert_eq!(changed.code, 1);
    assert!(changed.commands()[0].contains("is not what SHA256SUMS at"), "{:?}", changed.commands());
    let missing = status(&[("url", &url), ("version", "v9.9.9")]);
    assert!(missing.commands()[0].contains("cannot download file://"), "{:?}", missing.commands());
    let version = status(&[("version", "1/../..")]);
    assert!(version.commands()[0].contains("is no version"), "{:?}", version.commands());
    let binary = status(&[("binary", "no-such-program")]);
    assert!(binary.commands()[0].contains("there is no program no-such-program"), "{:?}", binary.commands());
}
