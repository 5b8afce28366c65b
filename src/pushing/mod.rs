//! `stats-push` and `carbon`: sends the figures of the instance to who wants them every so often, in a process of its own. The
//! master begins it and begins it again (`master::attendants`); it ends when the master says nothing more, or is gone.
//!
//! - `statsd` and `carbon` say what is sent.

mod carbon;
mod statsd;

use std::io;
use std::net::ToSocketAddrs;
use std::time::Duration;

use self::carbon::Story;
use self::statsd::Pushed;
use crate::attendant::{self, Ties, UNFIT};
use crate::config::model::{Push, Telemetry};
use crate::inquiry::{Heard, Inquirer, Inquiry};
use crate::remote::Line;
use crate::stats::Figures;
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::datagrams::udp_to;
use crate::sys::machine;
use crate::sys::wait::WaitSet;

const CONTROL: u64 = 0;
const LOG: u64 = 1;

/// What is sent, and what is said of the instance in names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pushing {
    /// To whom.
    pub(crate) telemetry: Telemetry,
    /// What its first socket is called.
    pub(crate) socket: String,
}

/// Somebody who is sent figures.
struct Receiver {
    /// What it is called in the log.
    name: String,
    to: To,
    every_us: u64,
    due_us: u64,
    /// Whether it was told that it takes none.
    is_told: bool,
}

enum To {
    Datagrams { push: Push, pushed: Pushed },
    Carbon { server: String, story: Story, tried: u32 },
}

/// The life of the process; returns its exit code.
pub(crate) fn live(pushing: &Pushing, ties: &Ties) -> i32 {
    attendant::begin("rhinod pushing", ties, &[]);
    let mut receivers = receivers(pushing, monotonic_us());
    let Ok(waiting) = waiting(ties) else { return UNFIT };
    let Ok(mut master) = Inquirer::over(&ties.control) else { return UNFIT };
    let mut is_asked = false;
    loop {
        let now_us = monotonic_us();
        let due_us = receivers.iter().map(|one| one.due_us).min().unwrap_or(u64::MAX);
        if due_us <= now_us && !is_asked {
            is_asked = true;
            if master.ask(Inquiry::Figures).is_err() {
                return 0;
            }
        }
        let patience_ms = (!is_asked).then(|| due_us.saturating_sub(now_us).div_ceil(1_000));
        match waiting.wait(patience_ms) {
            Ok(Some(CONTROL)) => {}
            Ok(Some(_)) => {
                ties.heed();
                continue;
            }
            Ok(None) => continue,
            Err(_) => return UNFIT,
        }
        match master.hear() {
            Heard::End => return 0,
            Heard::Nothing => {}
            Heard::Answer(answer) => {
                is_asked = false;
                let Ok(figures) = serde_json::from_slice::<Figures>(&answer) else { return UNFIT };
                let now_us = monotonic_us();
                receivers
                    .iter_mut()
                    .filter(|one| one.due_us <= now_us)
                    .for_each(|one| one.send(&figures, pushing, now_us));
            }
        }
    }
}

/// What it waits for.
fn waiting(ties: &Ties) -> io::Result<WaitSet> {
    let waiting = WaitSet::new()?;
    waiting.add(&ties.control, CONTROL)?;
    waiting.add(&ties.ear(), LOG)?;
    Ok(waiting)
}

fn receivers(pushing: &Pushing, now_us: u64) -> Vec<Receiver> {
    let Telemetry { pushes, push_every, carbon, .. } = &pushing.telemetry;
    let us = |time: &Duration| time.as_micros().try_into().unwrap_or(u64::MAX);
    let receiver = |name: String, to: To, every: &Duration| Receiver {
        name,
        to,
        every_us: us(every),
        due_us: now_us,
        is_told: false,
    };
    let datagrams = pushes.iter().map(|push| {
        let to = To::Datagrams { push: push.clone(), pushed: Pushed::default() };
        receiver(format!("stats-push to {}", push.to), to, push_every)
    });
    let servers = carbon.servers.iter().map(|server| {
        let to = To::Carbon { server: server.clone(), story: Story::default(), tried: 0 };
        receiver(format!("carbon at {server}"), to, &carbon.every)
    });
    datagrams.chain(servers).collect()
}

impl Receiver {
    fn send(&mut self, figures: &Figures, pushing: &Pushing, now_us: u64) {
        let carbon = &pushing.telemetry.carbon;
        self.due_us = now_us.saturating_add(self.every_us);
        let sent = match &mut self.to {
            To::Datagrams { push, pushed } => {
                let datagrams = statsd::datagrams(push, figures, pushed);
                send_datagrams(&push.to, &datagrams)
            }
            To::Carbon { server, story, tried } => {
                let lines = carbon::lines(
                    carbon,
                    (&machine::host_name(), &pushing.socket),
                    figures,
                    story,
                    (epoch_us(), now_us),
                );
                let sent = Line::to(server, carbon.patience).and_then(|line| line.send(lines.as_bytes()));
                *tried = match &sent {
                    Err(_) if *tried < carbon.retries => {
                        let after_us = carbon.retry_after.as_micros().try_into().unwrap_or(u64::MAX);
                        self.due_us = monotonic_us().saturating_add(after_us);
                        tried.saturating_add(1)
                    }
                    _ => 0,
                };
                sent
            }
        };
        match &sent {
            Err(error) if !self.is_told => log::warn!("{}: figures are not taken: {error}", self.name),
            Ok(()) if self.is_told => log::info!("{}: figures are taken again", self.name),
            _ => {}
        }
        self.is_told = sent.is_err();
    }
}

/// Sends datagrams without waiting for room.
///
/// # Errors
/// There is no such host, nobody has taken the last ones, or there is no room.
fn send_datagrams(to: &str, datagrams: &[String]) -> io::Result<()> {
    let to = to.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("there is no such host"))?;
    let socket = udp_to(to)?;
    datagrams.iter().try_for_each(|datagram| socket.send(datagram.as_bytes()).map(drop))
}
