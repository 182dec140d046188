//! [`Kind`]: the type of each key, checked before the values are read, so that a wrong one is explained in the words of
//! a configuration and not in those of a parser.

use std::{collections::BTreeMap, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::ConfigError,
    layer::Layer,
    suggest,
    value::{DurationText, Jump},
};
use crate::shared::SharedPath;

pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// A type of values.
pub(super) trait Kind {
    /// What a value must be.
    const MUST_BE: &'static str;
    /// What a list of such values must be.
    const LIST: &'static str = "a list";

    /// Whether the value is of this type, whatever is in it.
    fn fits(value: &DeValue<'_>) -> bool;

    /// Finds what is wrong in a value of this type.
    fn inside(_: &Value<'_>, _: &mut Vec<Wrong>) {}

    /// Returns how to write what was probably meant.
    fn remedy(value: &DeValue<'_>) -> Remedy;

    /// Finds what is wrong with the value.
    fn check(value: &Value<'_>, wrong: &mut Vec<Wrong>) {
        if Self::fits(value.get_ref()) {
            Self::inside(value, wrong);
        } else {
            wrong.push(Wrong::value::<Self>(Self::MUST_BE, value));
        }
    }
}

/// A wrong key or value.
#[derive(Debug)]
pub(super) struct Wrong {
    span: Range<usize>,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A key that is none of these.
    Unknown(&'static [&'static str]),
    /// A table without this key.
    Lacks(&'static str),
    /// A value that must be something else.
    MustBe(&'static str, Remedy),
}

/// A way to write what was probably meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    None,
    Quotes,
    NoQuotes,
    Whole,
    Smaller,
    Unit,
    Brackets,
    Table,
    TableEach,
}

impl Wrong {
    fn value<K: Kind + ?Sized>(must_be: &'static str, value: &Value<'_>) -> Self {
        Self { span: value.span(), what: What::MustBe(must_be, K::remedy(value.get_ref())) }
    }

    /// Says in `text` what is wrong.
    fn error(self, text: &str) -> ConfigError {
        let written = text.get(self.span.clone()).unwrap_or_default().to_owned();
        let error = ConfigError::at(text, self.span, "");
        let key = error.key().unwrap_or_default().to_owned();
        match self.what {
            What::Unknown(known) => {
                let word = written.trim_matches(['"', '\'']);
                error.message_of(|key| format!("unknown key `{key}`")).help(suggest::key(word, known))
            }
            What::Lacks(name) => error.message_of(|key| format!("`{key}`: a table must have `{name}`")),
            What::MustBe(must_be, remedy) => {
                let error = error.message_of(|key| format!("`{key}` must be {must_be}"));
                match remedy.words(&key, &written) {
                    Some(help) => error.help(help),
                    None => error,
                }
            }
        }
    }
}

impl Remedy {
    fn words(self, key: &str, written: &str) -> Option<String> {
        let name = key.rsplit('.').next().unwrap_or(key);
        Some(match self {
            Self::None => return None,
            Self::Quotes => format!("write it in quotes: {name} = \"{written}\""),
            Self::NoQuotes => format!("write it without quotes: {name} = {}", written.trim_matches(['"', '\''])),
            Self::Whole => "write it without a fraction".to_owned(),
            Self::Smaller => "this number is too large".to_owned(),
            Self::Unit => format!("write it with its unit: {name} = \"{written}s\""),
            Self::Brackets => format!("write it in brackets: {name} = [{written}]"),
            Self::Table => format!("write `[{key}]`, and its keys in the lines below"),
            Self::TableEach => format!("write `[[{key}]]` for each, and its keys in the lines below"),
        })
    }
}

/// Checks the keys of a configuration and the types of their values; the first error in the text counts.
pub(super) fn check(text: &str, table: &Spanned<DeTable<'_>>) -> Result<(), ConfigError> {
    let mut wrong = Vec::new();
    table_of::<Layer>(table.get_ref(), &mut wrong);
    wrong.into_iter().min_by_key(|wrong| wrong.span.start).map_or(Ok(()), |wrong| Err(wrong.error(text)))
}

/// A key of a table, and the check of its values.
pub(super) type Key = (&'static str, fn(&Value<'_>, &mut Vec<Wrong>));

/// A table with known keys.
pub(super) trait Keys {
    const KEYS: &'static [Key];
    const NAMES: &'static [&'static str];
}

/// Finds what is wrong in a table with these keys.
fn table_of<T: Keys>(table: &DeTable<'_>, wrong: &mut Vec<Wrong>) {
    for (key, value) in table {
        match T::KEYS.iter().find(|(name, _)| *name == key.get_ref().as_ref()) {
            Some((_, check)) => check(value, wrong),
            None => wrong.push(Wrong { span: key.span(), what: What::Unknown(T::NAMES) }),
        }
    }
}

impl<T: Keys> Kind for T {
    const MUST_BE: &'static str = "a table";
    const LIST: &'static str = "a list of tables";

    fn fits(value: &DeValue<'_>) -> bool {
        value.is_table()
    }

    fn inside(value: &Value<'_>, wrong: &mut Vec<Wrong>) {
        value.get_ref().as_table().into_iter().for_each(|table| table_of::<T>(table, wrong));
    }

    fn remedy(_: &DeValue<'_>) -> Remedy {
        Remedy::Table
    }
}

impl<T: Kind> Kind for Spanned<T> {
    const MUST_BE: &'static str = T::MUST_BE;
    const LIST: &'static str = T::LIST;

    fn fits(value: &DeValue<'_>) -> bool {
        T::fits(value)
    }

    fn inside(value: &Value<'_>, wrong: &mut Vec<Wrong>) {
        T::inside(value, wrong);
    }

    fn remedy(value: &DeValue<'_>) -> Remedy {
        T::remedy(value)
    }
}

impl<T: Kind> Kind for Vec<T> {
    const MUST_BE: &'static str = T::LIST;

    fn fits(value: &DeValue<'_>) -> bool {
        value.is_array()
    }

    fn inside(value: &Value<'_>, wrong: &mut Vec<Wrong>) {
        for item in value.get_ref().as_array().into_iter().flatten() {
            if T::fits(item.get_ref()) {
                T::inside(item, wrong);
            } else {
                let remedy = Some(T::remedy(item.get_ref())).filter(|remedy| *remedy == Remedy::Table);
                let remedy = remedy.map_or(Remedy::None, |_| Remedy::TableEach);
                wrong.push(Wrong { span: item.span(), what: What::MustBe(T::LIST, remedy) });
            }
        }
    }

    fn remedy(value: &DeValue<'_>) -> Remedy {
        match T::remedy(value) {
            Remedy::Table => Remedy::TableEach,
            _ if T::fits(value) => Remedy::Brackets,
            _ => Remedy::None,
        }
    }
}

impl<T: Kind> Kind for BTreeMap<String, T> {
    const MUST_BE: &'static str = "a table of tables, each with a name";

    fn fits(value: &DeValue<'_>) -> bool {
        value.is_table()
    }

    fn inside(value: &Value<'_>, wrong: &mut Vec<Wrong>) {
        value.get_ref().as_table().into_iter().flatten().for_each(|(_, value)| T::check(value, wrong));
    }

    fn remedy(_: &DeValue<'_>) -> Remedy {
        Remedy::None
    }
}

impl Kind for String {
    const MUST_BE: &'static str = "text in quotes";
    const LIST: &'static str = "a list of texts in quotes";

    fn fits(value: &DeValue<'_>) -> bool {
        value.is_str()
    }

    fn remedy(value: &DeValue<'_>) -> Remedy {
        if value.is_array() || value.is_table() { Remedy::None } else { Remedy::Quotes }
    }
}

impl Kind for i64 {
    const MUST_BE: &'static str = "a number";

    fn fits(value: &DeValue<'_>) -> bool {
        value.as_integer().is_some_and(|number| Self::from_str_radix(number.as_str(), number.radix()).is_ok())
    }

    fn remedy(value: &DeValue<'_>) -> Remedy {
        match value {
            DeValue::String(text) if text.parse::<Self>().is_ok() => Remedy::NoQuotes,
            DeValue::Float(_) => Remedy::Whole,
            DeValue::Integer(_) => Remedy::Smaller,
            _ => Remedy::None,
        }
    }
}

impl Kind for bool {
    const MUST_BE: &'static str = "true or false";

    fn fits(value: &DeValue<'_>) -> bool {
        value.is_bool()
    }

    fn remedy(value: &DeValue<'_>) -> Remedy {
        let is_bool = value.as_str().is_some_and(|text| text.parse::<Self>().is_ok());
        if is_bool { Remedy::NoQuotes } else { Remedy::None }
    }
}

impl Kind for DurationText {
    const MUST_BE: &'static str = "a duration with its unit, such as \"30s\" or \"1m30s\"";

    fn fits(value: &DeValue<'_>) -> bool {
        value.is_str()
    }

    fn remedy(value: &DeValue<'_>) -> Remedy {
        if value.is_integer() { Remedy::Unit } else { Remedy::None }
    }
}

impl Kind for Jump {
    const MUST_BE: &'static str = "a host such as \"user@host:22\", or a list of them";

    fn fits(value: &DeValue<'_>) -> bool {
        value.is_str() || value.is_array()
    }

    fn inside(value: &Value<'_>, wrong: &mut Vec<Wrong>) {
        let others = value.get_ref().as_array().into_iter().flatten().filter(|item| !item.get_ref().is_str());
        wrong.extend(others.map(|item| Wrong::value::<Self>(Self::MUST_BE, item)));
    }

    fn remedy(_: &DeValue<'_>) -> Remedy {
        Remedy::None
    }
}

/// The keys of a shared path that is written as a table.
struct SharedTable;

impl Keys for SharedTable {
    const KEYS: &'static [Key] = &[("path", String::check), ("seed", bool::check)];
    const NAMES: &'static [&'static str] = &["path", "seed"];
}

impl Kind for SharedPath {
    const MUST_BE: &'static str = "a path, or a table of a path";
    const LIST: &'static str = "a list of paths, such as [\"storage/\", { path = \"uploads/\", seed = true }]";

    fn fits(value: &DeValue<'_>) -> bool {
        value.is_str() || value.is_table()
    }

    fn inside(value: &Value<'_>, wrong: &mut Vec<Wrong>) {
        let Some(table) = value.get_ref().as_table() else { return };
        table_of::<SharedTable>(table, wrong);
        if !table.contains_key("path") {
            wrong.push(Wrong { span: value.span(), what: What::Lacks("path") });
        }
    }

    fn remedy(_: &DeValue<'_>) -> Remedy {
        Remedy::None
    }
}
