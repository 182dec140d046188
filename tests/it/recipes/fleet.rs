//! The PostgreSQL recipe on three hosts over a real sshd, of which the second has the data, with a controller
//! that is killed during a rollback.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::recipes::{
    cluster::Cluster,
    guide::{Recipe, recipe},
    shop::{Shop, said},
    sqlite::{self, ask},
    support::sshd::{Sshd, text},
};

const HOSTS: [&str; 3] = ["web1", "web2", "web3"];

/// The shop on three hosts. The sshd ends last.
struct Fleet {
    shop: Shop,
    sshd: Sshd,
}

impl Fleet {
    fn new(recipe: &Recipe, hooks: &str) -> Option<Self> {
        let sshd = Sshd::start("")?;
        let toml = recipe.toml.replacen("[data]\n", "[data]\nhost = \"web2\"\n", 1);
        let shop = Shop::new(&Recipe { toml, script: recipe.script }, hooks, Vec::new());
        let fleet = Self { shop, sshd };
        fleet.name_hosts();
        Some(fleet)
    }

    fn name_hosts(&self) {
        let (config, known) = (self.sshd.path("config file"), self.sshd.path("known hosts"));
        let toml = fs::read_to_string(self.shop.path("switchback.toml")).expect("a configuration");
        let ssh = format!("\n[ssh]\nconfig = {:?}\nknown_hosts_file = {:?}\n", text(&config), text(&known));
        let host = |name: &str| {
            let (address, root) = (self.sshd.address("root"), self.shop.path(name));
            format!("[[host]]\nname = {name:?}\naddress = \"{address}\"\nroot = {:?}\n", text(&root))
        };
        let hosts = HOSTS.map(host).concat();
        self.shop.write("switchback.toml", &[toml, ssh, hosts].concat());
    }

    fn database(&self) -> PathBuf {
        self.shop.path("web2/shared/app.db")
    }

    #[track_caller]
    fn is_on(&self, release: &str, what: &str) {
        for name in HOSTS {
            let link = fs::read_link(self.shop.path(name).join("current")).expect("a link");
            assert_eq!(link, PathBuf::from("releases").join(release), "{what}: {name}");
            assert!(!self.shop.path(name).join(".switchback/lock").exists(), "{what}: {name} is locked");
        }
    }
}

#[test]
fn postgresql_on_one_host_of_three() {
    let Some(cluster) = Cluster::start() else { return };
    let hooks = "[hooks]\nenv_file = \"secrets.env\"\n";
    let Some(fleet) = Fleet::new(&recipe("PostgreSQL"), hooks) else { return };
    fleet.shop.write("secrets.env", &cluster.secrets());
    fleet.shop.deploy(1);
    let before = cluster.dump();
    fleet.shop.deploy(2);
    fleet.is_on("r2", "deployed");
    fleet.shop.ends_with(0, "rollback");
    fleet.is_on("r1", "rolled back");
    assert_eq!(cluster.dump(), before);
    let report = fleet.shop.report(0, "drill app --name r3");
    assert_eq!(report["drill"]["passed"], true, "{report}");
    fleet.is_on("r3", "drilled");
    let effects = cluster.ask("select what from took_effect order by ctid");
    assert_eq!(effects.lines().collect::<Vec<_>>(), ["up 1", "up 2", "down 2", "up 2", "down 2", "up 2"]);
}

/// Kills the controller, once, at the point named in a file; in the middle of a script it then waits for a
/// signal.
const KILL: &str = r#"[ "$(cat "$CONTROL/point" 2>/dev/null)" = "$1" ] && rm "$CONTROL/point" 2>/dev/null || exit 0
until [ -s "$CONTROL/pid" ]; do sleep 0.02; done
kill -9 "$(cat "$CONTROL/pid")"
case $1 in middle*) ;; *) exit 0 ;; esac
for turn in $(seq 600); do [ ! -e "$CONTROL/go" ] || exit 0; sleep 0.1; done
"#;

/// The recipe, with points around its commands at which the controller can be killed.
fn with_points(when: &str) -> Recipe {
    let Recipe { toml, script } = recipe("SQLite");
    let toml = toml.replacen("[data]\n", &format!("[data]\nrevert_when = \"{when}\"\n"), 1);
    let version = r#"'n=$(sh db/migrate version) && sh kill "version $n" && echo "$n"'"#;
    let down = r#"sh db/migrate down "$SWITCHBACK_DATA_TARGET""#;
    let revert =
        format!(r#"'sh kill "begin $SWITCHBACK_DATA_TARGET"; {down} && sh kill "end $SWITCHBACK_DATA_TARGET"'"#);
    let wrapped = toml.replace("'sh db/migrate version'", version).replace(&format!("'{down}'"), &revert);
    assert!(wrapped.contains(version) && wrapped.contains(&revert), "{wrapped}");
    Recipe { toml: wrapped, script }
}

/// A fleet on `r3` whose controller can be killed.
struct Killing {
    fleet: Fleet,
}

impl Killing {
    fn new(when: &str) -> Option<Self> {
        let hooks = "[hooks]\nenv_file = \"control.env\"\n\
            after_switch = 'sh kill \"switched $SWITCHBACK_HOST\"; sh kill \"told $SWITCHBACK_HOST\"'\n";
        let fleet = Fleet::new(&with_points(when), hooks)?;
        let shop = &fleet.shop;
        let control = text(&shop.path("control")).to_owned();
        shop.write("control.env", &format!("CONTROL={control}\n"));
        shop.write("app/kill", KILL);
        shop.write("tmp/empty", "");
        for step in 1..=3 {
            let points = format!(".shell echo 'down {step}' >>\"$CONTROL/begun\"\n.shell sh kill 'middle {step}'");
            shop.bring(step, &points);
            shop.ends_with(0, &format!("deploy app --name r{step}"));
        }
        fleet.is_on("r3", "before");
        shell(shop, "mkdir kept && cp -a web1 web2 web3 kept/");
        Some(Self { fleet })
    }

    /// Restores the state after the deploy of `r3`.
    fn restore(&self) {
        shell(&self.fleet.shop, "rm -rf web1 web2 web3 control && mkdir control && cp -a kept/* .");
    }

    fn start(&self, line: &str) -> Child {
        let mut command = self.fleet.shop.command(line);
        // A killed controller leaves files there, which are removed with the directory.
        command.env("TMPDIR", self.fleet.shop.path("tmp")).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    }

    /// Rolls back over two releases with a controller that is killed at `point`.
    #[track_caller]
    fn killed_at(&self, point: &str) {
        self.restore();
        self.fleet.shop.write("control/point", point);
        let mut first = self.start("rollback --steps 2");
        self.fleet.shop.write("control/pid", &first.id().to_string());
        let ended = first.wait().expect("it ends");
        assert_eq!(
            ended.signal(),
            Some(9),
            "{point}: {ended} {}",
            said(&first.wait_with_output().expect("its output"))
        );
    }

    /// Checks that the next rollback finishes the killed one, and that nothing is reverted twice.
    #[track_caller]
    fn is_finished(&self, point: &str, next: Child) {
        let output = next.wait_with_output().expect("it ends");
        let database = self.fleet.database();
        assert!(output.status.success(), "{point}: {}", said(&output));
        self.fleet.is_on("r1", point);
        assert_eq!(ask(&database, "pragma user_version"), "1\n", "{point}");
        let effects = ask(&database, "select what from took_effect order by rowid");
        let expected = ["up 1", "up 2", "up 3", "down 3", "down 2"];
        assert_eq!(effects.lines().collect::<Vec<_>>(), expected, "{point}: {}", said(&output));
        let begun = fs::read_to_string(self.fleet.shop.path("control/begun")).expect("what was begun");
        assert_eq!(begun, "down 3\ndown 2\n", "{point}: {}", said(&output));
    }

    /// Returns the lock directories of present and past holders on the data's host.
    fn holders(&self) -> Vec<PathBuf> {
        let lock = self.fleet.shop.path("web2/.switchback/lock");
        fs::read_dir(lock).map(|all| all.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
    }
}

fn shell(shop: &Shop, script: &str) {
    let status = Command::new("sh").args(["-c", script]).current_dir(shop.dir.path()).status();
    assert!(status.expect("sh runs").success(), "{script}");
}

/// At the first read of the version nothing has begun yet, so that point needs the whole command again.
#[track_caller]
fn is_finished_from_each(when: &str, points: &[&str]) {
    if !sqlite::is_here() {
        return;
    }
    let Some(killing) = Killing::new(when) else { return };
    for point in points {
        killing.killed_at(point);
        let line = if *point == "version 3" { "rollback --steps 2" } else { "rollback" };
        killing.is_finished(point, killing.start(line));
    }
}

#[test]
fn a_controller_that_is_killed_anywhere_is_succeeded_by_the_next() {
    let asked_and_told = ["version 3", "switched web1", "told web3"];
    let reverted = ["begin 2", "end 2", "version 2", "begin 1", "end 1", "version 1"];
    is_finished_from_each("after-switch", &[&asked_and_told[..], &reverted[..]].concat());
}

#[test]
fn so_is_one_that_reverts_before_the_switch() {
    is_finished_from_each("before-switch", &["begin 2", "version 2", "end 1", "version 1", "switched web2"]);
}

#[test]
fn a_revert_that_still_runs_is_waited_for_and_not_run_twice() {
    if !sqlite::is_here() {
        return;
    }
    let Some(killing) = Killing::new("after-switch") else { return };
    for point in ["middle 3", "middle 2"] {
        killing.killed_at(point);
        let before = killing.holders();
        assert_eq!(before.len(), 1, "{point}: the killed one left its lock");
        let mut next = killing.start("rollback");
        let until = Instant::now() + Duration::from_secs(60);
        while killing.holders() == before || killing.holders().is_empty() {
            assert!(next.try_wait().expect("ours").is_none() && Instant::now() < until, "{point}: it took no lock");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(next.try_wait().expect("ours").is_none(), "{point}: it waits");
        killing.fleet.shop.write("control/go", "");
        killing.is_finished(point, next);
    }
}
