//! Commands on hosts, under every shell and set of utilities of this machine: the parts that only a real host
//! shows.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

use crate::support;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use support::{
    hooks::{Lines, call},
    local_shell::LocalShell,
    wait::soon,
};
use switchback::{
    DirStore, ExitCode, Fleet, Host, HostPath, Layout, Transport,
    commands::{Commands, DataCommands, DataPlace},
    event::Silent,
    fleet::{DeployOptions, RollbackOptions, RunOptions},
    release::NewRelease,
    testing::WholeReport as _,
    transport::{
        Effect, HookEnd, HookExit, LocalTransport, Stream, TransportError,
        raw::{HookCall, Secrets},
    },
    tree::Tree,
};
use tempfile::TempDir;

fn root(dir: &TempDir) -> HostPath {
    dir.path().to_str().unwrap().parse().unwrap()
}

async fn run(transport: &impl Transport, call: &HookCall) -> Result<(HookExit, Lines), TransportError> {
    let lines = Lines::default();
    Ok((transport.run(call, &lines).await?, lines))
}

/// Returns the processes whose working directory lies in `dir`: the runner, its readers and its watchdog, and
/// the command.
fn inside(dir: &Path) -> Vec<String> {
    let within = |pid: &fs::DirEntry| fs::read_link(pid.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    let name = |pid: fs::DirEntry| fs::read_to_string(pid.path().join("cmdline")).ok();
    fs::read_dir("/proc").unwrap().flatten().filter(within).filter_map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_behind() {
    for shell in LocalShell::some() {
        let (dir, transport) = (TempDir::new().unwrap(), shell.transport());
        let late =
            |record, script| HookCall { timeout: Some(Duration::from_secs(1)), ..call(&root(&dir), record, script) };
        let far = HookCall { timeout: Some(Duration::from_secs(9999)), ..call(&root(&dir), "far", "exit 2") };
        assert_eq!(run(&transport, &far).await.unwrap().0.end, HookEnd::Exited(2), "{shell}");
        // Also if its record is removed before anybody reads it again.
        let removed = HookCall { record: "removed".parse().unwrap(), ..far.clone() };
        assert_eq!(run(&transport, &removed).await.unwrap().0.end, HookEnd::Exited(2), "{shell}");
        fs::remove_dir_all(dir.path().join("removed")).unwrap();
        let stopped = run(&transport, &late("late", "sleep 9999 & sleep 9999 | cat")).await.unwrap().0;
        assert_eq!(stopped.end, HookEnd::TimedOut { survivors: Vec::new() }, "{shell}");
        soon(&format!("{shell} leaves {:?}", inside(dir.path())), || inside(dir.path()).is_empty()).await;
        let left = |record: &str| {
            let mut names: Vec<_> =
                fs::read_dir(dir.path().join(record)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(
            left("far"),
            ["begun", "child", "command", "ended", "err", "out", "result", "runner", "starter"],
            "{shell}"
        );
    }
}

/// Commands that rewrite files of the release that they run in, as migrations and builds do: their changes are
/// sealed, under every shell and locally, and changes by somebody else are not.
#[tokio::test(flavor = "multi_thread")]
async fn what_commands_change_in_a_release_is_sealed() {
    let mut transports: Vec<(String, Arc<dyn Transport>)> = LocalShell::some()
        .into_iter()
        .map(|shell| (shell.to_string(), shell.transport() as Arc<dyn Transport>))
        .collect();
    transports.push(("local".to_owned(), Arc::new(LocalTransport::new())));
    for (what, transport) in transports {
        let dir = TempDir::new().unwrap();
        let mut data =
            DataCommands::new(DataPlace::Host("web1".into()), "cat $SWITCHBACK_ROOT/v 2>/dev/null || echo 0", "");
        data.apply = "cat VERSION >$SWITCHBACK_ROOT/v; echo schema $(cat VERSION) >db/schema.rb; rm -r db/old".into();
        data.revert = Some("echo $SWITCHBACK_DATA_TARGET >$SWITCHBACK_ROOT/v; echo reverted >db/schema.rb".into());
        let mut commands = Commands::default();
        // Of the same size, too: only the time and the content differ.
        commands.after_switch =
            Some("echo stamped >>robots.txt; echo Y >same; mkdir -p cache; echo x >cache/new".into());
        commands.data = Some(data);
        let store = DirStore::new(transport, root(&dir), Layout::default());
        let fleet = Fleet::new(vec![Host::new("web1", store)]).unwrap().version_pause(Duration::ZERO);
        let run = RunOptions::new().by("jane@laptop").commands(commands);
        for text in ["1", "2"] {
            let files = [
                ("VERSION", text),
                ("db/schema.rb", "schema 0"),
                ("db/old/x", "x"),
                ("robots.txt", ""),
                ("same", "X\n"),
            ];
            let tree = Tree::from_memory(files.map(|(path, content)| (path, content.as_bytes()))).unwrap();
            let options = DeployOptions::default().run(run.clone());
            let release = Arc::new(NewRelease::new(format!("v{text}").parse().unwrap(), tree));
            let report = fleet.deploy(release, &options, Silent).report().await;
            assert_eq!(report.exit_code(), ExitCode::DONE, "{what}: {report:?}");
        }
        let options = RollbackOptions::default().run(run);
        let report = fleet.rollback(&options, Silent).report().await;
        assert_eq!(report.exit_code(), ExitCode::DONE, "{what}: {report:?}");
        for name in ["v1", "v2"] {
            let report = fleet.verify(Some(&name.parse().unwrap()), true, Silent).report().await;
            assert_eq!(report.exit_code(), ExitCode::DONE, "{what}: {name}: {report:?}");
            let release = dir.path().join("releases").join(name);
            let sums =
                fs::read_to_string(dir.path().join(".switchback/releases").join(name).join("sha256sums")).unwrap();
            assert!(!sums.contains("db/old") && !sums.contains("cache"), "{what}: {sums}");
            let check = std::process::Command::new("sha256sum")
                .args(["--quiet", "-c"])
                .arg(dir.path().join(".switchback/releases").join(name).join("sha256sums"))
                .current_dir(&release)
                .status();
            assert!(check.unwrap().success(), "{what}: {name}");
        }
        fs::write(dir.path().join("releases/v1/same"), "Z\n").unwrap();
        let report = fleet.verify(Some(&"v1".parse().unwrap()), true, Silent).report().await;
        assert_eq!(report.exit_code(), ExitCode::DIFFERS, "{what}: {report:?}");
    }
}

/// A clock that jumps by decades neither ends a command early nor lets it run on. The host uses no clock; this
/// process uses `Instant`, which nobody can set. FAULTS.md X10.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_changes_no_time_limit() {
    let tools = TempDir::new().unwrap();
    let date = tools.path().join("date");
    let script = format!(
        "#!/bin/sh\nif [ -e {0} ]; then rm {0}; echo 4102444800.000000000; else : >{0}; echo 1.000000000; fi\n",
        tools.path().join("late").display()
    );
    fs::write(&date, script).unwrap();
    fs::set_permissions(&date, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for shell in LocalShell::some() {
        let shell = shell.preferring(tools.path());
        let (dir, transport) = (TempDir::new().unwrap(), shell.transport());
        let within = |seconds, record, script| HookCall {
            timeout: Some(Duration::from_secs(seconds)),
            ..call(&root(&dir), record, script)
        };
        let far = run(&transport, &within(9999, "far", "date; sleep 2; date; exit 2")).await.unwrap();
        assert_eq!(far.0.end, HookEnd::Exited(2), "{shell}");
        let late = run(&transport, &within(1, "late", "sleep 9999")).await.unwrap();
        assert_eq!(late.0.end, HookEnd::TimedOut { survivors: Vec::new() }, "{shell}");
        transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_killed_is_lost() {
    for shell in LocalShell::some() {
        let (dir, transport) = (TempDir::new().unwrap(), shell.transport());
        let script = "echo begun; until [ -d stop ]; do sleep 1; done";
        let (call, lines) = (call(&root(&dir), "r", script), Lines::default());
        let kill = async {
            soon("it begins", || !lines.of(Stream::Stdout).is_empty()).await;
            let mark = fs::read_to_string(dir.path().join("r/runner")).unwrap();
            let pid = mark.split(' ').next().unwrap();
            assert!(std::process::Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
        };
        let (exit, ()) = tokio::join!(transport.run(&call, &lines), kill);
        let exit = exit.unwrap();
        assert_eq!((&exit.end, &exit.stdout[..]), (&HookEnd::Lost, &b"begun\n"[..]), "{shell}");
        assert_eq!(run(&transport, &call).await.unwrap().0.end, HookEnd::Lost, "{shell}");
        fs::create_dir(dir.path().join("stop")).unwrap();
        soon("what is left ends by itself", || inside(dir.path()).is_empty()).await;
    }
}

/// Returns the bit of a signal in a mask.
const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// Rust ignores `SIGPIPE` in its own programs, and not in those that they start.
const PIPE: u64 = bit(13);

/// A command does not see the settings that the batches need for themselves.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_finds_the_host_as_a_login_does() {
    for shell in LocalShell::some() {
        let shell = shell.env("LC_ALL", "C.UTF-8").env("IFS", "x");
        let (dir, transport) = (TempDir::new().unwrap(), shell.transport());
        let script = "echo $LC_ALL; while read -r name value; do case $name in SigIgn:) echo $value;; esac; done \
                      </proc/self/status; ulimit -f";
        let (_, lines) = run(&transport, &call(&root(&dir), "r", script)).await.unwrap();
        let lines = lines.of(Stream::Stdout);
        assert_eq!((&lines[0][..], &lines[2][..]), ("C.UTF-8", "unlimited"), "{shell}");
        // `SIGINT` and `SIGQUIT`, as for every background process, may be ignored; `SIGHUP` and `SIGPIPE` are not,
        // unless they are ignored in the tests themselves, as under `nohup`.
        let own = fs::read_to_string("/proc/self/status").unwrap();
        let own = own.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
        let mask = |digits: &str| u64::from_str_radix(digits.trim(), 16).unwrap();
        let ignored = mask(&lines[1]) & !(mask(own) & !PIPE);
        assert_eq!(ignored & (bit(1) | PIPE | bit(15) | bit(25)), 0, "{shell}: {ignored:x}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_lacks_something_runs_nothing() {
    let (dir, tools) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let found =
        |tool: &str| ["/bin", "/usr/bin"].iter().map(|dir| Path::new(dir).join(tool)).find(|path| path.exists());
    for tool in "cat mkdir mv od rm rmdir sh sleep stat sync".split(' ') {
        let program: PathBuf = found(tool).unwrap();
        std::os::unix::fs::symlink(program, tools.path().join(tool)).unwrap();
    }
    let shell =
        LocalShell::new("dash", "gnu").expect("every machine has it").env("PATH", tools.path().to_str().unwrap());
    let error = run(&shell.transport(), &call(&root(&dir), "r", "true")).await.err().unwrap();
    let TransportError::Unsuitable { lacks, .. } = &error else { panic!("{error:?}") };
    assert_eq!((&lacks[..], error.effect()), ("it lacks the commands mkfifo, setsid", Effect::Nothing));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Watches every program that is started, and its arguments.
#[tokio::test(flavor = "multi_thread")]
async fn no_argument_holds_a_secret() {
    if !Path::new("/usr/bin/strace").exists() {
        eprintln!("skipped: there is no strace");
        return;
    }
    for shell in LocalShell::some() {
        let dir = TempDir::new().unwrap();
        let log = dir.path().join("log");
        let strace =
            ["/usr/bin/strace", "-f", "-qq", "-e", "trace=execve", "-s", "300000", "-o", log.to_str().unwrap()];
        let name = shell.to_string();
        let shell = shell.wrapped(&strace);
        let call = HookCall {
            secrets: Secrets::new([("TOKEN", "hush-hush-hush")]),
            ..call(&root(&dir), "r", ": only-in-the-script; [ $TOKEN ]")
        };
        let (exit, _) = run(&shell.transport(), &call).await.unwrap();
        assert_eq!(exit.end, HookEnd::Exited(0), "{name}");
        let seen = fs::read_to_string(&log).unwrap();
        assert!(seen.contains("/r/command"), "{name}: {seen}");
        for hidden in ["hush-hush-hush", "only-in-the-script"] {
            assert!(!seen.contains(hidden), "{name}: {seen}");
        }
    }
}

/// A program other than a shell prints all of its input: no message may contain it.
#[tokio::test(flavor = "multi_thread")]
async fn no_message_holds_a_secret() {
    let dir = TempDir::new().unwrap();
    let shell = LocalShell::new("dash", "gnu").unwrap().wrapped(&["/bin/sh", "-c", "head -c 100000", "x"]);
    let secrets = Secrets::new((0..200).map(|number| (format!("TOKEN_{number}"), "hush-hush")));
    let call = HookCall { secrets, ..call(&root(&dir), "r", "true") };
    let error = run(&shell.transport(), &call).await.err().unwrap();
    assert!(!format!("{error:?} {error}").contains("hush"), "{error:?}");
    assert!(!format!("{call:?}").contains("hush"));
}

/// An interrupt typed at the terminal goes to the process group of the terminal.
#[tokio::test(flavor = "multi_thread")]
async fn the_local_shell_has_a_group_of_its_own() {
    let (dir, transport) = (TempDir::new().unwrap(), LocalTransport::new());
    let (call, lines) = (call(&root(&dir), "r", "echo begun; until [ -d stop ]; do sleep 1; done"), Lines::default());
    let look = async {
        soon("it begins", || !lines.of(Stream::Stdout).is_empty()).await;
        let own = group_of("self");
        let starter = fs::read_to_string(dir.path().join("r/starter")).unwrap();
        let group = group_of(starter.split(' ').next().unwrap());
        fs::create_dir(dir.path().join("stop")).unwrap();
        (own, group)
    };
    let (exit, (own, group)) = tokio::join!(transport.run(&call, &lines), look);
    assert_eq!(exit.unwrap().end, HookEnd::Exited(0));
    assert_ne!(own, group);
}

/// Returns the process group of a process.
fn group_of(pid: &str) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(2).unwrap().to_owned()
}
