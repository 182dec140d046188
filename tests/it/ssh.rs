//! The SSH transport on a private sshd on loopback.
#![cfg(feature = "ssh")]
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and tells what it measures")]

use crate::support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use support::{
    sshd::{Sshd, User, descendants, text},
    wait::soon,
};
use switchback::{
    HostPath, InnerPath, Transport,
    transport::{
        Effect, SshOptions, SshTransport, TransportError,
        raw::{Batch, Op, Reply, Upload},
        ssh::{SshFailure, SshFailureKind},
    },
    tree::Tree,
};
use tempfile::TempDir;

fn inner(path: &str) -> InnerPath {
    path.parse().expect("an inner path")
}

fn root(dir: &Path) -> HostPath {
    text(dir).parse().expect("a path")
}

fn identify(dir: &Path) -> Batch {
    let mut batch = Batch::new(root(dir));
    batch.push(Op::Identify);
    batch
}

async fn answers(transport: &SshTransport, dir: &Path) -> String {
    match &transport.execute(&identify(dir)).await.unwrap_or_else(|error| panic!("{error:?}"))[..] {
        [Reply::Identity(who)] => who.user.clone(),
        other => panic!("{other:?}"),
    }
}

/// Returns the reason in words.
fn reason(error: &TransportError) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}

fn ssh_failure(error: &TransportError) -> SshFailureKind {
    assert_eq!(error.effect(), Effect::Nothing, "{error:?}");
    let TransportError::Unreachable { source, .. } = error else { panic!("{error:?}") };
    source.downcast_ref::<SshFailure>().unwrap_or_else(|| panic!("{error:?}")).kind()
}

/// Returns the error of an exchange with a silent host, which must not wait for ever.
async fn not_for_ever(transport: &SshTransport, dir: &Path) -> TransportError {
    let left = tokio::time::timeout(Duration::from_secs(60), async { transport.execute(&identify(dir)).await }).await;
    left.expect("it is not waited for").unwrap_err()
}

/// Counts the `ssh` processes that are connected to this sshd.
fn masters(sshd: &Sshd) -> usize {
    let port = format!("\0-p\0{}\0", sshd.port());
    let command = |pid: &fs::DirEntry| {
        String::from_utf8_lossy(&fs::read(pid.path().join("cmdline")).unwrap_or_default()).into_owned()
    };
    let connected =
        |line: &str| line.starts_with("ssh") && (line.contains(&port) || line.contains(&port.replace('\0', " ")));
    fs::read_dir("/proc").unwrap().flatten().filter(|pid| connected(&command(pid))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_an_upload_and_the_end() {
    let Some(sshd) = Sshd::start("") else { return };
    let dir = TempDir::new().unwrap();
    let transport = sshd.transport("root");
    assert_eq!(answers(&transport, dir.path()).await, "root");
    let started = Instant::now();
    for _ in 0..20 {
        transport.execute(&Batch::new(root(dir.path()))).await.unwrap();
    }
    eprintln!("one empty exchange: {:?}", started.elapsed() / 20);
    fs::create_dir(dir.path().join("into")).unwrap();
    let upload = Upload {
        root: root(dir.path()),
        into: inner("into"),
        tree: Arc::new(Tree::from_memory([("a/b/c", &b"hello"[..]), ("-x", b"")]).unwrap()),
        lists: Vec::new(),
        unlisted: Vec::new(),
        base: None,
    };
    let uploaded = transport.upload(&upload, &|_, _| ()).await.unwrap();
    assert_eq!((uploaded.files, uploaded.bytes), (2, 5));
    assert_eq!(fs::read_to_string(dir.path().join("into/a/b/c")).unwrap(), "hello");
    let sessions = || descendants(sshd.pid()).len();
    assert!(sessions() > 0);
    eprintln!("masters: {}", masters(&sshd));
    transport.close().await;
    soon("the session ends with close", || sessions() == 0).await;
    soon("the master ends with close", || masters(&sshd) == 0).await;
    assert_eq!(answers(&transport, dir.path()).await, "root", "a call after close connects anew");
    transport.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_login_shell_will_do() {
    let Some(sshd) = Sshd::start("") else { return };
    for shell in ["/bin/bash", "/bin/dash", "/bin/mksh", "/bin/zsh", "/bin/tcsh", "/usr/bin/fish", "/bin/rbash"] {
        let Some(user) = User::new(shell) else { continue };
        let transport = sshd.transport(user.name());
        let place = user.home().join("it's");
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).unwrap();
        let mut batch = Batch::new(root(&place));
        let content = "$HOME `id` \\ ' \" ! \n\t%s é";
        batch.push(Op::Identify);
        batch.push(Op::MakeDir { path: inner("into"), mode: 0o700, existing_is_fine: false });
        batch.push(Op::WriteNew { path: inner("f"), content: content.into(), mode: 0o600 });
        batch.push(Op::Read { path: inner("f"), limit: 99 });
        let replies = transport.execute(&batch).await.unwrap_or_else(|error| panic!("{shell}: {error:?}"));
        assert!(matches!(&replies[0], Reply::Identity(who) if who.user == user.name()), "{shell}: {replies:?}");
        assert_eq!(fs::read_to_string(place.join("f")).unwrap(), content, "{shell}");
        let tree = Arc::new(Tree::from_memory([("a", &b"hello"[..])]).unwrap());
        let upload = Upload {
            root: root(&place),
            into: inner("into"),
            tree,
            lists: Vec::new(),
            unlisted: Vec::new(),
            base: None,
        };
        transport.upload(&upload, &|_, _| ()).await.unwrap_or_else(|error| panic!("{shell}: {error:?}"));
        assert_eq!(fs::read_to_string(place.join("into/a")).unwrap(), "hello", "{shell}");
        transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn start_up_files_may_print_and_set_what_they_like() {
    let Some(sshd) = Sshd::start("") else { return };
    let Some(user) = User::new("/bin/bash") else { return };
    let dir = TempDir::new().unwrap();
    for rc in [
        "echo Welcome; echo SB1 0 hello; printf '\\033[31m' >&2; printf 'no newline'",
        "set -C; set -u; umask 777; export IFS=x CDPATH=/ GREP_OPTIONS=-v TAR_OPTIONS=-v LANG=tr_TR.UTF-8",
        "mv() { echo stolen; }; rm() { false; }; export -f mv rm; alias stat=false; export SHELLOPTS BASHOPTS",
        "head -c 300000000 /dev/zero",
        "yes 'ab cd' | head -c 50000000; yes | head -c 50000000 >&2",
    ] {
        fs::write(user.home().join(".bashrc"), rc).unwrap();
        let transport = sshd.transport(user.name());
        assert_eq!(answers(&transport, dir.path()).await, user.name(), "{rc}");
        transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_give_no_shell_are_told_of() {
    let Some(sshd) = Sshd::start("") else { return };
    let dir = TempDir::new().unwrap();
    let mut batch = Batch::new(root(dir.path()));
    batch.push(Op::MakeDir { path: inner("x"), mode: 0o755, existing_is_fine: true });
    let unsuitable = |error: TransportError| match error {
        TransportError::Unsuitable { lacks, .. } => lacks,
        other => panic!("{other:?}"),
    };
    for shell in ["/usr/sbin/nologin", "/bin/false", "/usr/bin/git-shell"] {
        let Some(user) = User::new(shell) else { continue };
        let lacks = unsuitable(sshd.transport(user.name()).execute(&batch).await.unwrap_err());
        assert!(lacks.contains("no POSIX shell"), "{lacks}");
    }
    let Some(user) = User::new("/bin/bash") else { return };
    for rc in ["echo 'go \x1b[31maway'; exit 0", "cat >/dev/null", "exec >/dev/null", "exec >&-", "PATH=/nowhere"] {
        fs::write(user.home().join(".bashrc"), rc).unwrap();
        let mut options = sshd.options();
        // `cat` reads everything that was sent, and waits for more.
        let waits = rc.starts_with("cat");
        if waits {
            options.exchange_timeout = Duration::from_secs(3);
        }
        let transport = SshTransport::over_ssh(sshd.address(user.name()), options);
        let result = transport.execute(&batch).await;
        if waits {
            assert_eq!(result.unwrap_err().effect(), Effect::Unknown);
            continue;
        }
        let lacks = unsuitable(result.unwrap_err());
        assert!(!lacks.contains('\x1b'), "{rc}: {lacks}");
        eprintln!("{rc:?}: {lacks}");
    }
    assert!(!dir.path().join("x").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_hosts_must_be_known() {
    let Some(sshd) = Sshd::start("") else { return };
    let dir = TempDir::new().unwrap();
    let connect = async |options: SshOptions| {
        SshTransport::over_ssh(sshd.address("root"), options).execute(&identify(dir.path())).await
    };
    let mut options = sshd.options();
    let empty = sshd.path("nobody is known");
    options.known_hosts_file = Some(text(&empty).into());
    let error = connect(options.clone()).await.unwrap_err();
    assert_eq!(ssh_failure(&error), SshFailureKind::UnknownHostKey, "{error:?}");
    assert_eq!(reason(&error), format!("unknown host key: no ED25519 key of [127.0.0.1]:{}", sshd.port()));
    assert!(!empty.exists(), "nothing is written");
    let TransportError::Unreachable { source, .. } = &error else { panic!("{error:?}") };
    let advice = source.downcast_ref::<SshFailure>().expect("it is about ssh").advice().join("; ");
    let port = sshd.port();
    assert!(
        advice.contains("UserKnownHostsFile=") && advice.contains(&format!("-p {port} root@127.0.0.1`")),
        "{advice}"
    );
    options.known_hosts = switchback::transport::KnownHosts::AcceptNew;
    connect(options.clone()).await.unwrap();
    assert!(fs::read_to_string(&empty).unwrap().contains("ssh-ed25519"));
    let other = fs::read_to_string(sshd.path("other.pub")).unwrap();
    fs::write(&empty, format!("[127.0.0.1]:{} {other}", sshd.port())).unwrap();
    let error = connect(options).await.unwrap_err();
    assert_eq!(ssh_failure(&error), SshFailureKind::ChangedHostKey);
    assert_eq!(reason(&error), format!("host key changed: offending ED25519 key in {}:1", text(&empty)));
    let hints = switchback::store::StoreError::from(error).hints();
    let forget = format!("`ssh-keygen -f '{}' -R '[127.0.0.1]:{}'` forgets the old key", text(&empty), sshd.port());
    assert!(
        hints.iter().any(|hint| matches!(hint, switchback::Hint::Advice(text) if text.contains(&forget))),
        "{hints:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_cannot_be_reached_are_told_apart() {
    let Some(sshd) = Sshd::start("") else { return };
    let dir = TempDir::new().unwrap();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let transport = SshTransport::over_ssh(format!("127.0.0.1:{closed}").parse().unwrap(), sshd.options());
    let error = transport.execute(&identify(dir.path())).await.unwrap_err();
    assert_eq!(ssh_failure(&error), SshFailureKind::Refused);
    let mut options = sshd.options();
    options.config = Some("/dev/null".into());
    options.identity = Some(text(&sshd.path("other")).into());
    let error = SshTransport::over_ssh(sshd.address("root"), options).execute(&identify(dir.path())).await.unwrap_err();
    assert_eq!(ssh_failure(&error), SshFailureKind::Denied, "{error:?}");
    assert!(reason(&error).starts_with("permission denied (publickey"), "{error:?}");
    // It accepts connections, and stays silent.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = sshd.options();
    options.connect_timeout = Duration::from_secs(1);
    let address = format!("127.0.0.1:{}", silent.local_addr().unwrap().port()).parse().unwrap();
    let error = not_for_ever(&SshTransport::over_ssh(address, options), dir.path()).await;
    assert_eq!(ssh_failure(&error), SshFailureKind::Late, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_is_unknown() {
    let Some(sshd) = Sshd::start("") else { return };
    let dir = TempDir::new().unwrap();
    let mut options = sshd.options();
    options.exchange_timeout = Duration::from_secs(8);
    let transport = SshTransport::over_ssh(sshd.address("root"), options);
    answers(&transport, dir.path()).await;
    let stopped = descendants(sshd.pid());
    signal("STOP", &stopped);
    let error = not_for_ever(&transport, dir.path()).await;
    assert_eq!(error.effect(), Effect::Unknown, "{error:?}");
    signal("CONT", &stopped);
    assert_eq!(answers(&transport, dir.path()).await, "root", "the next call opens a new channel");
    // Killed in the middle of a batch.
    let fifo = dir.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let killing = async {
        soon("the batch has begun", || dir.path().join("begun").exists()).await;
        signal("KILL", &descendants(sshd.pid()));
    };
    let mut batch = Batch::new(root(dir.path()));
    batch.push(Op::MakeDir { path: inner("begun"), mode: 0o755, existing_is_fine: false });
    for step in 0..3000 {
        batch.push(Op::MakeDir { path: inner(&format!("begun/{step}")), mode: 0o755, existing_is_fine: false });
    }
    let (result, ()) = tokio::join!(transport.execute(&batch), killing);
    assert_eq!(result.unwrap_err().effect(), Effect::Unknown);
    assert_eq!(answers(&transport, dir.path()).await, "root");
    transport.close().await;
}

/// The `ssh` that holds the connection dies during a run. The call of that moment is unknown or was never sent,
/// and the next one connects anew. FAULTS.md S11.
#[tokio::test(flavor = "multi_thread")]
async fn the_connection_of_a_run_may_die() {
    let Some(sshd) = Sshd::start("") else { return };
    let dir = TempDir::new().unwrap();
    let transport = sshd.transport("root");
    assert_eq!(answers(&transport, dir.path()).await, "root");
    // Nobody else connects to this port.
    let port = format!("-p {} ", sshd.port());
    let holds = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.starts_with("ssh ") && line.contains(&port)
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    let ours: Vec<u32> = all.filter_map(|pid| pid.file_name().to_str()?.parse().ok()).filter(holds).collect();
    assert!(!ours.is_empty(), "it is held by a process of ours");
    signal("KILL", &ours);
    let next = transport.execute(&identify(dir.path())).await;
    assert!(next.is_ok() || next.is_err_and(|error| error.effect() != Effect::Steps(0)), "nobody says it failed there");
    assert_eq!(answers(&transport, dir.path()).await, "root");
    transport.close().await;
}

fn signal(name: &str, pids: &[u32]) {
    for pid in pids {
        let _ = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_hosts_at_once_and_none_is_lost() {
    let Some(sshd) = Sshd::start("MaxSessions 1") else { return };
    let dir = TempDir::new().unwrap();
    let mut running = Vec::new();
    for _ in 0..12 {
        let (transport, batch) = (sshd.transport("root"), identify(dir.path()));
        running.push(tokio::spawn(async move {
            transport.execute(&batch).await.unwrap();
            transport.close().await;
        }));
    }
    for host in running {
        host.await.unwrap();
    }
    let transport = sshd.transport("root");
    answers(&transport, dir.path()).await;
    fs::create_dir(dir.path().join("into")).unwrap();
    let upload = one_file(dir.path());
    transport.upload(&upload, &|_, _| ()).await.expect("MaxSessions 1 takes a second connection");
    answers(&transport, dir.path()).await;
    transport.close().await;
}

/// An upload uses a channel in addition to that of the batches, and a second connection if the server limits sessions.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_arrives_however_many_sessions_there_may_be() {
    for setting in ["", "MaxSessions 1"] {
        let Some(sshd) = Sshd::start(setting) else { return };
        let (dir, transport) = (TempDir::new().unwrap(), sshd.transport("root"));
        fs::create_dir(dir.path().join("into")).unwrap();
        answers(&transport, dir.path()).await;
        let content = |n: usize| (0..200_000).map(|at| (at * (at + n) % 251).to_le_bytes()[0]).collect::<Vec<_>>();
        let files: Vec<_> = (0..60).map(|n| (format!("d{}/{n}", n % 3), content(n))).collect();
        let tree = Tree::from_memory(files.iter().map(|(path, content)| (&path[..], &content[..]))).unwrap();
        let upload = Upload { tree: Arc::new(tree), ..one_file(dir.path()) };
        let uploaded =
            transport.upload(&upload, &|_, _| ()).await.unwrap_or_else(|error| panic!("{setting}: {error:?}"));
        assert_eq!(uploaded.files, 60, "{setting}");
        for (path, content) in &files {
            assert!(
                fs::read(dir.path().join("into").join(path)).is_ok_and(|found| found == *content),
                "{setting}: {path}"
            );
        }
        answers(&transport, dir.path()).await;
        transport.close().await;
    }
}

/// An upload of one file to `into` in the root `dir`.
fn one_file(dir: &Path) -> Upload {
    Upload {
        root: root(dir),
        into: inner("into"),
        tree: Arc::new(Tree::from_memory([("a", &b"x"[..])]).unwrap()),
        lists: Vec::new(),
        unlisted: Vec::new(),
        base: None,
    }
}

/// The first channel is that of the `ssh` that connects; the second needs its socket, which appears a moment
/// later.
#[tokio::test(flavor = "multi_thread")]
async fn channels_may_be_opened_at_the_same_time() {
    let Some(sshd) = Sshd::start("") else { return };
    for _ in 0..10 {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("into")).unwrap();
        let transport = sshd.transport("root");
        let upload = one_file(dir.path());
        let (uploaded, user) = tokio::join!(transport.upload(&upload, &|_, _| ()), answers(&transport, dir.path()));
        assert_eq!((uploaded.expect("an upload").files, user.as_str()), (1, "root"));
        transport.close().await;
    }
    let log = fs::read_to_string(sshd.path("log")).unwrap();
    assert_eq!(log.matches("Accepted publickey").count(), 10, "one connection each: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn jump_hosts_are_gone_through() {
    let Some(sshd) = Sshd::start("") else { return };
    let dir = TempDir::new().unwrap();
    let mut options = sshd.options();
    options.jump = vec![sshd.address("root")];
    let target = format!("root@localhost:{}", sshd.port()).parse().unwrap();
    let transport = SshTransport::over_ssh(target, options);
    assert_eq!(answers(&transport, dir.path()).await, "root");
    transport.close().await;
    let log = fs::read_to_string(sshd.path("log")).unwrap();
    assert_eq!(log.matches("Accepted publickey").count(), 2, "{log}");
    soon("nothing is left", || masters(&sshd) == 0).await;
}
