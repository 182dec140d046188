//! Replaces random and clock-made values of the library by ones that repeat from run to run.

use std::collections::BTreeMap;

use switchback::{
    InnerPath,
    transport::raw::{Batch, Found, Op, OwnedFile, Reply, Upload},
};

use super::puppet::{Answer, Call};

/// The length of a token.
const TOKEN: usize = 32;

/// The fields of the tool's own records that contain a time.
const TIMES: [&str; 2] = ["since", "at"];

/// Renames the tokens of one command on the way to the hosts, and back on the way from them, and replaces the
/// times of the controller's clock.
pub(crate) struct Names {
    told: BTreeMap<String, String>,
    meant: BTreeMap<String, String>,
    draw: Box<dyn FnMut(usize) -> String + Send>,
    clock: Box<dyn FnMut() -> String + Send>,
}

impl Names {
    /// Takes new tokens for a host from `draw`, and times from `clock`.
    pub(crate) fn new(
        draw: impl FnMut(usize) -> String + Send + 'static,
        clock: impl FnMut() -> String + Send + 'static,
    ) -> Self {
        Self { told: BTreeMap::new(), meant: BTreeMap::new(), draw: Box::new(draw), clock: Box::new(clock) }
    }

    /// Translates a call for the host.
    pub(crate) fn outgoing(&mut self, host: usize, call: Call) -> Call {
        match call {
            Call::Upload(upload) => {
                let into = self.path(host, &upload.into);
                let lists = upload.lists.iter().map(|(list, form)| (self.path(host, list), *form)).collect();
                Call::Upload(Upload { into, lists, ..upload })
            }
            Call::Execute(mut batch) => {
                for step in &mut batch.steps {
                    self.tell(host, &mut step.op);
                }
                Call::Execute(batch)
            }
        }
    }

    fn tell(&mut self, host: usize, op: &mut Op) {
        for path in paths_mut(op) {
            *path = self.path(host, path);
        }
        if let Op::WriteNew { content, .. } | Op::Append { content, .. } = op {
            let timed = self.with_other_times(content);
            *content = replace(&timed, |token| Some(self.told(host, token)));
        }
    }

    fn path(&mut self, host: usize, path: &InnerPath) -> InnerPath {
        replace(path.as_str(), |token| Some(self.told(host, token))).parse().expect("it was a path, and still is")
    }

    fn told(&mut self, host: usize, token: &str) -> String {
        if self.meant.contains_key(token) {
            return token.to_owned();
        }
        if let Some(told) = self.told.get(token) {
            return told.clone();
        }
        let told = (self.draw)(host);
        self.told.insert(token.to_owned(), told.clone());
        self.meant.insert(told.clone(), token.to_owned());
        told
    }

    fn with_other_times(&mut self, content: &str) -> String {
        let Ok(serde_json::Value::Object(mut record)) = serde_json::from_str(content) else {
            return content.to_owned();
        };
        for key in TIMES {
            if let Some(time) = record.get_mut(key) {
                *time = (self.clock)().into();
            }
        }
        if let Some(seconds) = record.get_mut("seconds") {
            *seconds = 0.5.into();
        }
        format!("{}\n", serde_json::Value::Object(record))
    }

    /// Translates an answer for the command.
    pub(crate) fn incoming(&mut self, answer: Answer) -> Answer {
        let mut all = |replies: Vec<Reply>| replies.into_iter().map(|reply| self.read(reply)).collect();
        match answer {
            Answer::Replies(replies) => Answer::Replies(all(replies)),
            Answer::Step(index, failure, replies) => Answer::Step(index, failure, all(replies)),
            other => other,
        }
    }

    fn read(&mut self, reply: Reply) -> Reply {
        match reply {
            Reply::Listing(Some(mut listed)) => {
                for one in &mut listed {
                    one.name = self.bytes(&one.name);
                }
                Reply::Listing(Some(listed))
            }
            Reply::Contents(contents) => {
                let mut read = |(name, file): (Vec<u8>, OwnedFile)| {
                    (self.bytes(&name), OwnedFile { found: self.found(file.found), ..file })
                };
                Reply::Contents(contents.into_iter().map(&mut read).collect())
            }
            Reply::Content(Some(found)) => Reply::Content(Some(self.found(found))),
            other => other,
        }
    }

    fn found(&mut self, found: Found) -> Found {
        if let Found::Content(content) = found { Found::Content(self.bytes(&content)) } else { found }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
        let meant = |token: &str| {
            // A token of another command keeps its name in both directions.
            let token = token.to_owned();
            Some(self.meant.entry(token.clone()).or_insert(token).clone())
        };
        replace(text, meant).into_bytes()
    }
}

/// Returns the paths of a step.
pub(crate) fn paths_mut(op: &mut Op) -> Vec<&mut InnerPath> {
    match op {
        Op::Inspect { path }
        | Op::ReadLink { path }
        | Op::Read { path, .. }
        | Op::List { path }
        | Op::ReadEach { path, .. }
        | Op::Survey { path, .. }
        | Op::CheckProcess { path }
        | Op::FindUsers { path }
        | Op::ExpectAbsent { path }
        | Op::ExpectUnmounted { path }
        | Op::ExpectDirectory { path }
        | Op::ExpectLink { path, .. }
        | Op::ExpectWritable { path }
        | Op::MakeDir { path, .. }
        | Op::MakeLink { path, .. }
        | Op::WriteNew { path, .. }
        | Op::MarkProcess { path }
        | Op::Append { path, .. }
        | Op::RemoveFile { path }
        | Op::RemoveDir { path }
        | Op::RemoveTree { path } => vec![path],
        Op::MoveInto { from, into } => vec![from, into],
        Op::Rename { from, to } => vec![from, to],
        Op::Exchange { one, other } => vec![one, other],
        Op::Sync { paths, .. } | Op::InspectWay { paths } => paths.iter_mut().collect(),
        _ => Vec::new(),
    }
}

/// Returns the lock that a batch works under, by the directory that it names.
pub(crate) fn lock_of(batch: &Batch) -> Option<String> {
    batch.steps.iter().find_map(|step| {
        let mut op = step.op.clone();
        paths_mut(&mut op).iter().find_map(|path| {
            let rest = path.as_str().strip_prefix(".switchback/lock/")?;
            Some(rest.get(..TOKEN)?.to_owned())
        })
    })
}

/// Replaces every run of exactly as many hex digits as a token has.
fn replace(text: &str, mut by: impl FnMut(&str) -> Option<String>) -> String {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let (bytes, mut replaced, mut done, mut at) = (text.as_bytes(), String::new(), 0, 0);
    while at < bytes.len() {
        let end = bytes[at..].iter().position(|byte| !hex(*byte)).map_or(bytes.len(), |length| at + length);
        if end - at == TOKEN
            && let Some(other) = by(&text[at..end])
        {
            replaced.push_str(&text[done..at]);
            replaced.push_str(&other);
            done = end;
        }
        at = end + 1;
    }
    replaced.push_str(&text[done..]);
    replaced
}
