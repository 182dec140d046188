//! The survey of a root for pruning: its full state, and the processes that use its releases.

use std::collections::BTreeMap;

use crate::{
    limits,
    name::ReleaseName,
    path::InnerPath,
    record::{PreviousVersion, Reading},
    transport::{Contents, Found, Op},
};

use super::{
    DirStore, Kept, RootState, StoreError,
    layout::{OVER, inner},
    query::each,
};

impl DirStore {
    /// Reads the full state of the root, each release's `over` file, and the users of the releases, in one exchange.
    ///
    /// Takes a second exchange, if releases have recorded symlinks to shared paths, to check where these lead.
    pub(super) async fn survey(&self) -> Result<RootState, StoreError> {
        let (mut batch, query) = self.steps.ask();
        let over = batch.push_lenient(each(self.layout().in_state(&["releases"]), OVER, limits::STATE));
        let users = batch.push_lenient(Op::find_users(self.layout().releases().clone()));
        let replies = self.execute(&batch).await?;
        let mut state = self.read(&query, &replies).await?;
        if let Ok(contents) = replies.get(over)? {
            let unreadable = self.add_over(contents, &mut state);
            state.unreadable.extend(self.with_owners(unreadable).await?);
        }
        state.users = replies.get(users)?.ok().cloned();
        self.find_broken_links(&mut state).await?;
        Ok(state)
    }

    /// Adds the releases' `over` files to `state`. Returns those that are unreadable: the age of such a release is then
    /// unknown.
    fn add_over(&self, contents: &Contents, state: &mut RootState) -> Vec<(InnerPath, String)> {
        let mut unreadable = Vec::new();
        let contents: BTreeMap<&[u8], &Found> = contents.iter().map(|(name, file)| (&name[..], &file.found)).collect();
        for release in &mut state.releases {
            let found = contents.get(release.name.as_str().as_bytes());
            if let Some(why) = Kept::bytes(found.copied()).unreadable() {
                unreadable.push((self.layout().kept(&release.name).join(&inner(OVER)), why.to_owned()));
            }
            release.over = found.and_then(|found| over(self, &release.name, found));
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
