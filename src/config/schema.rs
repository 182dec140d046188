//! The JSON Schema of `switchback.toml`, made from the layers that the program reads.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use toml::Spanned;

use super::{
    layer::Layer,
    resolve::{TARGET_CHECKS, data::REVERT_WHEN, ssh::KNOWN_HOSTS, validate::PLACES},
    value::{DurationText, Jump},
};
use crate::{data::Preset, shared::SharedPath};

/// The schema of a value as written in the file.
pub(super) trait Shape {
    fn shape() -> Value;
}

/// Returns the schema of a table with these keys, each with its description.
pub(super) fn table(keys: &[(&str, &str, Value)]) -> Value {
    let described = |(key, about, shape): &(&str, &str, Value)| {
        let mut shape = shape.clone();
        if !about.is_empty() {
            shape["description"] = about.trim().into();
        }
        ((*key).to_owned(), shape)
    };
    let properties: Map<String, Value> = keys.iter().map(described).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

impl Shape for String {
    fn shape() -> Value {
        json!({ "type": "string" })
    }
}

impl Shape for i64 {
    fn shape() -> Value {
        json!({ "type": "integer", "minimum": 0 })
    }
}

impl Shape for bool {
    fn shape() -> Value {
        json!({ "type": "boolean" })
    }
}

impl Shape for DurationText {
    fn shape() -> Value {
        json!({ "type": "string", "pattern": "[0-9].*[A-Za-z]$" })
    }
}

impl Shape for Jump {
    fn shape() -> Value {
        json!({ "anyOf": [String::shape(), Vec::<String>::shape()] })
    }
}

impl Shape for SharedPath {
    fn shape() -> Value {
        let path = "The path in a release; a slash at the end means a directory.";
        let seed = "Takes the first content from the first release. Default: false.";
        let mut table = table(&[("path", path, String::shape()), ("seed", seed, bool::shape())]);
        table["required"] = json!(["path"]);
        json!({ "anyOf": [String::shape(), table] })
    }
}

impl<T: Shape> Shape for Spanned<T> {
    fn shape() -> Value {
        T::shape()
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn shape() -> Value {
        json!({ "type": "array", "items": T::shape() })
    }
}

/// The environments, without the schema of each: it would contain itself.
impl Shape for BTreeMap<String, Layer> {
    fn shape() -> Value {
        json!({ "type": "object", "additionalProperties": { "$ref": "#/definitions/environment" } })
    }
}

/// Returns the whole schema.
fn schema() -> Value {
    let mut file = Layer::shape();
    let words = |all: &[&str]| json!(all);
    let mut limit = |table: &str, key: &str, all: Value| file["properties"][table]["properties"][key]["enum"] = all;
    limit("ssh", "known_hosts", words(&KNOWN_HOSTS.map(|(word, _)| word)));
    limit("data", "preset", words(&Preset::ALL.map(Preset::as_str)));
    limit("data", "revert_when", words(&REVERT_WHEN.map(|(word, _)| word)));
    limit("validate", "on", words(&PLACES.map(|(word, _)| word)));
    limit("rollback", "verify", words(&TARGET_CHECKS.map(|(word, _)| word)));
    file["properties"]["host"]["items"]["anyOf"] = json!([{ "required": ["name"] }, { "required": ["address"] }]);
    file["not"] = json!({ "required": ["host", "hosts_from"] });
    let mut environment = file.clone();
    if let Some(properties) = environment["properties"].as_object_mut() {
        properties.remove("env");
    }
    file["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    file["title"] = "switchback.toml".into();
    file["description"] = "The configuration of switchback.".into();
    file["definitions"] = json!({ "environment": environment });
    file
}

#[test]
fn the_published_schema_is_that_of_this_version() {
    crate::schema::assert_published("switchback.toml", &schema());
}
