//! [`DiskBuffer`]: the stream of an upload in a temporary file.
//!
//! One thread fills it, and each host's sender reads it at its own pace.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use tokio::{
    sync::{mpsc::Receiver, watch},
    task::spawn_blocking,
};

use crate::{error::without_number, transport::Uploaded, tree::TreeError};

use super::chunk::{Chunk, NextChunk};

/// A stream in a file. The thread that fills it ends when nobody holds it any more.
#[derive(Debug)]
pub(super) struct DiskBuffer {
    file: Arc<File>,
    grown: watch::Receiver<Grown>,
}

/// The fill state of a buffer.
#[derive(Debug, Clone, Default)]
struct Grown {
    /// Its length in bytes of the file.
    length: u64,
    /// The error that ended the stream early.
    failed: Option<Arc<TreeError>>,
}

/// The size of a chunk's header: its length, the progress up to its end, and whether it is the last.
const HEADER: usize = 32;

impl DiskBuffer {
    /// Stores the stream in an unnamed file in the directory for temporary files.
    ///
    /// # Errors
    ///
    /// When the file cannot be created.
    pub(super) fn of(chunks: Receiver<NextChunk>) -> io::Result<Self> {
        let file = Arc::new(tempfile::tempfile()?);
        let (tell, grown) = watch::channel(Grown::default());
        let filled = Arc::clone(&file);
        drop(spawn_blocking(move || fill(chunks, &filled, &tell)));
        Ok(Self { file, grown })
    }

    /// Returns a reader from the beginning.
    pub(super) fn follow(self: Arc<Self>) -> Follower {
        Follower { grown: self.grown.clone(), buffer: self, at: 0 }
    }
}

fn fill(mut chunks: Receiver<NextChunk>, file: &File, tell: &watch::Sender<Grown>) {
    let mut grown = Grown::default();
    while let Some(next) = chunks.blocking_recv() {
        let kept =
            next.and_then(|chunk| keep(file, grown.length, &chunk).map_err(|error| TreeError::Visit(full(&error))));
        match kept {
            Ok(length) => grown.length += length,
            Err(error) => grown.failed = Some(Arc::new(error)),
        }
        if tell.send(grown.clone()).is_err() || grown.failed.is_some() {
            return;
        }
    }
}

fn full(error: &io::Error) -> io::Error {
    let place = std::env::temp_dir();
    let why = error.to_string();
    let why = without_number(&why);
    let words =
        format!("cannot buffer the upload in {}: {why}; set TMPDIR to a directory with more space", place.display());
    io::Error::new(error.kind(), words)
}

/// Writes `chunk` at `at`, and returns the bytes that it takes.
fn keep(file: &File, at: u64, chunk: &Chunk) -> io::Result<u64> {
    let numbers = [chunk.bytes.len() as u64, chunk.so_far.files, chunk.so_far.bytes, u64::from(chunk.last)];
    let header: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    file.write_all_at(&header, at)?;
    file.write_all_at(&chunk.bytes, at + HEADER as u64)?;
    Ok((HEADER + chunk.bytes.len()) as u64)
}

/// Reads the chunk at `at`.
fn kept(file: &File, at: u64) -> io::Result<Chunk> {
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, at)?;
    let mut numbers =
        header.chunks_exact(8).map(|part| part.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)));
    let mut number = || numbers.next().unwrap_or_default();
    let (length, files, bytes, last) = (number(), number(), number(), number() == 1);
    let mut content = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut content, at + HEADER as u64)?;
    Ok(Chunk { bytes: content, so_far: Uploaded { files, bytes }, last })
}

/// A reader of a [`DiskBuffer`].
#[derive(Debug)]
pub(super) struct Follower {
    buffer: Arc<DiskBuffer>,
    grown: watch::Receiver<Grown>,
    at: u64,
}

impl Follower {
    /// Returns the next chunk once it exists; `None` when the filling ended before the stream was complete.
    pub(super) async fn next(&mut self) -> Option<NextChunk> {
        let at = self.at;
        let grown = self.grown.wait_for(|grown| grown.length > at || grown.failed.is_some()).await.ok()?.clone();
        if grown.length <= at {
            return grown.failed.map(|error| Err(error.again()));
        }
        let file = Arc::clone(&self.buffer.file);
        let read = spawn_blocking(move || kept(&file, at)).await.ok()?;
        Some(match read {
            Ok(chunk) => {
                self.at += (HEADER + chunk.bytes.len()) as u64;
                Ok(chunk)
            }
            Err(error) => Err(TreeError::Visit(error)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tokio::sync::mpsc::channel;

    use super::*;
    use crate::error::full_message;

    fn chunk(at: u8, last: bool) -> Chunk {
        let so_far = Uploaded { files: u64::from(at), bytes: 1 << 40 };
        Chunk { bytes: vec![at; 70_000 + usize::from(at)], so_far, last }
    }

    #[tokio::test]
    async fn all_that_comes_is_read_by_each_at_its_own_pace() {
        let (next, chunks) = channel(1);
        let buffer = Arc::new(DiskBuffer::of(chunks).unwrap());
        let (mut one, mut other) = (Arc::clone(&buffer).follow(), buffer.follow());
        for at in 0..9 {
            next.send(Ok(chunk(at, at == 8))).await.unwrap();
            let read = one.next().await.unwrap().unwrap();
            assert_eq!(format!("{read:?}"), format!("{:?}", chunk(at, at == 8)));
        }
        for at in 0..9 {
            assert_eq!(other.next().await.unwrap().unwrap().so_far.files, at);
        }
    }

    #[tokio::test]
    async fn one_that_ends_too_soon_is_found_and_the_source_is_let_go_when_nobody_is_left() {
        let (next, chunks) = channel(1);
        let mut follower = Arc::new(DiskBuffer::of(chunks).unwrap()).follow();
        next.send(Ok(chunk(1, false))).await.unwrap();
        assert!(follower.next().await.is_some());
        drop(next);
        assert!(follower.next().await.is_none());
        let (next, chunks) = channel(1);
        drop(DiskBuffer::of(chunks).unwrap());
        while next.send(Ok(chunk(1, false))).await.is_ok() {}
    }

    #[tokio::test]
    async fn a_file_that_takes_no_more_fails_everybody() {
        let (tell, grown) = watch::channel(Grown::default());
        let mut named = tempfile::NamedTempFile::new().unwrap();
        named.write_all(b"x").unwrap();
        let file = Arc::new(File::open(named.path()).unwrap());
        let buffer = Arc::new(DiskBuffer { file: Arc::clone(&file), grown });
        let (mut one, mut other) = (Arc::clone(&buffer).follow(), buffer.follow());
        let (next, chunks) = channel(1);
        next.send(Ok(chunk(1, true))).await.unwrap();
        spawn_blocking(move || fill(chunks, &file, &tell)).await.unwrap();
        for follower in [&mut one, &mut other] {
            let error = follower.next().await.unwrap().unwrap_err();
            assert!(full_message(&error).contains("set TMPDIR to a directory with more space"), "{error:?}");
        }
    }
}
