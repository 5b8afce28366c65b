//! The master process: owns sockets, scoreboard, signals and timers; never runs application code.
//!
//! `machine` decides (pure), everything else here acts. [`run`] puts together what the `driver` holds; `rounds` has the
//! loop. Arrows between the files go one way: nothing that this file wires uses this file.

mod acting;
mod alarms;
mod aside;
mod attendance;
mod attendants;
mod backlog;
mod candidate;
mod certificates;
mod children;
mod collecting;
mod crons;
mod daemons;
mod deadlines;
mod decisions;
mod descriptors;
mod directory;
mod doors;
mod driver;
mod ending;
mod fifo;
mod files;
mod greeting;
mod holdings;
mod in_force;
mod ledger;
mod left_lines;
mod load;
mod log_size;
mod logs;
pub mod machine;
mod memories;
mod memory_limits;
mod notify;
mod oom;
mod operator;
mod orders;
mod origin;
mod parting;
mod passed;
mod reading;
mod reason;
mod recertifying;
mod refork;
mod reforking;
mod reloading;
mod rotation;
mod rounds;
mod routers;
mod scaler;
mod schedule;
mod second_line;
mod sight;
mod signalling;
mod signals;
mod sockets;
mod spool_scaler;
mod spools;
mod startup;
mod statistics;
mod subscribing;
mod thresholds;
mod trial;
mod trying;
pub(crate) mod upgrade;
mod vassal;
mod wake;
mod wanted;
mod watches;
mod zerg;

use std::io;

use mio::Poll;

use crate::config::model::{Config, HookPhase};
use crate::failure::StartFailure;
use crate::sys::clock::monotonic_us;
use crate::sys::wait::Doorbell;

use children::Children;
use collecting::Collecting;
use descriptors::Descriptors;
use driver::{Driver, Parts};
use machine::{Machine, Order, Plan, Time};
use operator::Operators;
pub use origin::{Account, Origin};
use signals::Signals;
use startup::Started;
use vassal::Vassal;
use wake::Wake;
use wanted::Wanted;

/// Runs an instance from start to end; returns the exit code.
///
/// # Errors
/// What keeps it from starting. Nothing is left behind then.
pub fn run(config: Config, origin: &dyn Origin) -> Result<i32, StartFailure> {
    crate::logging::wait_for_nobody();
    // Before anything of ours is open, which might have one of these numbers.
    let descriptors = Descriptors::inherit(&config.descriptors)?;
    sockets::judge_inherited(&config)?;
    let vassal = Vassal::of_environment().map_err(|error| StartFailure::system("hear the Emperor", &error))?;
    // Before anything else, so that a signal that comes during the start is remembered and not lost.
    let mut signals = Signals::install().map_err(|error| StartFailure::system("install signal handlers", &error))?;
    let poll = Poll::new().map_err(|error| StartFailure::system("set up the event loop", &error))?;
    signals.watch(&poll).map_err(|error| StartFailure::system("watch for signals", &error))?;
    descriptors.watch(&poll)?;
    let mut started = startup::start(config, &poll)?;
    let equipment = equip(&started.in_force.config, &poll).and_then(|equipment| started.settle().map(|()| equipment));
    let (machine, mut children, bell, operators) = match equipment {
        Ok(equipment) => equipment,
        Err(failure) => {
            started.withdraw();
            return Err(failure);
        }
    };
    started.in_force.collecting = match Collecting::start(&started.in_force.config.logging) {
        Ok(collecting) => collecting,
        Err(error) => {
            started.withdraw();
            return Err(StartFailure::system("begin the collector of the log", &error));
        }
    };
    let Started { in_force, pid_files, ahead, .. } = started;
    children.ahead = ahead;
    let parts = Parts { poll, machine, children, bell, signals, operators, descriptors, in_force, pid_files };
    let mut driver = Driver::new(parts, origin);
    driver.serve_emperor(vassal)?;
    driver.follow_crons();
    if let Err(failure) = crate::hooks::run(&driver.in_force.config.hooks, HookPhase::MasterStart) {
        log::error!("{failure}");
        driver.obey(Wanted::Order(Order::StopNow));
    }
    driver.run()
}

/// What a master has beside its configuration when it starts.
fn equip(config: &Config, poll: &Poll) -> Result<(Machine, Children, Doorbell, Operators), StartFailure> {
    let system = |what| move |error: io::Error| StartFailure::system(what, &error);
    let plan = Plan::of_start(config);
    let machine = Machine::start(Time(monotonic_us()), plan.clone()).map_err(StartFailure::configuration)?;
    let children = Children::new(&plan, config).map_err(system("make the scoreboard"))?;
    let bell = Doorbell::new().map_err(system("make a doorbell"))?;
    Wake::Bell.when_readable(&bell, poll).map_err(system("watch the doorbell"))?;
    let operators = Operators::listen(poll).map_err(system("listen for operators"))?;
    Ok((machine, children, bell, operators))
}
