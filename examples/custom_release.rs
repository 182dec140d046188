//! A release of your own: the program makes its content, an executable among it, without a file on this machine.
//!
//! ```sh
//! cargo run --example custom_release
//! ```

use std::{process, sync::Arc};

use switchback::{
    Config, Fleet, HostPath, Release, ReleaseName,
    event::Silent,
    fleet::DeployOptions,
    tree::{Tree, TreeError},
};

/// A program that prints its own revision.
#[derive(Debug)]
struct Built {
    name: ReleaseName,
    tree: Arc<Tree>,
}

impl Built {
    fn new(name: ReleaseName, revision: u32) -> Result<Self, TreeError> {
        let tree = Tree::builder()
            .file("bin/shop", 0o755, format!("#!/bin/sh\necho {revision}\n"))
            .file_from("notes.txt", 0o644, 6, || Ok(&b"apples"[..]))
            .link("shop", "bin/shop")
            .build()?;
        Ok(Self { name, tree: Arc::new(tree) })
    }
}

impl Release for Built {
    fn name(&self) -> &ReleaseName {
        &self.name
    }

    fn content(&self) -> Arc<Tree> {
        Arc::clone(&self.tree)
    }

    fn irreversible(&self) -> Option<String> {
        None
    }
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let root: HostPath = directory.path().to_str().ok_or("the temporary directory is not UTF-8")?.parse()?;
    let fleet = Fleet::from_config(&Config::for_root(root, &[])?)?;
    fleet.deploy(Arc::new(Built::new("r17".parse()?, 17)?), &DeployOptions::default(), Silent).await?;
    let printed = process::Command::new(directory.path().join("current/shop")).output()?;
    assert_eq!(printed.stdout, b"17\n");
    fleet.close().await;
    Ok(())
}
