//! Reads the recipes out of the guide, so that the tests run what a reader sees.

const GUIDE: &str = include_str!("../../../src/guide/data.md");

/// The recipe under one heading of the guide.
pub(crate) struct Recipe {
    /// The part of the configuration.
    pub(crate) toml: String,
    /// The script `db/migrate`; empty if the recipe has none.
    pub(crate) script: &'static str,
}

/// Returns the recipe whose heading begins with `heading`.
#[track_caller]
pub(crate) fn recipe(heading: &str) -> Recipe {
    let start = GUIDE.find(&format!("\n## {heading}")).expect("the guide has this recipe") + 1;
    let rest = &GUIDE[start..];
    let text = rest[2..].find("\n## ").map_or(rest, |end| &rest[..end + 2]);
    Recipe {
        toml: block(text, "toml").expect("a configuration").to_owned(),
        script: block(text, "sh").unwrap_or_default(),
    }
}

fn block(text: &'static str, language: &str) -> Option<&'static str> {
    let (_, rest) = text.split_once(&format!("```{language}\n"))?;
    rest.split_once("```").map(|(block, _)| block)
}
