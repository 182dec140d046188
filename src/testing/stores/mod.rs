//! The conformance suite for stores: the contract of [`ReleaseStore`] and its guard, case by case, as far as the
//! fleet relies on it.
//!
//! [`store`] runs all cases. To run them in a test harness, or only some, take them from [`cases`]: each has a name,
//! takes a fresh [`Fixture`], and passes, fails with the violation, or says why it was skipped.
//!
//! ```
//! use switchback::{
//!     DirStore, Layout,
//!     testing::stores::{self, Fixture},
//!     transport::MemoryHost,
//! };
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let summary = stores::store(|| {
//!     let host = MemoryHost::new();
//!     let root = "/srv/shop".parse().expect("a root");
//!     let store = move || DirStore::new(host.connect("memory"), Clone::clone(&root), Layout::default());
//!     Fixture::new(store)
//! })
//! .await;
//! println!("{summary}");
//! # });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod activate;
mod commands;
mod interrupted;
mod lock;
mod lost;
mod prune;
mod publish;
mod records;
mod subject;

use std::{any::Any, fmt, sync::Arc};

use futures_util::{StreamExt, stream};

use crate::{future::BoxFuture, store::ReleaseStore};

use super::{Summary, Verdict};

use subject::Subject;

/// Loses the answer to a store's next request: the request takes effect, and the store cannot know.
type Lose = Box<dyn Fn() + Send + Sync>;

/// Makes a client of one root.
type Connect = dyn Fn() -> Arc<dyn ReleaseStore> + Send + Sync;

/// Makes a client of one root that can lose an answer.
type ConnectLosing = dyn Fn() -> (Arc<dyn ReleaseStore>, Lose) + Send + Sync;

/// The subject of a case: a root that nobody else uses, without any release, and a way to make clients of it.
pub struct Fixture {
    connect: Box<Connect>,
    losing: Option<Box<ConnectLosing>>,
    keep: Vec<Box<dyn Any + Send + Sync>>,
}

impl Fixture {
    /// A fixture for one root: each call of `connect` makes another client of it, as another process would be.
    #[must_use]
    pub fn new<S: ReleaseStore>(connect: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self { connect: Box::new(move || Arc::new(connect())), losing: None, keep: Vec::new() }
    }

    /// Allows the cases about lost answers: `connect` makes another client of the same root, and a function that makes
    /// it lose the answer to its next request. Otherwise they are skipped.
    ///
    /// For a store over a transport, [`Faults`](super::Faults) and [`Cut::lose_next`](super::Cut::lose_next) do so. A
    /// store whose requests are calls in one process has no answers to lose.
    #[must_use]
    pub fn losing_answers<S: ReleaseStore>(
        mut self,
        connect: impl Fn() -> (S, Box<dyn Fn() + Send + Sync>) + Send + Sync + 'static,
    ) -> Self {
        self.losing = Some(Box::new(move || {
            let (store, lose) = connect();
            (Arc::new(store), lose)
        }));
        self
    }

    /// Keeps `guard` until the case is over, such as one that removes a directory.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep.push(Box::new(guard));
        self
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("losing", &self.losing.is_some()).finish_non_exhaustive()
    }
}

/// The result of a case in words: the violation.
type Outcome = Result<(), String>;

/// One case of the suite.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    name: &'static str,
    run: fn(Subject) -> BoxFuture<'static, Outcome>,
}

impl Case {
    /// Returns the name: its subject, `::`, and the rule.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the case.
    ///
    /// # Errors
    ///
    /// The violation, with the names of the case and of the store.
    pub async fn run(&self, fixture: Fixture) -> Result<Verdict, String> {
        if self.name.starts_with("lost::") && fixture.losing.is_none() {
            return Ok(Verdict::Skipped("the store has no answers to lose (`Fixture::losing_answers`)".to_owned()));
        }
        let Fixture { connect, losing, keep } = fixture;
        let subject = Subject::new(connect, losing);
        let clients = subject.clients();
        let outcome = (self.run)(subject).await;
        let name = clients.close().await;
        drop(keep);
        outcome.map(|()| Verdict::Passed).map_err(|what| format!("{} on {name}: {what}", self.name))
    }
}

/// The number of cases that run at the same time.
const AT_ONCE: usize = 8;

/// Runs all [`cases`], several at the same time; `make` creates a fresh fixture for each.
///
/// # Panics
///
/// Panics if a case fails, after all have run, with all failures.
pub async fn store(make: impl Fn() -> Fixture) -> Summary {
    let run = |case: &'static Case| {
        let fixture = make();
        async move { (case.name, case.run(fixture).await) }
    };
    let results: Vec<_> = stream::iter(cases()).map(run).buffered(AT_ONCE).collect().await;
    Summary::of(results)
}

macro_rules! cases {
    ($($about:ident: $($case:ident)+;)+) => {
        const CASES: &[Case] = &[$($(
            Case {
                name: concat!(stringify!($about), "::", stringify!($case)),
                run: |subject| Box::pin($about::$case(subject)),
            },
        )+)+];
    };
}

/// Returns all cases, in the order in which failures are best read.
#[must_use]
pub const fn cases() -> &'static [Case] {
    CASES
}

cases! {
    lock: an_empty_root_is_an_empty_state is_exclusive one_of_many_gets_it the_state_is_read_under_it
        is_taken_over_from_its_holder is_not_taken_over_from_another an_old_guard_changes_nothing
        a_fence_keeps_it;
    publish: staging_needs_no_lock_and_shows_nothing what_is_discarded_is_not_published a_prepared_release_is_complete
        a_taken_name_is_refused unprepare_frees_the_name unprepare_puts_the_record_back
        the_current_release_stays only_what_is_there_is_ready;
    activate: it_switches_and_says_from_where it_compares_and_swaps it_needs_the_release it_goes_back
        a_first_one_is_undone what_was_current_is_good;
    records: bad_marks pins history_comes_oldest_first debts_stay_until_paid data_and_its_ledger commands;
    prune: what_is_pruned_is_gone names_are_reused_only_if_never_current a_survey_reads_everything;
    interrupted: an_intent_is_seen a_run_is_told_by_its_lock an_unfinished_run_is_told_until_it_is_settled
        a_settled_preparation_was_never_current;
    commands: they_run_or_are_refused adoption_is_offered_by_both;
    lost: a_switch a_preparation a_lock the_end;
}
