//! What becomes of a line: it goes to its places, and raises the alarms that it matches. What alarms are for is done here, or
//! ordered of the master. Collector only.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;

use super::Order;
use super::alarms::{Raised, Watch};
use super::commands::Commands;
use super::sieve::Sieve;
use crate::config::model::{AlarmAction, Logging};
use crate::escape;
use crate::log_places::Places;
use crate::logging::ctime;
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::datagrams::udp_towards;
use crate::sys::mailbox::{Mailbox, Posted};

/// Names of alarms that there are not of which it is said that there are not.
const UNKNOWN_MAX: usize = 16;

/// Longest datagram (RFC 768, without the heads).
const DATAGRAM_BYTES_MAX: usize = 65_507;

/// The desk over which lines and alarms go.
pub(super) struct Desk {
    sieve: Sieve,
    pub(super) places: Places,
    watch: Watch,
    commands: Commands,
    orders: Mailbox,
    /// Names that were called and that no alarm has.
    unknown: BTreeSet<String>,
}

impl Desk {
    /// That of a configuration.
    pub(super) fn of(logging: &Logging, orders: Mailbox) -> Self {
        Self {
            sieve: Sieve::of(logging),
            places: Places::for_log(logging),
            watch: Watch::of(&logging.alarms),
            commands: Commands::default(),
            orders,
            unknown: BTreeSet::new(),
        }
    }

    /// Goes on with what places did not take, and takes leave of commands.
    pub(super) fn go_on(&mut self) {
        self.places.go_on();
        self.commands.bury();
    }

    /// Whether commands of alarms run.
    pub(super) fn runs_commands(&self) -> bool {
        self.commands.run_now()
    }

    /// Hands a message to its places, and sees whether it is an alarming one.
    pub(super) fn take(&mut self, message: &str) {
        if self.sieve.keeps(message) {
            self.places.take(message);
        }
        let raised = self.watch.line(message, monotonic_us());
        self.follow(raised);
    }

    /// Somebody raises an alarm by its name.
    pub(super) fn call(&mut self, name: &str, message: &str) {
        if !self.watch.knows(name) {
            return self.tell_unknown(name);
        }
        let raised = self.watch.call(name, message, monotonic_us());
        self.follow(raised);
    }

    fn tell_unknown(&mut self, name: &str) {
        if self.unknown.len() < UNKNOWN_MAX && self.unknown.insert(name.to_owned()) {
            self.say(&format!("there is no alarm {} to be raised", escape::value(name.as_bytes())));
        }
    }

    /// Does what alarms are for.
    fn follow(&mut self, raised: Vec<Raised>) {
        for Raised { name, action, message } in raised {
            if let Err(error) = self.act(action, message) {
                self.say(&format!("the alarm {name} was not raised: {error}"));
            }
        }
    }

    fn act(&mut self, action: AlarmAction, message: String) -> io::Result<()> {
        match action {
            AlarmAction::Log(text) => {
                self.say(&format!("ALARM: {text} {message}"));
                Ok(())
            }
            AlarmAction::Command(command) => self.commands.run(&command, &message),
            AlarmAction::Datagram(to) => send(to, message.as_bytes()),
            AlarmAction::Signal(number) => self.order(&Order::Signal(number)),
            AlarmAction::Mule(number) => self.order(&Order::Mule(number, message.into_bytes())),
        }
    }

    fn order(&self, order: &Order) -> io::Result<()> {
        match self.orders.post(&order.bytes())? {
            Posted::Queued => Ok(()),
            Posted::Full => Err(io::Error::other("the master has not heard the ones before yet")),
            Posted::TooLong => Err(io::Error::other("its message is too long")),
        }
    }

    /// A line of the log that raises no alarm.
    fn say(&mut self, text: &str) {
        // It may quote the application.
        self.places.take(&format!("{} - {}", ctime(epoch_us()), escape::said(text)));
    }
}

/// Sends a datagram, without waiting.
fn send(to: SocketAddr, message: &[u8]) -> io::Result<()> {
    let socket = udp_towards(to)?;
    socket.send_to(&message[..message.len().min(DATAGRAM_BYTES_MAX)], to)?;
    Ok(())
}
