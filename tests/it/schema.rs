//! The published JSON Schema of `switchback.toml` against the program: both accept and refuse the same.

use std::path::Path;

use serde_json::{Value, json};
use switchback::{
    Config,
    config::{SCHEMA, STARTER},
};

use crate::support::schema::Schema;

#[track_caller]
fn accepted(schema: &Schema, text: &str) {
    let value: Value = toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(schema.refuses(&value), None, "{text}");
}

fn uncommented() -> String {
    let line = |line: &str| {
        let setting = line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '\t', ':']));
        setting.unwrap_or(line).to_owned() + "\n"
    };
    STARTER.lines().map(line).collect()
}

/// Returns the configurations in the blocks of a page.
fn blocks(page: &str) -> Vec<&str> {
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| !block.contains("[dependencies]") && !block.starts_with("switchback = ")).collect()
}

#[test]
fn every_configuration_of_the_documents_is_valid() {
    let schema = Schema::parse(SCHEMA);
    accepted(&schema, STARTER);
    accepted(&schema, &uncommented());
    accepted(&schema, include_str!("../../src/frozen/switchback.toml"));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_dir(here.join("src/guide")).expect("a directory");
    let pages =
        guide.map(|page| page.expect("an entry").path()).filter(|page| page.extension().is_some_and(|md| md == "md"));
    let mut seen = 0;
    for page in pages.chain([here.join("README.md")]) {
        let page = std::fs::read_to_string(page).expect("UTF-8");
        for block in blocks(&page) {
            seen += 1;
            accepted(&schema, block);
        }
    }
    assert!(seen > 5, "{seen}");
}

/// A value of another type than this schema has.
fn wrong(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("integer") => json!("five"),
        Some("string" | "boolean" | "object") | None => json!(5),
        Some("array") => json!(true),
        Some(other) => panic!("a wrong value for {other}"),
    }
}

/// Calls `check` with each configuration that has one mistake, and the key with it.
fn each_mistake(properties: &Value, within: &dyn Fn(Value) -> Value, check: &mut dyn FnMut(Value, &str)) {
    check(within(json!({ "zzz": 1 })), "zzz");
    for (key, schema) in properties.as_object().expect("properties") {
        check(within(json!({ key: wrong(schema) })), key);
        if let Some(words) = schema.get("enum") {
            assert!(words.as_array().is_some_and(|words| words.len() > 1), "{key}");
            check(within(json!({ key: "zzz" })), key);
        }
        if let Some(inner) = schema.get("properties") {
            each_mistake(inner, &|value| within(json!({ key: value })), check);
        }
        if let Some(items) = schema.get("items") {
            check(within(json!({ key: [wrong(items)] })), key);
            if let Some(inner) = items.get("properties") {
                each_mistake(inner, &|value| within(json!({ key: [value] })), check);
            }
        }
    }
}

/// Unknown keys, wrong types and unknown words, at each place: the program refuses them too. FAULTS.md N17.
#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let schema = Schema::parse(SCHEMA);
    let mut mistakes = 0;
    let mut check = |value: Value, key: &str| {
        mistakes += 1;
        let text = toml::to_string(&value).unwrap_or_else(|error| panic!("{error}: {value}"));
        assert!(schema.refuses(&value).is_some(), "the schema accepts {key}: {text}");
        let environment = value.get("env").is_some().then_some("live");
        assert!(Config::parse(&text, environment).is_err(), "the program accepts {key}: {text}");
    };
    let properties = &schema.json()["properties"];
    let with_root = |value: Value| {
        let mut file = json!({ "root": "/srv/shop" });
        for (key, value) in value.as_object().expect("a table") {
            file[key] = value.clone();
        }
        file
    };
    each_mistake(properties, &with_root, &mut check);
    let of_environment = &schema.json()["definitions"]["environment"]["properties"];
    each_mistake(of_environment, &|value| with_root(json!({ "env": { "live": value } })), &mut check);
    for text in [
        "root = '/a'\nhosts_from = 'x'\nhost = [{ name = 'a' }]",
        "root = '/a'\n[[host]]\nroot = '/b'",
        "root = '/a'\n[env.a.env.b]\nkeep = 1",
        "root = '/a'\nshared = [{ seed = true }]",
        "root = '/a'\nssh.connect_timeout = '30'",
        "root = '/a'\nkeep = -1",
    ] {
        check(toml::from_str(text).expect("TOML"), text);
    }
    assert!(mistakes > 150, "{mistakes}");
}
