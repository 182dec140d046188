//! Takes the lock of a root, if it is free or its holder is proven dead.

use crate::{
    claim::Claim,
    lock::{LockHolder, LockOwner},
    name::ReleaseName,
    outcome::Command,
    token::Token,
    transport::{BatchError, Comparison, Effect, FailureKind, Handle, Liveness, MayFail, Replies, TransportError},
};

use super::{
    Current, DirStore, Kept, QuickCheck, RootState, StoreError, check,
    extent::Wanted,
    steps::{Reads, Taking},
};

/// The number of attempts to take a lock that changes hands meanwhile.
const ATTEMPTS: usize = 5;

/// The outcome of a failed attempt to take a lock.
enum Ended {
    /// Somebody else holds the lock, or was faster to take it over.
    Held,
    /// The attempt ended before the lock was taken; only the private directory is left.
    Before,
    /// The attempt ended after the lock was taken.
    After,
    /// Unknown.
    Unknown,
}

/// A lock that was taken, or may have been.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) token: Token,
    pub(super) claim: Claim,
}

impl Taken {
    fn new() -> Self {
        let token = Token::random();
        Self { claim: Claim::new(&token), token }
    }
}

/// Takes the lock of `store` with a token of its own and reads its state. Converts an account's root to the
/// configured group's first.
pub(super) async fn lock(
    store: &DirStore,
    owner: &LockOwner,
    check: Option<&QuickCheck>,
) -> Result<(Taken, RootState), StoreError> {
    match taken(store, owner, check).await {
        Ok(taken) => Ok(taken),
        Err(error) => {
            store.settle(error, Some(owner)).await?;
            taken(store, owner, check).await
        }
    }
}

/// Takes the lock of `store` without converting the root.
pub(super) async fn taken(
    store: &DirStore,
    owner: &LockOwner,
    check: Option<&QuickCheck>,
) -> Result<(Taken, RootState), StoreError> {
    let mut old = None;
    // A rollback reads only chains, so that its cost does not grow with the number of releases.
    let reads = match (owner.command, check) {
        (Command::Rollback, Some(QuickCheck::Release(name))) => Reads::WayBack(Some(name)),
        (Command::Rollback, _) => Reads::WayBack(None),
        _ => Reads::Releases,
    };
    for _ in 0..ATTEMPTS {
        let mut taken = Taken::new();
        match attempt(store, owner, &taken.token, old.as_ref(), (check, reads)).await {
            Ok(Some(state)) => return whole(store, &taken.token, state).await.map(|state| (taken, state)),
            Ok(None) => {
                taken.claim.release();
                old = takeable(store).await?;
            }
            // The reserve is kept for rollbacks: a command that uploads fails instead.
            Err(error) if !owner.command.brings_content() && store.frees_reserve(&error).await => {}
            Err(error) => return Err(error),
        }
    }
    let what = "the lock is held by something that is no lock of ours, or changes hands all the time".into();
    Err(StoreError::Damaged { host: store.to_string(), what })
}

/// Removes the lock `old` and takes a new one, so that no request sent under the old one can take effect any
/// more.
pub(super) async fn fence(store: &DirStore, owner: &LockOwner, old: &Token) -> Result<(Taken, RootState), StoreError> {
    let mut mine = vec![old.clone()];
    let mut lost = None;
    for _ in 0..ATTEMPTS {
        let lock = Taken::new();
        match attempt(store, owner, &lock.token, mine.last(), (None, Reads::Releases)).await {
            Ok(Some(state)) => return Ok((lock, state)),
            Ok(None) => {}
            Err(error) if !owner.command.brings_content() && store.frees_reserve(&error).await => continue,
            // The lock may be the old one, the new one, or free: the next attempt removes whichever of ours it is.
            Err(error) if error.effect() == Effect::Unknown => lost = Some(error),
            Err(error) => return Err(error),
        }
        mine.insert(0, lock.token.clone());
        match store.state().await {
            Ok(RootState { lock: Some(LockHolder { token: Some(token), .. }), .. }) if mine.contains(&token) => {
                mine.push(token);
            }
            Ok(_) => return Err(StoreError::LockLost { host: store.to_string() }),
            Err(error) => lost = Some(error),
        }
    }
    Err(lost.unwrap_or_else(|| StoreError::LockLost { host: store.to_string() }))
}

/// Tries once; `None` when somebody else holds the lock.
async fn attempt(
    store: &DirStore,
    owner: &LockOwner,
    token: &Token,
    old: Option<&Token>,
    (check, reads): (Option<&QuickCheck>, Reads<'_>),
) -> Result<Option<RootState>, StoreError> {
    let mut taking = store.steps.take_lock(token, owner, old, &reads);
    let compared =
        check.map(|check| store.steps.compare(&mut taking.batch, check, store.steps.unlisted(), (false, None)));
    let error = match store.execute(&taking.batch).await {
        Ok(replies) => {
            let state = read_taken(store, owner, &taking, &replies, compared).await;
            if state.is_err() {
                give_back(store, token).await;
            }
            return state.map(Some);
        }
        Err(error) => error,
    };
    match ended(&taking, &error) {
        Ended::Held => {
            clean_up(store, token).await;
            Ok(None)
        }
        Ended::Before => {
            clean_up(store, token).await;
            Err(understand(store, &taking, error))
        }
        Ended::After => {
            give_back(store, token).await;
            Err(error.into())
        }
        Ended::Unknown => Err(error.into()),
    }
}

/// Interprets the replies of the batch that took the lock.
async fn read_taken(
    store: &DirStore,
    owner: &LockOwner,
    taking: &Taking,
    replies: &Replies,
    compared: Option<Handle<MayFail<Comparison>>>,
) -> Result<RootState, StoreError> {
    let mut state = store.read(&taking.query, replies).await?;
    // A command that uploads has an upload of its own there.
    if !owner.command.brings_content() {
        store.find_dead_uploads(&mut state).await?;
    }
    // The comparison was requested before it was known which links the release has.
    let links = |name: &ReleaseName| check::unlisted(state.release(name).and_then(|release| release.links.record()));
    let compared = replies.get_some(compared)?.and_then(Result::ok);
    let checked = compared.and_then(|found| check::checked(store.layout(), found, links));
    Ok(RootState { lock: None, intent: Kept::Nothing, checked, ..state })
}

/// Takes the lock of `store` and reads all releases, whatever the command needs.
pub(super) async fn taken_whole(store: &DirStore, owner: &LockOwner) -> Result<(Taken, RootState), StoreError> {
    let (taken, state) = taken(store, owner, None).await?;
    if state.extent.len().is_none() {
        return Ok((taken, state));
    }
    match read_again(store, &taken.token, state).await {
        Ok(state) => Ok((taken, state)),
        Err(error) => {
            give_back(store, &taken.token).await;
            Err(error)
        }
    }
}

/// Reads all releases if the chain alone is not enough.
///
/// That is the case when `current` does not lead to a release that was read, when an operation was interrupted, when
/// the bad marks were never counted, or when a record leads to a release that was not read.
async fn whole(store: &DirStore, token: &Token, state: RootState) -> Result<RootState, StoreError> {
    let is_plain = matches!(state.current, Current::Release { .. }) && state.interrupted.is_empty();
    if state.extent.len().is_none() || (is_plain && state.marks.is_some() && state.extent.wanted() != Wanted::All) {
        return Ok(state);
    }
    match read_again(store, token, state).await {
        Ok(state) => Ok(state),
        Err(error) => {
            give_back(store, token).await;
            Err(error)
        }
    }
}

/// Reads all releases under the lock `token`, and keeps the parts that only the first read includes.
pub(super) async fn read_again(store: &DirStore, token: &Token, state: RootState) -> Result<RootState, StoreError> {
    let (batch, query) = store.steps.read_again(token);
    let replies = store.execute(&batch).await?;
    let RootState { clock, checked, shared, lock, intent, .. } = state;
    let mut read = store.read(&query, &replies).await?;
    store.find_dead_uploads(&mut read).await?;
    Ok(RootState { clock, lock, intent, checked, shared, ..read })
}

/// Determines the outcome of the batch that takes the lock.
fn ended(taking: &Taking, error: &BatchError) -> Ended {
    let is_taken = error.failed_at(taking.take) && error.kind() == Some(FailureKind::Exists);
    let is_freed = taking.fence.is_some_and(|fence| error.is_missing_at(fence));
    match error.effect() {
        _ if is_taken || is_freed => Ended::Held,
        _ if error.failed_after(taking.take) => Ended::After,
        Effect::Nothing | Effect::Steps(_) => Ended::Before,
        Effect::Unknown => Ended::Unknown,
    }
}

fn understand(store: &DirStore, taking: &Taking, error: BatchError) -> StoreError {
    match error.failure() {
        Some(failure) if taking.proof.iter().any(|step| error.failed_at(*step)) => {
            let lacks = format!("its `mv` does not rename a link over a link in one step ({failure})");
            TransportError::Unsuitable { host: store.to_string(), lacks }.into()
        }
        _ => store.understand_format(taking.entered, error),
    }
}

/// Returns the lock to take over because its holder is proven dead; `None` when the lock is free by now.
async fn takeable(store: &DirStore) -> Result<Option<Token>, StoreError> {
    match store.state().await?.lock {
        None => Ok(None),
        Some(LockHolder { holder: Liveness::Gone, token: Some(token), .. }) => Ok(Some(token)),
        Some(holder) => Err(StoreError::Locked { host: store.to_string(), holder: Box::new(holder) }),
    }
}

/// Removes the private files of a failed attempt. A failure is harmless: the next staging removes them.
async fn clean_up(store: &DirStore, token: &Token) {
    let _ = store.execute(&store.steps.forgetting(token)).await;
}

/// Releases a lock whose state could not be read. If that fails too, the next run takes it over once this
/// process is dead.
pub(super) async fn give_back(store: &DirStore, token: &Token) {
    let mut batch = store.steps.empty();
    store.steps.release_lock(&mut batch, token);
    let _ = store.execute(&batch).await;
}
