//! The data of an application, which goes forward and back with its code: [`DataVersion`], [`DataRecord`].

mod record;
mod version;

pub use record::{DataChange, DataRecord};
pub use version::{DataVersion, DataVersionError};
