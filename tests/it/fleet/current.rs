//! Every state that `current` can be in. FAULTS.md C02 to C10.

use switchback::{ErrorKind, ExitCode, fleet::RollbackTarget, testing::WholeReport as _};

use super::fixture::{Hosts, assert_code, at, name};

/// Checks that deploy, activate and rollback refuse with this kind, and change nothing.
fn refused(hosts: &Hosts, kind: ErrorKind) {
    let before = hosts.0[0].list(&at("")).expect("a root");
    for report in [hosts.deploy("new"), hosts.activate("a"), hosts.rollback()] {
        assert_eq!(report.error.as_ref().map(|error| error.kind), Some(kind), "{:?}", report.command);
        assert_ne!(report.exit_code(), ExitCode::DONE);
    }
    assert_eq!(hosts.0[0].list(&at("")).expect("a root"), before);
    assert!(!hosts.0[0].exists(&at("releases/new")));
}

/// Deploy, activate and rollback refuse where `current` is missing. FAULTS.md C02.
#[test]
fn removed_by_somebody() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    hosts.0[0].remove(&at("current"));
    refused(&hosts, ErrorKind::NoCurrent);
    assert_eq!(hosts.links(), [None]);
}

/// A directory, with files and without, stays as it is. FAULTS.md C03, C04.
#[test]
fn a_directory() {
    for full in [false, true] {
        let hosts = Hosts::new(1).deployed(&["a"]);
        hosts.0[0].remove(&at("current"));
        hosts.0[0].make_dir(&at("current"));
        if full {
            hosts.0[0].write(&at("current/precious"), "data");
        }
        refused(&hosts, ErrorKind::NotOurs);
        assert_eq!(hosts.0[0].list(&at("current")).map(|names| names.len()), Some(usize::from(full)));
    }
}

/// A file stays as it is. FAULTS.md C05.
#[test]
fn a_file() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    hosts.0[0].remove(&at("current"));
    hosts.0[0].write(&at("current"), "precious");
    refused(&hosts, ErrorKind::NotOurs);
    assert_eq!(hosts.0[0].read(&at("current")).as_deref(), Some(&b"precious"[..]));
}

/// `status` reports a dangling `current`, and `rollback --to` leads away from it. FAULTS.md C06.
#[test]
fn dangling() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    hosts.0[0].rename(&at("releases/b"), "/srv/gone");
    refused(&hosts, ErrorKind::Dangling);
    let status = hosts.status();
    assert_eq!(status.hosts[0].error.as_ref().map(|error| error.kind), Some(ErrorKind::Dangling));
    assert_code(&hosts.rollback_to(RollbackTarget::Release(name("a"))), ExitCode::DONE);
    hosts.all_on("a");
    hosts.clean();
}

/// Absolute symlinks and other spellings of the path. FAULTS.md C07, C08.
#[test]
fn other_spellings_are_recognised_and_the_next_switch_is_relative() {
    for link in ["/srv/shop/releases/b", "./releases/b/", "releases//b", "../shop/releases/b", "/srv/alias/releases/b"]
    {
        let hosts = Hosts::new(1).deployed(&["a", "b"]);
        hosts.0[0].link("/srv/alias", "shop");
        hosts.0[0].remove(&at("current"));
        hosts.0[0].link(&at("current"), link);
        let status = hosts.status();
        assert_eq!(
            status.hosts[0].status.as_ref().and_then(|status| status.current.clone()),
            Some(name("b")),
            "{link}"
        );
        assert_code(&hosts.rollback(), ExitCode::DONE);
        hosts.all_on("a");
    }
}

/// Symlinks out of the releases, into a release, and in a cycle. FAULTS.md C09, C10.
#[test]
fn leading_elsewhere() {
    for link in ["/etc", "../other", "releases/a/assets", "releases", "/srv/shop"] {
        let hosts = Hosts::new(1).deployed(&["a"]);
        hosts.0[0].make_dir("/etc");
        hosts.0[0].make_dir("/srv/other");
        hosts.0[0].remove(&at("current"));
        hosts.0[0].link(&at("current"), link);
        refused(&hosts, ErrorKind::NotOurs);
        assert_eq!(hosts.links(), [Some(link.to_owned())]);
    }
    for link in ["current", "loop"] {
        let hosts = Hosts::new(1).deployed(&["a"]);
        hosts.0[0].remove(&at("current"));
        hosts.0[0].link(&at("current"), link);
        hosts.0[0].link(&at("loop"), "current");
        refused(&hosts, ErrorKind::Dangling);
    }
}

#[test]
fn the_layout_of_the_recipe_works() {
    let layout = switchback::Layout::new("onebip", ".", "shared", ".switchback").expect("a layout");
    let hosts = Hosts::new(2);
    let run = |release: &str| {
        let options = super::fixture::deploying();
        super::fixture::wait(
            hosts
                .fleet_of(&layout)
                .deploy(super::fixture::release(release), &options, switchback::event::Silent)
                .report(),
        )
    };
    assert_code(&run("onebip-16"), ExitCode::DONE);
    assert_code(&run("onebip-17"), ExitCode::DONE);
    assert_eq!(hosts.0[0].read_link(&at("onebip")).as_deref(), Some("onebip-17"));
    assert_eq!(hosts.0[1].read(&at("onebip-17/previousVersion")).as_deref(), Some(&b"/srv/shop/onebip-16\n"[..]));
    let options = super::fixture::going_back(RollbackTarget::Steps(1));
    let report = super::fixture::wait(hosts.fleet_of(&layout).rollback(&options, switchback::event::Silent).report());
    assert_code(&report, ExitCode::DONE);
    assert_eq!(hosts.0[0].read_link(&at("onebip")).as_deref(), Some("onebip-16"));
}

/// A tree made by hand, as in the recipe: `readlink current > releases/N/previousVersion`, then a new symlink.
#[test]
fn a_tree_made_by_hand_is_rolled_back() {
    for record in ["/srv/shop/releases/16", "releases/16", "16\n", "/srv/alias/releases/16\n"] {
        let hosts = Hosts::new(1);
        let host = &hosts.0[0];
        for build in ["15", "16", "17"] {
            host.make_dir(&at(&format!("releases/{build}")));
            host.write(&at(&format!("releases/{build}/index.html")), build);
        }
        host.link("/srv/alias", "shop");
        host.write(&at("releases/17/previousVersion"), record);
        host.link(&at("current"), "/srv/shop/releases/17");
        assert_code(&hosts.rollback(), ExitCode::DONE);
        hosts.all_on("16");
        hosts.clean();
    }
}

/// A release name may equal a name of the tool's own files and directories.
#[test]
fn a_release_may_bear_the_name_of_a_file_of_the_tool() {
    let names = ["owner", "process", "intent", "hooks", "staged", "manifest", "lock", "live"];
    Hosts::new(1).deployed(&names).all_on("live");
}
