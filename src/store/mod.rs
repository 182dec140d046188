//! What a root holds, and the only way to change it: [`ReleaseStore`].

mod layout;

pub use layout::{Layout, LayoutError};
