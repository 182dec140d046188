//! [`Survey`]: what decides which releases go: a whole reading, and who uses them.

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

/// Where the steps of a survey begin, behind those of a query.
#[derive(Debug, Clone, Copy)]
struct Survey {
    first: usize,
}

impl DirStore {
    /// Reads all of the root in one exchange, with what was current when each release was published, and who uses it; and in
    /// another, where releases have links to what is shared, whether those still lead there.
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
    /// Adds what the replies say. Returns what of it cannot be read: how old such a release is is then not known.
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

/// What was current when the release `own` was published, as its file says.
fn over(store: &DirStore, own: &ReleaseName, found: &Found) -> Option<PreviousVersion> {
    let Found::Content(content) = found else { return None };
    match PreviousVersion::read(content, own, &store.steps.root, store.layout().releases()) {
        Ok(Reading::Certain(over)) => Some(over),
        Ok(Reading::Spelled(_)) | Err(_) => None,
    }
}
