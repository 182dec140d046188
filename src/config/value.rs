//! Values for which TOML has no type, as written.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// A duration, not parsed yet.
#[derive(Debug)]
pub(super) struct DurationText(pub(super) String);

/// The jump hosts: one text, or a list.
#[derive(Debug)]
pub(super) struct Jump(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = DurationText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit, such as \"30s\" or \"1m30s\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DurationText, E> {
                Ok(DurationText(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Jump {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Jump;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a host such as \"user@host:22\", or a list of them")
            }

            fn visit_str<E: de::Error>(self, host: &str) -> Result<Jump, E> {
                Ok(Jump(vec![host.to_owned()]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut hosts: A) -> Result<Jump, A::Error> {
                let mut jump = Vec::new();
                while let Some(host) = hosts.next_element()? {
                    jump.push(host);
                }
                Ok(Jump(jump))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}
