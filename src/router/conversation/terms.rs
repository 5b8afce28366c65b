//! What holds for all conversations of a router, and what each of them is told of the moment. Pure; used in the router.

use std::time::Duration;

use worker_protocol::http::answer::Additions;
use worker_protocol::http::{Limits, date};
use worker_protocol::pairs;

use crate::config::model::{RequestLimits, Routers};

/// What holds for all of them.
#[derive(Debug)]
pub(in crate::router) struct Terms {
    pub(in crate::router) limits: RequestLimits,
    pub(in crate::router) routers: Routers,
    /// How long a client may be silent between two requests; zero: each connection ends with its first answer.
    pub(in crate::router) keep_alive: Duration,
    /// Whether answers name the server.
    pub(in crate::router) names_server: bool,
    /// The name of the machine (`SERVER_NAME`).
    pub(in crate::router) server_name: String,
    /// Headers of the router's own answers.
    pub(in crate::router) added: Vec<(String, String)>,
    /// Whether the router was told to go, so that each connection ends with the next answer.
    pub(in crate::router) is_leaving: bool,
}

/// Variables that a request gets here beside those of its head and `http-var`.
const OWN_VARIABLES_MAX: usize = 4;

/// Bytes that they take at most; the longest value is the name of a host.
const OWN_BYTES_MAX: usize = 512;

impl Terms {
    /// What the variables of a head may take, so that a worker with the same limits takes all of them.
    pub(super) fn block_limits(&self) -> pairs::Limits {
        let variables = &self.routers.variables;
        let bytes: usize = variables.iter().map(|(key, value)| 4 + key.len() + value.len()).sum();
        let bytes = u16::try_from(bytes + OWN_BYTES_MAX).unwrap_or(u16::MAX);
        pairs::Limits {
            block_bytes_max: self.limits.buffer_size.saturating_sub(bytes),
            variables_max: self.limits.vars_max.saturating_sub(variables.len() + OWN_VARIABLES_MAX),
        }
    }

    /// What a head may measure.
    pub(super) fn head_limits(&self) -> Limits {
        Limits::within(&self.block_limits())
    }

    /// The header `Server`, if there is to be one.
    pub(super) fn server(&self) -> Option<&'static [u8]> {
        self.names_server.then_some(b"rhinod")
    }

    pub(super) fn body_max(&self) -> u64 {
        self.limits.body_max.unwrap_or(u64::MAX)
    }

    pub(super) fn keeps_connections(&self) -> bool {
        !self.keep_alive.is_zero() && !self.is_leaving
    }
}

/// A moment, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(in crate::router) struct Moment {
    /// Of the monotonic clock.
    pub(in crate::router) us: u64,
    /// Since the epoch.
    pub(in crate::router) epoch_us: u64,
    /// As HTTP writes it.
    pub(in crate::router) date: [u8; date::BYTES],
}

impl Moment {
    /// What is added to answers.
    pub(super) fn additions<'m>(&'m self, terms: &Terms) -> Additions<'m> {
        Additions { date: &self.date, server: terms.server() }
    }
}
