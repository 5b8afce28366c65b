//! The next image's side: answering whether this binary could go on, and going on. Both only ever in a process that was
//! executed for it.

use std::io::Write;

use super::super::driver::Driver;
use super::super::machine::Announcement;
use super::super::origin::Origin;
use super::super::startup;
use super::handover::Handover;
use super::images::UNDERSTOOD;
use crate::failure::StartFailure;
use crate::sys::process;

/// Does all that going on would need, and says so to the image that asks.
///
/// # Errors
/// Why this binary could not go on; that image's log shall have it.
pub(crate) fn understand(number: i32) -> Result<(), StartFailure> {
    read(number)?.adopt()?;
    let mut out = std::io::stdout();
    let said = out.write_all(UNDERSTOOD.as_bytes()).and_then(|()| out.flush());
    said.map_err(|error| StartFailure::system("say that it could go on", &error))
}

/// Goes on as the next image of a master that has replaced its own binary.
///
/// # Errors
/// When what was handed over cannot be used: the old image has asked before, so that this is a fault of the system.
pub(crate) fn resume(number: i32, origin: &dyn Origin) -> Result<i32, StartFailure> {
    crate::logging::wait_for_nobody();
    let handover = read(number)?;
    if handover.closed {
        process::forbid_steering().map_err(|error| StartFailure::system("keep the application out", &error))?;
    }
    let (parts, learnt) = handover.adopt()?;
    // The image before has blocked them until somebody hears them again.
    process::unblock_signals(nix::sys::signal::SigSet::empty());
    crate::logging::stamp_lines(&parts.in_force.config.logging);
    startup::title_master(&parts.in_force.config);
    let mut driver = Driver::new(parts, origin);
    driver.serve_emperor(learnt.vassal)?;
    driver.go_on_without_emperor();
    driver.has_served = true;
    driver.scaler.remember(learnt.scaling);
    driver.timetable = learnt.timetable;
    driver.watch_signal_files();
    driver.errands = learnt.errands;
    driver.follow_crons();
    driver.stops_at_us = learnt.stops_at_us;
    driver.mind_subscriptions();
    if let Some(ledger) = learnt.ledger {
        driver.ledger = ledger;
    }
    if let Some(beneath) = learnt.log_beneath
        && let Err(error) = driver.collect_anew(beneath)
    {
        log::error!("the collector of the image before goes on taking the log: {error}");
    }
    log::info!("the master (pid {}) runs version {} now", std::process::id(), env!("CARGO_PKG_VERSION"));
    driver.notifier.announce(&Announcement::Ready);
    // Children that ended while nobody listened.
    driver.reap();
    driver.scale();
    driver.run()
}

fn read(number: i32) -> Result<Handover, StartFailure> {
    Handover::read(number).map_err(|error| StartFailure::system("read what the image before has left", &error))
}
