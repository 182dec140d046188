//! A wire with any delay: forwards TCP with a delay each way, and counts turns and bytes.
//!
//! Bandwidth is not limited, and there is no loss and no slow start.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Forwards connections until the bench ends.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    counts: Arc<Counts>,
}

/// The totals over all connections.
#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    turns: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

/// One connection. Data that one side sends in several parts without waiting counts as one turn.
#[derive(Debug)]
struct Wire {
    counts: Arc<Counts>,
    /// Whether the client sent last.
    client_spoke: AtomicBool,
}

/// Data on its way, and its arrival time.
type Late = (Instant, Vec<u8>);

impl Proxy {
    /// Listens on the loopback address `127.0.0.<host>`, and forwards to `target` with `delay` each way.
    pub(crate) fn start(host: u8, target: SocketAddr, delay: Duration) -> Self {
        let listener = TcpListener::bind((format!("127.0.0.{host}"), 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let counts = Arc::<Counts>::default();
        let shared = Arc::clone(&counts);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let counts = Arc::clone(&shared);
                thread::spawn(move || forward(client, target, delay, counts));
            }
        });
        Self { address, counts }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of turns: clients began to send after they had received. These are the round trips above
    /// TCP.
    pub(crate) fn turns(&self) -> u64 {
        self.counts.turns.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// Returns the bytes that clients sent and received.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.counts.sent.load(Ordering::SeqCst), self.counts.received.load(Ordering::SeqCst))
    }
}

fn forward(client: TcpStream, target: SocketAddr, delay: Duration, counts: Arc<Counts>) {
    // TCP's own handshake takes one round trip, before either side sends data.
    thread::sleep(delay * 2);
    let Ok(server) = TcpStream::connect(target) else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a TCP stream");
    }
    counts.connections.fetch_add(1, Ordering::SeqCst);
    // The client's first data answers nothing, and is no turn.
    let wire = Arc::new(Wire { counts, client_spoke: AtomicBool::new(true) });
    let clone = |stream: &TcpStream| stream.try_clone().expect("another handle");
    let (up, down) = (Arc::clone(&wire), wire);
    one_way(clone(&client), clone(&server), delay, move |bytes| up.sent(bytes));
    one_way(server, client, delay, move |bytes| down.received(bytes));
}

/// Carries data from `from` to `to`, all of it with the same delay.
fn one_way(mut from: TcpStream, to: TcpStream, delay: Duration, came: impl Fn(usize) + Send + 'static) {
    let (late, arriving): (Sender<Late>, Receiver<Late>) = channel();
    thread::spawn(move || deliver(&arriving, to));
    thread::spawn(move || {
        let mut chunk = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut chunk) {
            came(length);
            if late.send((Instant::now() + delay, chunk[..length].to_vec())).is_err() {
                break;
            }
        }
    });
}

fn deliver(arriving: &Receiver<Late>, mut to: TcpStream) {
    for (due, bytes) in arriving {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    // One side may have closed already.
    let _: std::io::Result<()> = to.shutdown(Shutdown::Write);
}

impl Wire {
    fn sent(&self, bytes: usize) {
        self.counts.sent.fetch_add(bytes as u64, Ordering::SeqCst);
        if !self.client_spoke.swap(true, Ordering::SeqCst) {
            self.counts.turns.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn received(&self, bytes: usize) {
        self.counts.received.fetch_add(bytes as u64, Ordering::SeqCst);
        self.client_spoke.store(false, Ordering::SeqCst);
    }
}
