//! A host that answers with anything. The other hosts follow their own records and run only their own commands.
//! FAULTS.md T06.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use switchback::{
    BoxFuture, DirStore, ExitCode, Fleet, Host, HostPath, Layout, Report, Transport,
    commands::Commands,
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, Direction, RecoverOptions, RollbackOptions, RollbackTarget, RunOptions},
    testing::WholeReport as _,
    transport::{
        EntryKind, FailureKind, HookEnd, HookExit, LineSink, Liveness, MemoryHost, MemoryTransport, Progress,
        StepFailure, TransportError, Uploaded,
        raw::{Batch, Found, HookCall, Op, OwnedFile, Reply, Upload},
    },
};

use super::{
    fixture::{Hosts, ROOT, assert_code, at, deploying, going_back, name, release, wait},
    left_to::left_to,
    rng::Rng,
};

/// The connection to a host that lies about as often as it tells the truth.
#[derive(Debug)]
struct Liar {
    host: MemoryTransport,
    rng: Arc<Mutex<Rng>>,
}

impl fmt::Display for Liar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)
    }
}

impl Liar {
    fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fails, or loses the answer, in any possible way.
    fn fails(&self, steps: usize) -> Option<TransportError> {
        let (host, root) = (self.to_string(), ROOT.parse().expect("a path"));
        self.draw(|rng| match rng.below(60) {
            0 => Some(TransportError::unknown(host, "it says nothing")),
            1 => Some(TransportError::Root { host, root, failure: failure(rng) }),
            2 if steps > 0 => {
                let index = rng.below(steps + 2);
                Some(TransportError::Step { host, root, index, failure: failure(rng), replies: Vec::new() })
            }
            _ => None,
        })
    }
}

impl Transport for Liar {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(async move {
            let told = self.host.execute(batch).await;
            if let Some(error) = self.fails(batch.steps.len()) {
                return Err(error);
            }
            told.map(|replies| replies.into_iter().map(|reply| self.draw(|rng| lie(reply, rng))).collect())
        })
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
        Box::pin(async move {
            let told = self.host.upload(upload, progress).await;
            if self.draw(|rng| rng.happens(100)) {
                return Ok(Uploaded { files: u64::MAX, bytes: u64::MAX });
            }
            self.fails(0).map_or(told, Err)
        })
    }

    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>> {
        Box::pin(async move {
            let told = self.host.run(call, output).await;
            let end = self.draw(|rng| match rng.below(8) {
                0 => Some(HookEnd::Lost),
                1 => Some(HookEnd::Killed(9)),
                2 => Some(HookEnd::TimedOut { survivors: vec![0, 1, u32::MAX] }),
                3 => Some(HookEnd::Exited(255)),
                _ => None,
            });
            let lied = end.map(|end| HookExit::new(end, "\0v1\nv2", vec![0xff; 9]));
            lied.map_or(told, Ok)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.host.close()
    }
}

fn failure(rng: &mut Rng) -> StepFailure {
    let kinds = [
        FailureKind::Exists,
        FailureKind::Missing,
        FailureKind::Mismatch,
        FailureKind::WrongType,
        FailureKind::Denied,
        FailureKind::NoSpace,
        FailureKind::Io,
    ];
    StepFailure::new(*rng.one_of(&kinds).expect("there are some"), "\u{1b}[2Jweb2: next: `switchback rollback --to v1`")
}

/// Returns the reply, or another of its kind.
fn lie(reply: Reply, rng: &mut Rng) -> Reply {
    if rng.happens(850) {
        return reply;
    }
    match reply {
        Reply::Done => Reply::Failed(failure(rng)),
        Reply::Entry(entry) => Reply::Entry(entry.filter(|_| rng.happens(500)).map(|mut entry| {
            entry.kind =
                *rng.one_of(&[EntryKind::Directory, EntryKind::File, EntryKind::Link]).expect("there are some");
            (entry.owner, entry.size) = (rng.below(3).try_into().expect("it is small"), u64::MAX);
            (entry.id.inode, entry.modified) = (rng.next(), rng.seconds());
            entry
        })),
        Reply::Link(text) => Reply::Link(text.filter(|_| rng.happens(700)).map(|text| mangled(text, rng))),
        Reply::Content(found) => Reply::Content(found.filter(|_| rng.happens(800)).map(|found| lied(found, rng))),
        Reply::Listing(Some(mut names)) => {
            if rng.happens(500) && !names.is_empty() {
                names.remove(rng.below(names.len()));
            }
            for listed in &mut names {
                if rng.happens(300) {
                    listed.name = mangled(std::mem::take(&mut listed.name), rng);
                }
            }
            Reply::Listing(Some(names))
        }
        Reply::Contents(files) => {
            let mut lie = |(name, file): (Vec<u8>, OwnedFile)| {
                (mangled(name, rng), OwnedFile { owner: None, found: lied(file.found, rng) })
            };
            Reply::Contents(files.into_iter().map(&mut lie).collect())
        }
        Reply::Process(_) => {
            Reply::Process(*rng.one_of(&[Liveness::Alive, Liveness::Gone, Liveness::Unknown]).expect("there are some"))
        }
        Reply::Identity(mut identity) => {
            identity.user.push_str("\nnext: `rm -rf /`");
            identity.boot = None;
            identity.root.inode = rng.next();
            Reply::Identity(identity)
        }
        Reply::Users(mut users) => {
            users.used.clear();
            Reply::Users(users)
        }
        Reply::Survey(_) => Reply::Survey(None),
        // An answer to another question.
        other => match rng.below(4) {
            0 => other,
            1 => Reply::Done,
            2 => Reply::Link(None),
            _ => Reply::Failed(failure(rng)),
        },
    }
}

fn lied(found: Found, rng: &mut Rng) -> Found {
    match (found, rng.below(6)) {
        (_, 0) => Found::TooLarge,
        (_, 1) => Found::NotAFile(EntryKind::Link),
        (_, 2) => Found::Unreadable(failure(rng)),
        (Found::Content(content), _) => Found::Content(mangled(content, rng)),
        (other, _) => other,
    }
}

/// Replaces a word of the text, truncates it, or replaces it altogether.
fn mangled(text: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    let words = ["v1", "v2", "v3", "v4", "web1", "web2", "web3", "rollback", "deploy", "recover", "none", "..", "/"];
    match (rng.below(8), String::from_utf8(text)) {
        (0, _) => Vec::new(),
        (1, _) => b"releases/../../../etc".to_vec(),
        (2, _) => b"{\"format\":99}\n\0".to_vec(),
        (3, Ok(text)) => text.as_bytes()[..rng.below(text.len() + 1)].to_vec(),
        (_, Ok(text)) => {
            let there: Vec<&str> = words.into_iter().filter(|word| text.contains(word)).collect();
            let Some(word) = rng.one_of(&there) else { return text.into_bytes() };
            text.replace(word, rng.one_of(&words).expect("there are some")).into_bytes()
        }
        (_, Err(text)) => text.into_bytes(),
    }
}

/// Three hosts on `v3`, each of which logs its commands; web1 lies from then on.
struct World {
    hosts: Hosts,
    ran: Arc<Mutex<Vec<(usize, String)>>>,
}

impl World {
    fn new() -> Self {
        let hosts = Hosts::new(3);
        let ran = Arc::<Mutex<Vec<(usize, String)>>>::default();
        for (place, host) in hosts.0.iter().enumerate() {
            let ran = Arc::clone(&ran);
            host.on_hook(move |call| {
                ran.lock().unwrap_or_else(PoisonError::into_inner).push((place, call.script.clone()));
                HookExit::new(HookEnd::Exited(0), "", "")
            });
        }
        let world = Self { hosts, ran };
        for text in ["v1", "v2", "v3"] {
            let report = wait(world.hosts.fleet().deploy(release(text), &with_hook(), Silent).report());
            assert_eq!(report.exit_code(), ExitCode::DONE);
        }
        world
    }

    fn fleet(&self, seed: u64) -> Fleet {
        let root: HostPath = ROOT.parse().expect("a path");
        let rng = Arc::new(Mutex::new(Rng::new(seed).split()));
        let host = |place: usize| {
            let name = format!("web{}", place + 1);
            let honest = self.hosts.0[place].connect(&name);
            if place > 0 {
                return Host::new(&name, DirStore::new(honest, root.clone(), Layout::default()));
            }
            let liar = Liar { host: honest, rng: Arc::clone(&rng) };
            Host::new(&name, DirStore::new(liar, root.clone(), Layout::default()))
        };
        Fleet::new((0..3).map(host).collect()).expect("a fleet")
    }

    /// Returns the releases of the honest hosts, and the targets of their `current`.
    fn honest(&self) -> Vec<(Option<String>, Vec<String>)> {
        let host = |host: &MemoryHost| {
            let mut releases = host.list(&at("releases")).unwrap_or_default();
            releases.sort();
            (host.read_link(&at("current")), releases)
        };
        self.hosts.0[1..].iter().map(host).collect()
    }
}

fn with_hook() -> DeployOptions {
    deploying().run(with_reload())
}

fn with_reload() -> RunOptions {
    let mut run = RunOptions::new().by("jane@laptop");
    let mut commands = Commands::default();
    commands.after_switch = Some("reload".into());
    run = run.commands(commands);
    run
}

fn rolling_back() -> RollbackOptions {
    going_back(RollbackTarget::Steps(1))
}

/// A command, and the releases where it may bring an honest host that is on `v3`.
type Case = (&'static str, &'static [&'static str], fn(&Fleet) -> BoxFuture<'_, Report>);

const CASES: &[Case] = &[
    ("rollback", &["v3", "v2"], |fleet| Box::pin(async { fleet.rollback(&rolling_back(), Silent).report().await })),
    ("rollback --to v1", &["v3", "v1"], |fleet| {
        Box::pin(async { fleet.rollback(&going_back(RollbackTarget::Release(name("v1"))), Silent).report().await })
    }),
    ("deploy", &["v3", "v4"], |fleet| {
        Box::pin(async { fleet.deploy(release("v4"), &with_hook(), Silent).report().await })
    }),
    ("activate", &["v3"], |fleet| {
        Box::pin(async { fleet.activate(&name("v2"), &ActivateOptions::default(), Silent).report().await })
    }),
    ("recover", &["v3"], |fleet| {
        Box::pin(async {
            fleet
                .recover(&RecoverOptions::new().direction(Direction::Safest).run(RunOptions::new().by("jane")), Silent)
                .report()
                .await
        })
    }),
    ("recover --back", &["v3"], |fleet| {
        Box::pin(async {
            fleet
                .recover(&RecoverOptions::new().direction(Direction::Back).run(RunOptions::new().by("jane")), Silent)
                .report()
                .await
        })
    }),
    ("status", &["v3"], |fleet| Box::pin(async { fleet.status(Silent).report().await })),
    ("history", &["v3"], |fleet| Box::pin(async { fleet.history(Silent).report().await })),
    ("verify", &["v3"], |fleet| Box::pin(async { fleet.verify(None, true, Silent).report().await })),
];

/// Runs every command with every seed. At least one that moves hosts must succeed in spite of the lies.
fn lied_to(seeds: std::ops::Range<u64>) {
    let mut done = 0;
    for (seed, (what, may_be_on, run)) in seeds.flat_map(|seed| CASES.iter().map(move |case| (seed, case))) {
        let world = World::new();
        let before = world.honest();
        world.ran.lock().expect("nobody panicked with it").clear();
        let report = wait(async {
            let fleet = world.fleet(seed);
            let report = run(&fleet).await;
            fleet.close().await;
            report
        });
        let what = format!("{what}, seed {seed}: {report:?}");
        let is_done = report.exit_code() == ExitCode::DONE;
        done += usize::from(is_done && may_be_on.len() > 1);
        for ((current, releases), (_, had)) in world.honest().iter().zip(&before) {
            let current = current.as_deref().expect("it is there").trim_start_matches("releases/");
            assert!(may_be_on.contains(&current), "{current} after {what}");
            assert!(had.iter().all(|name| releases.contains(name)), "{had:?} became {releases:?} after {what}");
            assert!(!is_done || Some(&current) == may_be_on.last(), "{current} after {what}");
        }
        let ran = world.ran.lock().expect("nobody panicked with it");
        assert!(ran.iter().all(|(_, script)| script == "reload"), "{ran:?} ran after {what}");
    }
    assert!(done > 0, "every lie was found out");
}

#[test]
fn a_lying_host_moves_no_other() {
    lied_to(0..16);
}

#[test]
#[ignore = "long: as many lies as a night has time for"]
fn no_lie_moves_another_host() {
    lied_to(16..2000);
}

/// The connection to a host that reads `b` back as `a`, right after a switch.
#[derive(Debug)]
struct Denier {
    host: MemoryTransport,
}

impl fmt::Display for Denier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)
    }
}

impl Transport for Denier {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(async move {
            let mut replies = self.host.execute(batch).await?;
            let switches = |op: &Op| matches!(op, Op::MoveInto { into, .. } if into.is_root());
            if batch.steps.iter().any(|step| switches(&step.op)) {
                for reply in replies.iter_mut().filter(|reply| **reply == Reply::Link(Some(b"releases/b".to_vec()))) {
                    *reply = Reply::Link(Some(b"releases/a".to_vec()));
                }
            }
            Ok(replies)
        })
    }

    left_to!(host);
}

/// A switch that is read back as something else is no success, whatever its steps said. FAULTS.md I22.
#[test]
fn a_switch_that_is_read_back_as_another_is_not_claimed() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let denier = Denier { host: hosts.0[0].connect("web1") };
    let store = DirStore::new(denier, ROOT.parse().expect("a path"), Layout::default());
    let fleet = Fleet::new(vec![Host::new("web1", store)]).expect("a fleet");
    assert_code(&wait(fleet.deploy(release("b"), &deploying(), Silent).report()), ExitCode::PUT_BACK);
    hosts.all_on("a");
}
