//! Not too many connections at once: an sshd drops what comes in a crowd (`MaxStartups`, 10 by default).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{address::Address, transport::SshOptions};

/// How many connections may be in the making at once to one sshd. With 8 none of 32 was lost, with 32 at once 11 were.
const AT_ONCE: usize = 8;

/// Waits for its turn to connect to the sshd that `address` is reached through: the first jump host, or itself. The
/// turn ends when what is returned is dropped.
pub(super) async fn turn(address: &Address, options: &SshOptions) -> Option<OwnedSemaphorePermit> {
    let first = options.jump.first().unwrap_or(address);
    semaphore(format!("{}:{:?}", first.host(), first.port())).acquire_owned().await.ok()
}

fn semaphore(door: String) -> Arc<Semaphore> {
    static DOORS: OnceLock<Mutex<HashMap<String, Arc<Semaphore>>>> = OnceLock::new();
    let mut doors = DOORS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    doors.entry(door).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
}

/// How long to wait before try number `tries` + 2: twice as long each time, and never the same for two.
pub(super) fn pause(tries: u32) -> Duration {
    let mut random = [0; 2];
    // Without randomness the pauses are merely alike.
    let _: Result<(), _> = getrandom::fill(&mut random);
    let jitter = u64::from(u16::from_ne_bytes(random)) % 100;
    Duration::from_millis((100 + jitter) << tries.min(5))
}
