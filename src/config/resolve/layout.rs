//! `[layout]`.

use super::Source;
use crate::{
    config::{
        error::ConfigError,
        layer::{LayoutLayer, Text},
    },
    path::InnerPath,
    store::{Layout, layout::LayoutError},
};

impl Source<'_> {
    pub(super) fn layout(&self, layer: &LayoutLayer) -> Result<Layout, ConfigError> {
        let LayoutLayer { current, releases, shared, state } = layer;
        for path in [current, releases, shared, state].into_iter().flatten() {
            self.parse::<InnerPath>(path)?;
        }
        let default = Layout::default();
        let text = |set: &Option<Text>, default: &InnerPath| {
            set.as_ref().map_or_else(|| default.as_str().to_owned(), |path| path.get_ref().clone())
        };
        let layout = Layout::new(
            &text(current, default.current()),
            &text(releases, default.releases()),
            &text(shared, default.shared()),
            &text(state, default.state()),
        );
        layout.map_err(|error| self.layout_error(layer, &error))
    }

    /// Places the error at the line of the offending name, if it was set.
    fn layout_error(&self, layer: &LayoutLayer, error: &LayoutError) -> ConfigError {
        let set = |key: &str| match key {
            "current" => layer.current.as_ref(),
            "releases" => layer.releases.as_ref(),
            "shared" => layer.shared.as_ref(),
            _ => layer.state.as_ref(),
        };
        let spot = match error {
            LayoutError::NotOneName { key, .. } => set(key),
            LayoutError::Overlap { key, other } => set(other).or_else(|| set(key)),
            LayoutError::OfLocks { .. } => set("current"),
            LayoutError::Path(_) => None,
        };
        spot.map_or_else(
            || ConfigError::new(error.to_string()),
            |spot| ConfigError::at(self.text, spot.span(), error.to_string()),
        )
    }
}
