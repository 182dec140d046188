//! The library's texts: no command and no flag of the program, which only the command line words.

use std::{fs, path::Path};

/// Folders of `src/` whose texts are not the library's own: the program, documents, and scripts that hosts run.
const ELSEWHERE: [&str; 5] = ["src/bin", "src/guide", "src/frozen", "src/data/preset", "src/testing"];

/// Commands of the program, as a text would name them.
const COMMANDS: [&str; 22] = [
    "deploy",
    "stage",
    "activate",
    "rollback",
    "status",
    "releases",
    "history",
    "drill",
    "prune",
    "pin",
    "unpin",
    "verify",
    "diff",
    "log",
    "recover",
    "unlock",
    "check",
    "adopt",
    "config",
    "init",
    "completions",
    "man",
];

/// Flags of the program, which no other program here has.
const FLAGS: [&str; 24] = [
    "config",
    "host",
    "except",
    "name",
    "from",
    "revision",
    "allow-",
    "irreversible",
    "or-return",
    "accept-data",
    "to",
    "steps",
    "keep",
    "data-to",
    "no-hooks",
    "commands",
    "verify",
    "check",
    "report",
    "junit",
    "forward",
    "back",
    "force",
    "skip-unreachable",
];

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let paths = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Returns the string literals of the code before the tests of a file, roughly: comments are left out.
fn texts(code: &str) -> Vec<&str> {
    let code = code.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    lines
        .filter_map(|line| line.split_once('"').map(|(_, text)| text).or(Some(line).filter(|line| !line.contains('='))))
        .collect()
}

/// Whether the text has `switchback COMMAND` as words. The suite of a JUnit report is called so too.
fn names(text: &str, command: &str) -> bool {
    let after = text.split_once(&format!("switchback {command}")).map(|(_, after)| after);
    after.is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric()) && !after.starts_with("\\\">"))
}

#[test]
fn no_text_of_the_library_names_a_command_or_a_flag() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in files(&here.join("src")) {
        let name = path.strip_prefix(here).expect("below").display().to_string();
        if ELSEWHERE.iter().any(|folder| name.starts_with(folder)) || path.extension().is_none_or(|rs| rs != "rs") {
            continue;
        }
        let code = fs::read_to_string(&path).expect("UTF-8");
        for text in texts(&code) {
            let command = COMMANDS.iter().find(|command| names(text, command));
            let flag =
                FLAGS.iter().find(|flag| [" ", "`"].iter().any(|before| text.contains(&format!("{before}--{flag}"))));
            assert_eq!((command, flag), (None, None), "{name}: {text}");
        }
    }
}
