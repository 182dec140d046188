//! [`Claim`]: the use of a token by this process.
//!
//! A lock on this machine names the process that holds it. When a runtime is shut down in the middle of a command, that
//! process lives on, and the lock would stay as long as it. So the process remembers which tokens it abandoned: a lock
//! of its own with one of them counts as that of a dead holder.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::token::Token;

/// The tokens that this process abandoned. Not those that it uses: another version of this crate in the same process
/// has its own.
static ABANDONED: Mutex<BTreeSet<Token>> = Mutex::new(BTreeSet::new());

fn abandoned() -> MutexGuard<'static, BTreeSet<Token>> {
    ABANDONED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this process abandoned the token with this text.
#[cfg(any(test, target_os = "linux"))]
pub(crate) fn is_abandoned(text: &str) -> bool {
    text.parse().is_ok_and(|token: Token| abandoned().contains(&token))
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
        abandoned().extend(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_abandoned_unless_it_is_released() {
        let (kept, dropped, released) = (Token::random(), Token::random(), Token::random());
        let claim = Claim::new(&kept);
        drop(Claim::new(&dropped));
        Claim::new(&released).release();
        let found = [&kept, &dropped, &released].map(|token| is_abandoned(token.as_str()));
        assert_eq!((found, is_abandoned("process")), ([false, true, false], false));
        drop(claim);
    }
}
