//! Sockets that an instance holds for others and does not serve itself (`zerg-pool`). They are settled at its start; whoever
//! was given them serves on when the pool has ended. Master only.

use std::os::fd::{AsFd, BorrowedFd};

use super::super::sockets::bind_options;
use crate::config::model::Config;
use crate::failure::StartFailure;
use crate::sys::listeners::{BoundSocket, ListenError};

/// The sockets of each pool, in the order of the configuration.
#[derive(Debug, Default)]
pub(in crate::master) struct Pools(Vec<Vec<BoundSocket>>);

impl Pools {
    /// Opens those of a configuration.
    ///
    /// # Errors
    /// When one of them cannot be opened. Nothing is left behind then.
    pub(in crate::master) fn open(config: &Config) -> Result<Self, StartFailure> {
        let options = bind_options(config)?;
        let mut pools = Self::default();
        for pool in &config.zerg.pools {
            let mut bound = Vec::new();
            let made = pool.sockets.iter().try_for_each(|listener| {
                let socket = BoundSocket::bind(listener, &options)?;
                log::info!("zerg pool {} bound to {}", pool.door, socket.name);
                bound.push(socket);
                Ok(())
            });
            pools.0.push(bound);
            made.map_err(|error: ListenError| {
                pools.withdraw();
                StartFailure::from(error).about("zergpool")
            })?;
        }
        Ok(pools)
    }

    /// Goes on with those of the image before.
    pub(in crate::master) fn adopt(pools: Vec<Vec<BoundSocket>>) -> Self {
        Self(pools)
    }

    /// The sockets, pool by pool.
    pub(in crate::master) fn iter(&self) -> impl Iterator<Item = &[BoundSocket]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Those of the pool at this place.
    pub(super) fn sockets_of(&self, place: usize) -> Vec<BorrowedFd<'_>> {
        self.0.get(place).into_iter().flatten().map(AsFd::as_fd).collect()
    }

    /// Removes what was made for an instance that does not start after all.
    pub(in crate::master) fn withdraw(&self) {
        for socket in self.0.iter().flatten() {
            // Best effort: the failure itself is what the operator must read.
            let _ = socket.remove_file();
        }
    }
}
