//! The state of a host in memory, read without the library.

use std::collections::{BTreeMap, BTreeSet};

use switchback::transport::MemoryHost;

use super::puppet::ROOT;

/// The state of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ground {
    /// The target of `current`.
    pub(crate) link: Option<String>,
    pub(crate) releases: BTreeMap<String, Hosted>,
    /// The name of the held lock.
    pub(crate) lock: Option<String>,
    /// The target releases of interrupted operations.
    pub(crate) intents: BTreeSet<String>,
}

/// One release on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hosted {
    /// The text of its page, which names the release and its upload.
    pub(crate) page: Option<String>,
    pub(crate) complete: bool,
    pub(crate) record: Option<String>,
    pub(crate) bad: bool,
    pub(crate) pinned: bool,
}

impl Ground {
    pub(crate) fn read(host: &MemoryHost) -> Self {
        let names = |inner: &str| host.list(&at(inner)).unwrap_or_default();
        // A directory that is about to be staged has a name that no release can have.
        let releases = names("releases")
            .into_iter()
            .filter(|name| !name.starts_with('.'))
            .map(|name| (name.clone(), Hosted::read(host, &name)))
            .collect();
        let lock = names(".switchback/lock").into_iter().find(|name| name.len() == 32);
        let intents = names(".switchback/journal").into_iter().filter_map(|token| {
            let intent = text(host, &format!(".switchback/journal/{token}/intent"))?;
            let intent: serde_json::Value = serde_json::from_str(&intent).ok()?;
            Some(intent["to"].as_str()?.to_owned())
        });
        Self { link: host.read_link(&at("current")), releases, lock, intents: intents.collect() }
    }

    /// Returns the release that `current` names, in either of the two spellings used here.
    pub(crate) fn on(&self) -> Option<&str> {
        let text = self.link.as_deref()?;
        text.strip_prefix("releases/").or_else(|| text.strip_prefix(ROOT)?.strip_prefix("/releases/"))
    }

    pub(crate) fn record(&self, release: &str) -> Option<&str> {
        self.releases.get(release)?.record.as_deref()
    }

    pub(crate) fn is_complete(&self, release: &str) -> bool {
        self.releases.get(release).is_some_and(|hosted| hosted.complete)
    }
}

impl Hosted {
    fn read(host: &MemoryHost, name: &str) -> Self {
        let inside = |file: &str| text(host, &format!("releases/{name}/{file}"));
        let page = inside("index.html");
        let complete = page.as_deref().is_some_and(|page| page.split(' ').next() == Some(name))
            && inside("assets/style.css").is_some();
        let marked = |mark: &str| host.exists(&at(&format!(".switchback/releases/{name}/{mark}")));
        Self { page, complete, record: inside("previousVersion"), bad: marked("bad"), pinned: marked("pin") }
    }
}

fn text(host: &MemoryHost, inner: &str) -> Option<String> {
    String::from_utf8(host.read(&at(inner))?).ok()
}

/// Returns the content of a record that names `previous`.
pub(crate) fn record_line(previous: Option<&str>) -> String {
    previous.map_or_else(|| "none\n".to_owned(), |name| format!("{ROOT}/releases/{name}\n"))
}

pub(crate) fn at(inner: &str) -> String {
    format!("{ROOT}/{inner}")
}
