//! Steps that share one program on the host, since starting programs takes most of a host's time.
//!
//! Their replies are separated here.

use crate::transport::{OnFailure, Op, Step};

use super::{
    chain,
    frame::Frame,
    reply::{Misfit, TOO_LARGE, names},
    script::reach,
};

/// The kind of steps that can run as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Together {
    /// Reading steps: one `stat` and one `od`.
    Read,
    /// Removals that continue after a failure: one `rm`.
    Remove,
    /// New directories, each in the one before it: one `mkdir`.
    Make,
}

impl Together {
    /// Returns the kind of `step`, if it can run together with others.
    pub(super) fn of(step: &Step) -> Option<Self> {
        match &step.op {
            Op::Inspect { .. }
            | Op::Resolve { .. }
            | Op::ReadLink { .. }
            | Op::Read { .. }
            | Op::List { .. }
            | Op::ReadEach { .. }
            | Op::ReadChain { .. } => Some(Self::Read),
            Op::RemoveTree { .. } | Op::RemoveFile { .. } if step.on_failure == OnFailure::GoOn => Some(Self::Remove),
            Op::MakeDir { existing_is_fine: false, .. } if step.on_failure == OnFailure::Stop => Some(Self::Make),
            _ => None,
        }
    }
}

/// Splits steps into runs that execute as one; most runs have one step.
pub(super) fn runs(steps: &[Step]) -> impl Iterator<Item = &[Step]> {
    steps.chunk_by(|one, next| match (Together::of(one), Together::of(next)) {
        (Some(Together::Make), Some(Together::Make)) => stands_in(&next.op, &one.op),
        (Some(one), Some(next)) => one == next,
        _ => false,
    })
}

/// Whether `inner` creates a directory in the one that `outer` creates, with the same mode.
fn stands_in(inner: &Op, outer: &Op) -> bool {
    match (inner, outer) {
        (Op::MakeDir { path, mode, .. }, Op::MakeDir { path: above, mode: same, .. }) => {
            path.parent().as_ref() == Some(above) && mode == same
        }
        _ => false,
    }
}

/// Replies that wait for the shared output of `stat` and `od`.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<Frame>);

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the replies that are complete now, in order, each as if its step had run alone.
    ///
    /// `ops` are the steps from the first one without a reply.
    ///
    /// # Errors
    ///
    /// [`Misfit`] when the output does not fit the steps.
    pub(super) fn next<'o>(&mut self, frame: Frame, ops: impl Iterator<Item = &'o Op>) -> Result<Vec<Frame>, Misfit> {
        let shared = frame.words.last().is_some_and(|word| word == "@");
        match (&frame.words[..], &frame.values[..]) {
            ([.., word], [stats, contents]) if word == "together" => {
                share(std::mem::take(&mut self.0), ops, stats, contents)
            }
            _ if shared || !self.0.is_empty() => {
                self.0.push(frame);
                Ok(Vec::new())
            }
            _ => Ok(vec![frame]),
        }
    }
}

/// Gives each reply its part of the output.
fn share<'o>(
    mut frames: Vec<Frame>,
    ops: impl Iterator<Item = &'o Op>,
    stats: &[u8],
    mut contents: &[u8],
) -> Result<Vec<Frame>, Misfit> {
    let mut stats = std::str::from_utf8(stats).map_err(|_| Misfit)?.lines();
    let mut take = |count: usize| -> Result<Vec<&str>, Misfit> {
        let lines: Vec<&str> = stats.by_ref().take(count).collect();
        if lines.len() == count { Ok(lines) } else { Err(Misfit) }
    };
    for (frame, op) in frames.iter_mut().zip(ops) {
        if frame.words.pop_if(|word| word == "@").is_none() {
            continue;
        }
        match (op, &frame.values[..]) {
            (Op::Inspect { .. } | Op::Resolve { .. }, []) => {
                frame.words.extend(take(1)?[0].split(' ').map(str::to_owned));
            }
            (Op::Read { limit, .. }, []) => {
                let size = size(take(1)?[0])?;
                let is_within = size <= reach(*limit);
                frame.words.push(if is_within { "ok" } else { TOO_LARGE }.to_owned());
                if is_within {
                    frame.values.push(split(&mut contents, size)?);
                }
            }
            (Op::List { .. }, [all]) => {
                let found = take(names(all).count())?.join("\n");
                frame.values.push(found.into_bytes());
            }
            (Op::ReadEach { limit, .. }, [_, kinds]) => {
                let files = kinds.split(|byte| *byte == b',').filter(|kind| *kind == b"file").count();
                let read = |line: &&str| Ok((size(line)?, owner(line)?));
                let found = take(files)?.iter().map(read).collect::<Result<Vec<(u64, u32)>, _>>()?;
                let length: u64 = found.iter().map(|(size, _)| *size).filter(|size| *size <= reach(*limit)).sum();
                let own = split(&mut contents, length)?;
                let lines: Vec<String> = found.iter().map(|(size, owner)| format!("{size}-{owner}")).collect();
                frame.values.push(lines.join("\n").into_bytes());
                frame.values.push(own);
            }
            (Op::ReadChain { record, files, .. }, [_, kinds]) => {
                let (mut lines, mut length) = (Vec::new(), 0);
                for wanted in chain::wanted(record, files, kinds) {
                    let line = take(1)?[0];
                    length += match wanted {
                        Some(limit) => Some(size(line)?).filter(|size| *size <= reach(limit)).unwrap_or(0),
                        None => 0,
                    };
                    lines.push(line);
                }
                let own = split(&mut contents, length)?;
                frame.values.push(lines.join("\n").into_bytes());
                frame.values.push(own);
            }
            _ => return Err(Misfit),
        }
    }
    if contents.is_empty() && stats.next().is_none() { Ok(frames) } else { Err(Misfit) }
}

/// Takes the next `length` bytes of the contents.
fn split(contents: &mut &[u8], length: u64) -> Result<Vec<u8>, Misfit> {
    let length = usize::try_from(length).map_err(|_| Misfit)?;
    contents.split_off(..length).map(<[u8]>::to_vec).ok_or(Misfit)
}

/// Returns the owner in a line of `stat -c '%f %u %d %i %s %Y'`.
pub(super) fn owner(line: &str) -> Result<u32, Misfit> {
    line.split(' ').nth(1).and_then(|owner| owner.parse().ok()).ok_or(Misfit)
}

/// Returns the size in a line of `stat -c '%f %u %d %i %s %Y'`.
pub(super) fn size(line: &str) -> Result<u64, Misfit> {
    line.split(' ').nth(4).and_then(|size| size.parse().ok()).ok_or(Misfit)
}
