//! Which line of the log tells what became of a child, if any does. Pure; used in the master.

use super::child::Child;
use super::farewell::Farewell;
use super::identity::ProcessId;
use super::note::Note;
use super::word::Word;

impl Word {
    /// The line for it, if it is worth one.
    pub(super) fn about(self, child: &Child, pid: Option<ProcessId>) -> Option<Note> {
        match child.recipe() {
            None if child.rule().counts => self.about_worker(child, pid),
            None => {
                // What it cannot do, or that it waits, it says itself or its death did.
                let silent = matches!(&self, Word::Retired(_) | Word::Ready { .. });
                (!silent).then_some(Note::Companion { post: child.post, pid, word: self })
            }
            Some(recipe) => {
                let silent = match &self {
                    Word::Begun { .. } | Word::Leaving(_) => true,
                    // Its failure was told, or that it goes on.
                    Word::Gone { why, killed, .. } => {
                        *why == Farewell::Unfit || (recipe.outlives && why.is_parting() && !killed)
                    }
                    _ => false,
                };
                let title = recipe.title.clone();
                (!silent).then_some(Note::Executed {
                    role: recipe.role,
                    title,
                    outlives: recipe.outlives,
                    pid,
                    word: self,
                })
            }
        }
    }

    fn about_worker(self, child: &Child, pid: Option<ProcessId>) -> Option<Note> {
        let post = child.post;
        match self {
            Word::Unfit { reason } => return Some(Note::WorkerUnfit { post, pid, reason }),
            Word::Delayed { delay_us } => return Some(Note::RespawnDelayed { post, delay_us }),
            _ => {}
        }
        let pid = pid?;
        Some(match self {
            Word::Begun { first: true, threads } => Note::Spawned { post, pid, threads },
            Word::Begun { first: false, .. } => Note::Respawned { post, pid },
            Word::Ready { boot_us } => Note::WorkerReady { post, pid, boot_us },
            Word::Leaving(reason) => Note::WorkerLeaving { post, pid, reason },
            Word::NoMercy => Note::NoMercy { post, pid },
            Word::Gone { why, after_us, .. } => Note::WorkerGone { post, pid, why, after_us },
            Word::DiedLeaving { signal } => Note::WorkerDiedLeaving { post, pid, signal },
            Word::Died { status } => Note::WorkerDied { post, pid, status },
            Word::Retired(_) | Word::Unfit { .. } | Word::Delayed { .. } => return None,
        })
    }
}
