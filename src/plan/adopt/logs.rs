//! Parsers for other tools' logs of deploys and rollbacks.

use crate::name::ReleaseName;

/// An event in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// A new release became current.
    Deployed(ReleaseName),
    /// An earlier release became current again.
    WentBack(ReleaseName),
}

/// Parses Capistrano's `revisions.log`: free text, whose standard sentences end in these words. Other lines are
/// skipped.
pub(super) fn revisions(log: &str) -> Vec<Told> {
    let name_after = |line: &str, words: &str| {
        let rest = &line[line.rfind(words)? + words.len()..];
        rest.split_whitespace().next()?.trim_end_matches(['.', ',', ';']).parse::<ReleaseName>().ok()
    };
    let told = |line: &str| {
        let back = name_after(line, "rolled back to release ").map(Told::WentBack);
        back.or_else(|| name_after(line, "deployed as release ").map(Told::Deployed))
    };
    log.lines().filter_map(told).collect()
}

/// Parses Deployer's `.dep/releases_log`: one JSON object per line, written when a release is created, before
/// the switch.
pub(super) fn releases(log: &str) -> Vec<ReleaseName> {
    let name = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let name = line.get("release_name")?;
        name.as_str().map(ToOwned::to_owned).or_else(|| name.as_u64().map(|number| number.to_string()))?.parse().ok()
    };
    log.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ReleaseName {
        text.parse().expect("a name")
    }

    #[test]
    fn capistranos_sentences_are_read_and_all_else_is_passed_over() {
        let log = "Branch main (at 3b8a) deployed as release 20260101120000 by jane\n\
                   somebody wrote this by hand\n\
                   Branch x deployed as release 1 (at 9) deployed as release 20260102120000 by \n\
                   Branch main (at 9) deployed as release ../etc by jane\n\
                    rolled back to release 20260101120000\n\
                   Branch main (at 3b8a) deployed as rele";
        let first = || name("20260101120000");
        assert_eq!(
            revisions(log),
            [Told::Deployed(first()), Told::Deployed(name("20260102120000")), Told::WentBack(first())]
        );
        assert_eq!(revisions(""), []);
    }

    #[test]
    fn deployers_objects_are_read_and_torn_lines_are_passed_over() {
        let log = "{\"created_at\":\"x\",\"release_name\":\"1\",\"user\":\"j\",\"target\":\"HEAD\"}\n\
                   {\"release_name\":2}\nnull\n{\"release_name\":\"../x\"}\n{\"release_na";
        assert_eq!(releases(log), [name("1"), name("2")]);
    }
}
