//! Inherited descriptors that ask for a reload or raise an alarm when they become readable: `reload-on-fd`,
//! `brutal-reload-on-fd`, `alarm-fd` (uWSGI's manual, "uWSGI Options"). Master only.

use std::io;
use std::os::fd::OwnedFd;

use mio::Poll;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::machine::Reload;
use super::passed::Passed;
use super::wake::{Wake, no_more};
use crate::config::model::WatchedDescriptor;
use crate::failure::StartFailure;
use crate::sys::process::duplicate_descriptor;
use crate::sys::wait::{self, wait_ready};

/// The descriptors, as long as they can be read.
#[derive(Default)]
pub(super) struct Descriptors(Vec<Option<(WatchedDescriptor, OwnedFd)>>);

/// What a descriptor sets off.
pub(super) enum Told {
    Reload(Reload),
    /// The name of an alarm, and the message.
    Alarm(String, String),
}

/// A descriptor on its way to the next image of the master.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DescriptorHandover(WatchedDescriptor, Passed);

impl Descriptors {
    /// Takes what was inherited. Only before this process opens anything itself are the numbers what their giver meant.
    ///
    /// # Errors
    /// When one of them is not there.
    pub(super) fn inherit(named: &[WatchedDescriptor]) -> Result<Self, StartFailure> {
        let inherit = |named: &WatchedDescriptor| match duplicate_descriptor(named.number) {
            Ok(own) => Ok(Some((named.clone(), own))),
            Err(error) => Err(blame(named, "was not inherited", &error)),
        };
        named.iter().map(inherit).collect::<Result<_, _>>().map(Self)
    }

    /// Takes over what the image before has passed.
    pub(super) fn adopt(handed: Vec<DescriptorHandover>) -> io::Result<Self> {
        let adopt = |DescriptorHandover(named, passed)| Ok(Some((named, passed.take()?)));
        handed.into_iter().map(adopt).collect::<io::Result<_>>().map(Self)
    }

    /// Lets them pass to the next image.
    pub(super) fn hand_over(&self) -> io::Result<Vec<DescriptorHandover>> {
        let open = self.0.iter().flatten();
        open.map(|(named, own)| Ok(DescriptorHandover(named.clone(), Passed::on(own)?))).collect()
    }

    /// Has the event loop wake up for each.
    ///
    /// # Errors
    /// When one of them cannot be waited for, as regular files.
    pub(super) fn watch(&self, poll: &Poll) -> Result<(), StartFailure> {
        for (place, (named, own)) in (0..).zip(&self.0).filter_map(|(place, one)| Some((place, one.as_ref()?))) {
            let watched = Wake::Descriptor(place).when_readable(own, poll);
            watched.map_err(|error| blame(named, "cannot be waited for", &error))?;
        }
        Ok(())
    }

    /// Reads what has come on the descriptor at a place, once; what it sets off.
    pub(super) fn hear(&mut self, place: u32, poll: &Poll) -> Option<Told> {
        let descriptor = self.0.get_mut(place as usize)?;
        let (named, own) = descriptor.as_ref()?;
        let rearm = |come: bool| Wake::Descriptor(place).again(own, poll).map(|()| come);
        match read_once(own, named.bytes).and_then(rearm) {
            Ok(come) => come.then(|| told(named)),
            Err(error) => {
                log::warn!("descriptor {} of {} is not heard any more: {error}", named.number, named.option());
                // Closing it would not end the waiting while others hold what it stands for.
                let _ = no_more(own, poll);
                *descriptor = None;
                None
            }
        }
    }
}

fn told(named: &WatchedDescriptor) -> Told {
    if let Some(alarm) = &named.alarm {
        let message = named.message.clone().unwrap_or_else(|| format!("descriptor {} is ready", named.number));
        return Told::Alarm(alarm.clone(), message);
    }
    let message = named.message.as_deref().unwrap_or(if named.brutal { "brutal reload" } else { "reload" });
    log::info!("*** descriptor {} is ready... {message} ***", named.number);
    Told::Reload(if named.brutal { Reload::Brutal } else { Reload::Graceful })
}

fn blame(named: &WatchedDescriptor, problem: &str, error: &io::Error) -> StartFailure {
    StartFailure::configuration(format!("descriptor {} {problem}: {error}", named.number)).about(named.option())
}

/// Reads at most so many bytes. False: there are none after all.
///
/// The descriptor may be shared with others, so that it is not for us to make it non-blocking.
fn read_once(own: &OwnedFd, bytes: usize) -> io::Result<bool> {
    if !wait_ready(own, wait::Interest::Readable, 0)? {
        return Ok(false);
    }
    match nix::unistd::read(own, &mut vec![0; bytes]) {
        Ok(0) => Err(io::Error::other("its other end was closed")),
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
