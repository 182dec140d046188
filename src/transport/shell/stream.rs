//! [`Stream`]: what is sent to a host, made for it alone or for all hosts that need the same.

use std::{io, sync::Arc};

use tokio::sync::mpsc::Receiver;

use crate::{
    manifest::Form,
    path::InnerPath,
    token::Token,
    transport::{Base, Upload},
};

use super::{
    compression::Compression,
    pack::pack,
    piece::Next,
    spool::{Follower, Spool},
};

/// The stream of an upload.
#[derive(Debug)]
pub(super) struct Stream {
    /// The name of its last entry.
    pub(super) marker: String,
    /// How it is compressed.
    pub(super) compression: Compression,
    pieces: Pieces,
}

/// Where its pieces come from.
#[derive(Debug)]
enum Pieces {
    Own(Receiver<Next>),
    Shared(Follower),
}

/// A stream that serves every host of the same need.
#[derive(Debug)]
struct Shared {
    marker: String,
    compression: Compression,
    /// What it was made for first.
    upload: Upload,
    spool: Arc<Spool>,
}

impl Stream {
    /// The stream of `upload`, for a host that takes `compression`.
    pub(super) fn of(upload: &Upload, compression: Compression) -> Self {
        let compression = compression.of(upload);
        let marker = format!(".switchback-{}", Token::random());
        let make = |marker: &str| compression.apply(pack(upload.clone(), marker.to_owned()));
        let serves = |made: &Shared| made.compression == compression && is_same(&made.upload, upload);
        let shared = upload.tree.made_once(serves, || {
            let spool = Arc::new(Spool::of(make(&marker))?);
            Ok::<_, io::Error>(Shared { marker: marker.clone(), compression, upload: upload.clone(), spool })
        });
        // Where there is no room for it, each host has its own.
        if let Some(Ok(shared)) = shared {
            let pieces = Pieces::Shared(Arc::clone(&shared.spool).follow());
            return Self { marker: shared.marker.clone(), compression, pieces };
        }
        Self { pieces: Pieces::Own(make(&marker)), marker, compression }
    }

    /// The next piece; `None` when whoever makes it has ended before it was whole.
    pub(super) async fn next(&mut self) -> Option<Next> {
        match &mut self.pieces {
            Pieces::Own(pieces) => pieces.recv().await,
            Pieces::Shared(follower) => follower.next().await,
        }
    }
}

/// Whether the same stream serves both, which are of one tree.
fn is_same(one: &Upload, other: &Upload) -> bool {
    // All that goes into a stream must be compared: what is new in an upload must be looked at here.
    let Upload { root: _, into: _, tree: _, lists, unlisted, base } = one;
    let forms = |lists: &[(InnerPath, Form)]| lists.iter().map(|(_, form)| *form).collect::<Vec<_>>();
    let is_copied_alike = match (base, &other.base) {
        (Some(Base { from: _, files, lists }), Some(other)) => *files == other.files && *lists == other.lists,
        (one, other) => one.is_none() && other.is_none(),
    };
    forms(lists) == forms(&other.lists) && *unlisted == other.unlisted && is_copied_alike
}
