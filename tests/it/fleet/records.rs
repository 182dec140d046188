//! Every content that a `previousVersion` can have. FAULTS.md V01 to V17.

use switchback::{ErrorKind, ExitCode, fleet::RollbackTarget};

use super::fixture::{Hosts, assert_code, at, name};

/// A host on b, whose record `tamper` changes: the rollback must be refused with this kind, and `--to` must
/// work.
fn refused(case: &str, kind: ErrorKind, tamper: impl Fn(&Hosts)) {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    tamper(&hosts);
    let status = hosts.status();
    assert_code(&status, ExitCode::DONE);
    let warning = format!("{:?}", status.hosts[0].warnings);
    // A first release without a previous one is no reason for a warning, and nothing else may look like it.
    assert_eq!(warning.contains("rollback chain"), kind != ErrorKind::NothingBefore, "{case}: {warning}");
    let report = hosts.rollback();
    assert_code(&report, ExitCode::NOTHING_TO_ROLL_BACK_TO);
    assert_eq!(report.error.as_ref().map(|error| error.kind), Some(kind), "{case}");
    hosts.all_on("b");
    hosts.clean();
    let is_there = hosts.0[0].read_link(&at("releases/a")).is_none() && hosts.0[0].exists(&at("releases/a/index.html"));
    if is_there {
        assert_code(&hosts.rollback_to(RollbackTarget::Release(name("a"))), ExitCode::DONE);
        hosts.all_on("a");
    }
}

fn with_record(content: &[u8]) -> impl Fn(&Hosts) {
    let content = content.to_vec();
    move |hosts| hosts.0[0].write(&at("releases/b/previousVersion"), &content)
}

#[test]
fn what_means_nothing_is_refused() {
    refused("V01 missing", ErrorKind::BadRecord, |hosts| hosts.0[0].remove(&at("releases/b/previousVersion")));
    for (case, content) in [
        ("V02 empty", &b""[..]),
        ("V05 carriage return", b"a\r\n"),
        ("V06 lines", b"a\nb\n"),
        ("V07 spaces", b" a\n"),
        ("V07 byte order mark", b"\xef\xbb\xbfa\n"),
        ("V09 parent", b"..\n"),
        ("V09 out", b"../../etc\n"),
        ("V09 over", b"x/../../y\n"),
        ("V09 elsewhere", b"/etc\n"),
        ("V11 itself", b"b\n"),
        ("V16 long", &[b'a'; 5000]),
        ("V17 NUL", b"a\0\n"),
        ("V17 no UTF-8", b"\xff\xfe\n"),
        ("V17 escapes", b"\x1b[31ma\n"),
    ] {
        refused(case, ErrorKind::BadRecord, with_record(content));
    }
}

#[test]
fn none_is_the_end() {
    refused("V03 none", ErrorKind::NothingBefore, with_record(b"none\n"));
}

#[test]
fn what_is_no_file_is_refused() {
    refused("V10 a link", ErrorKind::BadRecord, |hosts| {
        hosts.0[0].remove(&at("releases/b/previousVersion"));
        hosts.0[0].write("/etc/passwd", "/srv/shop/releases/a\n");
        hosts.0[0].link(&at("releases/b/previousVersion"), "/etc/passwd");
    });
    refused("a directory", ErrorKind::BadRecord, |hosts| {
        hosts.0[0].remove(&at("releases/b/previousVersion"));
        hosts.0[0].make_dir(&at("releases/b/previousVersion"));
    });
}

#[test]
fn circles_are_found() {
    refused("V12 two", ErrorKind::ChainLoops, |hosts| {
        // a is bad, so it is skipped, and leads back to b.
        assert_code(&hosts.rollback(), ExitCode::DONE);
        assert_code(&hosts.rollback_to(RollbackTarget::Release(name("b"))), ExitCode::DONE);
        hosts.0[0].write(&at("releases/a/previousVersion"), "/srv/shop/releases/b\n");
    });
}

#[test]
fn what_is_gone_or_no_directory_is_refused() {
    refused("V13 gone", ErrorKind::PreviousGone, |hosts| hosts.0[0].rename(&at("releases/a"), "/srv/gone"));
    refused("V14 a file", ErrorKind::PreviousGone, |hosts| {
        hosts.0[0].rename(&at("releases/a"), "/srv/gone");
        hosts.0[0].write(&at("releases/a"), "no directory");
    });
    refused("V14 a link", ErrorKind::PreviousGone, |hosts| {
        hosts.0[0].rename(&at("releases/a"), "/srv/gone");
        hosts.0[0].link(&at("releases/a"), "/srv/gone");
    });
}

#[test]
fn every_reading_is_followed() {
    for content in ["/srv/shop/releases/a", "/srv/shop/releases/a\n", "releases/a\n", "a", "./a\n"] {
        let hosts = Hosts::new(1).deployed(&["a", "b"]);
        with_record(content.as_bytes())(&hosts);
        assert_code(&hosts.rollback(), ExitCode::DONE);
        hosts.all_on("a");
    }
}
