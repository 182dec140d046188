//! [`Handle`]: a step of a batch, with the type of its reply.

use std::{
    cmp::Ordering,
    fmt,
    marker::PhantomData,
    ops::{Deref, Range},
};

use crate::{group::GroupName, manifest::Surveyed, path::InnerPath, time::Timestamp};

use super::{
    Batch, BoundedFile, ChainLink, Changes, Comparison, Entry, FailureKind, Found, Group, HostIdentity, Listed,
    Liveness, Op, OwnedFile, Passed, Reply, StepFailure, Transport, TransportError, TreeName, Users, batch::BatchId,
};

/// An operation with the type of its reply.
///
/// An [`Op`] converts into one that only succeeds or fails.
#[derive(Debug)]
pub struct Ask<T> {
    pub(super) op: Op,
    reply: PhantomData<fn() -> T>,
}

impl From<Op> for Ask<()> {
    fn from(op: Op) -> Self {
        Self::of(op)
    }
}

impl<T> Ask<T> {
    const fn of(op: Op) -> Self {
        Self { op, reply: PhantomData }
    }
}

/// The reply to a step that may fail.
pub(crate) type MayFail<T> = Result<T, StepFailure>;
/// The reply to [`Op::Read`] and [`Op::ReadEnd`].
pub(crate) type Content = Option<Found>;
/// The reply to [`Op::ReadEach`].
pub(crate) type Contents = Vec<(Vec<u8>, OwnedFile)>;
/// The reply to [`Op::List`].
pub(crate) type Listing = Option<Vec<Listed>>;
/// The text of a symlink.
pub(crate) type LinkText = Option<Vec<u8>>;

/// The operations that reply with a value. The type of the reply is fixed here, and nowhere else.
impl Op {
    pub(crate) const fn identify() -> Ask<HostIdentity> {
        Ask::of(Self::Identify)
    }

    pub(crate) const fn clock() -> Ask<Timestamp> {
        Ask::of(Self::Clock)
    }

    pub(crate) const fn inspect(path: InnerPath) -> Ask<Option<Entry>> {
        Ask::of(Self::Inspect { path })
    }

    pub(crate) fn resolve(link: &str) -> Ask<Option<Entry>> {
        Ask::of(Self::Resolve { link: link.into() })
    }

    pub(crate) const fn read_link(path: InnerPath) -> Ask<LinkText> {
        Ask::of(Self::ReadLink { path })
    }

    pub(crate) const fn read(path: InnerPath, limit: u64) -> Ask<Content> {
        Ask::of(Self::Read { path, limit })
    }

    pub(crate) const fn read_end(path: InnerPath, limit: u64) -> Ask<Content> {
        Ask::of(Self::ReadEnd { path, limit })
    }

    pub(crate) const fn list(path: InnerPath) -> Ask<Listing> {
        Ask::of(Self::List { path })
    }

    pub(crate) const fn read_each(path: InnerPath, file: InnerPath, limit: u64) -> Ask<Contents> {
        Ask::of(Self::ReadEach { path, file, limit })
    }

    pub(crate) const fn survey(path: InnerPath, digests: bool) -> Ask<Option<Vec<Surveyed>>> {
        Ask::of(Self::Survey { path, digests })
    }

    pub(crate) const fn changes_since(tree: InnerPath, since: InnerPath) -> Ask<Option<Changes>> {
        Ask::of(Self::Changes { tree, since })
    }

    pub(crate) const fn check_process(path: InnerPath) -> Ask<Liveness> {
        Ask::of(Self::CheckProcess { path })
    }

    pub(crate) const fn find_users(path: InnerPath) -> Ask<Users> {
        Ask::of(Self::FindUsers { path })
    }

    pub(crate) const fn inspect_way(paths: Vec<InnerPath>) -> Ask<Vec<Passed>> {
        Ask::of(Self::InspectWay { paths })
    }

    pub(crate) const fn inspect_group(name: GroupName, paths: Vec<InnerPath>, below: InnerPath) -> Ask<Option<Group>> {
        Ask::of(Self::InspectGroup { name, paths, below })
    }

    pub(crate) fn read_chain(
        from: TreeName,
        (trees, record): (InnerPath, BoundedFile),
        (lists, files): (InnerPath, Vec<BoundedFile>),
        most: u32,
    ) -> Ask<Vec<ChainLink>> {
        Ask::of(Self::ReadChain { trees, from, record, lists, files, most })
    }

    pub(crate) fn compare_tree(
        (trees, name): (InnerPath, TreeName),
        (lists, manifest): (InnerPath, InnerPath),
        contents: bool,
        owners: Option<Vec<u32>>,
        except: Vec<InnerPath>,
    ) -> Ask<Comparison> {
        Ask::of(Self::CompareTree { trees, name, lists, manifest, contents, owners, except })
    }
}

/// A step of a batch, with the type of its reply.
///
/// It is valid for its own batch and the clones of that.
pub struct Handle<T> {
    batch: BatchId,
    index: usize,
    reply: PhantomData<fn() -> T>,
}

impl<T> Handle<T> {
    pub(super) const fn new(batch: BatchId, index: usize) -> Self {
        Self { batch, index, reply: PhantomData }
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}", self.index)
    }
}

/// Consecutive steps of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    batch: BatchId,
    steps: Range<usize>,
}

impl Batch {
    /// Returns the steps added so far.
    pub(crate) fn part(&self) -> Part {
        Part { batch: self.id, steps: 0..self.steps.len() }
    }

    /// Returns the steps added since `earlier`.
    pub(crate) fn part_after(&self, earlier: &Part) -> Part {
        Part { batch: self.id, steps: earlier.steps.end..self.steps.len() }
    }

    /// Runs the batch on a host.
    pub(crate) async fn run_on(&self, transport: &dyn Transport) -> Result<Replies, BatchError> {
        match transport.execute(self).await {
            Ok(replies) => Ok(Replies { batch: self.id, host: transport.to_string(), all: replies }),
            Err(error) => Err(BatchError { batch: self.id, error }),
        }
    }
}

/// A type of reply. [`Op`] says which operation has which.
pub(crate) trait ReadReply {
    type As<'r>;

    /// Returns the reply; `None` if it is of another type.
    fn read(reply: &Reply) -> Option<Self::As<'_>>;
}

macro_rules! read_replies {
    ($($variant:ident: $type:ty),* $(,)?) => {$(
        impl ReadReply for $type {
            type As<'r> = &'r Self;

            fn read(reply: &Reply) -> Option<&Self> {
                if let Reply::$variant(value) = reply { Some(value) } else { None }
            }
        }
    )*};
}

read_replies! {
    Identity: HostIdentity,
    Clock: Timestamp,
    Entry: Option<Entry>,
    Link: LinkText,
    Content: Content,
    Listing: Listing,
    Contents: Contents,
    Chain: Vec<ChainLink>,
    Survey: Option<Vec<Surveyed>>,
    Comparison: Comparison,
    Changes: Option<Changes>,
    Process: Liveness,
    Users: Users,
    Way: Vec<Passed>,
    Group: Option<Group>,
}

impl ReadReply for () {
    type As<'r> = ();

    fn read(reply: &Reply) -> Option<()> {
        matches!(reply, Reply::Done).then_some(())
    }
}

impl<T: ReadReply> ReadReply for MayFail<T> {
    type As<'r> = Result<T::As<'r>, &'r StepFailure>;

    fn read(reply: &Reply) -> Option<Self::As<'_>> {
        if let Reply::Failed(failure) = reply { Some(Err(failure)) } else { T::read(reply).map(Ok) }
    }
}

/// The replies to a batch.
#[derive(Debug)]
pub(crate) struct Replies {
    batch: BatchId,
    host: String,
    all: Vec<Reply>,
}

impl Replies {
    /// Returns the reply to a step.
    ///
    /// # Errors
    ///
    /// [`TransportError::Unknown`] when the host sent none, or one of another type, and when the step is of another
    /// batch.
    pub(crate) fn get<T: ReadReply>(&self, step: Handle<T>) -> Result<T::As<'_>, TransportError> {
        let reply = if step.batch.is(self.batch) {
            self.all.get(step.index).and_then(T::read).ok_or("the reply does not fit the request")
        } else {
            Err("the step is of another request")
        };
        reply.map_err(|why| TransportError::unknown(&self.host, why))
    }

    /// Returns the reply to a step that not every such batch has.
    pub(crate) fn get_some<T: ReadReply>(&self, step: Option<Handle<T>>) -> Result<Option<T::As<'_>>, TransportError> {
        step.map(|step| self.get(step)).transpose()
    }

    /// Returns the failures among some of the steps.
    pub(crate) fn failures(&self, part: &Part) -> impl Iterator<Item = &StepFailure> {
        let own = part.batch.is(self.batch).then(|| self.all.get(part.steps.clone())).flatten();
        own.into_iter()
            .flatten()
            .filter_map(|reply| if let Reply::Failed(failure) = reply { Some(failure) } else { None })
    }
}

/// The failure of a batch.
#[derive(Debug)]
pub(crate) struct BatchError {
    batch: BatchId,
    error: TransportError,
}

impl BatchError {
    /// Returns the distance of the step that ended the batch from `step`, if one did.
    fn compare<T>(&self, step: Handle<T>) -> Option<Ordering> {
        match &self.error {
            TransportError::Step { index, .. } if step.batch.is(self.batch) => Some(index.cmp(&step.index)),
            _ => None,
        }
    }

    /// Whether `step` ended the batch.
    pub(crate) fn failed_at<T>(&self, step: Handle<T>) -> bool {
        self.compare(step) == Some(Ordering::Equal)
    }

    /// Whether a step after `step` ended the batch: `step` took effect.
    pub(crate) fn failed_after<T>(&self, step: Handle<T>) -> bool {
        self.compare(step) == Some(Ordering::Greater)
    }

    /// Whether `step` ended the batch because something is missing.
    pub(crate) fn is_missing_at<T>(&self, step: Handle<T>) -> bool {
        self.failed_at(step) && self.kind() == Some(FailureKind::Missing)
    }

    /// Returns the kind of failure of a step or of the root.
    pub(crate) fn kind(&self) -> Option<FailureKind> {
        self.error.failure().map(|failure| failure.kind)
    }

    /// Returns the failure of an earlier step that may fail.
    pub(crate) fn earlier_failure<T>(&self, step: Handle<MayFail<T>>) -> Option<&StepFailure> {
        match &self.error {
            TransportError::Step { replies, .. } if self.failed_after(step) => match replies.get(step.index) {
                Some(Reply::Failed(failure)) => Some(failure),
                _ => None,
            },
            _ => None,
        }
    }

    /// Converts the error to that of a batch that the failure of an earlier step ended.
    pub(crate) fn because_of<T>(self, step: Handle<MayFail<T>>, cause: StepFailure) -> TransportError {
        match self.error {
            TransportError::Step { host, root, mut replies, .. } => {
                replies.truncate(step.index);
                TransportError::Step { host, root, index: step.index, failure: cause, replies }
            }
            error => error,
        }
    }
}

impl Deref for BatchError {
    type Target = TransportError;

    fn deref(&self) -> &TransportError {
        &self.error
    }
}

impl From<BatchError> for TransportError {
    fn from(error: BatchError) -> Self {
        error.error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        Batch::new("/srv/shop".parse().expect("a path"))
    }

    fn replies(batch: &Batch, replies: Vec<Reply>) -> Replies {
        Replies { batch: batch.id, host: "web1".into(), all: replies }
    }

    fn failure() -> StepFailure {
        StepFailure::new(FailureKind::Missing, "f: No such file or directory")
    }

    #[test]
    fn a_handle_gets_the_reply_to_its_step() {
        let (mut batch, path) = (batch(), || InnerPath::new("f").expect("a path"));
        let made = batch.push(Op::RemoveFile { path: path() });
        let link = batch.push_lenient(Op::read_link(path()));
        let entry = batch.push_lenient(Op::inspect(path()));
        let got = replies(&batch, vec![Reply::Done, Reply::Failed(failure()), Reply::Entry(None)]);
        assert!(got.get(made).is_ok());
        assert_eq!(got.get(link).expect("a reply"), Err(&failure()));
        assert_eq!(got.get(entry).expect("a reply"), Ok(&None));
        assert!(replies(&batch.clone(), vec![Reply::Done]).get(made).is_ok(), "a clone has the same steps");
        assert_eq!(got.failures(&batch.part()).collect::<Vec<_>>(), [&failure()]);
    }

    #[test]
    fn a_reply_that_does_not_fit_is_an_error() {
        let (mut own, mut other) = (batch(), batch());
        let entry = own.push(Op::inspect(InnerPath::root()));
        let foreign = other.push(Op::inspect(InnerPath::root()));
        assert_eq!(own, other, "the identity is no part of the content");
        for wrong in [vec![], vec![Reply::Done], vec![Reply::Failed(failure())]] {
            let error = replies(&own, wrong).get(entry).expect_err("no such reply");
            assert!(matches!(error, TransportError::Unknown { .. }), "{error:?}");
        }
        let got = replies(&own, vec![Reply::Entry(None)]);
        assert!(got.get(entry).is_ok() && got.get(foreign).is_err());
        assert_eq!(got.failures(&other.part()).count(), 0);
    }

    #[test]
    fn an_error_knows_the_step_that_ended_its_batch() {
        let (mut own, mut other) = (batch(), batch());
        let [first, second, third] = [(); 3].map(|()| own.push(Op::identify()));
        let foreign = [(); 2].map(|()| other.push(Op::identify()))[1];
        let error = TransportError::Step {
            host: "web1".into(),
            root: own.root.clone(),
            index: 1,
            failure: failure(),
            replies: Vec::new(),
        };
        let error = BatchError { batch: own.id, error };
        assert!(error.failed_at(second) && error.is_missing_at(second) && error.failed_after(first));
        assert!(!error.failed_at(first) && !error.failed_after(second) && !error.failed_after(third));
        assert!(!error.failed_at(foreign));
    }
}
