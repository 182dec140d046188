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
