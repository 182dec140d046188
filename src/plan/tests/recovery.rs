//! What `recover` makes of interrupted operations and of a removed `current`.

use super::*;

fn recovered(direction: Direction, roots: &[Root]) -> Result<Option<Plan>, Refusal> {
    let seen: Vec<Seen<'_>> = roots.iter().map(Root::seen).collect();
    recover(direction, DataMeans::default(), &seen)
}

fn planned(direction: Direction, roots: &[Root]) -> Plan {
    recovered(direction, roots).expect("it is not refused").expect("there is something to do")
}

const BOTH: [&str; 2] = ["web1", "web2"];

#[test]
fn forward_takes_every_host_that_took_part() {
    let operation = Token::random();
    let begun = |host, members: &[&str]| {
        Root::deployed(host, &["a", "b"]).interrupted(&operation, Command::Deploy, "a", "b", members)
    };
    let waiting = || begun("web2", &BOTH).on(Some("a"));
    let record = PreviousVersion::Release(name("a"));
    let activate = Action::Activate { record };

    let plan = planned(Direction::Forward, &[begun("web1", &BOTH), waiting()]);
    assert_eq!(actions(&plan), [(&Action::Stay, "b"), (&activate, "b")]);
    assert!(plan.finishes && plan.release == name("b"));

    let outside = Root::deployed("web2", &["a", "b"]).on(Some("a"));
    let plan = planned(Direction::Forward, &[begun("web1", &["web1"]), outside]);
    assert_eq!(actions(&plan), [(&Action::Stay, "b"), (&Action::Stay, "b")]);

    let mut lacking = waiting();
    lacking.state.releases.retain(|release| release.name != name("b"));
    let refused = reasons(recovered(Direction::Forward, &[begun("web1", &BOTH), lacking]));
    assert!(matches!(refused[..], [Reason::NoSuchRelease { .. }]));
    let without_intent = Root::deployed("web2", &["a", "b"]).on(Some("a"));
    let refused = reasons(recovered(Direction::Forward, &[begun("web1", &BOTH), without_intent]));
    assert_eq!(refused, [Reason::HostsDiffer]);

    let mut unsealed = waiting();
    unsealed.release("b").unsealed = Kept::Record(());
    let refused = reasons(recovered(Direction::Forward, &[begun("web1", &BOTH), unsealed]));
    assert_eq!(refused, [Reason::NotSealed { name: name("b") }]);
    let mut elsewhere = Root::deployed("web2", &["a", "b"]).on(Some("a"));
    elsewhere.release("b").unsealed = Kept::Record(());
    assert!(recovered(Direction::Forward, &[begun("web1", &["web1"]), elsewhere]).is_ok(), "it took no part");

    // Somebody removed `current` meanwhile: the record says what the deploy had found.
    let lost = begun("web1", &["web1"]).on(None);
    assert_eq!(actions(&planned(Direction::Forward, &[lost])), [(&activate, "b")]);
}

#[test]
fn back_takes_each_host_to_where_its_own_rollback_began() {
    let operation = Token::random();
    let begun = |host, members: &[&str]| {
        Root::deployed(host, &["a", "b"]).interrupted(&operation, Command::Rollback, "b", "a", members)
    };
    let switched = || begun("web1", &BOTH).on(Some("a"));
    let plan = planned(Direction::Back, &[switched(), begun("web2", &BOTH)]);
    assert_eq!(actions(&plan), [(&Action::GoBack, "b"), (&Action::Stay, "a")]);
    assert_eq!(plan.release, name("b"));
    let ended = Root::deployed("web2", &["a", "b"]).on(Some("a"));
    assert_eq!(reasons(recovered(Direction::Back, &[switched(), ended])), [Reason::HostsDiffer]);
    let mut gone = switched();
    gone.state.releases.retain(|release| release.name != name("b"));
    let refused = reasons(recovered(Direction::Back, &[gone, begun("web2", &BOTH)]));
    assert!(matches!(refused[..], [Reason::NoSuchRelease { .. }]));
}

#[test]
fn a_removed_current_leads_where_it_led_last() {
    let lost = |last: Option<&str>| {
        let mut root = Root::deployed("web1", &["a", "b", "c"]).on(None);
        root.state.last = last.map(name);
        root
    };
    assert!(recovered(Direction::Safest, &[Root::deployed("web1", &["a"])]).expect("a plan").is_none());
    let other = Root::deployed("web2", &["a"]);
    let plan = planned(Direction::Safest, &[lost(Some("b")), other]);
    assert_eq!(actions(&plan), [(&Action::Relink, "b"), (&Action::Stay, "a")]);
    assert!(plan.only_relinks() && plan.finishes);
    let why = |root: Root| match &reasons(recovered(Direction::Safest, &[root]))[..] {
        [Reason::NothingToLink { why }] => why.clone(),
        other => panic!("{other:?}"),
    };
    let candidates = "; releases that were current here: ";
    assert_eq!(why(lost(None)), format!("the history does not name its last target{candidates}a, b, c"));
    assert_eq!(why(lost(Some("x"))), format!("its last target, x, does not exist{candidates}a, b, c"));
    assert_eq!(why(lost(Some("b")).bad("b")), format!("its last target, b, is bad{candidates}a, c"));

    // The host of an interrupted deploy that stays is linked again too; one that moves needs it not.
    let operation = Token::random();
    let begun = |host| Root::deployed(host, &["a", "b"]).interrupted(&operation, Command::Deploy, "a", "b", &BOTH);
    let mut removed = begun("web2").on(None);
    removed.state.last = Some(name("a"));
    let plan = planned(Direction::Back, &[begun("web1"), removed]);
    assert_eq!(actions(&plan), [(&Action::GoBack, "a"), (&Action::Relink, "a")]);
    assert_eq!(plan.release, name("a"));
}
