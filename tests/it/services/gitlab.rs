//! The pipeline of `examples/gitlab`. FAULTS.md G06.

use std::{
    collections::BTreeMap,
    process::{Command, Output},
};

use serde_json::Value;

use super::{Project, has_tools, pack, said, variables, yaml};
use crate::support::sshd::text;

/// A pipeline of the project: its number, and the variables that dotenv reports of its jobs left.
struct Pipeline<'a> {
    project: &'a Project,
    jobs: &'a Value,
    number: usize,
    reported: BTreeMap<String, String>,
    package: &'a [(&'static str, String)],
}

impl Pipeline<'_> {
    /// Runs a job as the runner does: the lines of `before_script` and `script` in one shell.
    fn run(&mut self, name: &str) -> Output {
        let job = &self.jobs[name];
        let parent = job["extends"].as_str().map_or(&Value::Null, |parent| &self.jobs[parent]);
        let lines = [&parent["before_script"], &job["script"]].into_iter().filter_map(Value::as_array).flatten();
        let script = lines.map(|line| line.as_str().expect("a line").to_owned() + "\n").collect::<String>();
        let number = self.number.to_string();
        let mut command = self.project.shell(&script);
        for (name, value) in self.jobs["variables"].as_object().expect("variables") {
            command.env(name, value.as_str().expect("text").replace("$CI_PIPELINE_IID", &number));
        }
        command.envs(self.package.iter().cloned()).envs(&self.reported).env("GITLAB_CI", "true").env("CI_JOB_ID", "7");
        command.env("CI_PIPELINE_IID", number).env("CI_JOB_URL", "https://gitlab.invalid/jobs/7");
        command.env("DEPLOY_KEY", self.project.path("key")).env("KNOWN_HOSTS", self.project.path("known-hosts"));
        let output = command.output().expect("the job runs");
        if let Some(report) = job["artifacts"]["reports"]["dotenv"].as_str() {
            self.reported.extend(variables(&self.project.path("project").join(report)));
        }
        output
    }

    fn deploy(&mut self, code: i32, outcome: &str) {
        self.project.build(&self.number.to_string());
        let output = self.run("deploy");
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        let reported = ["OUTCOME", "EXIT_CODE", "DEPLOYED"].map(|name| self.reported[name].as_str());
        let release = if code == 0 { format!("build-{}", self.number) } else { String::new() };
        assert_eq!(reported, [outcome, &code.to_string(), &release], "{}", said(&output));
    }
}

fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}", said(output));
}

#[test]
fn an_old_job_does_not_overtake_a_newer_one_but_returns() {
    if !has_tools() {
        return;
    }
    let project = Project::new("");
    for name in ["key", "known-hosts"] {
        fs_err::write(project.path(name), name).expect("a file");
    }
    let archive = pack(project.directory.path());
    let sum = Command::new("sha256sum").arg(&archive).output().expect("it runs").stdout;
    let sum = String::from_utf8(sum).expect("text").split(' ').next().expect("a checksum").to_owned();
    let package = [("SWITCHBACK_URL", format!("file://{}", text(&archive))), ("SWITCHBACK_SHA256", sum)];
    let jobs = yaml("examples/gitlab/.gitlab-ci.yml");
    let begin = |number| {
        let mut pipeline =
            Pipeline { project: &project, jobs: &jobs, number, reported: BTreeMap::new(), package: &package };
        assert_done(&pipeline.run("before"));
        pipeline
    };
    let mut first = begin(1);
    assert_eq!(first.reported["FROM"], "");
    project.build("1");
    assert_done(&first.run("rehearse"));
    let junit = fs_err::read_to_string(project.path("project/drill.xml")).expect("a JUnit report");
    assert!(junit.contains("<testsuite") && junit.contains("failures=\"0\""), "{junit}");
    first.deploy(0, "done");
    assert_eq!(fs_err::read_to_string(project.path("home/.ssh/deploy")).expect("a key"), "key");
    let mut slow = begin(2);
    assert_eq!(slow.reported["FROM"], "build-1");
    let mut third = begin(3);
    let mut fourth = begin(4);
    third.deploy(0, "done");
    // Retry of a job that was done, and the first run of one that is late.
    third.deploy(0, "unchanged");
    slow.deploy(3, "refused");
    assert_eq!(project.current(), "build-3");
    // Another release is current than when this pipeline began, but that of an older one.
    fourth.deploy(0, "done");
    // The button of a pipeline that is not current any more, and of the one that is.
    assert_done(&third.run("rollback"));
    assert_eq!(project.current(), "build-4");
    assert_done(&fourth.run("rollback"));
    assert_eq!(project.current(), "build-3");
    // The release that was rolled back is bad, so its retry needs a person.
    fourth.deploy(3, "refused");
    // Re-deploy of the first: the third has nothing more to roll back.
    first.deploy(0, "done");
    assert_eq!(project.current(), "build-1");
    assert_done(&third.run("rollback"));
    assert_eq!(project.current(), "build-1");
    // A package that was changed never runs.
    let changed = [package[0].clone(), ("SWITCHBACK_SHA256", "0".repeat(64))];
    let mut fifth = Pipeline { package: &changed, ..fourth };
    assert!(!fifth.run("before").status.success());
}

/// One deploy at a time, never cancelled halfway, with the reports where GitLab looks for them.
#[test]
fn jobs_say_what_gitlab_must_know() {
    if !has_tools() {
        return;
    }
    let jobs = yaml("examples/gitlab/.gitlab-ci.yml");
    assert_eq!(jobs[".switchback"]["interruptible"], false);
    assert_eq!(jobs["rehearse"]["artifacts"]["reports"]["junit"], "drill.xml");
    for (job, environment) in [("rehearse", "integration"), ("deploy", "production"), ("rollback", "production")] {
        assert_eq!(jobs[job]["environment"]["name"], environment, "{job}");
        assert_eq!(jobs[job]["resource_group"], environment, "{job}");
    }
    for job in ["rehearse", "deploy"] {
        assert_eq!(jobs[job]["artifacts"]["when"], "always", "{job}: a report of a failure counts most");
    }
    assert_eq!((&jobs["rollback"]["rules"][0]["when"]), "manual");
    // What a job needs is there whenever the job is.
    for (name, job) in jobs.as_object().expect("jobs") {
        for needed in job["needs"].as_array().into_iter().flatten() {
            let needed = &jobs[needed.as_str().expect("a name")];
            assert!(needed.is_object(), "{name}");
            assert!(needed["rules"].is_null() || needed["rules"][0]["if"] == job["rules"][0]["if"], "{name}");
        }
    }
}
