//! Checks that `tests/FAULTS.md` and the tests name each other.

use std::{collections::BTreeMap, fs, path::Path};

const FAULTS: &str = include_str!("../FAULTS.md");
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Returns the words that look like an identifier: a capital letter and two digits.
fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.filter(|word| matches!(word.as_bytes(), [b'A'..=b'Z', b'0'..=b'9', b'0'..=b'9']))
}

/// Returns the lines of the Rust files below a directory, each with the name of its file.
fn lines(directory: &Path) -> Vec<(String, String)> {
    let read = |path: &Path| fs::read_to_string(path).expect("UTF-8");
    let paths = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let below = paths.map(|path| match path.extension() {
        _ if path.is_dir() => lines(&path),
        Some(rs) if rs == "rs" => read(&path).lines().map(|line| (path.display().to_string(), line.into())).collect(),
        _ => Vec::new(),
    });
    below.flatten().collect()
}

/// Whether a path such as `it::fleet::current::dangling` leads to a file, and its rest to an item in the file.
pub(crate) fn exists(path: &str) -> bool {
    let (program, inner) = path.split_once("::").expect("a program and a module");
    let path = match program {
        "lib" => format!("src::{inner}"),
        "bin" => format!("src::bin::switchback::{inner}"),
        "conformance" => format!("src::testing::{path}"),
        _ => format!("tests::{path}"),
    };
    let parts: Vec<&str> = path.split("::").collect();
    let file = |count: usize| {
        let module = Path::new(HERE).join(parts[..count].join("/"));
        fs::read_to_string(module.with_extension("rs")).or_else(|_| fs::read_to_string(module.join("mod.rs"))).ok()
    };
    let found = (2..=parts.len()).rev().find_map(|count| Some((file(count)?, &parts[count..])));
    let defines = |text: &str, name| text.contains(&format!("fn {name}(")) || text.contains(&format!("mod {name} {{"));
    found.is_some_and(|(text, rest)| rest.iter().all(|name| defines(&text, name)))
}

#[test]
fn tests_and_rows_name_each_other() {
    let mut rows = BTreeMap::new();
    for line in FAULTS.lines().filter_map(|line| line.strip_prefix("| ")) {
        let Some(id) = identifiers(line).next().filter(|id| line.starts_with(id)) else { continue };
        let tests: Vec<&str> = line.rsplit(" | ").next().unwrap_or_default().split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{id} names no test");
        assert_eq!(tests.iter().find(|test| !exists(test)), None, "{id} names a test that does not exist");
        assert!(rows.insert(id, tests).is_none(), "{id} is there twice");
    }
    let in_src = lines(&Path::new(HERE).join("src")).into_iter().filter(|(_, line)| line.contains("FAULTS.md"));
    for (file, line) in lines(&Path::new(HERE).join("tests")).into_iter().chain(in_src) {
        let unknown = identifiers(&line).find(|id| !rows.contains_key(id));
        assert_eq!(unknown, None, "{file} names a row that FAULTS.md does not have");
    }
}
