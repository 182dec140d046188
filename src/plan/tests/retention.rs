//! Which releases prune removes. FAULTS.md I33.

use super::*;
use crate::plan::prune::{Needed, Outlived};
use crate::record::BadRecord;

/// The fates of the releases on the first host, but for those that say `Current` or `WayBack`.
fn fates(keep: u32, roots: &[Root]) -> Vec<(String, Fate)> {
    let seen: Vec<Seen<'_>> = roots.iter().map(Root::seen).collect();
    let pruning = prune(keep, &seen).expect("every `current` leads somewhere");
    let obvious = |fate: &Fate| matches!(fate, Fate::Stays(Needed::Current | Needed::WayBack));
    let fates = pruning.hosts[0].fates.iter().filter(|(_, fate)| !obvious(fate));
    fates.map(|(name, fate)| (name.to_string(), fate.clone())).collect()
}

fn fate(text: &str, fate: Fate) -> (String, Fate) {
    (text.to_owned(), fate)
}

/// Adds a release that was staged while `over` was current.
fn staged(mut root: Root, text: &str, over: Option<PreviousVersion>) -> Root {
    root.add(text, Err(BadRecord::Missing));
    root.release(text).over = over;
    root
}

fn release(text: &str) -> PreviousVersion {
    PreviousVersion::Release(name(text))
}

#[test]
fn a_plan_that_removes_nothing_is_empty() {
    let roots = [Root::deployed("web1", &["a", "b", "c"])];
    let empty = |keep| prune(keep, &[roots[0].seen()]).expect("a plan").is_empty();
    assert_eq!([0, 1, 2].map(empty), [false, false, true]);
    assert_eq!(fates(1, &roots), [fate("a", Fate::Goes(Outlived::Good))]);
    assert_eq!(fates(2, &roots), [fate("a", Fate::Stays(Needed::Kept))]);
}

#[test]
fn what_was_never_current_is_as_old_as_what_it_was_staged_beside() {
    let root = || Root::deployed("web1", &["a", "b", "c"]);
    let of_s = |keep, root: Root| fates(keep, &[root]).into_iter().find(|(name, _)| name == "s").map(|(_, fate)| fate);
    let goes = || Some(Fate::Goes(Outlived::NeverCurrent));
    let stays = |why| Some(Fate::Stays(why));
    assert_eq!(of_s(1, staged(root(), "s", Some(release("c")))), stays(Needed::NotOlder), "current");
    assert_eq!(of_s(1, staged(root(), "s", Some(release("b")))), stays(Needed::NotOlder), "kept");
    assert_eq!(of_s(1, staged(root(), "s", Some(release("a")))), goes(), "older than all kept ones");
    assert_eq!(of_s(1, staged(root(), "s", None)), stays(Needed::AgeUnknown));
    // Beside a bad release it is as old as what that was deployed over.
    let beside = |keep: u32, before: &str| {
        let mut root = staged(root(), "s", Some(release("x")));
        root.add("x", Ok(PreviousVersion::Release(name(before))));
        of_s(keep, root.bad("x"))
    };
    assert_eq!((beside(1, "b"), beside(1, "a")), (stays(Needed::NotOlder), goes()));
    // Before the first deploy: older than everything, unless everything is kept.
    let first = || staged(root(), "s", Some(PreviousVersion::None));
    assert_eq!((of_s(2, first()), of_s(1, first())), (stays(Needed::NotOlder), goes()));
    let mut broken = first();
    broken.release("a").previous = Err(BadRecord::Empty);
    assert_eq!(of_s(2, broken), goes(), "the chain does not lead to the first");
}

#[test]
fn off_the_chain_the_longer_way_is_the_newer() {
    // c was deployed over b, which was left; d is current, over a.
    let mut root = Root::deployed("web1", &["a", "b", "c"]);
    root.add("d", Ok(PreviousVersion::Release(name("a"))));
    let roots = [root.on(Some("d"))];
    let (kept, goes) = (Fate::Stays(Needed::Kept), Fate::Goes(Outlived::Good));
    assert_eq!(fates(1, &roots), [fate("b", goes.clone()), fate("c", goes.clone())]);
    assert_eq!(fates(2, &roots), [fate("b", goes), fate("c", kept.clone())]);
    assert_eq!(fates(3, &roots), [fate("b", kept.clone()), fate("c", kept)]);
}

#[test]
fn what_cannot_be_read_stays() {
    let unreadable = |change: &dyn Fn(&mut HostedRelease)| {
        let mut root = Root::deployed("web1", &["a", "b", "c"]);
        change(root.release("a"));
        fates(0, &[root]).into_iter().map(|(_, fate)| fate).next()
    };
    let stays = |what| Some(Fate::Stays(Needed::Unreadable { what }));
    let why = || "Permission denied".to_owned();
    assert_eq!(unreadable(&|_| ()), Some(Fate::Goes(Outlived::Good)));
    assert_eq!(unreadable(&|a| a.pinned = Kept::Unreadable(why())), stays("its pin"));
    assert_eq!(unreadable(&|a| a.bad = Kept::Unreadable(why())), stays("its bad mark"));
    assert_eq!(unreadable(&|a| a.staged = Kept::Unreadable(why())), stays("the record of its upload"));
    let links = unreadable(&|a| a.links = Kept::Unreadable(why()));
    assert_eq!(links, Some(Fate::Stays(Needed::LinksUnknown { why: why() })));
}

#[test]
fn strangers_stay_unless_our_records_name_them() {
    let mut root = Root::deployed("web1", &["a", "b", "c", "d"]);
    root.add("x", Ok(PreviousVersion::None));
    for text in ["a", "x"] {
        root.release(text).staged = Kept::Nothing;
    }
    let stranger = fate("x", Fate::Stays(Needed::Stranger));
    assert_eq!(
        fates(1, &[root]),
        [fate("a", Fate::Goes(Outlived::Good)), fate("b", Fate::Goes(Outlived::Good)), stranger]
    );
}

/// What another host is on, or would go to, stays here. FAULTS.md R04.
#[test]
fn what_is_needed_elsewhere_stays() {
    let host = || "web2".to_owned();
    let roots = [Root::deployed("web1", &["a", "b", "c", "d"]), Root::deployed("web2", &["a", "b"])];
    let elsewhere = || Fate::Stays(Needed::Elsewhere { host: host() });
    assert_eq!(fates(0, &roots), [fate("a", elsewhere()), fate("b", elsewhere())]);
    let operation = Token::random();
    let root = Root::deployed("web1", &["a", "b", "c", "d"]);
    let root = root.interrupted(&operation, Command::Deploy, "a", "b", &["web1"]);
    let interrupted = || Fate::Stays(Needed::Interrupted);
    assert_eq!(fates(0, &[root]), [fate("a", interrupted()), fate("b", interrupted())]);
}

/// Each of thousands of releases is judged once, although most are off the rollback chain. FAULTS.md R10.
#[test]
fn a_root_of_thousands_of_releases_is_planned_for() {
    let mut root = Root::deployed("web1", &["a", "b"]);
    let model = root.state.releases[0].clone();
    for number in 0..4_000 {
        let mut release = model.clone();
        release.name = name(&format!("c{number:05}"));
        let before = if number == 0 { "b".to_owned() } else { format!("c{:05}", number - 1) };
        release.previous = Ok(PreviousVersion::Release(name(&before)));
        root.state.releases.push(release);
    }
    let plan = prune(3, &[root.seen()]).expect("a plan");
    let stays = plan.hosts[0].fates.iter().filter(|(_, fate)| matches!(fate, Fate::Stays(_)));
    // The newest releases off the chain take the remaining places.
    assert!(stays.map(|(name, _)| name.as_str()).eq(["a", "b", "c03998", "c03999"]));
    assert_eq!(plan.hosts[0].fates.len(), 4_002);
}
