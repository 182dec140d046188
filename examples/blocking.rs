//! Deploys, and rolls back when the deploy fails, from a program without a runtime.
//!
//! ```sh
//! cargo run --example blocking --features blocking
//! ```

use std::sync::Arc;

use switchback::{
    Config, ErrorKind, HostPath,
    blocking::Fleet,
    event::Silent,
    fleet::{DeployOptions, RollbackOptions},
    release::NewRelease,
    tree::Tree,
};

#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let root: HostPath = directory.path().to_str().ok_or("the temporary directory is not UTF-8")?.parse()?;
    let fleet = Fleet::from_config(&Config::for_root(root, &[])?)?;
    let options = DeployOptions::new().by("ci").keep(5);
    for (name, page) in [("v1", "apples"), ("v2", "apples and pears")] {
        let release = NewRelease::new(name.parse()?, Tree::from_memory([("index.html", page.as_bytes())])?);
        fleet.deploy(Arc::new(release), &options, Silent)?;
    }

    let report = fleet.rollback(&RollbackOptions::new().by("jane@laptop").reason("pears are out"), Silent)?;
    println!("back on {:?} in {:.3} s", report.hosts[0].after, report.seconds);
    assert_eq!(fs_err::read_to_string(directory.path().join("current/index.html"))?, "apples");

    // A failure has the whole report.
    let error = fleet.rollback(&RollbackOptions::new(), Silent).expect_err("v1 was the first");
    assert_eq!(error.kind(), ErrorKind::NothingBefore);
    println!("{error}: {:?} is on {:?}", error.report().hosts[0].host, error.report().hosts[0].after);
    fleet.close();
    Ok(())
}
