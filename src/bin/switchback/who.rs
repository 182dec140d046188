//! Who runs this, as locks and histories name them: `jane@laptop`, and the CI job where there is one.

/// The longest that a job's address is kept, in characters.
const LONGEST: usize = 300;

/// `user@host` of this machine, and the CI job in parentheses.
pub(crate) fn runs_this() -> String {
    let uname = rustix::system::uname();
    describe(&uname.nodename().to_string_lossy(), |name| std::env::var(name).ok())
}

fn describe(host: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let set = |name: &str| variable(name).map(|value| clean(&value)).filter(|value| !value.is_empty());
    let user =
        set("USER").or_else(|| set("LOGNAME")).unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let who = format!("{user}@{}", clean(host));
    job(set).map_or_else(|| who.clone(), |job| format!("{who} ({job})"))
}

/// The address of the CI job, or the best name that it has.
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

/// One line without control characters: it goes into files that people read on terminals.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &'static [(&str, &str)]) -> String {
        describe("laptop", |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_person_is_user_at_host() {
        assert_eq!(with(&[("USER", "jane")]), "jane@laptop");
        assert_eq!(with(&[("USER", ""), ("LOGNAME", "ja\u{1b}ne\n")]), "jane@laptop");
        assert!(["root@", "uid "].iter().any(|start| with(&[]).starts_with(start)));
    }

    #[test]
    fn a_job_is_named_where_it_can_be_looked_at() {
        assert_eq!(with(&[("USER", "ci"), ("CI_JOB_URL", "https://x/1")]), "ci@laptop (https://x/1)");
        assert_eq!(with(&[("USER", "ci"), ("BUILD_URL", "https://j/2")]), "ci@laptop (https://j/2)");
        assert_eq!(with(&[("USER", "ci"), ("GITHUB_RUN_ID", "7")]), "ci@laptop (GitHub run 7)");
        let github =
            &[("USER", "ci"), ("GITHUB_RUN_ID", "7"), ("GITHUB_SERVER_URL", "https://g"), ("GITHUB_REPOSITORY", "o/r")];
        assert_eq!(with(github), "ci@laptop (https://g/o/r/actions/runs/7)");
    }
}
