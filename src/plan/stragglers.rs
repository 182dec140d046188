//! Hosts that cannot roll back together with the others.

use crate::{
    hint::{Hint, Notice},
    name::ReleaseName,
};

use super::{Action, Plan, Seen, previous_of};

/// Returns the hosts that could not roll back with the others, each with the reason and the command that fixes
/// it.
///
/// Judges the hosts as they are now, or as `plan` leaves them. Hosts that missed an operation are left out: they move
/// along with the others.
pub(crate) fn stragglers(hosts: &[Seen<'_>], plan: Option<&Plan>) -> Vec<(String, Notice)> {
    let places: Vec<Place<'_>> =
        hosts.iter().filter(|seen| !seen.owes(hosts)).filter_map(|seen| place(seen, plan)).collect();
    // A rollback already refuses hosts on different releases.
    if places.windows(2).any(|pair| pair[0].on != pair[1].on) {
        return Vec::new();
    }
    let votes = |name: &ReleaseName| places.iter().filter(|place| place.before == Some(name)).count();
    let Some(goal) = places.iter().filter_map(|place| place.before).max_by_key(|name| votes(name)) else {
        return Vec::new();
    };
    places.iter().filter(|place| place.before != Some(goal)).map(|place| (place.host(), place.mended(goal))).collect()
}

/// A host's current release and the target of its next rollback.
struct Place<'s> {
    seen: Seen<'s>,
    on: &'s ReleaseName,
    before: Option<&'s ReleaseName>,
}

fn place<'s>(seen: &Seen<'s>, plan: Option<&'s Plan>) -> Option<Place<'s>> {
    let planned = plan.and_then(|plan| plan.host(seen.host)).map(|host| (&host.release, &host.action));
    let (on, before) = match planned {
        Some((release, Action::Deploy { record } | Action::Activate { record })) => (release, record.release()),
        _ => (seen.current()?, previous_of(seen)),
    };
    Some(Place { seen: *seen, on, before })
}

impl Place<'_> {
    fn host(&self) -> String {
        self.seen.host.to_owned()
    }

    fn mended(&self, goal: &ReleaseName) -> Notice {
        let host = self.seen.host;
        let before = self.before.map_or("none".to_owned(), ToString::to_string);
        let lacks = self.seen.state.release(goal).is_none();
        let stage = lacks.then(|| Hint::StageOn(goal.clone(), host.to_owned()));
        let what = format!("{host} could not roll back with the others: they go to {goal}, and its target is {before}");
        stage.into_iter().chain([Hint::RollbackTo(goal.clone())]).fold(Notice::new(what), Notice::hint)
    }
}
