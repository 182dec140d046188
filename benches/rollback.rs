//! The time of a rollback, compared with the unavoidable: the same bare system calls, or a bare `ssh host
//! true`.
//!
//! `cargo bench --bench rollback`; `SWITCHBACK_BENCH_STRICT=1` makes a broken bound a failure, and
//! `SWITCHBACK_BENCH_PAIRS` sets the number of pairs. Words on the command line select lines by their names.

mod support;

use std::{path::Path, time::Duration};

use support::{
    bare,
    pairs::{Pairs, Table, time},
    site::{NEW, OLD, Roots, Site},
};

/// Half a round trip between continents, or over a mobile network.
const FAR: Duration = Duration::from_millis(25);

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |what: &str| asked.is_empty() || asked.iter().any(|word| what.contains(word.as_str()));
    let mut table = Table::new();
    if wanted("local") {
        local(&mut table, "local: library / bare system calls");
    }
    // The counted overhead for one host: two turns that the rollback waits for, one that it does not (11 against 8), and
    // the 34 programs that run on the host (bounded by `tests/it/rollback_processes.rs`). On two idle cores the ratios of
    // the four lines are 1.21, 1.35, 1.47 and 1.48. They follow the number of programs, with 21 pairs each: when there
    // were 29, they were 1.14, 1.32, 1.24 and 1.35; with 43, 1.30, 1.37, 1.58 and 1.57. With other work on the cores they
    // are higher, since each program waits for a core: 1.39 for one host at a load of 11.
    let lines: [(&str, u8, Option<Duration>, f64); 4] = [
        ("one host: rollback / ssh true", 1, None, 1.3),
        ("one host, 50 ms: rollback / ssh true", 1, Some(FAR), 1.4),
        ("16 hosts: rollback / 16 ssh true at once", 16, None, 1.3),
        ("16 hosts, 50 ms: rollback / 16 ssh true at once", 16, Some(FAR), 1.4),
    ];
    if wanted("turns") {
        turns(&mut table);
    }
    for (what, hosts, delay, bound) in lines {
        if wanted(what) {
            over_ssh(&mut table, what, hosts, delay, bound);
        }
    }
    table.end();
}

/// Measures the library on this machine, on the filesystem of the temporary directory (`TMPDIR`).
fn local(table: &mut Table, what: &str) {
    let roots = Roots::new(1);
    let ours = || {
        roots.forward();
        let took = time(|| roots.back());
        roots.all_on(OLD);
        took
    };
    let root = roots.dir().join("bare");
    let bare = || {
        if root.exists() {
            std::fs::remove_dir_all(&root).expect("it is ours");
        }
        bare::make(&root, &[OLD, NEW]).expect("a root");
        let took = time(|| bare::rollback(&root, NEW, OLD).expect("system calls"));
        assert_eq!(std::fs::read_link(root.join("current")).expect("a link"), Path::new("releases").join(OLD));
        took
    };
    table.ratio(what, &Pairs::take(ours, bare), 2.0);
}

/// Counts the client's turns of a cold run. On a long wire, two turns never merge by chance.
fn turns(table: &mut Table) {
    let Some(site) = Site::new(1, Some(FAR)) else { return };
    let before = site.turns()[0];
    site.bare();
    let bare = site.turns()[0] - before;
    site.back();
    site.roots.all_on(OLD);
    let ours = site.turns()[0] - before - bare;
    let connections = site.proxies[0].connections();
    assert_eq!(connections, 2, "one connection each");
    table.count("one host: turns of a cold rollback", ours, 12, &format!("ssh true: {bare}"));
}

fn over_ssh(table: &mut Table, what: &str, hosts: u8, delay: Option<Duration>, bound: f64) {
    let Some(site) = Site::new(hosts, delay) else { return };
    let ours = || {
        site.roots.forward();
        let took = time(|| site.back());
        site.roots.all_on(OLD);
        took
    };
    let pairs = Pairs::take(ours, || time(|| site.bare()));
    table.ratio(what, &pairs, bound);
}
