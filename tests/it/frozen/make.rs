//! Writes the roots of a new generation, and what this version finds in them. Run once for each generation, by hand.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use switchback::{ExitCode, Fleet, Report, fleet::RollbackOptions, testing::Cut};

use super::{
    roots::Roots,
    text::{pack, unpack},
};

/// How the roots of a case come about.
struct Case {
    name: &'static str,
    about: &'static str,
    hosts: usize,
    data: bool,
    /// What happened before, undisturbed.
    before: fn(&Roots),
    /// The command that was killed.
    run: fn(&Roots, &Fleet) -> Report,
    /// Whether the command had come this far; it is killed at the first step where it had. `None`: no command runs.
    until: Option<fn(&Roots) -> bool>,
    /// What happened to the files afterwards.
    after: fn(&Roots),
}

const PLAIN: Case =
    Case { name: "", about: "", hosts: 1, data: false, before: a_and_b, run: deploy_c, until: None, after: |_| {} };

const CASES: &[Case] = &[
    Case {
        name: "idle",
        about: "Three deploys, a rollback from c to b, and a pin of a.",
        hosts: 2,
        before: |roots| {
            a_b_and_c(roots);
            done(&roots.rollback(|options| options));
            done(&roots.pin("a"));
        },
        ..PLAIN
    },
    Case {
        name: "idle_with_data",
        about: "Three deploys that changed data, and a rollback from c to b that kept the data of c.",
        data: true,
        before: |roots| {
            a_b_and_c(roots);
            done(&roots.rollback(keeping_data));
        },
        ..PLAIN
    },
    Case { name: "adopted", about: "A tree of Capistrano that was taken over.", before: adopted, ..PLAIN },
    Case {
        name: "skipped_host",
        about: "A deploy of c that skipped web3; web1 and web2 say that it misses c.",
        hosts: 3,
        before: |roots| {
            a_and_b(roots);
            done(&roots.deploy_on(&roots.fleet(&Cut::never(), Some(2)), "c"));
        },
        ..PLAIN
    },
    Case {
        name: "deploy_in_upload",
        about: "A deploy of c, killed when all files of c had arrived and before c had its name.",
        until: Some(|roots| {
            let uploads = roots.names(0, ".switchback/staging");
            let page = |token: &String| format!(".switchback/staging/{token}/.new/c/index.html");
            has(roots, "c") || uploads.iter().any(|token| roots.path(0, &page(token)).exists())
        }),
        ..PLAIN
    },
    Case {
        name: "deploy_in_prepare",
        about: "A deploy of c, killed when prepare had run and c was not sealed.",
        data: true,
        until: Some(|roots| !roots.text(0, "releases/c/built").is_empty()),
        ..PLAIN
    },
    Case {
        name: "deploy_locked",
        about: "A deploy of c, killed when it had the lock and no intent.",
        until: Some(|roots| in_lock(roots, 0, "process") || roots.current(0) == "c"),
        ..PLAIN
    },
    Case {
        name: "deploy_prepared",
        about: "A deploy of c, killed when c was sealed and nothing was done to the data.",
        data: true,
        until: Some(|roots| {
            let sealed = !roots.path(0, ".switchback/releases/c/unsealed").exists();
            sealed && !roots.text(0, "releases/c/built").is_empty()
        }),
        ..PLAIN
    },
    Case {
        name: "deploy_before_apply",
        about: "A deploy of c, killed when the ledger said that apply began and before it ran.",
        data: true,
        until: Some(|roots| in_ledger(roots, r#""release":"c""#)),
        ..PLAIN
    },
    Case {
        name: "deploy_after_apply",
        about: "A deploy of c, killed when apply had changed the data and before the switch.",
        data: true,
        until: Some(|roots| roots.text(0, "data") == "3\n"),
        ..PLAIN
    },
    Case {
        name: "deploy_switched_on_one",
        about: "A deploy of c with data, killed when one of two hosts had switched.",
        hosts: 2,
        data: true,
        until: Some(|roots| roots.current(0) == "c" || roots.current(1) == "c"),
        ..PLAIN
    },
    Case {
        name: "deploy_switched",
        about: "A deploy of c, killed right after the switch.",
        data: true,
        until: Some(|roots| roots.current(0) == "c"),
        ..PLAIN
    },
    Case {
        name: "deploy_after_switch",
        about: "A deploy of c, killed when after_switch had run and its end was not recorded.",
        data: true,
        until: Some(|roots| roots.text(0, "served") == "c\n"),
        ..PLAIN
    },
    Case {
        name: "deploy_in_apply",
        about: "A deploy of c, killed with its host while apply ran, which had changed the data.",
        data: true,
        until: Some(|roots| roots.text(0, "data") == "3\n"),
        after: |roots| without_end(roots, "003-apply"),
        ..PLAIN
    },
    Case {
        name: "deploy_in_after_switch",
        about: "A deploy of c, killed with its host while after_switch ran.",
        data: true,
        until: Some(|roots| roots.text(0, "served") == "c\n"),
        after: |roots| without_end(roots, "005-after_switch"),
        ..PLAIN
    },
    Case {
        name: "deploy_validated",
        about: "A deploy of c, killed when the validation had run and its end was not recorded.",
        data: true,
        until: Some(|roots| roots.text(0, "healthy") == "c\n"),
        ..PLAIN
    },
    Case {
        name: "deploy_before_unlock",
        about: "A deploy of c, killed when the history told of it and before it gave the lock back.",
        data: true,
        until: Some(|roots| roots.text(0, ".switchback/history").contains(r#""to":"c""#)),
        ..PLAIN
    },
    Case {
        name: "rollback_before_switch",
        about: "A rollback from c to b, killed when its intent was written.",
        data: true,
        before: a_b_and_c,
        run: roll_back,
        until: Some(|roots| in_lock(roots, 0, "intent") || roots.current(0) == "b"),
        ..PLAIN
    },
    Case {
        name: "rollback_switched_on_one",
        about: "A rollback from c to b, killed when one of two hosts had switched.",
        hosts: 2,
        before: a_b_and_c,
        run: roll_back,
        until: Some(|roots| roots.current(0) == "b" || roots.current(1) == "b"),
        ..PLAIN
    },
    Case {
        name: "rollback_before_revert",
        about: "A rollback from c to b, killed after the switch and before the revert.",
        data: true,
        before: a_b_and_c,
        run: roll_back,
        until: Some(|roots| roots.current(0) == "b"),
        ..PLAIN
    },
    Case {
        name: "rollback_reverted",
        about: "A rollback from c to b, killed when the revert had run and its end was not recorded.",
        data: true,
        before: a_b_and_c,
        run: roll_back,
        until: Some(|roots| roots.text(0, "data") == "2\n"),
        ..PLAIN
    },
    Case {
        name: "activate_before_switch",
        about: "An activation of c, killed when its intent was written.",
        before: a_b_and_staged_c,
        run: |roots, fleet| roots.activate_on(fleet, "c"),
        until: Some(|roots| in_lock(roots, 0, "intent") || roots.current(0) == "c"),
        ..PLAIN
    },
    Case {
        name: "activate_switched_on_one",
        about: "An activation of c, killed when one of two hosts had switched.",
        hosts: 2,
        before: a_b_and_staged_c,
        run: |roots, fleet| roots.activate_on(fleet, "c"),
        until: Some(|roots| roots.current(0) == "c" || roots.current(1) == "c"),
        ..PLAIN
    },
    Case {
        name: "locked_elsewhere",
        about: "A deploy of c right after the switch. Its process is on another host that mounts the same disk, so no\n\
                # one here can prove that it is dead.",
        until: Some(|roots| roots.current(0) == "c"),
        after: |roots| {
            for mark in marks(roots) {
                fs::write(mark, "4711 98765 6f1c1f4e-0b1d-4c36-9a57-2f3f8a1d7c20 12 web9.example\n").expect("ours");
            }
        },
        ..PLAIN
    },
    Case {
        name: "torn_previous_version",
        about: "An idle root on c, where previousVersion of c is gone.",
        before: a_b_and_c,
        after: |roots| fs::remove_file(roots.path(0, "releases/c/previousVersion")).expect("ours"),
        ..PLAIN
    },
    Case {
        name: "torn_history",
        about: "An idle root on c, where a crash tore the second of three lines of the history.",
        before: a_b_and_c,
        after: |roots| {
            let history = roots.text(0, ".switchback/history");
            let lines: Vec<&str> = history.lines().collect();
            let torn = format!("{}\n{}\n{}\n", lines[0], &lines[1][..60], lines[2]);
            fs::write(roots.path(0, ".switchback/history"), torn).expect("ours");
        },
        ..PLAIN
    },
    Case {
        name: "torn_data_record",
        about: "An idle root on c with data, where the data record of c is torn.",
        data: true,
        before: a_b_and_c,
        after: |roots| cut_in_half(&roots.path(0, ".switchback/releases/c/data")),
        ..PLAIN
    },
    Case {
        name: "torn_lock",
        about: "A deploy of c right after the switch. The power failed: owner and process are empty.",
        until: Some(|roots| roots.current(0) == "c"),
        after: |roots| {
            let token = &roots.names(0, ".switchback/lock")[0];
            for file in ["owner", "process"] {
                fs::write(roots.path(0, &format!(".switchback/lock/{token}/{file}")), "").expect("ours");
            }
        },
        ..PLAIN
    },
    Case {
        name: "torn_intent",
        about: "A deploy of c right after the switch, whose intent is torn.",
        until: Some(|roots| roots.current(0) == "c"),
        after: |roots| {
            let token = &roots.names(0, ".switchback/lock")[0];
            cut_in_half(&roots.path(0, &format!(".switchback/lock/{token}/intent")));
        },
        ..PLAIN
    },
];

fn done(report: &Report) {
    assert_eq!(report.exit_code(), ExitCode::DONE, "{:?}", report.error);
}

fn a_and_b(roots: &Roots) {
    done(&roots.deploy("a"));
    done(&roots.deploy("b"));
}

fn a_b_and_c(roots: &Roots) {
    a_and_b(roots);
    done(&roots.deploy("c"));
}

fn a_b_and_staged_c(roots: &Roots) {
    a_and_b(roots);
    done(&roots.stage("c"));
}

fn adopted(roots: &Roots) {
    for name in ["20260101120000", "20260102120000", "20260103120000"] {
        let release = roots.path(0, &format!("releases/{name}"));
        fs::create_dir_all(&release).expect("a directory");
        fs::write(release.join("REVISION"), "3b8a\n").expect("a file");
    }
    symlink(roots.path(0, "releases/20260103120000"), roots.path(0, "current")).expect("a link");
    let log = "Branch main (at 1) deployed as release 20260101120000 by jane\n\
               Branch main (at 2) deployed as release 20260102120000 by jane\n\
               Branch main (at 3) deployed as release 20260103120000 by jane\n";
    fs::write(roots.path(0, "revisions.log"), log).expect("a file");
    done(&roots.adopt());
}

fn deploy_c(roots: &Roots, fleet: &Fleet) -> Report {
    roots.deploy_on(fleet, "c")
}

fn roll_back(_: &Roots, fleet: &Fleet) -> Report {
    Roots::rollback_on(fleet, |options| options)
}

fn keeping_data(options: RollbackOptions) -> RollbackOptions {
    options.keep_data(true)
}

fn has(roots: &Roots, release: &str) -> bool {
    roots.path(0, &format!("releases/{release}")).exists()
}

fn in_lock(roots: &Roots, host: usize, file: &str) -> bool {
    let tokens = roots.names(host, ".switchback/lock");
    tokens.iter().any(|token| !roots.text(host, &format!(".switchback/lock/{token}/{file}")).is_empty())
}

fn in_ledger(roots: &Roots, text: &str) -> bool {
    roots.text(0, ".switchback/ledger").contains(text)
}

/// Returns every file that names a process.
fn marks(roots: &Roots) -> Vec<PathBuf> {
    let held = roots.names(0, ".switchback/lock").into_iter().map(|token| format!(".switchback/lock/{token}/process"));
    let live = roots.names(0, ".switchback/live").into_iter().map(|token| format!(".switchback/live/{token}"));
    held.chain(live).map(|mark| roots.path(0, &mark)).collect()
}

/// Takes back what a command left when it ended.
fn without_end(roots: &Roots, command: &str) {
    let lock = roots.path(0, &format!(".switchback/lock/{}", roots.names(0, ".switchback/lock")[0]));
    let entries = fs::read_dir(lock).expect("a lock").map(|entry| entry.expect("an entry").path());
    let command = entries.map(|entry| entry.join(command)).find(|path| path.exists()).expect("it ran");
    for file in ["result", "ended"] {
        fs::remove_file(command.join(file)).expect("ours");
    }
}

fn cut_in_half(path: &Path) {
    let content = fs::read(path).expect("a file");
    fs::write(path, &content[..content.len() / 2]).expect("ours");
}

/// Makes the roots of a case, as text.
fn made(case: &Case) -> String {
    let mut roots = Roots::new(case.hosts, case.data);
    (case.before)(&roots);
    if !case.name.starts_with("idle") {
        // What earlier commands printed would only be long.
        for host in 0..case.hosts {
            let _ = fs::remove_dir_all(roots.path(host, ".switchback/log"));
        }
    }
    if let Some(until) = case.until {
        roots = killed(case, until, &packed(&roots));
    }
    (case.after)(&roots);
    format!("# {}\n{}", case.about, packed(&roots))
}

fn packed(roots: &Roots) -> String {
    let mut text = String::new();
    for (place, host) in roots.hosts.iter().enumerate() {
        pack(&mut text, host, &roots.path(place, ""));
    }
    text
}

/// Kills the command of a case at the first step where it has come far enough.
fn killed(case: &Case, until: fn(&Roots) -> bool, before: &str) -> Roots {
    let after = |cut: &Cut| {
        let mut roots = Roots::empty();
        roots.hosts = unpack(before, roots.directory.path());
        let report = (case.run)(&roots, &roots.fleet(cut, None));
        (roots, report)
    };
    let whole = Cut::never();
    let (roots, report) = after(&whole);
    done(&report);
    assert!(until(&roots), "{}: it never comes so far", case.name);
    // `until` holds from some step on.
    let (mut low, mut high) = (0, whole.steps());
    while low < high {
        let middle = usize::midpoint(low, high);
        if until(&after(&Cut::after(middle)).0) { high = middle } else { low = middle + 1 }
    }
    let (roots, _) = after(&Cut::after(low));
    let left = ["lock", "staging"].iter().any(|place| !roots.names(0, &format!(".switchback/{place}")).is_empty());
    assert!(until(&roots) && left, "{}: it had ended", case.name);
    roots
}

/// Writes the cases that the directory `SWITCHBACK_FREEZE` does not have yet. Nothing is ever rewritten.
#[test]
#[ignore = "writes the roots of a new generation"]
fn freeze() {
    let generation = std::env::var("SWITCHBACK_FREEZE").expect("SWITCHBACK_FREEZE names the generation");
    let root = super::file(&generation, "idle", "root");
    fs::create_dir_all(root.parent().expect("a directory")).expect("a new generation");
    for case in CASES {
        if super::file(&generation, case.name, "root").exists() {
            continue;
        }
        let text = made(case);
        fs::write(super::file(&generation, case.name, "root"), &text).expect("a new file");
        fs::write(super::file(&generation, case.name, "expected"), super::transcript(&text, case.name))
            .expect("a new file");
    }
}
