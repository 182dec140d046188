//! Decisions on the states of one or two hosts.

mod recovery;
mod retention;

use super::{chain::Chain, deploy::new_hosts, rollback::is_markable, *};
use crate::{
    commands::Commands,
    lock::LockOwner,
    status::BadMark,
    store::{HostedRelease, Intent, Interrupted, Kept, RecordOwner, RootState, StagedRecord},
    target::{Direction, RollbackTarget},
    time::Timestamp,
    token::Token,
    transport::{Entry, EntryKind, FileId},
};

fn name(text: &str) -> ReleaseName {
    text.parse().expect("a release name")
}

/// A host to plan for.
#[derive(Clone)]
struct Root {
    host: &'static str,
    state: RootState,
}

impl Root {
    /// A root to which these releases were deployed in turn.
    fn deployed(host: &'static str, names: &[&str]) -> Self {
        let mut root = Self { host, state: RootState::default() };
        for (at, text) in names.iter().enumerate() {
            let before = names[..at].last().map_or(PreviousVersion::None, |text| PreviousVersion::Release(name(text)));
            root.add(text, Ok(before));
        }
        root.on(names.last().copied())
    }

    fn add(&mut self, text: &str, previous: Result<PreviousVersion, crate::record::BadRecord>) {
        let (at, by) = (Timestamp::UNIX_EPOCH, "jane@laptop".to_owned());
        self.state.releases.push(HostedRelease {
            previous,
            staged: Kept::Record(StagedRecord { format: 1, at, by, files: 1, bytes: 1, digest: None, revision: None }),
            ..HostedRelease::new(name(text), FileId { device: 1, inode: 1 + self.state.releases.len() as u64 })
        });
        self.state.releases.sort_by(|one, other| one.name.cmp(&other.name));
    }

    /// Sets the current release; `None` removes `current`.
    fn on(mut self, text: Option<&str>) -> Self {
        let release = |text: &str| Current::Release { name: name(text), link: format!("releases/{text}").into_bytes() };
        self.state.current = text.map_or(Current::Absent, release);
        self
    }

    fn release(&mut self, text: &str) -> &mut HostedRelease {
        self.state.releases.iter_mut().find(|release| release.name.as_str() == text).expect("it is there")
    }

    fn bad(mut self, text: &str) -> Self {
        let mark = BadMark { at: Timestamp::UNIX_EPOCH, by: "bob".to_owned(), reason: None, number: 1 };
        self.release(text).bad = Kept::Record(mark);
        self
    }

    /// Leaves an interrupted operation here; `hosts` took part in it.
    fn interrupted(mut self, operation: &Token, command: Command, from: &str, to: &str, hosts: &[&str]) -> Self {
        let mut owner = LockOwner::new(command, "bob");
        owner.operation = operation.clone();
        owner.hosts = hosts.iter().map(ToString::to_string).collect();
        let intent = Intent {
            format: 1,
            operation: operation.clone(),
            command,
            from: Some(name(from)),
            to: name(to),
            supersedes: Vec::new(),
            record: None,
            data: None,
        };
        self.state.interrupted.push(Interrupted {
            token: Token::random(),
            owner: Kept::Record(owner),
            intent: Kept::Record(intent),
            uploads: Vec::new(),
        });
        self
    }

    fn seen(&self) -> Seen<'_> {
        Seen { host: self.host, state: &self.state }
    }
}

fn roll_back(target: &RollbackTarget, roots: &[Root]) -> Result<Plan, Refusal> {
    let seen: Vec<Seen<'_>> = roots.iter().map(Root::seen).collect();
    rollback(target, None, DataMeans::default(), &seen)
}

fn one_back(roots: &[Root]) -> Result<Plan, Refusal> {
    roll_back(&RollbackTarget::Steps(1), roots)
}

fn deploying(text: &str, root: &Root, same: &[(String, FileId)]) -> Result<Plan, Refusal> {
    deploy(&name(text), &[root.seen()], &DeployTerms { same, ..DeployTerms::default() })
}

/// The reasons of a refusal, host by host.
fn reasons<T: fmt::Debug>(planned: Result<T, Refusal>) -> Vec<Reason> {
    planned.expect_err("it is refused").hosts.into_iter().map(|host| host.reason).collect()
}

fn actions(plan: &Plan) -> Vec<(&Action, &str)> {
    plan.hosts.iter().map(|host| (&host.action, host.release.as_str())).collect()
}

#[test]
fn a_chain_leads_where_the_records_lead() {
    let root = Root::deployed("web1", &["a", "b", "c", "d"]).bad("c");
    let [a, b, c, d] = ["a", "b", "c", "d"].map(name);
    assert_eq!([&a, &b, &c].map(|name| Chain::leads(&root.state, &d, name)), [true, true, true]);
    assert!(!Chain::leads(&root.state, &d, &d) && !Chain::leads(&root.state, &d, &name("e")));
    assert!(!Chain::leads(&root.state, &b, &c), "only backwards");
    let chain = Chain::from(&root.state, &d);
    assert_eq!([&a, &c, &d, &name("e")].map(|name| chain.holds(name)), [true, true, false, false]);
    let target = |nth| chain.target(nth).expect("every mark is readable").map(|release| release.name.as_str());
    assert_eq!([0, 1, 2].map(target), [Some("b"), Some("a"), None], "bad releases do not count");
}

#[test]
fn what_is_left_is_marked_once_and_only_where_it_is() {
    let root = Root::deployed("web1", &["a", "b", "c"]).bad("b");
    let [a, b, c, d] = ["a", "b", "c", "d"].map(name);
    let markable = |name| is_markable(&root.seen(), name, &a);
    assert_eq!([&a, &b, &c, &d].map(markable), [false, false, true, false]);
    let plan = one_back(&[Root::deployed("web1", &["a", "b"]), Root::deployed("web2", &["a", "b"]).on(Some("a"))]);
    let plan = plan.expect("they agree");
    assert_eq!(actions(&plan), [(&Action::GoBack, "a"), (&Action::Stay, "a")]);
    // The second host was brought back before, and its records too lead from b to a.
    assert_eq!(plan.hosts.iter().map(|host| host.marks_bad.clone()).collect::<Vec<_>>(), [Some(name("b")), Some(b)]);
    let to_newer = roll_back(&RollbackTarget::Release(c), &[root.on(Some("a"))]).expect("it is there");
    assert_eq!(to_newer.hosts[0].marks_bad, Some(a));
}

#[test]
fn a_missing_current_is_told_from_a_root_without_releases() {
    let new = Root::deployed("web1", &[]);
    assert_eq!(reasons(one_back(&[new])), [Reason::NotDeployed]);
    // The first deploy was reverted: nobody removed `current`.
    let reverted = Root::deployed("web1", &["a"]).bad("a").on(None);
    assert_eq!(reasons(one_back(std::slice::from_ref(&reverted))), [Reason::NotDeployed]);
    let from = rollback(&RollbackTarget::Steps(1), Some(&name("a")), DataMeans::default(), &[reverted.seen()]);
    assert_eq!(actions(&from.expect("there is nothing to do")), [(&Action::Stay, "a")]);
    let mut lost = Root::deployed("web1", &["a", "b"]).on(None);
    assert_eq!(reasons(one_back(&[lost.clone()])), [Reason::NoCurrent(None)]);
    lost.state.last = Some(name("b"));
    assert_eq!(reasons(one_back(&[lost.clone()])), [Reason::NoCurrent(Some(name("b")))]);
    let to = |text| roll_back(&RollbackTarget::Release(name(text)), &[lost.clone()]);
    assert_eq!(actions(&to("b").expect("it was current last")), [(&Action::Relink, "b")]);
    assert_eq!(reasons(to("a")), [Reason::NoCurrent(Some(name("b")))]);
}

#[test]
fn only_a_fleet_gets_a_table() {
    let first = || Root::deployed("web1", &["a"]);
    assert!(one_back(&[first()]).expect_err("there is none before").table.is_empty());
    let second = Root::deployed("web2", &["x", "a"]);
    let refusal = one_back(&[first(), second]).expect_err("they differ");
    let row = |host: &str, to: &str| (host.to_owned(), "a".to_owned(), to.to_owned());
    assert_eq!(refusal.table, [row("web1", "has no target"), row("web2", "would go to x")]);
    assert_eq!(refusal.leading(), Some(&Reason::HostsDiffer), "3 stands before 7");
}

#[test]
fn a_rollback_to_elsewhere_is_a_new_one() {
    let operation = Token::random();
    let left = || {
        let root = Root::deployed("web1", &["a", "b", "c"]);
        root.interrupted(&operation, Command::Rollback, "c", "b", &["web1"])
    };
    let plan = |text: &str| roll_back(&RollbackTarget::Release(name(text)), &[left()]).expect("it is there");
    assert_eq!((plan("b").finishes, plan("a").finishes), (true, false));
    assert_eq!(actions(&plan("a")), [(&Action::GoBack, "a")]);
    assert!(one_back(&[left()]).expect("it is finished").finishes);
}

/// Each host moves by its own intent, or along its own record; one that did not take part stays. FAULTS.md T04.
#[test]
fn an_interrupted_rollback_is_finished_host_by_host() {
    let operation = Token::random();
    let begun = |host, members: &[&str]| {
        Root::deployed(host, &["a", "b"]).interrupted(&operation, Command::Rollback, "b", "a", members)
    };
    let switched = |members: &[&str]| begun("web1", members).on(Some("a"));
    let mut apart = Root::deployed("web2", &["x", "b"]);
    apart.add("a", Ok(PreviousVersion::None));
    let along = Root::deployed("web2", &["a", "b"]);
    let outside = Root::deployed("web2", &["a", "b"]);

    let plan = one_back(&[switched(&["web1", "web2"]), along.clone()]).expect("its own record leads there");
    assert_eq!(actions(&plan), [(&Action::Stay, "a"), (&Action::GoBack, "a")]);
    assert_eq!((plan.finishes, plan.stranded.len()), (true, 0));
    assert_eq!(plan.hosts[1].marks_bad, Some(name("b")));

    let plan = one_back(&[switched(&["web1", "web2"]), apart]).expect("it stays");
    assert_eq!(actions(&plan), [(&Action::Stay, "a"), (&Action::Stay, "a")]);
    assert_eq!(plan.stranded, ["web2"]);
    assert_eq!(plan.hosts[1].marks_bad, None, "it leaves nothing");

    let plan = one_back(&[switched(&["web1"]), outside]).expect("it took no part");
    assert_eq!(actions(&plan), [(&Action::Stay, "a"), (&Action::Stay, "a")]);
    assert!(plan.stranded.is_empty() && plan.hosts[1].marks_bad.is_none());

    // Nobody switched, and an intent is missing: there are only traces, and the rollback is a new one.
    let plan = one_back(&[begun("web1", &["web1", "web2"]), along]).expect("a new one");
    assert!(!plan.finishes);
    assert_eq!(actions(&plan), [(&Action::GoBack, "a"), (&Action::GoBack, "a")]);
}

/// A deploy that was killed goes back on the hosts that had switched, and nowhere else. FAULTS.md B09.
#[test]
fn an_interrupted_deploy_is_undone_host_by_host() {
    let operation = Token::random();
    let begun = |host, members: &[&str]| {
        Root::deployed(host, &["a", "b"]).interrupted(&operation, Command::Deploy, "a", "b", members)
    };
    let both = ["web1", "web2"];
    let waiting = || begun("web2", &both).on(Some("a"));
    let plan = one_back(&[begun("web1", &both), waiting()]).expect("it is undone");
    assert_eq!(actions(&plan), [(&Action::GoBack, "a"), (&Action::Stay, "b")]);
    assert_eq!(
        plan.hosts.iter().map(|host| host.marks_bad.clone()).collect::<Vec<_>>(),
        [Some(name("b")), Some(name("b"))]
    );
    assert!(plan.finishes && plan.undoes.is_some() && plan.warnings.is_empty());
    assert_eq!(plan.release, name("a"));

    // No `current` moved: nothing is bad, and the plan says that the release is still current.
    let plan = one_back(&[begun("web1", &both).on(Some("a")), waiting()]).expect("it is undone");
    assert!(plan.moves_nothing() && plan.hosts.iter().all(|host| host.marks_bad.is_none()));
    assert_eq!((plan.release, plan.warnings.len()), (name("a"), 1));

    // Ended there, so its own record decides.
    let plan = one_back(&[begun("web1", &both), Root::deployed("web2", &["a", "b"])]).expect("it goes along");
    assert_eq!(actions(&plan), [(&Action::GoBack, "a"), (&Action::GoBack, "a")]);
    let elsewhere = one_back(&[begun("web1", &both), Root::deployed("web2", &["x", "b"])]);
    assert_eq!(reasons(elsewhere), [Reason::HostsDiffer]);

    let by_recover = |other: Root| {
        let roots = [begun("web1", &both), other];
        let seen: Vec<Seen<'_>> = roots.iter().map(Root::seen).collect();
        recover(Direction::Safest, DataMeans::default(), &seen).expect("a plan").expect("not only traces")
    };
    let forward = by_recover(begun("web2", &both));
    assert!(forward.undoes.is_none() && forward.release == name("b"), "every host had switched");
    let back = by_recover(waiting());
    assert!(back.undoes.is_some() && back.release == name("a"), "one had not");

    let mut gone = begun("web1", &both);
    gone.state.releases.retain(|release| release.name != name("a"));
    assert!(matches!(reasons(one_back(&[gone]))[..], [Reason::NoSuchRelease { .. }]));
}

#[test]
fn a_release_that_an_interrupted_deploy_left_is_for_recover() {
    let left = Root::deployed("web1", &["a", "b"]).on(Some("a"));
    let left = left.interrupted(&Token::random(), Command::Deploy, "a", "b", &["web1"]);
    assert!(matches!(reasons(deploying("b", &left, &[]))[..], [Reason::WasInterrupted { .. }]));
    assert!(deploying("c", &left, &[]).is_ok(), "another release");
    let rolled = Root::deployed("web1", &["a", "b"]).on(Some("a"));
    let rolled = rolled.interrupted(&Token::random(), Command::Rollback, "b", "a", &["web1"]);
    assert!(matches!(reasons(deploying("b", &rolled, &[]))[..], [Reason::OtherContent { .. }]));
}

#[test]
fn a_release_that_is_there_names_the_command_that_goes_to_it() {
    let root = Root::deployed("web1", &["a", "b", "c"]);
    let id = |text: &str| root.state.release(&name(text)).expect("it is there").id;
    let refused = |root: &Root, text: &str| reasons(deploying(text, root, &[("web1".to_owned(), id(text))]));
    assert_eq!(refused(&root, "a"), [Reason::OnTheWayBack { name: name("a") }]);
    assert_eq!(refused(&root.clone().on(Some("a")), "b"), [Reason::IsThere { name: name("b") }]);
    assert_eq!(refused(&root.clone().bad("b"), "b"), [Reason::IsBad { name: name("b") }]);
    let other = |same| reasons(deploying("a", &root, &[same]));
    assert_eq!(other(("web2".to_owned(), id("a"))), [Reason::OtherContent { name: name("a") }], "of another host");
    assert_eq!(other(("web1".to_owned(), id("b"))), [Reason::OtherContent { name: name("a") }], "another directory");
    let current = deploying("c", &root, &[("web1".to_owned(), id("c"))]).expect("the same content");
    assert!(current.is_empty());
}

#[test]
fn what_must_be_current_is_asked_on_every_host() {
    let roots = [Root::deployed("web1", &["a", "b"]), Root::deployed("web2", &["a"])];
    let seen: Vec<Seen<'_>> = roots.iter().map(Root::seen).collect();
    let asked = |from: &str, to: &str| expect_from(&name(to), Some(&name(from)), &seen);
    assert!(expect_from(&name("c"), None, &seen).is_ok());
    assert!(asked("a", "b").is_ok(), "one is there already");
    let refused = asked("b", "c").expect_err("web2 is on a").hosts;
    assert_eq!(refused.iter().map(|host| host.host.as_str()).collect::<Vec<_>>(), ["web2"]);
}

#[test]
fn new_hosts_are_noted_beside_others() {
    let (old, new) = (Root::deployed("web1", &["a"]), Root::deployed("web2", &[]));
    let lost = Root::deployed("web3", &["a", "b"]).on(None);
    let noted = |roots: &[&Root]| new_hosts(&roots.iter().map(|root| root.seen()).collect::<Vec<_>>());
    assert_eq!(noted(&[&old, &new]).as_deref(), Some("new, with nothing to roll back to: web2"));
    assert_eq!(noted(&[&old]), None);
    assert_eq!(noted(&[&new]), None, "all are new");
    assert_eq!(noted(&[&old, &lost]), None, "somebody removed its `current`");
}

#[test]
fn only_root_the_user_and_the_group_are_trusted() {
    let owners = Owners::new(1000);
    assert_eq!([0, 1, 999, 1000, 1001].map(|owner| owners.trust(owner)), [true, false, false, true, false]);
    assert_eq!(owners.all(), [0, 1000]);
}

/// Nothing is obeyed that somebody else may have written. FAULTS.md M05.
#[test]
fn files_of_others_are_not_obeyed() {
    let mut root = Root::deployed("web1", &["a", "b"]);
    let keeper = |owner, mode| {
        let id = FileId { device: 1, inode: 1 };
        Some(Entry { kind: EntryKind::Directory, mode, owner, id, size: 0, modified: 0 })
    };
    (root.state.user, root.state.keeper) = (Some(1000), keeper(1000, 0o700));
    let commands = Commands { after_switch: Some("reload".to_owned()), ..Commands::default() };
    let mut plan = one_back(&[root.clone()]).expect("a plan");
    let refused = |plan: &Plan, code: bool, root: &Root| {
        trust(plan, code, &[root.seen()]).err().map(|why| why.hosts[0].reason.clone())
    };
    assert_eq!(refused(&plan, true, &root), None);

    let mut foreign = root.clone();
    foreign.release("a").foreign = Some(7);
    let by = Some(Reason::ForeignRelease { name: name("a"), owner: 7 });
    assert_eq!(
        (refused(&plan, false, &foreign), refused(&plan, true, &foreign)),
        (None, by.clone()),
        "no command runs"
    );
    plan.hosts[0].commands.commands = commands;
    assert_eq!(refused(&plan, false, &foreign), by);
    foreign.release("a").foreign = None;
    foreign.release("b").foreign = Some(7);
    assert_eq!(refused(&plan, false, &foreign), None, "it is left");

    let mut state = root.clone();
    state.state.keeper = keeper(7, 0o700);
    assert_eq!(refused(&plan, false, &state), Some(Reason::ForeignState { owner: 7, user: 1000 }));
    state.state.keeper = keeper(1000, 0o770);
    assert_eq!(refused(&plan, false, &state), Some(Reason::GroupMayWrite { mode: 0o770 }));
    state.state.keeper = keeper(1000, 0o707);
    assert!(matches!(refused(&plan, false, &state), Some(Reason::OthersMayWrite { .. })));
    root.state.record_owners = vec![
        RecordOwner { owner: 0, path: "releases".parse().expect("a path") },
        RecordOwner { owner: 7, path: "history".parse().expect("a path") },
    ];
    assert!(matches!(refused(&plan, false, &root), Some(Reason::ForeignRecord { owner: 7, .. })));
}
