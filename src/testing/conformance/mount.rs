//! Filesystems mounted inside the root.

use crate::transport::{FailureKind, HookEnd, Op, Reply};

use super::{
    Outcome,
    ops::{at, make_dir},
    subject::{Subject, same},
};

/// The directories of the mount programs, in addition to the host's own path.
const PATH: &str = "PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin";

/// The places to mount on, each with a directory above it.
const PLACES: [(&str, &str); 2] = [("t", "t/m"), ("a \\ b", "a \\ b/c d")];

pub(super) async fn is_seen_where_it_is(on: Subject) -> Outcome {
    on.done(["t", "t/m", "t/other", "tt", "a \\ b", "a \\ b/c d", "a \\ b/other"].map(make_dir)).await?;
    let mount = PLACES.map(|(_, place)| format!("mount -t tmpfs none '{place}'")).join(" && ");
    let mounted = on.run("mounting", &format!("{PATH}; {mount}")).await?;
    let can_mount = mounted.end == HookEnd::Exited(0);
    let seen = if can_mount { seen(&on).await } else { Ok(()) };
    // Unmounts before it returns any failure, so that nothing stays mounted.
    let unmount = PLACES.map(|(_, place)| format!("umount -l '{place}' || code=1")).join("; ");
    let unmounted = on.run("unmounting", &format!("{PATH}; code=0; {unmount}; exit $code")).await?;
    seen?;
    if !can_mount {
        on.skip(format!("nothing can be mounted: {}", String::from_utf8_lossy(&mounted.stderr).trim()));
        return Ok(());
    }
    same("the end of unmounting", &unmounted.end, &HookEnd::Exited(0))?;
    for (above, place) in PLACES {
        on.answers(unmounted_at(above), Reply::Done).await?;
        on.answers(unmounted_at(place), Reply::Done).await?;
    }
    Ok(())
}

async fn seen(on: &Subject) -> Outcome {
    for (above, place) in PLACES {
        on.refuses(unmounted_at(above), FailureKind::CrossDevice).await?;
        on.refuses(unmounted_at(place), FailureKind::CrossDevice).await?;
        on.answers(unmounted_at(&format!("{above}/other")), Reply::Done).await?;
    }
    on.answers(unmounted_at("tt"), Reply::Done).await
}

fn unmounted_at(path: &str) -> Op {
    Op::ExpectUnmounted { path: at(path) }
}
