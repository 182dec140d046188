//! The survey of a root for pruning: its full state, and the processes that use its releases.

use std::collections::BTreeMap;

use crate::{
    name::ReleaseName,
    path::InnerPath,
    record::{PreviousVersion, Reading},
    transport::{Batch, Found, Op, Reply},
};

use super::{
    DirStore, Kept, RootState, StoreError,
    layout::{OVER, inner},
    query::{STATE_LIMIT, each},
};

/// The position of the survey's steps in a batch, after those of the query.
#[derive(Debug, Clone, Copy)]
struct Survey {
    first: usize,
}

impl DirStore {
    /// Reads the full state of the root, each release's `over` file, and the users of the releases, in one exchange.
    ///
    /// Takes a second exchange, if releases have recorded symlinks to shared paths, to check where these lead.
    pub(super) async fn read_survey(&self) -> Result<RootState, StoreError> {
        let (mut batch, query) = self.steps.ask();
        let survey = Survey { first: batch.steps.len() };
        self.add_survey(&mut batch);
        let replies = self.execute(&batch).await?;
        let mut state = self.read(query, &replies).await?;
        let unreadable = self.with_owners(survey.read(self, &replies, &mut state)).await?;
        state.unreadable.extend(unreadable);
        self.find_broken_links(&mut state).await?;
        Ok(state)
    }

    fn add_survey(&self, batch: &mut Batch) {
        batch.push_lenient(each(self.layout().in_state(&["releases"]), OVER, STATE_LIMIT));
        batch.push_lenient(Op::FindUsers { path: self.layout().releases().clone() });
    }
}

impl Survey {
    /// Adds the replies to `state`. Returns the files that are unreadable: the age of such a release is then
    /// unknown.
    fn read(self, store: &DirStore, replies: &[Reply], state: &mut RootState) -> Vec<(InnerPath, String)> {
        let mut unreadable = Vec::new();
        if let Some(Reply::Contents(contents)) = replies.get(self.first) {
            let contents: BTreeMap<&[u8], &Found> =
                contents.iter().map(|(name, file)| (&name[..], &file.found)).collect();
            for release in &mut state.releases {
                let found = contents.get(release.name.as_str().as_bytes());
                if let Some(why) = Kept::bytes(found.copied()).unreadable() {
                    unreadable.push((store.layout().kept(&release.name).join(&inner(OVER)), why.to_owned()));
                }
                release.over = found.and_then(|found| over(store, &release.name, found));
            }
        }
        if let Some(Reply::Users(users)) = replies.get(self.first + 1) {
            state.users = Some(users.clone());
        }
        unreadable
    }
}

/// Parses a release's `over` file: the release that was current when `own` was published.
fn over(store: &DirStore, own: &ReleaseName, found: &Found) -> Option<PreviousVersion> {
    let Found::Content(content) = found else { return None };
    match PreviousVersion::read(content, own, &store.steps.root, store.layout().releases()) {
        Ok(Reading::Certain(over)) => Some(over),
        Ok(Reading::Spelled(_)) | Err(_) => None,
    }
}
