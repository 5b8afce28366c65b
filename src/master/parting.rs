//! The time between the order to stop and the stop (`stop-delay`): whoever sends requests is told to send them elsewhere, and
//! those that come meanwhile are still answered. Master only.

use super::driver::Driver;
use super::machine::{Event, Order};
use crate::sys::clock::monotonic_us;

impl Driver<'_> {
    /// Stops, or begins to wait for that. Who is told again does not wait any longer.
    pub(super) fn stop(&mut self, order: Order) {
        self.unsubscribe();
        let delay = self.in_force.config.patience.stop_delay;
        let waits = order == Order::Stop && self.has_served && !self.is_parting();
        match delay.filter(|_| waits) {
            Some(delay) => {
                let delay_us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
                self.stops_at_us = Some(monotonic_us().saturating_add(delay_us));
                log::info!("stopping in {} s: /readyz says so from now on", delay.as_secs());
            }
            None => {
                self.stops_at_us = None;
                if order == Order::StopNow {
                    self.hurry_crons();
                }
                self.handle(Event::Order(order));
            }
        }
    }

    /// Begins the stop whose time has come.
    pub(super) fn stop_if_due(&mut self, now_us: u64) {
        if self.stops_at_us.is_some_and(|at_us| at_us <= now_us) {
            self.stop(Order::Stop);
        }
    }

    /// Whether it stops, or will.
    pub(super) fn is_parting(&self) -> bool {
        self.stops_at_us.is_some() || self.machine.is_stopping()
    }
}
