//! The data of an application, which goes forward and back with its code: [`DataVersion`], [`DataRecord`], [`Preset`].

mod preset;
mod record;
mod version;

pub use preset::Preset;
pub use record::{DataChange, DataRecord};
pub use version::{DataVersion, DataVersionError};
