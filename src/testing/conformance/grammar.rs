//! Names, paths and texts drawn from their whole grammars, in every reply that carries one.
//!
//! A fixed list finds only the values that somebody thought of. A release called `h1` was not on it, and for a year no
//! rollback over SSH could reach that release: the reply carried the name without a tag, and `h1` also announces a
//! value of one byte.

use std::collections::BTreeSet;

use crate::{
    manifest::{Difference, DifferenceKind, Digest, Seen},
    name::ReleaseName,
    path::InnerPath,
    token::Token,
    transport::{
        Batch, Compared, Comparison, Counted, DifferentEntries, FailureKind, Found, HookCall, HookEnd, Liveness, Op,
        OwnedFile, Reply, Stream, TreeName, shell,
    },
};

use super::{
    Outcome,
    ops::{
        at, check_process, compare, expect_absent, expect_link, inspect, list, make_dir, make_link, read, read_each,
        read_link, survey, write,
    },
    subject::{Subject, holds, same},
};

/// The number of values that each case draws. They differ in each run, so that few are enough.
const DRAWN: usize = 16;

/// Characters with a meaning in a reply, or in a shell.
const TELLING: &str = "=~#@-+._/:% \t\n\r'\"\\$`*?![]{}()<>|&;^hlx01f\u{1}\u{1b}\u{7f}é☃";

/// A source of random values, biased towards those that look like something else.
struct Draw(Vec<u8>);

impl Draw {
    fn new() -> Self {
        Self(Vec::new())
    }

    /// Draws a number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        if self.0.len() < 4 {
            self.0.extend_from_slice(Token::random().as_str().as_bytes());
        }
        let bytes = self.0.split_off(self.0.len() - 4);
        let number = std::str::from_utf8(&bytes).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        number.unwrap_or_default() % bound
    }

    fn one_of(&mut self, characters: &str) -> char {
        let at = self.below(characters.chars().count());
        characters.chars().nth(at).unwrap_or('x')
    }

    fn made_of(&mut self, characters: &str, longest: usize) -> String {
        let length = 1 + self.below(longest);
        (0..length).map(|_| self.one_of(characters)).collect()
    }

    /// Draws a text that looks like a part of a reply or of a script, or an arbitrary one.
    fn text(&mut self, longest: usize) -> String {
        let word = shell::WORDS[self.below(shell::WORDS.len())];
        let number = self.below(100_000);
        match self.below(8) {
            0 => word.to_owned(),
            1 => format!("{}{number}", self.one_of("hlx#=~")),
            2 => format!("#{}{number}", self.one_of("hlxy")),
            3 => format!("{}{word}", self.one_of("=~#@-+.")),
            4 => format!("{word}{}", self.one_of("=~#@-+./ \n")),
            5 => self.made_of("0123456789abcdef", longest),
            6 => format!("{word} {number}\n{word} #x{number}"),
            _ => self.made_of(TELLING, longest),
        }
    }

    /// Draws distinct values from `make` that satisfy `fits`, and adds the `fixed` ones.
    fn distinct(
        &mut self,
        fixed: &[&str],
        mut make: impl FnMut(&mut Self) -> String,
        fits: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let mut values: BTreeSet<String> = fixed.iter().map(|value| (*value).to_owned()).collect();
        while values.len() < DRAWN {
            values.insert(make(self));
            values.retain(|value| fits(value));
        }
        values.into_iter().collect()
    }

    fn release_names(&mut self) -> Vec<String> {
        let longest = "9".repeat(128);
        let fixed =
            ["h1", "l2", "x9", "x0", "h999999", "end", "fail", "done", "0", "00", "a.b-c_d+e", "e1ff", &longest];
        let make = |draw: &mut Self| match draw.below(3) {
            0 => draw.made_of("abcdefhlxABCXYZ0123456789._+-", 128),
            1 => format!("{}{}", draw.one_of("hlx"), draw.below(100)),
            _ => draw.text(20),
        };
        self.distinct(&fixed, make, |name| ReleaseName::new(name).is_ok())
    }

    fn path_names(&mut self) -> Vec<String> {
        let longest = "é".repeat(127);
        let fixed = ["h1", "=", "~", "#x1", "-", "@", "=a b", "~a~b", "a\nend", "\n", &longest];
        let is_name = |name: &str| InnerPath::new(name).is_ok_and(|path| path.names().eq([name])) && name.len() < 256;
        self.distinct(&fixed, |draw| draw.text(60), is_name)
    }
}

/// Checks that the host reports entries with each of these names correctly.
pub(super) async fn release_names(on: Subject) -> Outcome {
    on.done([make_dir("trees"), make_dir("lists"), make_dir("links")]).await?;
    let names = Draw::new().release_names();
    for name in &names {
        named_like_a_release(&on, name).await.map_err(|error| format!("{name:?}: {error}"))?;
    }
    all_names(&on, &names).await
}

async fn named_like_a_release(on: &Subject, name: &str) -> Outcome {
    let (tree, lists) = (format!("trees/{name}"), format!("lists/{name}"));
    let (size, digest) = (name.len(), Digest::of(name.as_bytes()));
    let manifest = format!("switchback manifest 1\nf\t644\t{size}\t{digest}\tf\n");
    on.done([make_dir(&tree), write(&format!("{tree}/f"), name), make_dir(&lists)]).await?;
    on.done([
        write(&format!("{lists}/manifest"), &manifest),
        write(&format!("{lists}/record"), &format!("/x/{name}\n")),
    ])
    .await?;
    let whole = |found| Reply::Comparison(Comparison { tree: Some(name.to_owned()), found });
    let recorded = || TreeName::Recorded(at(&format!("{lists}/record")));
    for tree in [TreeName::Given(at(name)), recorded()] {
        on.answers(compare(tree, &[]), whole(Compared::Entries(Box::default()))).await?;
    }
    on.done([write(&format!("{tree}/{name}-"), "")]).await?;
    let some = vec![Difference { path: format!("{name}-").into_bytes(), kind: DifferenceKind::Added }];
    let more = DifferentEntries { added: Counted { count: 1, some }, ..DifferentEntries::default() };
    on.answers(compare(recorded(), &[]), whole(Compared::Entries(Box::new(more)))).await?;
    told_alike(on, &tree, name).await
}

/// Checks the replies that carry one name each, about `path`: a directory with a file `f` that contains `name`.
async fn told_alike(on: &Subject, path: &str, name: &str) -> Outcome {
    let (file, link) = (format!("{path}/f"), format!("links/{name}"));
    on.done([make_link(&link, name)]).await?;
    // Together, as a store asks: the content of one reply must not shift the next.
    let (other, directory) = ("elsewhere", on.must_entry(path).await?);
    let asked = [
        inspect(path),
        read_link(&link),
        read(&file, 10_000),
        expect_link(&link, name),
        check_process(&file),
        Op::InspectWay { paths: vec![at(path)] },
    ];
    let replies = on.done(asked).await?;
    let expected = [
        Reply::Entry(Some(directory)),
        Reply::Link(Some(name.into())),
        Reply::Content(Some(Found::Content(name.into()))),
        Reply::Done,
        Reply::Process(Liveness::Unknown),
    ];
    same("the replies", &&replies[..5], &&expected[..])?;
    match &replies[5] {
        Reply::Way(way) => same("the end of the way", &way.last().map(|last| &last.entry), &Some(&directory))?,
        other => return Err(format!("no way: {other:?}")),
    }
    on.refuses(expect_absent(path), FailureKind::Exists).await?;
    on.refuses(expect_link(&link, other), FailureKind::Mismatch).await?;
    on.refuses(read_link(path), FailureKind::WrongType).await?;
    let missing = Batch::new(on.below(&format!("{path}/none")).root);
    on.root_refused(&missing, FailureKind::Missing).await?;
    same("who it is", &on.below(path).ask(Op::Identify).await.is_ok(), &true)
}

/// Checks the replies that carry all names at once.
async fn all_names(on: &Subject, names: &[String]) -> Outcome {
    let mut expected: Vec<Vec<u8>> = names.iter().map(|name| name.clone().into_bytes()).collect();
    expected.sort();
    let replies =
        on.done([list("trees"), read_each("trees", "f", 10_000), survey("links", true), list("none")]).await?;
    let [Reply::Listing(Some(listed)), Reply::Contents(each), Reply::Survey(Some(seen)), Reply::Listing(None)] =
        &replies[..]
    else {
        return Err(format!("other replies: {replies:?}"));
    };
    let mut found: Vec<Vec<u8>> = listed.iter().map(|listed| listed.name.clone()).collect();
    found.sort();
    same("what is listed", &found, &expected)?;
    let told = |(name, file): &(Vec<u8>, OwnedFile)| file.found == Found::Content(name.clone());
    holds(each.len() == names.len() && each.iter().all(told), || format!("contents: {each:?}"))?;
    let mut targets: Vec<_> = seen.iter().map(|entry| (entry.path.clone(), entry.node.clone())).collect();
    targets.sort_by(|one, other| one.0.cmp(&other.0));
    let links: Vec<_> = expected.iter().map(|name| (name.clone(), Seen::Link { target: name.clone() })).collect();
    same("the links that are surveyed", &targets, &links)
}

pub(super) async fn paths(on: Subject) -> Outcome {
    on.done([make_dir("trees"), make_dir("links")]).await?;
    let names = Draw::new().path_names();
    for name in &names {
        let path = format!("trees/{name}");
        on.done([make_dir(&path), write(&format!("{path}/f"), name)]).await?;
        told_alike(&on, &path, name).await.map_err(|error| format!("{name:?}: {error}"))?;
    }
    all_names(&on, &names).await?;
    match on.ask(survey("trees", true)).await? {
        Reply::Survey(Some(seen)) => names.iter().try_for_each(|name| {
            let path = format!("{name}/f").into_bytes();
            let node = Seen::File { size: name.len() as u64, digest: Some(Digest::of(name.as_bytes())) };
            let found = seen.iter().find(|entry| entry.path == path).map(|entry| entry.node.clone());
            same(&format!("what is surveyed of {name:?}"), &found, &Some(node))
        }),
        other => Err(format!("no survey: {other:?}")),
    }
}

pub(super) async fn texts(on: Subject) -> Outcome {
    let mut draw = Draw::new();
    let texts = draw.distinct(&["h1", "=", "~", "#x1\n00", "\n\n"], |draw| draw.text(900), |text| !text.is_empty());
    for (index, text) in texts.iter().enumerate() {
        let (file, link) = (format!("f{index}"), format!("l{index}"));
        on.done([write(&file, text), make_link(&link, text)]).await?;
        let replies = on.done([read_link(&link), read(&file, 10_000), expect_link(&link, text)]).await?;
        let content = Reply::Content(Some(Found::Content(text.clone().into())));
        same("the replies", &replies, &vec![Reply::Link(Some(text.clone().into())), content, Reply::Done])?;
    }
    Ok(())
}

/// Draws the output of a command, and the names of its directory and its record.
pub(super) async fn drawn_lines_and_places(on: Subject) -> Outcome {
    let mut draw = Draw::new();
    for index in 0..4 {
        let printed = draw.distinct(&["result exit 9", "#h3"], |draw| draw.text(200), |text| !text.contains('\n'));
        let (name, quoted) =
            (draw.path_names().swap_remove(draw.below(DRAWN)), printed.iter().map(|line| quoted(line)));
        let script = format!("printf '%s\\n' {}; pwd >&2; exit {index}", quoted.collect::<Vec<_>>().join(" "));
        on.done([make_dir(&name)]).await?;
        let (directory, record) = (on.root.join(&at(&name)), at(&format!("{name}/record")));
        let call = HookCall { record, directory, ..on.call("r", &script) };
        let (exit, heard) = on.hear(&call).await.map_err(|error| format!("{name:?}: {error}"))?;
        same("the end", &exit.end, &HookEnd::Exited(index))?;
        same("what it printed", &heard.texts(Stream::Stdout), &printed)?;
        holds(heard.texts(Stream::Stderr).concat().ends_with(&name.replace('\n', "")), || format!("not in {name:?}"))?;
        on.done([super::ops::remove_tree(&name)]).await?;
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Reports a process that works in a release, with the name of the release.
pub(super) async fn drawn_names_of_users(on: Subject) -> Outcome {
    on.done([make_dir("trees")]).await?;
    for name in Draw::new().release_names().into_iter().take(4) {
        let path = format!("trees/{name}");
        on.done([make_dir(&path)]).await?;
        let script = ": >../../up; while [ -e ../../up ]; do sleep 1; done";
        let call = HookCall { directory: on.root.join(&at(&path)), ..on.call(&format!("{name}.record"), script) };
        let asks = async {
            while on.entry("up").await?.is_none() {}
            let users = on.ask(Op::FindUsers { path: at("trees") }).await;
            on.done([super::ops::remove_file("up")]).await?;
            users
        };
        let (ran, users) = tokio::join!(on.hear(&call), asks);
        same("the end", &ran?.0.end, &HookEnd::Exited(0))?;
        match users? {
            Reply::Users(users) => {
                let named = users.used.iter().any(|used| used.name == name.as_bytes());
                holds(named || !users.all_seen, || format!("{name:?} is used, and it says {users:?}"))?;
            }
            other => return Err(format!("no users: {other:?}")),
        }
    }
    Ok(())
}
