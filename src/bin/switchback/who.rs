//! The caller's identity, as locks and histories record it: `jane@laptop`, with the CI job if there is one.

/// The maximum length of each recorded value, in characters.
const LONGEST: usize = 300;

/// Returns `user@host` of this machine; in parentheses the person who started the CI job, and the job.
pub(crate) fn runs_this() -> String {
    let uname = rustix::system::uname();
    describe(&uname.nodename().to_string_lossy(), |name| std::env::var(name).ok(), account)
}

fn describe(host: &str, variable: impl Fn(&str) -> Option<String>, account: impl Fn(u32) -> Option<String>) -> String {
    let set = |name: &str| variable(name).map(|value| clean(&value)).filter(|value| !value.is_empty());
    let uid = rustix::process::getuid().as_raw();
    let of_system = || account(uid).map(|name| clean(&name)).filter(|name| !name.is_empty());
    let user = set("USER").or_else(|| set("LOGNAME")).or_else(of_system).unwrap_or_else(|| format!("uid {uid}"));
    let who = format!("{user}@{}", clean(host));
    let job: Vec<String> = actor(set).into_iter().chain(job(set)).collect();
    if job.is_empty() { who } else { format!("{who} ({})", job.join(", ")) }
}

/// Returns the account's name: from `/etc/passwd`, else from `id`, which also asks directory services.
fn account(uid: u32) -> Option<String> {
    let users = fs_err::read("/etc/passwd").unwrap_or_default();
    name_in(&String::from_utf8_lossy(&users), uid).or_else(|| {
        let said = std::process::Command::new("id").arg("-un").output().ok().filter(|said| said.status.success())?;
        String::from_utf8(said.stdout).ok()
    })
}

fn name_in(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// Returns the person who started the CI job, as the CI system names them.
fn actor(set: impl Fn(&str) -> Option<String>) -> Option<String> {
    let variables = [
        "GITHUB_ACTOR",
        "GITLAB_USER_LOGIN",
        "BUILDKITE_BUILD_CREATOR",
        "CIRCLE_USERNAME",
        "BITBUCKET_STEP_TRIGGERER_UUID",
        "BUILD_REQUESTEDFOR",
        "DRONE_BUILD_TRIGGER",
        "BUILD_USER_ID",
    ];
    variables.into_iter().find_map(set)
}

/// Returns the CI job's URL, or its number if only that is known.
fn job(set: impl Fn(&str) -> Option<String>) -> Option<String> {
    let github = || {
        let run = set("GITHUB_RUN_ID")?;
        match (set("GITHUB_SERVER_URL"), set("GITHUB_REPOSITORY")) {
            (Some(server), Some(repository)) => Some(format!("{server}/{repository}/actions/runs/{run}")),
            _ => Some(format!("GitHub run {run}")),
        }
    };
    let others = ["CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL"];
    github().or_else(|| others.into_iter().find_map(&set))
}

/// Removes control characters and limits the length: the value goes into files that people read on terminals.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &'static [(&str, &str)]) -> String {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        describe("laptop", variable, |_| Some("root".to_owned()))
    }

    #[test]
    fn a_person_is_user_at_host() {
        assert_eq!(with(&[("USER", "jane")]), "jane@laptop");
        assert_eq!(with(&[("USER", ""), ("LOGNAME", "ja\u{1b}ne\n")]), "jane@laptop");
        assert_eq!(with(&[]), "root@laptop");
        assert!(describe("laptop", |_| None, |_| None).starts_with("uid "));
        let users = "root:x:0:0:root:/root:/bin/sh\nci:x:998:998::/home/ci:/bin/sh\n";
        assert_eq!((name_in(users, 998).as_deref(), name_in(users, 7)), (Some("ci"), None));
    }

    #[test]
    fn a_job_is_named_where_it_can_be_looked_at() {
        assert_eq!(with(&[("USER", "ci"), ("CI_JOB_URL", "https://x/1")]), "ci@laptop (https://x/1)");
        assert_eq!(with(&[("USER", "ci"), ("BUILD_URL", "https://j/2")]), "ci@laptop (https://j/2)");
        assert_eq!(with(&[("USER", "ci"), ("GITHUB_RUN_ID", "7")]), "ci@laptop (GitHub run 7)");
        let github =
            &[("USER", "ci"), ("GITHUB_RUN_ID", "7"), ("GITHUB_SERVER_URL", "https://g"), ("GITHUB_REPOSITORY", "o/r")];
        assert_eq!(with(github), "ci@laptop (https://g/o/r/actions/runs/7)");
        assert_eq!(
            with(&[("USER", "ci"), ("GITLAB_USER_LOGIN", "jane"), ("CI_JOB_URL", "https://x/1")]),
            "ci@laptop (jane, https://x/1)"
        );
    }
}
