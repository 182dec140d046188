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
    /// Whether they are not where most hosts are, now that the command has ended.
    pub(crate) differs: bool,
}

impl Group<'_> {
    /// Returns the label of the line: the hosts' names, shortened.
    pub(crate) fn label(&self) -> String {
        label(&self.hosts.iter().map(|host| host.host.as_str()).collect::<Vec<_>>())
    }

    /// Returns the mark at the end of the line.
    pub(crate) fn mark(&self) -> Option<&'static str> {
        self.differs.then_some("differs")
    }
}

/// Groups hosts with equal keys, in the hosts' order. With `each`, every host has its own line; so have few hosts.
///
/// A group differs if its `end` is not that of most hosts.
pub(crate) fn group<'a, K: PartialEq + Clone, E: PartialEq>(
    hosts: &'a [HostReport],
    each: bool,
    key: impl Fn(&'a HostReport) -> K,
    end: impl Fn(&'a HostReport) -> E,
) -> Vec<Group<'a>> {
    let few = hosts.len() <= FEW;
    let groups = grouped(hosts, |class, odd| each || few || (odd && class <= FEW), key, end);
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Groups hosts with equal keys, in the hosts' order, each group with its key. With `each`, hosts share nothing.
pub(crate) fn share<'a, K: PartialEq + Clone>(
    hosts: &'a [HostReport],
    each: bool,
    key: impl Fn(&'a HostReport) -> K,
) -> Vec<(K, Group<'a>)> {
    grouped(hosts, |_, _| each, &key, &key)
}

/// Groups hosts with equal keys; `apart` says of the size of a group, and whether it is odd, if its hosts share nothing.
fn grouped<'a, K: PartialEq + Clone, E: PartialEq>(
    hosts: &'a [HostReport],
    apart: impl Fn(usize, bool) -> bool,
    key: impl Fn(&'a HostReport) -> K,
    end: impl Fn(&'a HostReport) -> E,
) -> Vec<(K, Group<'a>)> {
    // A host left out with `--except` is never odd.
    let keys = classes(hosts.iter().filter(|host| host.outcome != HostOutcome::Left), &key);
    let usual = usual(&keys).map(|(key, _)| key.clone());
    // Nobody knows whether a host that was not read differs.
    let ends = classes(hosts.iter().filter(|host| is_known(host)), &end);
    let most = self::usual(&ends);
    let mut groups = Vec::new();
    for (key, class) in classes(hosts.iter(), &key) {
        let is_left = class.iter().all(|host| host.outcome == HostOutcome::Left);
        let odd = !is_left && usual.as_ref().is_some_and(|usual| *usual != key);
        let differs = is_known(class[0]) && most.is_some_and(|(most, _)| *most != end(class[0]));
        if apart(class.len(), odd) {
            groups.extend(class.into_iter().map(|host| (key.clone(), Group { hosts: vec![host], differs })));
        } else {
            groups.push((key, Group { hosts: class, differs }));
        }
    }
    groups.sort_by_key(|(_, group)| hosts.iter().position(|host| std::ptr::eq(host, group.hosts[0])));
    groups
}

/// Whether the state of the host is known.
fn is_known(host: &HostReport) -> bool {
    let outcome = host.outcome;
    !host.unread && !matches!(outcome, HostOutcome::Left | HostOutcome::Unknown | HostOutcome::Unreachable)
}

/// A key, and the hosts that have it.
type Class<'a, K> = (K, Vec<&'a HostReport>);

/// Returns the largest class. With two largest ones, nobody can say which is the exception.
fn usual<'c, 'a, K>(classes: &'c [Class<'a, K>]) -> Option<&'c Class<'a, K>> {
    let most = classes.iter().map(|(_, class)| class.len()).max()?;
    let mut largest = classes.iter().filter(|(_, class)| class.len() == most);
    largest.next().filter(|_| largest.next().is_none())
}

fn classes<'a, K: PartialEq>(
    hosts: impl Iterator<Item = &'a HostReport>,
    key: impl Fn(&'a HostReport) -> K,
) -> Vec<Class<'a, K>> {
    let mut classes: Vec<Class<'a, K>> = Vec::new();
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
    fn a_host_differs_if_it_is_not_where_most_are_at_the_end() {
        let host = |outcome, after: &str| {
            let mut host = HostReport::new("web", outcome);
            host.after = after.parse().ok();
            host
        };
        let differ = |hosts: &[HostReport]| -> Vec<bool> {
            let groups = group(hosts, true, |host| (host.outcome, &host.after), |host| &host.after);
            groups.iter().map(|group| group.differs).collect()
        };
        let (switched, unchanged) = (host(HostOutcome::Switched, "b-2"), host(HostOutcome::Unchanged, "b-2"));
        let behind = host(HostOutcome::Unchanged, "b-1");
        assert_eq!(differ(&[switched.clone(), unchanged.clone()]), [false, false]);
        assert_eq!(differ(&[switched.clone(), behind.clone(), unchanged]), [false, true, false]);
        assert_eq!(differ(&[switched.clone(), behind]), [false, false], "nobody knows which one");
        for unread in [HostOutcome::Left, HostOutcome::Unreachable, HostOutcome::Unknown] {
            assert_eq!(differ(&[switched.clone(), host(unread, "")]), [false, false]);
        }
    }
}
