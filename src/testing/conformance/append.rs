//! The append step.

use crate::transport::{EntryKind, FailureKind, Reply};

use super::{
    Outcome,
    ops::{append, make_dir, make_link, write},
    subject::Subject,
};

pub(super) async fn makes_a_private_file(on: Subject) -> Outcome {
    on.answers(append("log", "one\n"), Reply::Done).await?;
    on.stands("log", EntryKind::File, 0o600).await?;
    on.holds("log", "one\n").await?;
    on.refuses(append("none/log", "x"), FailureKind::Missing).await
}

pub(super) async fn appends_and_keeps_the_mode(on: Subject) -> Outcome {
    on.done([write("log", "one\n"), append("log", "two"), append("log", ""), append("log", "\n\nthree %s \\n\n")])
        .await?;
    on.holds("log", "one\ntwo\n\nthree %s \\n\n").await?;
    on.stands("log", EntryKind::File, 0o644).await
}

pub(super) async fn refuses_what_is_no_file(on: Subject) -> Outcome {
    on.done([write("f", "kept"), make_link("l", "f"), make_link("gone", "none"), make_dir("d")]).await?;
    for path in ["l", "gone", "d"] {
        on.refuses(append(path, "x"), FailureKind::WrongType).await?;
    }
    on.holds("f", "kept").await?;
    on.lists(".", &["d", "f", "gone", "l"]).await
}
