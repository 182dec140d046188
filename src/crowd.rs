//! [`crowd`]: a short text for many hosts.

/// Formats host names. Names up to `most` hosts in full. More become the first and the last if they are
/// numbered consecutively, otherwise the first two and a count.
///
/// ```
/// use switchback::report::crowd;
///
/// assert_eq!(crowd(&["web1", "web2", "db"], 4), "web1, web2, db");
/// assert_eq!(crowd(&["web1", "web2", "web3", "web4", "web5"], 4), "web1..web5 (5 hosts)");
/// assert_eq!(crowd(&["web1", "web2", "web3", "web4", "db"], 4), "web1, web2 and 3 more (5 hosts)");
/// ```
#[must_use]
pub fn crowd(names: &[&str], most: usize) -> String {
    match names {
        [] => "no host".to_owned(),
        [first, .., last] if names.len() > 3 && names.len() >= most && are_counted_up(names) => {
            format!("{first}..{last} ({} hosts)", names.len())
        }
        [first, second, rest @ ..] if names.len() > most => {
            format!("{first}, {second} and {} more ({} hosts)", rest.len(), names.len())
        }
        _ => names.join(", "),
    }
}

/// Whether the names are one stem with numbers that increase by one.
fn are_counted_up(names: &[&str]) -> bool {
    let parts = |name: &str| {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        name[stem..].parse::<u64>().ok().map(|number| (name[..stem].to_owned(), number))
    };
    names.windows(2).all(|pair| match (parts(pair[0]), parts(pair[1])) {
        (Some((stem, number)), Some((next_stem, next))) => stem == next_stem && number.checked_add(1) == Some(next),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_few_words() {
        let names: Vec<String> = (1..=97).map(|number| format!("web{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(crowd(&names, 4), "web1..web97 (97 hosts)");
        assert_eq!(crowd(&["web1", "web2", "web4", "web5", "web6"], 4), "web1, web2 and 3 more (5 hosts)");
        assert_eq!(crowd(&["web1", "web2", "web4", "web5", "web6"], 10), "web1, web2, web4, web5, web6");
        assert_eq!(crowd(&[], 4), "no host");
    }
}
