//! Roots of several hosts as one text that a reviewer can read in a diff. `README.md` beside it has the grammar.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

/// The values of one machine that a root holds, each beside its placeholder in the text.
fn placeholders(root: &Path) -> [(&'static str, String); 3] {
    let user = fs::metadata(root).expect("a root").uid();
    [
        ("{ROOT}", root.to_str().expect("UTF-8").to_owned()),
        ("{HOST}", host_name().unwrap_or_else(|| "-".to_owned())),
        ("{UID}", user.to_string()),
    ]
}

/// Returns the name of this machine. `None` if a process mark cannot hold it: then no process is ever proven dead
/// across boots.
pub(super) fn host_name() -> Option<String> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux").trim().to_owned();
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (!host.is_empty() && host != "-" && host.bytes().all(usual)).then_some(host)
}

/// Creates the roots of `text` as directories of `below`, named by host. Returns the names.
pub(super) fn unpack(text: &str, below: &Path) -> Vec<String> {
    let (mut hosts, mut modes) = (Vec::new(), Vec::new());
    let (mut root, mut parts) = (PathBuf::new(), Vec::new());
    for line in text.lines() {
        let filled = |text: &str| placeholders(&root).iter().fold(text.to_owned(), |text, (a, b)| text.replace(a, b));
        if let Some(line) = line.strip_prefix('|') {
            append(&root, &parts, &format!("{}\n", filled(line)));
            continue;
        } else if let Some(line) = line.strip_prefix('>') {
            append(&root, &parts, &filled(line));
            continue;
        } else if let Some((count, line)) = line.strip_prefix('*').and_then(|line| line.split_once('|')) {
            append(&root, &parts, &format!("{}\n", filled(line)).repeat(count.parse().expect("a number")));
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        let (kind, rest) = line.trim_start().split_once(' ').unwrap_or_default();
        let (mode, name) = rest.split_once(' ').unwrap_or(("", rest));
        match kind {
            "" | "#" => continue,
            "host" => {
                root = below.join(name);
                fs::create_dir(&root).expect("a new root");
                hosts.push(name.to_owned());
                continue;
            }
            _ => parts.truncate(depth),
        }
        if kind == "l" {
            let (name, target) = rest.split_once(" -> ").expect("a link");
            symlink(filled(target), path(&root, &parts).join(name)).expect("a new link");
            continue;
        }
        parts.push(name.to_owned());
        let path = path(&root, &parts);
        let created = if kind == "d" { fs::create_dir(&path) } else { fs::write(&path, "") };
        created.expect("a new path");
        modes.push((path, u32::from_str_radix(mode, 8).expect("a mode")));
    }
    for (path, mode) in modes.iter().rev() {
        fs::set_permissions(path, fs::Permissions::from_mode(*mode)).expect("ours");
    }
    hosts
}

fn path(root: &Path, parts: &[String]) -> PathBuf {
    root.join(parts.join("/"))
}

fn append(root: &Path, parts: &[String], content: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(path(root, parts)).expect("content follows its file");
    file.write_all(content.as_bytes()).expect("a file");
}

/// Appends the root of a host to `text`. The processes in it become those of an earlier boot.
pub(super) fn pack(text: &mut String, host: &str, root: &Path) {
    writeln!(text, "\nhost {host}").expect("memory");
    pack_below(text, root, root);
}

fn pack_below(text: &mut String, root: &Path, directory: &Path) {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let [(place, value), ..] = placeholders(root);
    let indent = " ".repeat(directory.strip_prefix(root).expect("below").components().count());
    for path in paths {
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        let found = path.symlink_metadata().expect("an entry");
        let mode = found.mode() & 0o7777;
        if found.is_symlink() {
            let target = fs::read_link(&path).expect("a link");
            let target = target.to_str().expect("UTF-8").replace(&value, place);
            writeln!(text, "{indent}l {name} -> {target}").expect("memory");
        } else if found.is_dir() {
            writeln!(text, "{indent}d {mode:04o} {name}").expect("memory");
            pack_below(text, root, &path);
        } else {
            writeln!(text, "{indent}f {mode:04o} {name}").expect("memory");
            let content = fs::read_to_string(&path).expect("these files are text").replace(&value, place);
            let lines: Vec<&str> = content.split_inclusive('\n').collect();
            for same in lines.chunk_by(|a, b| a == b) {
                let line = aged(name, same[0].trim_end_matches('\n'));
                match (same.len(), same[0].ends_with('\n')) {
                    (_, false) => writeln!(text, ">{line}"),
                    (1, true) => writeln!(text, "|{line}"),
                    (count, true) => writeln!(text, "*{count}|{line}"),
                }
                .expect("memory");
            }
        }
    }
}

/// Rewrites what ties a line to the running system: process marks and the account.
fn aged(name: &str, line: &str) -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("Linux");
    if line.split(' ').nth(2) == Some(boot.trim()) {
        return "4711 98765 6f1c1f4e-0b1d-4c36-9a57-2f3f8a1d7c20 12 {HOST}".to_owned();
    }
    assert!(!line.contains(boot.trim()), "{name}: {line}");
    if name == "user" { "{UID}".to_owned() } else { line.to_owned() }
}
