//! The packages that `packaging/build` makes: what is in them, and whether what they install works. Programs that were
//! built for these tests are packed; only the long test builds static ones.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

use std::{
    collections::BTreeSet,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::support::sshd::text;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a command that must succeed, and returns its standard output.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Whether the programs that the packages are made with exist; says so if not.
fn can_pack() -> bool {
    ["ar", "gzip", "tar"].iter().all(|program| has(program))
}

fn has(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", "command -v \"$0\"", program]).output().expect("sh runs").status.success();
    if !found {
        eprintln!("skipped: {program} is missing");
    }
    found
}

/// Returns a program of a few bytes that runs the real one, so that packing it takes no time.
fn small_program(directory: &Path) -> PathBuf {
    let path = directory.join("switchback");
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_switchback"));
    fs_err::write(&path, script).expect("a program");
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    path
}

fn pack(program: &Path, out: &Path) -> Command {
    let mut command = Command::new(Path::new(CRATE).join("packaging/build"));
    command.arg("--binary").arg(program).arg("--out").arg(out).env_remove("SOURCE_DATE_EPOCH");
    command
}

/// Returns the one file of the directory with this ending.
fn package(out: &Path, ending: &str) -> PathBuf {
    let paths = fs_err::read_dir(out).expect("it is read").map(|entry| entry.expect("an entry").path());
    let found: Vec<_> = paths.filter(|path| text(path).ends_with(ending)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// Drills a version of the example site that the package brings, with nothing else in the environment.
fn drill(prefix: &Path, doc: &Path) {
    let root = TempDir::new().expect("a root");
    let site = doc.join("examples/site");
    let switchback = |arguments: &[&str]| {
        let mut command = Command::new("switchback");
        command
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", text(&prefix.join("bin"))))
            .env("HOME", root.path());
        command.arg("--config").arg(site.join("switchback.toml")).arg("--root").arg(root.path().join("site"));
        command.args(arguments);
        run(&mut command)
    };
    switchback(&["deploy", text(&site.join("v1")), "--name", "v1"]);
    switchback(&["drill", text(&site.join("v2")), "--name", "v2"]);
    switchback(&["rollback"]);
    let current = fs_err::read_link(root.path().join("site/current")).expect("a link");
    assert_eq!(text(&current), "releases/v1");
}

/// Every file below a directory, relative to it.
fn files(directory: &Path) -> BTreeSet<String> {
    let listed = run(Command::new("find").arg(".").args(["-type", "f"]).current_dir(directory));
    listed.lines().map(|line| line.trim_start_matches("./").to_owned()).collect()
}

/// Checks what both kinds of package have: safe modes, a page for each command, completions, and whole documents.
fn check_tree(prefix: &Path, doc: &Path, page: &str, zsh: &str) {
    let found = files(prefix);
    for name in &found {
        let mode = fs_err::metadata(prefix.join(name)).expect("metadata").mode() & 0o7777;
        assert_eq!(mode, if name == "bin/switchback" { 0o755 } else { 0o644 }, "{name}");
    }
    let program = || Command::new(prefix.join("bin/switchback"));
    let help = run(program().arg("--help"));
    let list = help.split_once("Commands:\n").expect("commands").1;
    let commands = list.lines().take_while(|line| !line.is_empty());
    let commands = commands.map(|line| line.split_whitespace().next().expect("a command"));
    let mut pages: BTreeSet<_> = commands.filter(|name| *name != "help").map(|name| format!("-{name}")).collect();
    assert!(pages.contains("-rollback"), "{pages:?}");
    pages.insert(String::new());
    let pages: BTreeSet<_> = pages.iter().map(|name| format!("share/man/man1/switchback{name}.1{page}")).collect();
    let manual: BTreeSet<_> = found.iter().filter(|name| name.starts_with("share/man/")).cloned().collect();
    assert_eq!(manual, pages);
    for (shell, path) in [
        ("bash", "share/bash-completion/completions/switchback"),
        ("zsh", zsh),
        ("fish", "share/fish/vendor_completions.d/switchback.fish"),
    ] {
        let script = fs_err::read_to_string(prefix.join(path)).expect("completions");
        assert_eq!(script, run(program().args(["completions", shell])), "{shell}");
    }
    let readme = fs_err::read_to_string(doc.join("README.md")).expect("the README");
    let links = readme.split("](").skip(1).map(|rest| rest.split([')', '#']).next().expect("a link"));
    let links: Vec<_> = links.filter(|link| !link.is_empty() && !link.contains("://")).collect();
    assert!(links.iter().any(|link| link.starts_with("guide/")) && links.len() > 10, "{links:?}");
    for link in links {
        assert!(doc.join(link).is_file(), "{link}");
    }
}

/// FAULTS.md G01.
#[test]
fn the_archive_is_unpacked_below_a_prefix_and_runs_the_drill() {
    if !can_pack() {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    let out = directory.path().join("out");
    run(&mut pack(Path::new(env!("CARGO_BIN_EXE_switchback")), &out));
    run(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&out));
    assert_eq!(files(&out).len(), 3, "{:?}", files(&out));
    let prefix = directory.path().join("prefix");
    fs_err::create_dir(&prefix).expect("a prefix");
    let archive = package(&out, "-unknown-linux-musl.tar.gz");
    run(Command::new("tar").arg("-xzf").arg(archive).arg("--strip-components=1").arg("-C").arg(&prefix));
    let doc = prefix.join("share/doc/switchback");
    check_tree(&prefix, &doc, "", "share/zsh/site-functions/_switchback");
    for name in ["CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        let ours = fs_err::read(Path::new(CRATE).join(name)).expect("a file");
        assert_eq!(fs_err::read(doc.join(name)).expect("a copy"), ours, "{name}");
    }
    drill(&prefix, &doc);
    if has("dpkg") {
        the_debian_package(&package(&out, ".deb"), &directory.path().join("root"));
    }
}

/// Installs the package in a root of its own, checks what lintian would, and runs the drill.
fn the_debian_package(deb: &Path, root: &Path) {
    let field = |name: &str| run(Command::new("dpkg-deb").arg("-f").arg(deb).arg(name)).trim().to_owned();
    assert_eq!(field("Package"), "switchback");
    assert_eq!(field("Version"), format!("{VERSION}-1"));
    assert_eq!(field("Depends"), "openssh-client");
    assert_eq!(field("Architecture"), run(Command::new("dpkg").arg("--print-architecture")).trim());
    let contents = run(Command::new("dpkg-deb").arg("-c").arg(deb));
    assert!(contents.lines().all(|line| line.contains(" root/root ")), "{contents}");
    // The database of packages of this root, in which nothing is installed.
    fs_err::create_dir_all(root.join("var/lib/dpkg/info")).expect("a database");
    fs_err::create_dir_all(root.join("var/lib/dpkg/updates")).expect("a database");
    fs_err::write(root.join("var/lib/dpkg/status"), "").expect("a database");
    if fs_err::metadata(root).expect("metadata").uid() == 0 {
        let install = || {
            let mut dpkg = Command::new("dpkg");
            dpkg.arg(format!("--root={}", text(root))).arg("--log=/dev/null");
            dpkg
        };
        let refused = install().arg("-i").arg(deb).output().expect("dpkg runs");
        assert!(said(&refused).contains("depends on openssh-client"), "{}", said(&refused));
        run(install().args(["--force-depends", "-i"]).arg(deb));
        let installed = run(install().args(["--verify", "switchback"]));
        assert_eq!(installed, "", "a file differs from its checksum");
    } else {
        eprintln!("skipped: only root can install a package; it is unpacked");
        run(Command::new("dpkg-deb").arg("-x").arg(deb).arg(root));
    }
    let prefix = root.join("usr");
    let doc = prefix.join("share/doc/switchback");
    check_tree(&prefix, &doc, ".gz", "share/zsh/vendor-completions/_switchback");
    for name in files(&prefix).iter().filter(|name| Path::new(name).extension().is_some_and(|end| end == "gz")) {
        let bytes = fs_err::read(prefix.join(name)).expect("a file");
        // Neither a name nor a time, and the best compression: RFC 1952, section 2.3.
        assert_eq!((&bytes[..4], &bytes[4..8], bytes[8]), (&[31, 139, 8, 0][..], &[0; 4][..], 2), "{name}");
    }
    let uncompressed = |name: &str| run(Command::new("gzip").arg("-dc").arg(doc.join(name)));
    assert!(uncompressed("changelog.gz").starts_with("# Changelog"));
    assert!(uncompressed("changelog.Debian.gz").starts_with(&format!("switchback ({VERSION}-1) ")));
    let copyright = fs_err::read_to_string(doc.join("copyright")).expect("a copyright");
    assert!(
        copyright.contains("License: Expat or Apache-2.0") && copyright.contains("\n Permission is"),
        "{copyright}"
    );
    drill(&prefix, &doc);
}

/// Whoever builds them, wherever, and at whatever time. FAULTS.md G01.
#[test]
fn packages_of_the_same_program_are_equal() {
    if !can_pack() {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    let program = small_program(directory.path());
    let build = |name: &str, before: &str, epoch: &str| {
        let out = directory.path().join(name);
        let script = format!("{before} && exec \"$0\" --binary \"$1\" --out \"$2\"");
        let mut command = Command::new("bash");
        command.arg("-c").arg(script).arg(Path::new(CRATE).join("packaging/build")).arg(&program).arg(&out);
        run(command.env("SOURCE_DATE_EPOCH", epoch));
        fs_err::read_to_string(out.join("SHA256SUMS")).expect("checksums")
    };
    let one = build("one", "umask 077", "1700000000");
    let elsewhere = "umask 002 && cd / && export TZ=Asia/Tokyo LC_ALL=en_US.UTF-8 &&
        { [ ! -w /dev/shm ] || export TMPDIR=/dev/shm; }";
    let other = build("other", elsewhere, "1700000000");
    assert_eq!(one, other);
    assert_ne!(one, build("later", "true", "1700000001"));
}

#[test]
fn what_cannot_be_packed_is_refused() {
    let directory = TempDir::new().expect("a directory");
    let out = directory.path().join("out");
    let refused = |command: &mut Command| {
        let output = command.output().expect("it runs");
        assert!(!output.status.success(), "{}", said(&output));
        said(&output)
    };
    let program = small_program(directory.path());
    let target = refused(pack(&program, &out).args(["--target", "sparc-sun-solaris"]));
    assert!(target.contains("unknown target sparc-sun-solaris"), "{target}");
    let other = if std::env::consts::ARCH == "x86_64" { "aarch64" } else { "x86_64" };
    let foreign = refused(
        pack(Path::new(env!("CARGO_BIN_EXE_switchback")), &out)
            .args(["--target", &format!("{other}-unknown-linux-musl")]),
    );
    assert!(foreign.contains(&format!("is not for {other}-unknown-linux-musl")), "{foreign}");
    let none = refused(&mut pack(&directory.path().join("none"), &out));
    assert!(none.contains("none is no program"), "{none}");
    fs_err::write(&program, "#!/bin/sh\necho switchback 0.0.1\n").expect("another program");
    let version = refused(&mut pack(&program, &out));
    assert!(
        version.contains(&format!("the program says it is switchback 0.0.1, not switchback {VERSION}")),
        "{version}"
    );
    // Nothing of the toolchain is found here, and all of it is named, with the way to get it.
    let tools = directory.path().join("tools");
    fs_err::create_dir(&tools).expect("a directory");
    for tool in ["sh", "dirname", "sed", "uname", "tar", "grep", "cargo", "rustc"] {
        let found = run(Command::new("sh").args(["-c", "command -v \"$0\"", tool]));
        fs_err::os::unix::fs::symlink(found.trim(), tools.join(tool)).expect("a link");
    }
    fs_err::remove_file(tools.join("rustc")).expect("a link");
    fs_err::write(tools.join("rustc"), "#!/bin/sh\necho /nowhere\n").expect("a program");
    fs_err::set_permissions(tools.join("rustc"), std::fs::Permissions::from_mode(0o755)).expect("its mode");
    let missing = refused(Command::new(Path::new(CRATE).join("packaging/build")).env("PATH", &tools));
    for word in ["ar: apt-get install", "rustup target add aarch64-unknown-linux-musl", "musl-tools", "-linux-gnu"] {
        assert!(missing.contains(word), "{word}: {missing}");
    }
    assert!(!out.exists() || files(&out).is_empty(), "nothing was packed");
}

#[test]
fn release_notes_are_the_section_of_the_changelog() {
    let directory = TempDir::new().expect("a directory");
    let scripts = directory.path().join("packaging");
    fs_err::create_dir(&scripts).expect("a directory");
    let script = scripts.join("release-notes");
    fs_err::copy(Path::new(CRATE).join("packaging/release-notes"), &script).expect("a copy");
    fs_err::copy(Path::new(CRATE).join("Cargo.toml"), directory.path().join("Cargo.toml")).expect("a copy");
    let changelog = format!(
        "# Changelog\n\n## [Unreleased]\n\n- Later.\n\n## [{VERSION}] - 2026-11-30\n\n### Added\n\n- [A link](x).\n\n\
         ## [{VERSION}0] - 2026-01-01\n\n## [0.0.9] - 2026-01-01\n\n- First.\n"
    );
    fs_err::write(directory.path().join("CHANGELOG.md"), changelog).expect("a changelog");
    let notes = |arguments: &[&str]| Command::new(&script).args(arguments).output().expect("it runs");
    for arguments in [&[][..], &[VERSION], &[&format!("v{VERSION}")]] {
        assert_eq!(said(&notes(arguments)), "### Added\n\n- [A link](x).\n", "{arguments:?}");
    }
    assert_eq!(said(&notes(&["v0.0.9"])), "- First.\n");
    for none in [&format!("{VERSION}0"), "9.9.9", "0.0"] {
        let output = notes(&[none]);
        assert_eq!(output.status.code(), Some(1), "{none}");
        assert!(said(&output).contains(&format!("CHANGELOG.md says nothing of {none}")), "{}", said(&output));
    }
    let ours = run(Command::new(Path::new(CRATE).join("packaging/release-notes")).arg("Unreleased"));
    assert!(ours.starts_with("### "), "{ours}");
}

/// Static programs for both architectures, built and packed. FAULTS.md G01.
#[test]
#[ignore = "builds the program twice, which takes many minutes"]
fn static_programs_are_built_for_both_architectures() {
    let directory = TempDir::new().expect("a directory");
    let out = directory.path().join("out");
    let mut build = Command::new(Path::new(CRATE).join("packaging/build"));
    // Link-time optimisation takes half of the time, and changes nothing that is tested here.
    build.arg("--out").arg(&out).env("CARGO_PROFILE_RELEASE_LTO", "off");
    let output = build.output().expect("it runs");
    if said(&output).contains("packaging/build: missing:") {
        eprintln!("skipped: {}", said(&output));
        return;
    }
    assert!(output.status.success(), "{}", said(&output));
    for (architecture, cpu) in [("amd64", "x86_64"), ("arm64", "aarch64")] {
        let root = directory.path().join(architecture);
        run(Command::new("dpkg-deb").arg("-x").arg(package(&out, &format!("_{architecture}.deb"))).arg(&root));
        let program = root.join("usr/bin/switchback");
        let headers = run(Command::new("readelf").args(["-h", "-l"]).arg(&program));
        assert!(!headers.contains("INTERP"), "{headers}");
        if cpu == std::env::consts::ARCH {
            drill(&root.join("usr"), &root.join("usr/share/doc/switchback"));
        } else if has(&format!("qemu-{cpu}-static")) {
            let version = run(Command::new(format!("qemu-{cpu}-static")).arg(&program).arg("--version"));
            assert_eq!(version, format!("switchback {VERSION}\n"));
        }
    }
}
