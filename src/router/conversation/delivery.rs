//! An answer on its way from a worker to the client: its head translated, its body counted and decoded; `outgoing` packs and
//! frames it. Pure; used in the router.

use worker_protocol::http::answer::{Additions, Asked, Coming, Flaw, Passed, end_of_head, pass_on};
use worker_protocol::http::chunked::Decoder;
use worker_protocol::http::framing::Framing;

use super::outgoing::Outgoing;

/// One answer.
#[derive(Debug)]
pub(super) struct Delivery {
    asked: Asked,
    /// What has come of a head that is not whole.
    head: Vec<u8>,
    stage: Stage,
    /// Whether the worker sent more than it had announced.
    has_surplus: bool,
}

#[derive(Debug)]
enum Stage {
    Head,
    Body { coming: Rest, outgoing: Outgoing, persistent: bool },
    Switched,
    Whole { persistent: bool },
}

/// What is still to come of a body.
#[derive(Debug)]
enum Rest {
    Length(u64),
    Chunks(Box<Decoder>),
    /// Whatever comes until the worker ends its side.
    All,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// The client has been told nothing of it.
    Nothing,
    /// It is under way.
    Part,
    /// Another protocol follows.
    Switched,
    /// All of it is on its way to the client.
    Whole {
        /// Whether another request may follow.
        persistent: bool,
    },
}

impl Delivery {
    pub(super) fn new(asked: Asked) -> Delivery {
        Delivery { asked, head: Vec::new(), stage: Stage::Head, has_surplus: false }
    }

    pub(super) fn reached(&self) -> Reached {
        match &self.stage {
            Stage::Head => Reached::Nothing,
            Stage::Body { .. } => Reached::Part,
            Stage::Switched => Reached::Switched,
            Stage::Whole { persistent } => Reached::Whole { persistent: *persistent },
        }
    }

    pub(super) fn is_head(&self) -> bool {
        self.asked.is_head
    }

    /// No other answer follows on the connection, if the client has not been told otherwise yet.
    pub(super) fn be_last(&mut self) {
        self.asked.persistent = false;
    }

    /// Whether nothing at all has come of it.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.stage, Stage::Head) && self.head.is_empty()
    }

    pub(super) fn has_surplus(&self) -> bool {
        self.has_surplus
    }

    /// Takes what a worker has sent, and appends what the client gets of it.
    ///
    /// # Errors
    /// It is no answer, or not one any more.
    pub(super) fn take(&mut self, bytes: &[u8], additions: &Additions<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
        if !matches!(self.stage, Stage::Head) {
            return self.take_body(bytes, out);
        }
        if self.head.is_empty() {
            let used = self.take_heads(bytes, 0, additions, out)?;
            return self.keep_or_take(&bytes[used..], out);
        }
        let searched = self.head.len();
        let mut all = std::mem::take(&mut self.head);
        all.extend_from_slice(bytes);
        let used = self.take_heads(&all, searched, additions, out)?;
        self.keep_or_take(&all[used..], out)
    }

    /// What follows the heads that are whole.
    fn keep_or_take(&mut self, rest: &[u8], out: &mut Vec<u8>) -> Result<(), Flaw> {
        match self.stage {
            Stage::Head => {
                self.head.extend_from_slice(rest);
                Ok(())
            }
            _ => self.take_body(rest, out),
        }
    }

    /// Reads heads up to that of the answer proper; how many bytes they took.
    fn take_heads(
        &mut self,
        bytes: &[u8],
        mut searched: usize,
        additions: &Additions<'_>,
        out: &mut Vec<u8>,
    ) -> Result<usize, Flaw> {
        let mut used = 0;
        while let Some(end) = end_of_head(&bytes[used..], searched)? {
            let head = &bytes[used..used + end];
            (used, searched) = (used + end, 0);
            match pass_on(head, self.asked, additions, out)? {
                Passed::Interim => continue,
                Passed::Switched => self.stage = Stage::Switched,
                Passed::Final { framing, persistent, coming, packed } => {
                    self.stage = begun(framing, persistent, coming, packed);
                }
            }
            break;
        }
        Ok(used)
    }

    fn take_body(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Flaw> {
        let (coming, outgoing, persistent) = match &mut self.stage {
            Stage::Switched => {
                out.extend_from_slice(bytes);
                return Ok(());
            }
            Stage::Body { coming, outgoing, persistent } => (coming, outgoing, *persistent),
            Stage::Head | Stage::Whole { .. } => {
                self.has_surplus |= !bytes.is_empty() && !self.asked.is_head;
                return Ok(());
            }
        };
        let mut is_whole = false;
        match coming {
            Rest::Length(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                outgoing.add(&bytes[..count], out);
                *left -= count as u64;
                is_whole = *left == 0;
                self.has_surplus |= count < bytes.len();
            }
            Rest::All => outgoing.add(bytes, out),
            Rest::Chunks(decoder) => {
                while !bytes.is_empty() && !is_whole {
                    let piece = decoder.next(bytes, usize::MAX).map_err(|_| Flaw::Coding)?;
                    outgoing.add(piece.data, out);
                    bytes = &bytes[piece.consumed..];
                    is_whole = decoder.has_ended();
                }
            }
        }
        if is_whole {
            outgoing.end(out);
            self.stage = Stage::Whole { persistent };
        } else {
            outgoing.flush(out);
        }
        Ok(())
    }

    /// The worker has ended its side: an answer without an announced length is whole.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if let Stage::Body { coming: Rest::All, outgoing, persistent } = &mut self.stage {
            let persistent = *persistent;
            outgoing.end(out);
            self.stage = Stage::Whole { persistent };
        }
    }
}

/// What follows a head.
fn begun(framing: Framing, persistent: bool, coming: Coming, packed: bool) -> Stage {
    let coming = match (framing, coming) {
        (Framing::Bodiless, _) | (_, Coming::Length(0)) => return Stage::Whole { persistent },
        (_, Coming::Length(left)) => Rest::Length(left),
        (_, Coming::Chunked) => Rest::Chunks(Box::new(Decoder::new(u64::MAX))),
        (_, Coming::Close) => Rest::All,
    };
    Stage::Body { coming, outgoing: Outgoing::new(framing, packed), persistent }
}
