//! Broken symlinks to shared paths: reported, and never a reason to refuse a rollback.

use futures_util::future::join_all;

use crate::{
    name::ReleaseName,
    plan::{Plan, Seen},
    shared::BrokenLink,
    store::HostedRelease,
};

use super::{
    observe::failure,
    operations::verify::{Warnings, list_some},
    run::Run,
};

impl Run<'_> {
    /// Checks the symlinks of the releases that a dry run's plan leaves and goes to.
    ///
    /// A run checks them in its finish phase, so that the switch does not wait for it.
    pub(super) async fn check_links(&self, plan: &Plan, seen: &[Seen<'_>]) -> Warnings {
        let looks = seen.iter().filter_map(|seen| {
            let host = self.hosts.iter().find(|host| host.name == seen.host)?;
            let of_plan = plan.host(seen.host)?;
            let names = links_of(of_plan.before.release(), Some(&of_plan.release));
            let releases: Vec<HostedRelease> =
                names.iter().filter_map(|name| seen.state.release(name)).cloned().collect();
            Some(async move { (seen.host.to_owned(), host.store.broken_links(&releases).await) })
        });
        let mut warnings = Warnings::new();
        for (host, found) in join_all(looks).await {
            let said = match found {
                Ok(broken) => broken.iter().map(|(name, links)| describe_links(name, links)).collect(),
                Err(error) => {
                    vec![format!("cannot check the links to shared paths ({})", failure(error).message)]
                }
            };
            for said in said {
                self.warn(Some(&host), said.clone());
                warnings.push((host.clone(), said));
            }
        }
        warnings
    }
}

/// Returns the releases whose symlinks an operation checks.
pub(super) fn links_of(before: Option<&ReleaseName>, after: Option<&ReleaseName>) -> Vec<ReleaseName> {
    before.into_iter().chain(after.filter(|after| Some(*after) != before)).cloned().collect()
}

/// Describes the broken symlinks of a release.
pub(super) fn describe_links(name: &ReleaseName, links: &[BrokenLink]) -> String {
    let links: Vec<String> = links.iter().map(ToString::to_string).collect();
    format!("{name} has damaged links to shared paths: {}", list_some(&links, links.len() as u64))
}
