//! Checks that the seeded faults in `tests/seeded/` fit the code as it is, without building them.

use std::{collections::BTreeMap, fs, path::Path};

use crate::faults::exists;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// The next step where the code has moved on.
const REFRESH: &str = "\n\nIf only the lines around the fault changed: `sh tests/seeded/run.sh --refresh` fits the patch \
    again. Else make the same fault in `target/seeded/src`, and run `sh tests/seeded/run.sh --write NAME`. Delete the \
    patch where nobody can make that fault any more.\n";

/// The lines before and after a change, each with its line end.
type Hunk = (String, String);

/// Returns the changes of a patch, by file.
fn hunks(patch: &str) -> BTreeMap<&str, Vec<Hunk>> {
    let mut files: BTreeMap<&str, Vec<Hunk>> = BTreeMap::new();
    let mut file = "";
    for line in patch.lines().skip_while(|line| !line.starts_with("--- ")) {
        if let Some(path) = line.strip_prefix("+++ b/") {
            file = path;
            continue;
        }
        let hunks = files.entry(file).or_default();
        match (line.split_at_checked(1), hunks.last_mut()) {
            _ if line.starts_with("--- ") => {}
            (Some(("@", _)), _) => hunks.push(Hunk::default()),
            (Some((sign, text)), Some((before, after))) => {
                let sides = [(sign != "+", before), (sign != "-", after)];
                sides.into_iter().filter(|(has_it, _)| *has_it).for_each(|(_, side)| side.extend([text, "\n"]));
            }
            _ => panic!("{line:?} is no line of a patch"),
        }
    }
    files.retain(|_, hunks| !hunks.is_empty());
    files
}

/// Returns a patch's fault against the code, in words.
fn fault(patch: &str) -> Option<String> {
    let header = |name| patch.lines().find_map(|line| line.strip_prefix(name)).filter(|text| !text.is_empty());
    if header("Rule: ").is_none() {
        return Some("it has no line `Rule: ...`".to_owned());
    }
    let catcher = header("Caught by: ").unwrap_or_default();
    let item = match catcher.split_once(' ') {
        Some(("--lib", item)) => format!("lib::{item}"),
        Some(("--test", rest)) => rest.replacen(' ', "::", 1),
        _ => return Some("it has no line `Caught by: --lib TEST` or `Caught by: --test PROGRAM TEST`".to_owned()),
    };
    if !exists(&item) {
        return Some(format!("the test that it names does not exist: {catcher}. Name the one that catches it now"));
    }
    let files = hunks(patch);
    if files.is_empty() {
        return Some("it changes nothing".to_owned());
    }
    files.iter().find_map(|(file, hunks)| {
        let Ok(text) = fs::read_to_string(Path::new(HERE).join(file)) else {
            return Some(format!("{file} does not exist any more{REFRESH}"));
        };
        hunks.iter().find_map(|(before, after)| {
            let text = format!("\n{text}");
            (text.matches(&format!("\n{before}")).count() != 1 || before == after)
                .then(|| format!("these lines are not in {file}, or not only once:\n\n{before}{REFRESH}"))
        })
    })
}

/// Each patch fits the code, and the test that it names exists.
#[test]
fn every_fault_fits_the_code() {
    let mut count = 0;
    for entry in fs::read_dir(Path::new(HERE).join("tests/seeded")).expect("a directory") {
        let file = entry.expect("an entry").path();
        if file.extension().is_some_and(|ending| ending == "patch") {
            let patch = fs::read_to_string(&file).expect("UTF-8");
            let name = file.file_name().unwrap_or_default().display();
            fault(&patch).inspect(|why| panic!("tests/seeded/{name} is a seeded fault (tests/README.md): {why}"));
            count += 1;
        }
    }
    assert!(count > 40, "{count} seeded faults");
}

#[test]
fn a_patch_that_does_not_fit_is_found() {
    let header = "Rule: x.\nCaught by: --test it seeded::a_patch_that_does_not_fit_is_found\n\n";
    let patch = |line: &str| format!("{header}--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1 +1 @@\n-{line}\n+x\n");
    let first = fs::read_to_string(Path::new(HERE).join("src/lib.rs")).expect("UTF-8");
    let first = first.lines().next().expect("a line");
    assert_eq!(fault(&patch(first)), None);
    assert!(fault(&patch("is not there")).is_some_and(|why| why.contains("--refresh")));
    assert!(fault(&patch(first).replace("seeded::a_", "seeded::b_")).is_some_and(|why| why.contains("does not exist")));
    assert!(fault(header).is_some_and(|why| why.contains("changes nothing")));
}
