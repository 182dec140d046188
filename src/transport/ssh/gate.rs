//! A limit on simultaneous connections: an sshd drops some of many at once (`MaxStartups`, 10 by default).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{address::Address, transport::SshOptions};

/// The limit on connections being opened to one sshd. With 8, none of 32 was lost; with 32 at once, 11 were.
const AT_ONCE: usize = 8;

/// Waits for a turn to connect to the first sshd on the path to `address`: the first jump host, or itself.
///
/// The turn ends when the permit is dropped.
pub(super) async fn turn(address: &Address, options: &SshOptions) -> Option<OwnedSemaphorePermit> {
    let first = options.jump.first().unwrap_or(address);
    semaphore(format!("{}:{:?}", first.host(), first.port())).acquire_owned().await.ok()
}

fn semaphore(door: String) -> Arc<Semaphore> {
    static DOORS: OnceLock<Mutex<HashMap<String, Arc<Semaphore>>>> = OnceLock::new();
    let mut doors = DOORS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    doors.entry(door).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
}

/// Returns the pause before attempt `tries` + 2: twice as long each time, and random so that hosts differ.
pub(super) fn pause(tries: u32) -> Duration {
    let mut random = [0; 2];
    // Without randomness the pauses are merely alike.
    let _: Result<(), _> = getrandom::fill(&mut random);
    let jitter = u64::from(u16::from_ne_bytes(random)) % 100;
    Duration::from_millis((100 + jitter) << tries.min(5))
}
