//! A release that a person checks by hand, with the tools of the host.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use switchback::{
    DirStore, ExitCode, Fleet, Host, Layout,
    event::Silent,
    fleet::DeployOptions,
    manifest::{Digest, Manifest},
    release::NewRelease,
    testing::WholeReport as _,
    transport::LocalTransport,
    tree::Tree,
};
use tempfile::TempDir;

/// Deploys a directory with odd names as `a` to the root below `dir`, and returns its digest.
async fn deployed(dir: &TempDir) -> Digest {
    let source = dir.path().join("source");
    fs::create_dir_all(source.join("d/-e")).expect("a directory");
    let odd: [&[u8]; 7] = [b"plain", b"new\nline", b"back\\slash", b"cr\r", b" blank ", b"caf\xc3\xa9", b"\xff\xfe"];
    for name in odd {
        fs::write(source.join("d/-e").join(std::ffi::OsStr::from_bytes(name)), name).expect("a file");
    }
    symlink("d/-e/plain", source.join("link")).expect("a link");
    let source = camino::Utf8PathBuf::from_path_buf(source).expect("a plain path");
    let tree = Tree::open(&source).expect("a source");
    let root = dir.path().join("root").to_str().and_then(|path| path.parse().ok()).expect("a plain path");
    let store = DirStore::new(LocalTransport::new(), root, Layout::default());
    let fleet = Fleet::new(vec![Host::new("local", store)]).expect("a fleet");
    let release = Arc::new(NewRelease::new("a".parse().expect("a name"), tree.clone()));
    let report = fleet.deploy(release, &DeployOptions::default(), Silent).report().await;
    assert_eq!(report.exit_code(), ExitCode::DONE, "{report:?}");
    tree.digest().expect("it was read")
}

fn sha256sum(dir: &Path, arguments: &[&str]) -> Output {
    Command::new("sha256sum").current_dir(dir).args(arguments).output().expect("sha256sum is there")
}

/// Follows the guide.
#[tokio::test]
async fn sha256sum_checks_it() {
    let dir = TempDir::new().expect("a directory");
    let digest = deployed(&dir).await;
    let release = dir.path().join("root/releases/a");
    let check = || sha256sum(&release, &["--quiet", "-c", "../../.switchback/releases/a/sha256sums"]);
    let whole = check();
    assert!(whole.status.success() && whole.stdout.is_empty(), "{whole:?}");
    let manifest = sha256sum(&release, &["../../.switchback/releases/a/manifest"]);
    assert!(String::from_utf8_lossy(&manifest.stdout).starts_with(&digest.to_string()), "{manifest:?}");
    let kept = fs::read(dir.path().join("root/.switchback/releases/a/manifest")).expect("a manifest");
    assert_eq!(Manifest::parse(&kept).expect("it means something").entries().len(), 10);
    fs::write(release.join("d/-e/plain"), "PLAIN").expect("a file");
    let damaged = check();
    assert!(!damaged.status.success(), "{damaged:?}");
    assert_eq!(String::from_utf8_lossy(&damaged.stdout), "./d/-e/plain: FAILED\n");
}

/// Runs `switchback` with the configuration in `dir`, and returns its exit code and output.
#[cfg(feature = "cli")]
fn switchback(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    let output = command.current_dir(dir).args(arguments).env_remove("SWITCHBACK_ENV").output().expect("it starts");
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it ends by itself"), String::from_utf8_lossy(&printed).into_owned())
}

#[cfg(feature = "cli")]
#[test]
fn the_command_leaves_out_verifies_and_refuses_as_configured() {
    let dir = TempDir::new().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let root = at("root").display().to_string();
    let configure = |more: &str| {
        let text = format!("root = {root:?}\n[source]\nexclude = [\"*.log\"]\n{more}");
        fs::write(at("switchback.toml"), text).expect("a configuration");
    };
    configure("");
    fs::create_dir(at("source")).expect("a directory");
    for name in ["page", "x.log"] {
        fs::write(at("source").join(name), name).expect("a file");
    }
    for name in ["a", "b"] {
        assert_eq!(switchback(dir.path(), &["deploy", "source", "--name", name]).0, 0);
    }
    assert!(at("root/releases/a/page").exists() && !at("root/releases/a/x.log").exists());
    assert_eq!(switchback(dir.path(), &["verify", "--full"]).0, 0);
    fs::write(at("root/releases/a/page"), "PAGE").expect("a file");
    assert_eq!(switchback(dir.path(), &["verify", "a"]).0, 0);
    let (code, printed) = switchback(dir.path(), &["verify", "a", "--full"]);
    assert!(code == 8 && printed.contains("page has different content"), "{code}: {printed}");
    configure("[rollback]\nverify = \"full\"\n");
    let (code, printed) = switchback(dir.path(), &["rollback"]);
    assert!(code == 3 && printed.contains("a is damaged: page has different content"), "{code}: {printed}");
    assert_eq!(switchback(dir.path(), &["rollback", "--verify", "quick"]).0, 0);
}
