//! Telling systemd how the instance is doing (sd_notify(3)): ready, reloading, stopping, status, watchdog. Master only.

use std::time::Duration;

use sd_notify::NotifyState;

use super::machine::{Announcement, Outcome};
use crate::sys::clock::monotonic_us;

/// The way to systemd; without `NOTIFY_SOCKET` it leads nowhere.
#[derive(Debug)]
pub(super) struct Notifier {
    enabled: bool,
    /// Half of the watchdog's patience, and when the next sign of life is due.
    watchdog: Option<(u64, u64)>,
}

impl Notifier {
    pub(super) fn new() -> Self {
        let enabled = std::env::var_os("NOTIFY_SOCKET").is_some();
        let patience = sd_notify::watchdog_enabled().filter(|_| enabled);
        let watchdog = patience.map(|patience: Duration| (patience.as_micros() as u64 / 2, monotonic_us()));
        Self { enabled, watchdog }
    }

    /// Passes on what the machine announces.
    pub(super) fn announce(&self, announcement: &Announcement) {
        match announcement {
            Announcement::Ready => self.send(&[NotifyState::Ready]),
            Announcement::Reloading(_) => {
                if let Ok(stamp) = NotifyState::monotonic_usec_now() {
                    self.send(&[NotifyState::Reloading, stamp]);
                }
            }
            // Also after a failure: what serves is ready, and the status line says what went wrong.
            Announcement::ReloadDone { outcome: Outcome::Superseded, .. } => {}
            Announcement::ReloadDone { outcome: Outcome::Failed(reason), .. } => {
                let first = reason.lines().last().unwrap_or_default();
                self.send(&[NotifyState::Ready, NotifyState::Status(&format!("reload failed: {first}"))]);
            }
            Announcement::ReloadDone { .. } => self.send(&[NotifyState::Ready]),
            Announcement::Stopping => self.send(&[NotifyState::Stopping]),
            Announcement::Status(count) => self.send(&[NotifyState::Status(&count.to_string())]),
        }
    }

    /// Has the status line say something.
    pub(super) fn tell(&self, status: &str) {
        self.send(&[NotifyState::Status(status)]);
    }

    /// When the next sign of life is due.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.watchdog.map(|(_, due_us)| due_us)
    }

    /// Sends the sign of life if it is due.
    pub(super) fn keep_alive(&mut self) {
        let now_us = monotonic_us();
        if let Some((interval_us, due_us)) = self.watchdog
            && due_us <= now_us
        {
            self.send(&[NotifyState::Watchdog]);
            self.watchdog = Some((interval_us, now_us + interval_us));
        }
    }

    fn send(&self, state: &[NotifyState<'_>]) {
        if self.enabled
            && let Err(error) = sd_notify::notify(state)
        {
            log::warn!("cannot notify systemd: {error}");
        }
    }
}
