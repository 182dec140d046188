//! Values that a shell, a terminal or a parser would interpret.

use crate::transport::{EntryKind, Reply};

use super::{
    Outcome,
    ops::{append, expect_link, link_reply, make_dir, make_link, move_into, read_link, remove_tree, write},
    subject::Subject,
};

/// Names and texts with a meaning elsewhere, which must have none here.
pub(super) const HOSTILE: &[&str] = &[
    " ",
    "a b",
    " leading and trailing ",
    "it's",
    "\"quoted\"",
    "$(touch x)",
    "`touch x`",
    "$HOME",
    "${x}",
    "-rf",
    "--",
    "-",
    "*",
    "?[a-z]",
    "~",
    "a\nb",
    "\n",
    "ends with newline\n",
    "\ttab\t",
    "\r",
    "back\\slash",
    "\\n",
    "%s%n",
    "semi;colon & ampersand | pipe > file < file",
    "#comment",
    "!history!",
    "\u{1b}[31mred",
    "\u{7f}",
    "=",
    "a=b",
    "{a,b}",
    "ünïcödé ☃",
    "EOF",
    "...",
    ".hidden",
    ":",
];

pub(super) async fn names(on: Subject) -> Outcome {
    let mut expected: Vec<&str> = HOSTILE.to_vec();
    expected.sort_unstable();
    for name in HOSTILE {
        let (inside, target) = (format!("{name}/{name}"), format!("{name}/into"));
        on.done([make_dir(name), write(&inside, name), make_dir(&target), move_into(&inside, &target)]).await?;
        on.holds(&format!("{target}/{name}"), name).await?;
        on.lists(name, &["into"]).await?;
        on.stands(name, EntryKind::Directory, 0o755).await?;
    }
    on.lists(".", &expected).await?;
    on.done(HOSTILE.iter().map(|name| remove_tree(name))).await?;
    on.lists(".", &[]).await
}

pub(super) async fn contents(on: Subject) -> Outcome {
    for (index, content) in HOSTILE.iter().enumerate() {
        let name = format!("f{index}");
        on.done([write(&name, content), append(&name, content)]).await?;
        on.holds(&name, &content.repeat(2)).await?;
    }
    same_count(&on).await
}

async fn same_count(on: &Subject) -> Outcome {
    let found = on.names(".").await?.len();
    super::subject::same("how many files there are", &found, &HOSTILE.len())
}

pub(super) async fn link_texts(on: Subject) -> Outcome {
    for (index, text) in HOSTILE.iter().enumerate() {
        let name = format!("l{index}");
        on.done([make_link(&name, text)]).await?;
        on.answers(read_link(&name), link_reply(text)).await?;
        on.answers(expect_link(&name, text), Reply::Done).await?;
    }
    same_count(&on).await?;
    let not_utf8 = b"\xff\xfe/\x80\n";
    on.done([make_link("bytes", not_utf8)]).await?;
    on.answers(read_link("bytes"), link_reply(not_utf8)).await
}
