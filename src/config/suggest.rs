//! [`did_you_mean`]: the nearest known word.

/// Returns the candidate nearest to `word`, if at most a third of its letters differ.
///
/// ```
/// use switchback::config::did_you_mean;
///
/// assert_eq!(did_you_mean("hots", ["root", "host"]), Some("host"));
/// assert_eq!(did_you_mean("keep", ["root", "host"]), None);
/// ```
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Keys of the configuration as other tools call them.
#[cfg(feature = "config")]
const OTHERS: [(&[&str], &str); 21] = [
    (&["hosts", "server", "servers", "role", "roles", "node", "nodes"], "[[host]]"),
    (&["inventory", "inventory_command", "hosts_command"], "hosts_from"),
    (&["user", "username", "port", "hostname", "ip"], "address = \"user@host:port\""),
    (&["deploy_to", "deploy_path", "directory", "dir", "destination"], "root"),
    (&["keep_releases", "retain", "retain_containers", "releases_to_keep"], "keep"),
    (&["linked_dirs", "linked_files", "shared_dirs", "shared_files", "shared_paths", "symlinks"], "shared"),
    (&["stage", "stages", "environment", "environments", "envs"], "[env.NAME]"),
    (&["current", "current_path", "current_directory"], "layout.current"),
    (&["identity_file", "identityfile", "key", "keys", "private_key", "ssh_key", "identity"], "ssh.identity"),
    (&["proxy", "proxy_jump", "proxyjump", "bastion", "gateway", "jump"], "ssh.jump"),
    (&["strict_host_key_checking", "stricthostkeychecking", "known_hosts"], "ssh.known_hosts"),
    (&["prepare", "build", "install", "before", "before_switch", "pre_deploy", "before_deploy"], "hooks.prepare"),
    (
        &["after_switch", "restart", "reload", "after", "post_deploy", "after_deploy", "post_switch"],
        "hooks.after_switch",
    ),
    (&["env_file", "environment_file", "dotenv"], "hooks.env_file"),
    (&["apply", "migrate", "up", "upgrade", "migration", "migrations"], "data.apply"),
    (&["revert", "down", "downgrade", "undo"], "data.revert"),
    (&["healthcheck", "health_check", "health", "proxy_health", "url", "readiness"], "validate.command"),
    (&["interval", "retry_interval"], "validate.every"),
    (&["retries", "max_attempts", "attempts"], "validate.allow_failures"),
    (&["exclude", "ignore", "excludes", "exclude_paths"], "source.exclude"),
    (&["group", "chgrp"], "security.group"),
];

/// Returns the advice for an unknown key, where these are known.
#[cfg(feature = "config")]
pub(super) fn key(written: &str, known: &[&str]) -> String {
    let written = written.to_lowercase().replace('-', "_");
    let other = OTHERS.iter().find(|(words, _)| words.contains(&&*written));
    match (other, did_you_mean(&written, known.iter().copied())) {
        (Some((_, meant)), _) => format!("did you mean `{meant}`?"),
        (None, Some(meant)) => format!("did you mean `{meant}`?"),
        (None, None) => format!("known here: {}", known.join(", ")),
    }
}

/// Returns how many letters to insert, delete, replace, or swap with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for row in 1..=from.len() {
        let mut next = vec![row];
        for column in 1..=to.len() {
            let replaced = rows[row - 1][column - 1] + usize::from(from[row - 1] != to[column - 1]);
            let mut least = replaced.min(rows[row - 1][column] + 1).min(next[column - 1] + 1);
            if row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1] {
                least = least.min(rows[row - 2][column - 2] + 1);
            }
            next.push(least);
        }
        rows.push(next);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_letters() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("hots", "host"), 1);
    }

    #[test]
    fn suggests_only_what_is_near() {
        assert_eq!(did_you_mean("identiy_file", ["identity", "jump"]), None);
        assert_eq!(did_you_mean("paralel", ["parallel", "root"]), Some("parallel"));
        assert_eq!(did_you_mean("", ["a"]), Some("a"));
        assert_eq!(did_you_mean("x", []), None);
    }
}
