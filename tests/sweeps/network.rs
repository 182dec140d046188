//! The connection to one of two hosts is cut, reset, frozen or delayed at each burst of data. FAULTS.md S02, S03, S04,
//! S13.
//!
//! Without an sshd the tests print that they are skipped, or fail with `SWITCHBACK_REQUIRE_SSHD=1`. The full sweep, 888
//! runs, takes 23 minutes on two busy cores: `cargo test --all-features --test sweeps -- --ignored network
//! --test-threads 1`.
#![cfg(all(feature = "ssh", feature = "cli"))]

use crate::support;

use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, Output},
    sync::Mutex,
    thread,
};

use support::{
    proxy::{Fault, Plan, Proxy, Way},
    site::{Case, DEPLOY, ROLLBACK, Site, said},
    sshd::{Sshd, text},
    truth::is_true,
};
use tempfile::TempDir;

/// Two hosts, one of them behind a bad network.
struct Fleet<'c> {
    case: &'c Case,
    site: Site,
    proxy: Proxy,
    _sshd: Sshd,
    _home: TempDir,
}

impl<'c> Fleet<'c> {
    /// Creates the fleet. The host `behind` is reached through the proxy; the first host is the arbiter.
    fn new(case: &'c Case, behind: usize) -> Option<Self> {
        let home = TempDir::new().expect("a home without start-up files");
        let sshd = Sshd::start(&format!("SetEnv HOME={}", text(home.path())))?;
        let proxy = Proxy::before(sshd.port());
        let known = sshd.path("known hosts");
        let keys = fs::read_to_string(&known).expect("known hosts");
        let through = keys.replace(&sshd.port().to_string(), &proxy.port().to_string());
        fs::write(&known, keys + &through).expect("known hosts");
        let mut site = Site::fleet(2, case);
        let (direct, disturbed) = (config(&sshd, &site, None), config(&sshd, &site, Some((behind, proxy.port()))));
        site.configure(&disturbed, &direct);
        Some(Self { case, site, proxy, _sshd: sshd, _home: home })
    }

    /// Runs with `plan`, checks the report and the hosts, and returns the exit code.
    fn disturbed(&self, plan: Plan, turn: usize, at: &str) -> i32 {
        self.site.restore();
        self.proxy.plan(Some(plan));
        let output = self.run();
        self.proxy.heal();
        assert_ne!(output.status.code(), Some(137), "{at}: it did not end: {}", said(&output));
        self.site.holds(self.case, at);
        let code = is_true(&self.site, self.case, &output, at);
        self.site.converges(self.case, turn, at);
        code
    }

    /// Runs the command, and kills it after a minute.
    fn run(&self) -> Output {
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "60", env!("CARGO_BIN_EXE_switchback"), "--json"]);
        command.args(self.site.words(self.case.arguments)).current_dir(self.site.directory());
        command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV").output().expect("timeout runs")
    }

    /// Counts the bursts of an undisturbed run, to the server and to the client.
    fn bursts(&self) -> [usize; 2] {
        self.site.restore();
        self.proxy.plan(None);
        let output = self.run();
        assert!(output.status.success(), "{}: {}", self.case.what, said(&output));
        self.proxy.heal()
    }
}

fn config(sshd: &Sshd, site: &Site, behind: Option<(usize, u16)>) -> String {
    let (config, known) = (sshd.path("config file"), sshd.path("known hosts"));
    let ssh = format!(
        "[ssh]\nconfig = {:?}\nknown_hosts_file = {:?}\nconnect_timeout = \"{limit}\"\nexchange_timeout = \"{limit}\"\n",
        text(&config),
        text(&known),
        limit = if behind.is_some() { "2s" } else { "20s" },
    );
    let host = |host: usize| {
        let port = behind.filter(|(at, _)| *at == host).map_or(sshd.port(), |(_, port)| port);
        let (name, root) = (format!("web{}", host + 1), site.root(host));
        format!("[[host]]\nname = \"{name}\"\naddress = \"root@127.0.0.1:{port}\"\nroot = {:?}\n", text(&root))
    };
    ssh + &site.hosts().map(host).collect::<String>()
}

/// The results of the trials of a sweep.
#[derive(Default)]
struct Tally {
    codes: BTreeMap<(String, i32), usize>,
    failed: Vec<String>,
}

/// Disturbs `case` at the bursts that `take` picks, in `lanes` fleets in parallel, since most of the time is waiting.
#[expect(clippy::print_stderr, reason = "how many points were tried is part of the result")]
fn sweep(case: &Case, behind: usize, lanes: usize, floor: usize, take: impl Fn(Plan) -> bool) {
    let Some(fleet) = Fleet::new(case, behind) else { return };
    let [to_server, to_client] = fleet.bursts();
    let ways = [(Way::ToServer, to_server), (Way::ToClient, to_client)];
    let bursts = ways.into_iter().flat_map(|(way, count)| (1..=count).map(move |burst| (way, burst)));
    let plans: Vec<Plan> = bursts
        .flat_map(|(way, burst)| Fault::ALL.map(|fault| Plan { way, burst, fault }))
        .filter(|plan| take(*plan))
        .collect();
    let (tally, next) = (Mutex::new(Tally::default()), Mutex::new(plans.iter().enumerate()));
    thread::scope(|scope| {
        for fleet in std::iter::once(Some(fleet)).chain((1..lanes).map(|_| Fleet::new(case, behind))).flatten() {
            let (next, tally) = (&next, &tally);
            scope.spawn(move || {
                loop {
                    let Some((trial, plan)) = next.lock().expect("whole").next() else { return };
                    let at = format!("{}, {plan:?} before host {behind}", case.what);
                    let tried = catch_unwind(AssertUnwindSafe(|| fleet.disturbed(*plan, trial, &at)));
                    let mut tally = tally.lock().expect("whole");
                    match tried {
                        Ok(code) => *tally.codes.entry((format!("{:?}", plan.fault), code)).or_default() += 1,
                        Err(_) => tally.failed.push(at),
                    }
                }
            });
        }
    });
    let Tally { codes, failed } = tally.into_inner().expect("whole");
    eprintln!("{}, host {behind} disturbed {} times, exit codes and how often: {codes:?}", case.what, plans.len());
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), plans.len(), failed.join("\n"));
    assert!(plans.len() >= floor, "only {} trials", plans.len());
}

/// Picks a few of each kind; freezing takes longest.
fn some(plan: Plan) -> bool {
    let turn = plan.burst % 18;
    match (plan.fault, plan.way) {
        (Fault::Cut, _) => turn == 17,
        (Fault::Reset, Way::ToServer) => turn == 14,
        (Fault::CutForGood, Way::ToClient) => turn == 16,
        (Fault::Freeze, Way::ToClient) => plan.burst == 15,
        (Fault::FreezeForGood | Fault::Delay, Way::ToServer) => plan.burst == 13,
        _ => false,
    }
}

#[test]
fn deploy() {
    sweep(&DEPLOY, 1, 3, 5, some);
}

#[test]
fn rollback() {
    // A rollback has fewer bursts than a deploy.
    sweep(&ROLLBACK, 0, 3, 3, |plan| some(Plan { burst: plan.burst + 4, ..plan }));
}

#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored network"]
fn deploy_everywhere() {
    for behind in 0..2 {
        sweep(&DEPLOY, behind, 4, 100, |_| true);
    }
}

#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored network"]
fn rollback_everywhere() {
    for behind in 0..2 {
        sweep(&ROLLBACK, behind, 4, 60, |_| true);
    }
}

/// A link so slow that an upload takes longer than the timeout for an answer. The run reports progress, and does not
/// treat the host as unreachable. FAULTS.md S13.
#[test]
fn a_slow_link_is_no_dead_one() {
    let Some(fleet) = Fleet::new(&DEPLOY, 1) else { return };
    fleet.site.restore();
    // Random, so that compression does not shorten the upload.
    let mut random = fs::File::open("/dev/urandom").expect("there is one");
    let mut content = vec![0; 320_000];
    std::io::Read::read_exact(&mut random, &mut content).expect("it never ends");
    fs::write(fleet.site.directory().join("new/large"), content).expect("ours");
    // At least eight seconds, with a timeout of five.
    fleet.proxy.slow_down(40_000);
    let file = fleet.site.directory().join("disturbed.toml");
    let config = fs::read_to_string(&file).expect("a configuration");
    fs::write(&file, config.replace("exchange_timeout = \"2s\"", "exchange_timeout = \"5s\"")).expect("ours");
    let output = fleet.run();
    assert!(output.status.success(), "{}", said(&output));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let progress = |line: &&str| line.contains("\"progress\"") && line.contains("\"web2\"");
    assert!(told.lines().filter(progress).count() > 1, "{told}");
    fleet.site.holds(&DEPLOY, "over a slow link");
}
