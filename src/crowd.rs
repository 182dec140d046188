//! [`crowd`]: a short text for many hosts, and [`merge`]: one message for hosts that say the same.

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

/// A message of one or more hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged<'m> {
    /// The hosts, in their order.
    pub hosts: Vec<&'m str>,
    /// The message.
    pub text: String,
    /// Whether the message names the hosts itself.
    pub names_hosts: bool,
}

impl Merged<'_> {
    /// Returns the message, with the hosts before it unless it names them; of the hosts, as [`crowd`] does.
    #[must_use]
    pub fn text_of(&self, most: usize) -> String {
        // The error of a whole fleet has no host.
        let hosts: Vec<&str> = self.hosts.iter().copied().filter(|host| !host.is_empty()).collect();
        if self.names_hosts || hosts.is_empty() {
            self.text.clone()
        } else {
            format!("{}: {}", crowd(&hosts, most), self.text)
        }
    }
}

/// Merges messages that differ only in the names of their hosts. Of each message, the host comes first.
///
/// Messages that name their host then name all of them, as [`crowd`] does with up to `most`; the others are for the
/// caller to label. Where the name is part of something else, a path for instance, up to `most` messages stay as they are,
/// and more become the first as an instance.
///
/// ```
/// use switchback::report::merge;
///
/// let merged = merge(&[("web1", "cannot reach web1"), ("web2", "cannot reach web2"), ("db", "no space left")], 10);
/// assert_eq!(merged[0].text, "cannot reach web1, web2");
/// assert_eq!((&*merged[1].text, merged[1].names_hosts), ("no space left", false));
/// ```
#[must_use]
pub fn merge<'m>(messages: &[(&'m str, &str)], most: usize) -> Vec<Merged<'m>> {
    let mut kinds: Vec<(Kind, Vec<(&'m str, &str)>)> = Vec::new();
    for (host, message) in messages {
        let kind = Kind::of(message, host);
        match kinds.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, alike)) => alike.push((host, message)),
            None => kinds.push((kind, vec![(host, message)])),
        }
    }
    let merged = kinds.iter().flat_map(|(kind, alike)| {
        let hosts: Vec<&'m str> = alike.iter().map(|(host, _)| *host).collect();
        match alike[..] {
            [_, _, ..] if !kind.in_other_words => {
                let text = in_plural(&kind.text).replace(HOST, &crowd(&hosts, most));
                vec![Merged { hosts, text, names_hosts: kind.is_named }]
            }
            [(_, first), ..] if alike.len() > most => {
                vec![Merged { hosts, text: format!("for instance {first}"), names_hosts: false }]
            }
            _ => {
                let one = |(host, message): &(&'m str, &str)| Merged {
                    hosts: vec![*host],
                    text: (*message).to_owned(),
                    names_hosts: kind.is_named,
                };
                alike.iter().map(one).collect()
            }
        }
    });
    merged.collect()
}

/// Stands for the host in a message: no message contains a control character.
const HOST: char = '\0';

/// The words before a host that a message is about. `local`, for instance, may also be a word of the message.
const BEFORE: &[&str] = &["on ", "reach ", "from ", "to ", "host "];

/// A message without the name of its host.
#[derive(PartialEq)]
struct Kind {
    /// The message, with [`HOST`] wherever the name stands as a whole word.
    text: String,
    /// Whether the message says that it is about the host.
    is_named: bool,
    /// Whether the name also stands in other places, in a path for instance.
    in_other_words: bool,
}

impl Kind {
    fn of(message: &str, host: &str) -> Self {
        let mut kind = Self { text: String::new(), is_named: false, in_other_words: false };
        let mut from = 0;
        for (at, _) in message.match_indices(host).filter(|_| !host.is_empty()) {
            let (before, after) = (&message[..at], &message[at + host.len()..]);
            let in_word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
            if before.ends_with(in_word) || after.starts_with(in_word) {
                continue;
            }
            let is_name = before.is_empty() || BEFORE.iter().any(|word| before.ends_with(word));
            kind.is_named |= is_name;
            kind.in_other_words |= !is_name;
            kind.text.push_str(&message[from..at]);
            kind.text.push(HOST);
            from = at + host.len();
        }
        kind.text.push_str(&message[from..]);
        kind
    }
}

/// Returns the message about one host as one about several.
fn in_plural(kind: &str) -> String {
    for (one, many) in [(" is ", " are "), (" has ", " have "), (" already has ", " already have ")] {
        if let Some(rest) = kind.strip_prefix(HOST).and_then(|rest| rest.strip_prefix(one)) {
            return format!("{HOST}{many}{rest}");
        }
    }
    kind.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(messages: &[(&str, &str)]) -> Vec<(String, bool)> {
        merge(messages, 10).into_iter().map(|merged| (merged.text, merged.names_hosts)).collect()
    }

    #[test]
    fn hosts_that_say_the_same_share_a_message() {
        let exited = |host: &str| format!("`prepare` on {host} exited with 3: no web-11 or web10");
        let (one, two) = (exited("web-1"), exited("web-2"));
        let merged = said(&[("web-1", &one), ("web-2", &two)]);
        assert_eq!(merged, [("`prepare` on web-1, web-2 exited with 3: no web-11 or web10".to_owned(), true)]);
        let has = [("web1", "web1 already has a release b-1"), ("web2", "web2 already has a release b-1")];
        assert_eq!(said(&has), [("web1, web2 already have a release b-1".to_owned(), true)]);
        assert_eq!(said(&[("web1", "full"), ("web2", "full")]), [("full".to_owned(), false)]);
    }

    #[test]
    fn a_name_in_a_path_is_not_replaced() {
        let messages = ["web1", "web2", "web3"].map(|host| (host, format!("cannot use {host}: no /srv/{host}")));
        let messages: Vec<(&str, &str)> = messages.iter().map(|(host, message)| (*host, message.as_str())).collect();
        assert_eq!(merge(&messages, 3).len(), 3);
        let many = merge(&messages, 2);
        assert_eq!(many[0].text_of(2), "web1, web2 and 1 more (3 hosts): for instance cannot use web1: no /srv/web1");
    }

    #[test]
    fn a_word_that_is_the_name_of_a_host_names_no_host() {
        assert_eq!(said(&[("local", "no local copy")]), [("no local copy".to_owned(), false)]);
        assert_eq!(said(&[("local", "cannot reach local")]), [("cannot reach local".to_owned(), true)]);
    }

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
