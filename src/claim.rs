//! [`Claim`]: the use of a token by this process.
//!
//! A lock on this machine names the process that holds it. When a runtime is shut down in the middle of a command, that
//! process lives on, and the lock would stay as long as it. So the process remembers which tokens it abandoned: a lock
//! of its own with one of them counts as that of a dead holder.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[cfg(any(test, target_os = "linux"))]
use crate::path::HostPath;
use crate::token::Token;

/// What this process abandoned, and what may still run for it.
static STATE: Mutex<State> = Mutex::new(State {
    next: 0,
    #[cfg(any(test, target_os = "linux"))]
    running: BTreeMap::new(),
    abandoned: BTreeMap::new(),
});

struct State {
    /// The number of the next local work.
    next: u64,
    /// The root of each local work under way, by its number.
    #[cfg(any(test, target_os = "linux"))]
    running: BTreeMap<u64, HostPath>,
    /// The abandoned tokens, each with `next` of that time. A token that is not here counts as in use: another version
    /// of this crate in the same process may hold it.
    abandoned: BTreeMap<Token, u64>,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Work on a root of this machine, which runs to its end even if its future is dropped.
#[cfg(any(test, target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Running(u64);

#[cfg(any(test, target_os = "linux"))]
impl Running {
    pub(crate) fn on(root: &HostPath) -> Self {
        let mut state = state();
        let number = state.next;
        state.next += 1;
        state.running.insert(number, root.clone());
        Self(number)
    }
}

#[cfg(any(test, target_os = "linux"))]
impl Drop for Running {
    fn drop(&mut self) {
        state().running.remove(&self.0);
    }
}

/// Whether this process abandoned the token with this text, and all work on `root` that began before has ended: until
/// then, a request made with the token may still take effect.
#[cfg(any(test, target_os = "linux"))]
pub(crate) fn is_abandoned(root: &HostPath, text: &str) -> bool {
    let Ok(token) = text.parse::<Token>() else { return false };
    let state = state();
    let ended = |since: &u64| state.running.range(..since).all(|(_, busy)| busy != root);
    state.abandoned.get(&token).is_some_and(ended)
}

/// The use of a token. Dropping it abandons the token, unless what it names was removed from its host.
#[derive(Debug)]
pub(crate) struct Claim(Option<Token>);

impl Claim {
    pub(crate) fn new(token: &Token) -> Self {
        Self(Some(token.clone()))
    }

    /// Forgets the token: there is nothing of that name on its host any more.
    pub(crate) fn release(&mut self) {
        self.0 = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(token) = self.0.take() {
            let mut state = state();
            let since = state.next;
            state.abandoned.insert(token, since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> HostPath {
        text.parse().expect("a path")
    }

    #[test]
    fn a_token_is_abandoned_unless_it_is_released() {
        let (kept, dropped, released) = (Token::random(), Token::random(), Token::random());
        let claim = Claim::new(&kept);
        drop(Claim::new(&dropped));
        Claim::new(&released).release();
        let shop = root("/srv/claimed");
        let found = [&kept, &dropped, &released].map(|token| is_abandoned(&shop, token.as_str()));
        assert_eq!((found, is_abandoned(&shop, "process")), ([false, true, false], false));
        drop(claim);
    }

    #[test]
    fn a_token_is_in_use_until_the_work_that_may_use_it_has_ended() {
        let (shop, token) = (root("/srv/busy"), Token::random());
        let before = Running::on(&shop);
        drop(Claim::new(&token));
        let after = Running::on(&shop);
        assert!(!is_abandoned(&shop, token.as_str()) && is_abandoned(&root("/srv/other"), token.as_str()));
        drop(before);
        assert!(is_abandoned(&shop, token.as_str()));
        drop(after);
    }
}
