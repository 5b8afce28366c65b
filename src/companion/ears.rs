//! The thread of a companion that hears the master, and minds the deadlines of what the companion does. It runs no code of
//! the application. Companions only.

use std::io;
use std::sync::atomic::Ordering;

use super::Companion;
use crate::sys::clock::monotonic_us;
use crate::sys::process;
use crate::sys::wait::WaitSet;

/// Tokens of the wait set.
const MASTER: u64 = 0;
const NEWS: u64 = 1;

/// How much longer than the master a companion waits for its own end, should the master be gone.
const BEYOND_MERCY_US: u64 = 2_000_000;

impl Companion<'_> {
    /// Hears until the work is over.
    pub(super) fn listen(&self) {
        // They are for the thread that runs the application.
        let _ = process::block_signals();
        if let Err(error) = self.hear_all() {
            log::error!("{}: cannot hear the master any more: {error}", self.member.name());
            process::end_at_once(1);
        }
    }

    fn hear_all(&self) -> io::Result<()> {
        let waiting = WaitSet::new()?;
        waiting.add(&self.member.control(), MASTER)?;
        waiting.add(&self.news, NEWS)?;
        let mut gone_by_us = None;
        while !self.is_over.load(Ordering::Acquire) {
            let now_us = monotonic_us();
            self.end_if_late(now_us, gone_by_us);
            let due_us = Some(self.due_us.load(Ordering::Acquire)).filter(|due_us| *due_us > 0);
            let wait_us = due_us.into_iter().chain(gone_by_us).min().map(|by_us| by_us.saturating_sub(now_us));
            match waiting.wait(wait_us.map(|us| us.div_ceil(1_000)))? {
                Some(NEWS) => self.news.silence(),
                Some(_) => self.member.hear()?,
                None => {}
            }
            if gone_by_us.is_none() && self.member.is_leaving_for_all() {
                // Only the end matters from here on: the control socket may stay readable for ever.
                waiting.remove(&self.member.control())?;
                gone_by_us = Some(monotonic_us().saturating_add(self.mercy_us()));
                self.pass_on()?;
            }
        }
        Ok(())
    }

    /// A program that never asks whether it is to leave is told as any program is.
    fn pass_on(&self) -> io::Result<()> {
        if self.minds_orders.load(Ordering::Acquire) {
            return Ok(());
        }
        process::signal_self(libc::SIGTERM)
    }

    fn mercy_us(&self) -> u64 {
        (self.member.config().mules.mercy.as_micros() as u64).saturating_add(BEYOND_MERCY_US)
    }

    fn end_if_late(&self, now_us: u64, gone_by_us: Option<u64>) {
        let due_us = self.due_us.load(Ordering::Acquire);
        if due_us > 0 && due_us <= now_us {
            let (name, pid) = (self.member.name(), std::process::id());
            let name = if name.starts_with("spooler") { "THE SPOOLER".to_owned() } else { name.to_uppercase() };
            log::error!("*** HARAKIRI ON {name} (pid: {pid}) ***");
            let _ = process::signal_self(libc::SIGKILL);
        }
        if gone_by_us.is_some_and(|by_us| by_us <= now_us) {
            process::end_at_once(1);
        }
    }
}
