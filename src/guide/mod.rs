//! The handbook: the configuration, the tree on disk, the leftovers of a crash, every exit code and error kind, how to
//! implement a transport or a store, and what stays stable. Pages only; there is nothing here to call.

pub mod configuration {
    #![doc = include_str!("configuration.md")]
}
pub mod layout {
    #![doc = include_str!("layout.md")]
}
pub mod adoption {
    #![doc = include_str!("adoption.md")]
}
pub mod retention {
    #![doc = include_str!("retention.md")]
}
pub mod recovery {
    #![doc = include_str!("recovery.md")]
}
pub mod exit_codes {
    #![doc = include_str!("exit_codes.md")]
}
pub mod errors {
    #![doc = include_str!("errors.md")]
}
pub mod json {
    #![doc = include_str!("json.md")]
}
pub mod transport {
    #![doc = include_str!("transport.md")]
}
pub mod stores {
    #![doc = include_str!("stores.md")]
}
pub mod ssh {
    #![doc = include_str!("ssh.md")]
}
pub mod hooks {
    #![doc = include_str!("hooks.md")]
}
pub mod web_servers {
    #![doc = include_str!("web_servers.md")]
}
pub mod data {
    #![doc = include_str!("data.md")]
}
pub mod drill {
    #![doc = include_str!("drill.md")]
}
pub mod stability {
    #![doc = include_str!("stability.md")]
}
