//! What the master's decisions need to know of a child that it executes, and the numbers that such children get.
//!
//! Not how it is executed: programs, signals and files are the driver's. Pure; used in the master.

use super::identity::{RecipeId, Role};
use crate::config::model::{Config, Daemon, Listener, Tls};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a process may take to become its program: its directory may be on another machine.
const BECOMING_US: u64 = 30_000_000;

/// An executed child that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// What it does.
    pub role: Role,
    /// How it is made. Two children that are alike in all have the same.
    pub id: RecipeId,
    /// What the log calls it.
    pub title: String,
    /// What only one process can have: a new recipe with the same takes the place of the old one.
    pub holds: Option<String>,
    /// What becomes of it when a reload brings the same recipe again.
    pub at_reload: AtReload,
    /// Whether it goes on when the instance ends or does not want it any more.
    pub outlives: bool,
    /// Whether its end is the instance's.
    pub vital: bool,
    /// How long it may take to be up.
    pub ready_within_us: u64,
    /// How long it may take to leave.
    pub mercy_us: u64,
    /// The longest step of the back-off between deaths at once.
    pub respawn_delay_max_us: u64,
}

/// What a reload does to a child whose recipe it does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AtReload {
    /// Nothing.
    Keep,
    /// The next one takes its place, so that it runs the new code.
    Renew,
}

impl Recipe {
    /// The recipe of a daemon of the configuration.
    #[must_use]
    pub fn of(daemon: &Daemon, mercy: Duration) -> Recipe {
        let naming_us = if daemon.names_itself() { microseconds(daemon.freq) } else { 0 };
        Recipe {
            role: Role::Daemon,
            id: identify(daemon),
            title: daemon.title(),
            holds: daemon.pidfile.as_ref().map(|path| path.display().to_string()),
            at_reload: if daemon.outlives() { AtReload::Keep } else { AtReload::Renew },
            outlives: daemon.outlives(),
            vital: daemon.control,
            ready_within_us: BECOMING_US.saturating_add(naming_us),
            mercy_us: microseconds(mercy),
            respawn_delay_max_us: microseconds(daemon.throttle_max),
        }
    }
}

impl Recipe {
    /// The recipe of each router of the configuration: as many as it wants, if a socket is served by one.
    pub fn of_routers(config: &Config) -> impl Iterator<Item = Recipe> {
        let routed = || config.sockets.iter().filter(|listener| listener.is_routed());
        let limits = &config.request;
        let parts = routed().map(|listener| serde_json::to_string(&without_material(listener))).chain([
            serde_json::to_string(&config.routers),
            serde_json::to_string(&config.http),
            serde_json::to_string(&told(config)),
            serde_json::to_string(&(&limits.trusted_proxies, &limits.web_servers)),
            serde_json::to_string(&(limits.buffer_size, limits.vars_max, limits.body_max, &config.answers.added)),
        ]);
        let parts: Vec<String> = parts.map(Result::unwrap_or_default).collect();
        let recipe = Recipe {
            role: Role::Router,
            id: number_of(&(parts.concat() + env!("CARGO_PKG_VERSION"))),
            title: "router".to_owned(),
            holds: None,
            at_reload: AtReload::Keep,
            outlives: false,
            vital: false,
            ready_within_us: BECOMING_US,
            mercy_us: microseconds(config.patience.mercy),
            respawn_delay_max_us: microseconds(config.patience.respawn_delay_max),
        };
        let processes = if routed().next().is_some() { config.routers.processes } else { 0 };
        std::iter::repeat_n(recipe, processes)
    }
}

/// How a router tells of itself, where it does.
fn told(config: &Config) -> Option<(bool, bool)> {
    config.routers.statistics.as_ref().map(|_| (config.statistics.http, config.statistics.minified))
}

/// The same without what the files of its certificates hold, which a router is told of while it runs.
fn without_material(listener: &Listener) -> Listener {
    let tls = listener.tls.clone().map(|tls| Tls { material: None, ..tls });
    Listener { tls, ..listener.clone() }
}

/// A number for all that a process cannot change any more once it runs. What is only the master's business, such as
/// which signal is sent, may change under it.
fn identify(daemon: &Daemon) -> RecipeId {
    let Daemon { command, pidfile, daemonize, uid, gid, chdir, keeps_stdin, own_pid_namespace, .. } = daemon;
    let parts = format!("{:?}", (command, pidfile, daemonize, uid, gid, chdir, keeps_stdin, own_pid_namespace));
    number_of(&parts)
}

/// FNV-1a, 64 bits.
fn number_of(parts: &str) -> RecipeId {
    let mix = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    RecipeId(parts.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{Address, Material};

    #[test]
    fn a_router_goes_on_with_another_certificate_and_not_with_another_file() {
        let tls = |key: &str, text: &str| Tls {
            certificate: "site.crt".into(),
            key: key.into(),
            client_ca: None,
            demands_certificate: false,
            named: Vec::new(),
            material: Some(Material { certificate: text.to_owned(), ..Material::default() }),
        };
        let id = |tls: Tls| {
            let listener = Listener { tls: Some(tls), ..Listener::on(Address::Abstract(b"a".to_vec())) };
            let config = Config { sockets: vec![listener], ..Config::default() };
            let ids: Vec<RecipeId> = Recipe::of_routers(&config).map(|recipe| recipe.id).collect();
            assert_eq!(ids.len(), 1);
            ids
        };
        assert_eq!(id(tls("site.key", "old")), id(tls("site.key", "new")));
        assert_ne!(id(tls("site.key", "old")), id(tls("other.key", "old")));
    }

    #[test]
    fn a_recipe_changes_with_what_is_executed_and_not_with_how_it_is_told() {
        let mercy = Duration::from_secs(1);
        let daemon = Daemon { command: "run".to_owned(), ..Daemon::default() };
        let id = |daemon: &Daemon| Recipe::of(daemon, mercy).id;
        assert_eq!(id(&daemon), id(&Daemon { stop_signal: 2, control: true, ..daemon.clone() }));
        for other in [
            Daemon { command: "walk".to_owned(), ..daemon.clone() },
            Daemon { pidfile: Some("p".into()), ..daemon.clone() },
            Daemon { uid: Some("nobody".to_owned()), ..daemon.clone() },
            Daemon { chdir: Some("/".into()), ..daemon.clone() },
        ] {
            assert_ne!(id(&daemon), id(&other));
        }
    }
}
