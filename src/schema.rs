//! The JSON Schemas of events and report, made from their types.

use std::{borrow::Cow, path::Path};

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Value, json};

use crate::{
    Event, HostPath, Report, Timestamp, hint::Notice, manifest::Digest, name::ReleaseName, report::Failure,
    token::Token,
};

/// Implements the schema of types that are written as a string.
macro_rules! text {
    ($($of:ty),+) => {$(
        impl JsonSchema for $of {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($of).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string" })
            }
        }
    )+};
}

text!(Digest, HostPath, Notice, ReleaseName, Timestamp, Token);

/// Fails if a schema differs from the published one, or writes it if that is asked for.
pub(crate) fn assert_published(name: &str, schema: &Value) {
    let file = format!("schemas/{name}.schema.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
    let now = serde_json::to_string_pretty(schema).expect("JSON") + "\n";
    if std::env::var_os("SNAPSHOTS").is_some_and(|how| how == "overwrite") {
        fs_err::write(&path, &now).expect("written");
    }
    let published = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(published == now, "{file} is not as the code says; SNAPSHOTS=overwrite writes it anew");
}

/// Describes a value of JSON as its reader sees it, in one paragraph: `None` is `null` there, and there is no
/// documentation to link to.
fn describe(text: &str) -> String {
    let summary = text.split_once("\n\n").map_or(text, |(summary, _)| summary);
    let mut words = summary.replace('\n', " ").replace("`None`", "`null`");
    while let Some((before, rest)) = words.split_once("[`") {
        let linked = rest.split_once("`](").and_then(|(name, rest)| Some((name, rest.split_once(')')?.1)));
        let Some((name, after)) = linked else { break };
        words = format!("{before}`{name}`{after}");
    }
    words
}

/// Removes the words that stand for those of later versions, which no version writes, and rewrites descriptions.
fn for_readers(schema: &mut Value) {
    let is_other = |one: &Value| {
        one["const"] == "other" || one["properties"]["type"]["const"] == "other" || one["enum"] == json!(["other"])
    };
    match schema {
        Value::Object(members) => {
            for (keyword, member) in members.iter_mut() {
                if let ("oneOf" | "anyOf", Some(choices)) = (keyword.as_str(), member.as_array_mut()) {
                    choices.retain(|one| !is_other(one));
                }
                if let ("description", Some(text)) = (keyword.as_str(), member.as_str()) {
                    *member = describe(text).into();
                }
                for_readers(member);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(for_readers),
        _ => {}
    }
}

fn schema<T: JsonSchema>(title: &str) -> Value {
    let generator = SchemaSettings::draft07().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    for_readers(&mut schema);
    schema["title"] = title.into();
    schema
}

#[test]
fn the_published_schema_of_events_is_that_of_this_version() {
    assert_published("event", &schema::<Event>("An event of switchback --json"));
}

#[test]
fn the_published_schema_of_the_report_is_that_of_this_version() {
    /// A report, or that of a command line or a configuration that is wrong, and of commands without hosts.
    #[derive(JsonSchema)]
    #[schemars(untagged)]
    #[expect(dead_code, reason = "only its schema is of use")]
    enum Any {
        OnHosts(Box<Report>),
        WithoutHosts(WithoutHosts),
    }

    #[derive(JsonSchema)]
    #[schemars(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is of use")]
    struct WithoutHosts {
        #[schemars(rename = "type")]
        kind: String,
        format: u32,
        command: Option<String>,
        outcome: String,
        #[schemars(length(max = 0))]
        hosts: Vec<()>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    }

    let mut schema = schema::<Any>("The report of switchback --json");
    for definition in ["report", "WithoutHosts"] {
        // The tag of a type that is no enum, which is not derived.
        let definition = &mut schema["definitions"][definition];
        definition["properties"]["type"] = json!({ "const": "report" });
        definition["properties"]["format"]["const"] = 1.into();
        let required = definition["required"].as_array_mut().expect("a list");
        required.retain(|key| key != "type");
        required.insert(0, "type".into());
    }
    schema["definitions"]["WithoutHosts"]["properties"]["outcome"]["enum"] = json!(["done", "error", "refused"]);
    assert_published("report", &schema);
}
