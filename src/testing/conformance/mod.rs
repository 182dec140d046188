//! The conformance suite for transports: the contract of [`Transport`], case by case.
//!
//! [`transport`] runs all cases. To run them in a test harness, or only some, take them from [`cases`]: each has a name,
//! takes a fresh [`Fixture`], and passes, fails with the violation, or says why it was skipped.
//!
//! ```
//! use switchback::{
//!     testing::{
//!         Verdict,
//!         conformance::{self, Fixture},
//!     },
//!     transport::MemoryHost,
//! };
//!
//! # tokio::runtime::Builder::new_multi_thread().build()?.block_on(async {
//! for case in conformance::cases() {
//!     let host = MemoryHost::new();
//!     host.make_dir("/srv/shop");
//!     let fixture = Fixture::new(host.connect("memory"), "/srv/shop".parse()?).without_scripts();
//!     match case.run(fixture).await? {
//!         Verdict::Passed => println!("{}: ok", case.name()),
//!         Verdict::Skipped(why) => println!("{}: skipped, {why}", case.name()),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod append;
mod ask;
mod batch;
mod chain;
mod compare;
mod grammar;
mod hook;
mod hostile;
mod make;
mod mount;
mod moves;
mod ops;
mod process;
mod remove;
mod script;
mod subject;
mod survey;
mod together;
mod upload;
mod way;

use std::{any::Any, fmt, sync::Arc};

use futures_util::{StreamExt, stream};

use crate::{future::BoxFuture, path::HostPath, transport::Transport};

use super::{Summary, Verdict};

use subject::Subject;

/// The subject of a case: a transport, and a directory that nobody else uses.
pub struct Fixture {
    transport: Arc<dyn Transport>,
    root: HostPath,
    scripts: bool,
    mounts: bool,
    keep: Vec<Box<dyn Any + Send + Sync>>,
}

impl Fixture {
    /// A fixture for `transport` with the root `root`: an existing empty directory on its host, in which it may do
    /// anything.
    #[must_use]
    pub fn new(transport: impl Transport, root: HostPath) -> Self {
        Self { transport: Arc::new(transport), root, scripts: true, mounts: false, keep: Vec::new() }
    }

    /// Declares that the host has no shell, and only simulates commands. Skips the cases that need a shell.
    #[must_use]
    pub fn without_scripts(mut self) -> Self {
        self.scripts = false;
        self
    }

    /// Allows the cases that mount a filesystem below the directory to try that.
    #[must_use]
    pub fn with_mounts(mut self) -> Self {
        self.mounts = true;
        self
    }

    /// Keeps `guard` until the case is over, such as one that removes the directory.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep.push(Box::new(guard));
        self
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("transport", &self.transport).field("root", &self.root).finish_non_exhaustive()
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
    /// The violation, with the names of the case and of the transport.
    pub async fn run(&self, fixture: Fixture) -> Result<Verdict, String> {
        if let Some(why) = self.lacks(&fixture) {
            return Ok(Verdict::Skipped(why.to_owned()));
        }
        let transport = fixture.transport.to_string();
        let subject = Subject::new(&fixture);
        let skipped = Arc::clone(&subject.skipped);
        let outcome = (self.run)(subject).await;
        fixture.transport.close().await;
        outcome.map_err(|what| format!("{} on {transport}: {what}", self.name))?;
        Ok(skipped.get().map_or(Verdict::Passed, |why| Verdict::Skipped(why.clone())))
    }

    /// Returns the requirement that the fixture declares as missing.
    fn lacks(&self, fixture: &Fixture) -> Option<&'static str> {
        match self.name.split_once("::")?.0 {
            "script" | "mount" if !fixture.scripts => Some("the host has no shell"),
            "mount" if !fixture.mounts => Some("the fixture does not allow mounts (`Fixture::with_mounts`)"),
            _ => None,
        }
    }
}

/// The number of cases that run at the same time: many of them wait for a process to end.
const AT_ONCE: usize = 8;

/// Runs all [`cases`], several at the same time; `make` creates a fresh fixture for each.
///
/// # Panics
///
/// Panics if a case fails, after all have run, with all failures.
pub async fn transport(make: impl Fn() -> Fixture) -> Summary {
    all_of(cases(), make).await
}

/// Runs these cases, as [`transport`] does.
///
/// # Panics
///
/// As [`transport`].
pub async fn all_of(cases: impl IntoIterator<Item = &'static Case>, make: impl Fn() -> Fixture) -> Summary {
    let run = |case: &'static Case| {
        let fixture = make();
        async move { (case.name, case.run(fixture).await) }
    };
    let results: Vec<_> = stream::iter(cases).map(run).buffered(AT_ONCE).collect().await;
    Summary::of(results)
}

macro_rules! cases {
    ($($about:ident: $($case:ident)+;)+) => {
        /// Returns all cases, in the order in which failures are best read.
        #[must_use]
        pub const fn cases() -> &'static [Case] {
            &[$($(
                Case {
                    name: concat!(stringify!($about), "::", stringify!($case)),
                    run: |subject| Box::pin($about::$case(subject)),
                },
            )+)+]
        }
    };
}

cases! {
    batch: one_reply_a_step steps_run_in_order a_failure_stops a_lenient_failure_goes_on an_empty_batch
        a_missing_root a_root_that_is_no_directory a_root_is_made a_dangling_root_is_not_made a_root_may_be_a_link a_pinned_root
        works_again_after_close one_of_many_wins;
    ask: identity clock inspect nothing_is_reached_through_a_link nothing_is_reached_through_a_file resolve
        resolve_leads_nowhere read_link read read_the_end read_what_is_no_file list list_what_is_no_directory read_each
        what_may_not_be_read_is_there
        expect_absent expect_directory expect_link;
    make: directories_have_exact_modes the_setgid_bit_is_passed_on directories_that_exist directories_need_a_parent links links_replace_nothing
        files_have_exact_modes files_replace_nothing large_content;
    append: makes_a_private_file appends_and_keeps_the_mode refuses_what_is_no_file;
    moves: to_a_free_name replaces_a_file replaces_a_link_itself replaces_an_empty_directory refuses_a_full_directory
        refuses_another_kind needs_both_ends never_into_itself never_through_a_link
        a_rename_replaces_nothing an_exchange_is_whole_or_nothing;
    remove: files links_and_not_what_they_lead_to refuses_the_wrong_kind directories trees trees_without_permissions
        trees_without_following_links never_the_root what_is_absent_is_removed sync;
    together: reads a_read_that_fails_stops directories_in_each_other removals;
    hostile: names contents link_texts;
    grammar: release_names paths texts;
    process: a_mark_is_alive a_mark_replaces_nothing only_a_mark_says_anything other_processes_are_gone
        what_is_marked_elsewhere_is_not_proven_gone marks_of_three_words;
    survey: lists_all_there_is stops_at_the_depth_of_a_release digests_contents needs_a_directory_to_list
        tells_what_changed changes_need_a_snapshot changes_of_a_tree_that_was_replaced;
    compare: holds_where_nothing_changed holds_what_was_added_against_nobody names_what_differs tells_modes_apart
        compares_contents compares_odd_names misses_odd_names tells_some_of_many tells_what_is_nested_too_deep
        tells_whose_entries_are reads_no_manifest_that_means_nothing reads_the_name_off_a_record says_what_it_has_not never_compares_through_a_link;
    chain: is_read_from_end_to_end begins_where_it_is_told ends_where_it_leads_nowhere what_may_not_be_read_is_there;
    hook: a_record_is_private a_record_needs_a_parent a_working_directory_must_be_there a_missing_root_runs_nothing
        what_no_shell_takes_is_refused a_second_call_finds_the_first a_runner_that_is_gone_is_lost
        one_of_many_starts_it ending_starts_nothing;
    script: ends_are_told_apart streams_are_kept_apart lines_come_as_they_are_printed any_bytes_are_told_as_they_are
        standard_input_is_empty output_is_capped_and_the_rest_is_taken the_environment_is_given secrets_are_in_no_file
        a_script_may_be_long a_process_left_behind_holds_nothing_up a_time_limit_is_kept a_dropped_call_goes_on what_runs_is_ended
        only_the_process_of_the_record_is_ended
        a_hostile_command_harms_itself_only drawn_lines_and_places drawn_names_of_users;
    way: every_directory_is_told what_is_no_directory_is_left_out nobody_uses_it nothing_is_mounted what_may_be_written;
    mount: is_seen_where_it_is;
    upload: brings_all modes_are_exact links_and_empty_directories hostile_names many_and_large_files progress
        lists_of_all lists_over_a_base copies_what_is_equal
        what_is_equal_keeps_its_time finds_a_changed_base an_expected_one_arrives a_way_for_one_is_found an_empty_tree needs_an_empty_directory needs_a_root a_source_that_changes;
}
