//! Commands over a private sshd on loopback whose connection breaks before they end.
#![cfg(feature = "ssh")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::{
    fs,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use support::{
    hooks::{Lines, call},
    proxy::{Fault, Plan, Proxy, Way},
    sshd::{Sshd, User, text},
};
use switchback::{
    Address, HostPath, Transport,
    transport::{
        Effect, HookEnd, HookExit, SshTransport, Stream, TransportError,
        raw::{HookCall, Secrets},
    },
};
use tempfile::TempDir;

/// An sshd behind a bad network, and a directory.
struct Behind {
    sshd: Sshd,
    proxy: Proxy,
    dir: TempDir,
}

impl Behind {
    fn new() -> Option<Self> {
        let sshd = Sshd::start("")?;
        let proxy = Proxy::before(sshd.port());
        let known = sshd.path("known hosts");
        let keys = fs::read_to_string(&known).unwrap();
        let through = keys.replace(&sshd.port().to_string(), &proxy.port().to_string());
        fs::write(&known, keys + &through).unwrap();
        Some(Self { sshd, proxy, dir: TempDir::new().unwrap() })
    }

    fn through_the_proxy(&self) -> SshTransport {
        let address: Address = format!("root@127.0.0.1:{}", self.proxy.port()).parse().unwrap();
        SshTransport::over_ssh(address, self.sshd.options())
    }

    /// Runs `call` until its first line arrives, then calls `harm` and returns the answer.
    async fn harmed(&self, call: &HookCall, harm: impl Fn()) -> Result<HookExit, TransportError> {
        let (transport, lines) = (self.through_the_proxy(), Lines::default());
        let harming = async {
            soon("the first line", || !lines.of(Stream::Stdout).is_empty()).await;
            harm();
        };
        let (answer, ()) = tokio::join!(transport.run(call, &lines), harming);
        transport.close().await;
        answer
    }

    /// Lets the command of `call` print a lot without a reader, and then reads its end.
    async fn finds_the_end(&self, call: &HookCall) {
        let at = |name: &str| self.dir.path().join(name);
        fs::create_dir(at("cut")).unwrap();
        soon("it prints to the end with nobody there", || at("printed").exists()).await;
        fs::create_dir(at("go")).unwrap();
        let (transport, lines) = (self.sshd.transport("root"), Lines::default());
        let again = HookCall { script: "exit 1".into(), ..call.clone() };
        let exit = transport.run(&again, &lines).await.unwrap();
        transport.close().await;
        assert_eq!(exit.end, HookEnd::Exited(7), "{exit:?}");
        let told = lines.of(Stream::Stdout);
        assert_eq!((told.len(), &told[0][..], &told[20_000][..]), (20_001, "begun", "20000"));
        assert_eq!(lines.of(Stream::Stderr), ["warned"]);
    }
}

const LONG: &str = "mkdir once || exit 99; echo begun; until [ -d cut ]; do sleep 1; done; seq 20000; echo warned >&2; \
    mkdir printed; until [ -d go ]; do sleep 1; done; exit 7";

async fn soon(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn root(dir: &Path) -> HostPath {
    text(dir).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_stops_nothing() {
    let Some(behind) = Behind::new() else { return };
    let call = call(&root(behind.dir.path()), "r", LONG);
    let cut = || {
        behind.proxy.heal();
    };
    let error = behind.harmed(&call, cut).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Unknown, "{error:?}");
    behind.finds_the_end(&call).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_freezes_is_noticed() {
    let Some(behind) = Behind::new() else { return };
    let call = call(&root(behind.dir.path()), "r", LONG);
    let freeze = || behind.proxy.plan(Some(Plan { way: Way::ToClient, burst: 1, fault: Fault::Freeze }));
    let error = behind.harmed(&call, freeze).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Unknown, "{error:?}");
    behind.finds_the_end(&call).await;
}

/// The process list contains neither secrets nor the script, with any login shell.
#[tokio::test(flavor = "multi_thread")]
async fn the_process_list_shows_no_secret() {
    let Some(sshd) = Sshd::start("") else { return };
    for shell in ["/bin/bash", "/bin/mksh", "/bin/tcsh"] {
        let Some(user) = User::new(shell) else { continue };
        let (transport, seen) = (sshd.transport(user.name()), Mutex::new(Vec::new()));
        let call = HookCall {
            secrets: Secrets::new([("TOKEN", "hush-hush-hush")]),
            environment: vec![("PLAIN", "plain-plain-plain")].into_iter().map(|(n, v)| (n.into(), v.into())).collect(),
            ..call(&root(user.home()), "r", ": only-in-the-script; [ $TOKEN$PLAIN ] && sleep 1; [ $TOKEN ]")
        };
        let run = transport.run(&call, &|_: Stream, _: &[u8]| {});
        let look = async {
            loop {
                seen.lock().unwrap().extend(command_lines());
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let exit = tokio::select! { exit = run => exit.unwrap(), () = look => unreachable!("it never ends") };
        transport.close().await;
        assert_eq!(exit.end, HookEnd::Exited(0), "{shell}: {exit:?}");
        let seen = seen.into_inner().unwrap();
        assert!(seen.iter().any(|line| line.contains("/r/command")), "{shell}: it was seen to run");
        for hidden in ["hush-hush-hush", "plain-plain-plain", "only-in-the-script"] {
            let shown = seen.iter().find(|line| line.contains(hidden));
            assert_eq!(shown, None, "{shell}");
        }
    }
}

fn command_lines() -> Vec<String> {
    let read = |pid: fs::DirEntry| fs::read(pid.path().join("cmdline")).ok();
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(read);
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
}
