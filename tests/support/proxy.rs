//! A bad network: a proxy between `ssh` and an sshd that causes a planned fault at a given burst of data.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::Duration,
};

/// The direction of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// The fault of the connection at the burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is closed; new ones work.
    Cut,
    /// The connection is closed, and so is every new one.
    CutForGood,
    /// The connection is reset; new ones work.
    Reset,
    /// The connection stalls without an error; new ones work.
    Freeze,
    /// The connection stalls, and so does every new one.
    FreezeForGood,
    /// Everything waits a while.
    Delay,
}

impl Fault {
    pub(crate) const ALL: [Self; 6] =
        [Self::Cut, Self::CutForGood, Self::Reset, Self::Freeze, Self::FreezeForGood, Self::Delay];
}

/// A planned fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) way: Way,
    /// The number of the burst in that direction, over all connections; the first is 1, and earlier bursts arrive.
    pub(crate) burst: usize,
    pub(crate) fault: Fault,
}

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    /// The bursts so far, to the server and to the client.
    bursts: [usize; 2],
    /// The limit of bytes per second to the server, if any.
    rate: Option<usize>,
    /// The fault that happened, and its connection.
    befell: Option<(Fault, usize)>,
    connections: Vec<[TcpStream; 2]>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// A proxy that runs until the test process ends; [`heal`](Self::heal) resets it between runs.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Starts a proxy in front of the server at `port` on loopback.
    pub(crate) fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)) {
                    accepting.connect(client, server);
                }
            }
        });
        Self { port: own, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Restarts the count of bursts, and plans a fault.
    pub(crate) fn plan(&self, plan: Option<Plan>) {
        let mut state = self.shared.state();
        (state.plan, state.bursts, state.befell) = (plan, [0, 0], None);
    }

    /// Limits data to the server to `rate` bytes per second, in chunks of a tenth of that.
    pub(crate) fn slow_down(&self, rate: usize) {
        self.shared.state().rate = Some(rate);
    }

    /// Closes all connections and removes the plan. Returns the number of bursts to the server and to the client.
    pub(crate) fn heal(&self) -> [usize; 2] {
        let mut state = self.shared.state();
        for end in state.connections.drain(..).flatten() {
            // The connection may have ended by itself.
            let _: std::io::Result<()> = end.shutdown(Shutdown::Both);
        }
        (state.plan, state.befell) = (None, None);
        self.shared.changed.notify_all();
        state.bursts
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with it")
    }

    fn connect(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let copy = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
        let mut state = self.state();
        if matches!(state.befell, Some((Fault::CutForGood, _))) {
            return;
        }
        let number = state.connections.len();
        state.connections.push([copy(&client), copy(&server)]);
        for stream in [&client, &server] {
            stream.set_nodelay(true).expect("a socket");
        }
        let (to_client, from_client) = (copy(&client), client);
        let (to_server, from_server) = (copy(&server), server);
        for (way, from, to) in [(Way::ToServer, from_client, to_server), (Way::ToClient, from_server, to_client)] {
            let shared = Arc::clone(self);
            thread::spawn(move || shared.pump(number, way, from, to));
        }
    }

    fn pump(&self, number: usize, way: Way, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if !self.burst(number, way, &from, &to) || self.send(way, &buffer[..length], &mut to).is_err() {
                break;
            }
        }
        for end in [&from, &to] {
            let _: std::io::Result<()> = end.shutdown(Shutdown::Both);
        }
    }

    fn send(&self, way: Way, data: &[u8], to: &mut TcpStream) -> std::io::Result<()> {
        let rate = self.state().rate.filter(|_| way == Way::ToServer);
        let Some(rate) = rate else { return to.write_all(data) };
        for piece in data.chunks(rate / 10) {
            to.write_all(piece)?;
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Counts a burst, and causes the fault planned for it. Returns false if the connection is over.
    fn burst(&self, number: usize, way: Way, from: &TcpStream, to: &TcpStream) -> bool {
        let mut state = self.state();
        let count = &mut state.bursts[usize::from(way == Way::ToClient)];
        *count += 1;
        let burst = *count;
        let planned = state.plan.filter(|plan| plan.way == way && plan.burst == burst);
        if let Some(plan) = planned {
            state.befell = Some((plan.fault, number));
            match plan.fault {
                Fault::Cut | Fault::CutForGood => return false,
                Fault::Reset => return reset(from, to),
                Fault::Freeze | Fault::FreezeForGood => {}
                Fault::Delay => {
                    drop(state);
                    thread::sleep(Duration::from_millis(300));
                    return true;
                }
            }
        }
        let is_frozen = |state: &State| match state.befell {
            Some((Fault::Freeze, frozen)) => frozen == number,
            Some((Fault::FreezeForGood, _)) => true,
            _ => false,
        };
        if !is_frozen(&state) {
            return true;
        }
        while is_frozen(&state) {
            state = self.changed.wait(state).expect("no thread panics with it");
        }
        false
    }
}

/// Makes both ends see a reset instead of an end. Returns false: the connection is over.
fn reset(from: &TcpStream, to: &TcpStream) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let _inside = runtime.enter();
    for end in [from, to] {
        let again = end.try_clone().expect("a descriptor");
        again.set_nonblocking(true).expect("a socket");
        // The standard library cannot set this option yet.
        tokio::net::TcpStream::from_std(again).and_then(|end| end.set_zero_linger()).expect("a socket");
    }
    false
}
