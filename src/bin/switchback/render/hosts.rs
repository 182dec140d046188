//! Groups of hosts for display: hosts that are alike share a line, the odd one has a line of its own.

use switchback::report::{HostOutcome, HostReport, crowd};

/// Up to this number of hosts, each has its own line.
const FEW: usize = 10;

/// The most hosts that a list names one by one.
pub(crate) const NAMED: usize = 4;

/// Hosts that share a line.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    /// The hosts, equal in everything that the line shows.
    pub(crate) hosts: Vec<&'a HostReport>,
    /// Whether they differ from the largest group.
    pub(crate) odd: bool,
}

impl Group<'_> {
    /// Returns the label of the line: the hosts' names, shortened.
    pub(crate) fn label(&self) -> String {
        label(&self.hosts.iter().map(|host| host.host.as_str()).collect::<Vec<_>>())
    }

    /// Returns the mark at the end of the line.
    pub(crate) fn mark(&self) -> Option<&'static str> {
        self.odd.then_some("differs")
    }
}

/// Groups hosts with equal keys, in the hosts' order. With `each`, every host has its own line; so have few hosts.
pub(crate) fn group<'a, K: PartialEq + Clone>(
    hosts: &'a [HostReport],
    each: bool,
    key: impl Fn(&'a HostReport) -> K,
) -> Vec<Group<'a>> {
    let few = hosts.len() <= FEW;
    let groups = grouped(hosts, |class, odd| each || few || (odd && class <= FEW), key);
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Groups hosts with equal keys, in the hosts' order, each group with its key. With `each`, hosts share nothing.
pub(crate) fn share<'a, K: PartialEq + Clone>(
    hosts: &'a [HostReport],
    each: bool,
    key: impl Fn(&'a HostReport) -> K,
) -> Vec<(K, Group<'a>)> {
    grouped(hosts, |_, _| each, key)
}

/// Groups hosts with equal keys; `apart` says of the size of a group, and whether it is odd, if its hosts share nothing.
fn grouped<'a, K: PartialEq + Clone>(
    hosts: &'a [HostReport],
    apart: impl Fn(usize, bool) -> bool,
    key: impl Fn(&'a HostReport) -> K,
) -> Vec<(K, Group<'a>)> {
    let classes = classes(hosts, key);
    // A host left out with `--except` is never odd.
    let left = |class: &[&HostReport]| class.iter().all(|host| host.outcome == HostOutcome::Left);
    let most = classes.iter().map(|(_, class)| class).filter(|class| !left(class)).map(Vec::len).max().unwrap_or(0);
    // With two largest groups, nobody can say which one is the exception.
    let is_clear = classes.iter().filter(|(_, class)| !left(class) && class.len() == most).count() == 1;
    let mut groups = Vec::new();
    for (key, class) in classes {
        let odd = is_clear && !left(&class) && class.len() < most;
        if apart(class.len(), odd) {
            groups.extend(class.into_iter().map(|host| (key.clone(), Group { hosts: vec![host], odd })));
        } else {
            groups.push((key, Group { hosts: class, odd }));
        }
    }
    groups.sort_by_key(|(_, group)| hosts.iter().position(|host| std::ptr::eq(host, group.hosts[0])));
    groups
}

fn classes<'a, K: PartialEq>(
    hosts: &'a [HostReport],
    key: impl Fn(&'a HostReport) -> K,
) -> Vec<(K, Vec<&'a HostReport>)> {
    let mut classes: Vec<(K, Vec<&HostReport>)> = Vec::new();
    for host in hosts {
        let of_host = key(host);
        match classes.iter_mut().find(|(key, _)| *key == of_host) {
            Some((_, class)) => class.push(host),
            None => classes.push((of_host, vec![host])),
        }
    }
    classes
}

/// Shortens a list of names: `web1..web97 (97 hosts)`.
pub(crate) fn label(names: &[&str]) -> String {
    crowd(names, NAMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_is_who_differs_from_most() {
        let host = |name: &str, outcome| HostReport::new(name, outcome);
        let odd = |hosts: &[HostReport]| -> Vec<bool> {
            group(hosts, false, |host| host.outcome).iter().map(|group| group.odd).collect()
        };
        let (switched, failed) = (HostOutcome::Switched, HostOutcome::Failed);
        assert_eq!(odd(&[host("a", switched), host("b", failed), host("c", switched)]), [false, true, false]);
        assert_eq!(odd(&[host("a", switched), host("b", failed)]), [false, false]);
        assert_eq!(odd(&[host("a", HostOutcome::Left), host("b", switched)]), [false, false]);
    }
}
