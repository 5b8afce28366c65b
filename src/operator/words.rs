//! What the command line and a master agree on: where it listens, how its answers begin, and how it is doing. Both sides.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The name of the abstract unix socket on which the master with this pid hears operators. Where somebody else has taken
/// it, as every local user can, the name goes on with a stroke and something that cannot be foreseen.
///
/// Containers may share the names of the network and still count their processes each from 1, so that the name tells
/// whose count it is.
pub(crate) fn name_of(pid: u32) -> io::Result<String> {
    Ok(format!("{}{pid}", start_of_names()?))
}

/// How the names of such sockets begin where processes are counted as for us.
pub(crate) fn start_of_names() -> io::Result<String> {
    let counted_in = fs::read_link("/proc/self/ns/pid")?;
    Ok(format!("rhinod/{}/", counted_in.display()))
}

/// A name that nobody can have taken on purpose.
pub(crate) fn unforeseen(name: &str) -> io::Result<String> {
    let mut lot = [0; 8];
    fs::File::open("/dev/urandom")?.read_exact(&mut lot)?;
    Ok(format!("{name}/{:016x}", u64::from_ne_bytes(lot)))
}

/// All sockets that listen under a name, or under one that goes on from it (proc_net_unix(5)), the shortest first.
pub(crate) fn known(name: &str) -> Vec<String> {
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let names = table.lines().filter_map(|line| line.rsplit_once(" @")).map(|(_, other)| other);
    let ours =
        names.filter(|other| other.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    // Where there is no table, the name itself is still worth a try.
    let mut ours: Vec<String> = ours.chain([name]).map(str::to_owned).collect();
    ours.sort();
    ours.dedup();
    ours
}

/// The address of a name.
pub(crate) fn address_of(name: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// First word of an answer that says that what was asked for is done; the rest of the line is for people, but of `stop`
/// the seconds that the end may take, and of `status` a [`Standing`] as JSON.
pub(crate) const DONE: &str = "done";
/// First word of an answer that says that it could not be done; the rest of the line says why.
pub(crate) const FAILED: &str = "failed";

/// What is asked of a master to have the generation on trial take over, and to have it go.
pub(crate) const CANARY_COMMIT: &str = "canary commit";
pub(crate) const CANARY_ROLLBACK: &str = "canary rollback";

/// What is asked of a master to tell for people how far the reload is that is under way.
pub(crate) const PROGRESS: &str = "progress";

/// What is asked of a master to tell all that `rhinod top` shows, on one line of JSON.
pub(crate) const REPORT: &str = "report";

/// What is asked of a master to have a worker more or fewer, within the bounds of scaling.
pub(crate) const MORE: &str = "one worker more";
pub(crate) const FEWER: &str = "one worker fewer";

/// How an instance is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) state: State,
    pub(crate) pid: u32,
    pub(crate) generation: u32,
    pub(crate) workers: Workers,
    /// How many are up and how many are wanted.
    pub(crate) daemons: UpOf,
    /// The same of mules, and of spooler processes. Masters of other versions do not tell.
    #[serde(default)]
    pub(crate) mules: UpOf,
    #[serde(default)]
    pub(crate) spoolers: UpOf,
    pub(crate) paused: bool,
    /// Whether the application could not be loaded, so that every request is answered with an error.
    pub(crate) no_application: bool,
    /// Whether an operator waits for the end of a reload.
    #[serde(default)]
    pub(crate) reloading: bool,
    /// Why the last reload failed.
    pub(crate) last_reload_failed: Option<String>,
    /// What the last reload could not take over. Masters of other versions do not tell.
    #[serde(default)]
    pub(crate) left_as_it_was: Option<String>,
    /// The generation that is on trial. Masters of other versions do not tell.
    #[serde(default)]
    pub(crate) canary: Option<u32>,
    /// What its processes hold of the machine's memory. Masters of other versions do not tell.
    #[serde(default)]
    pub(crate) memory: Option<Memory>,
}

/// The most important thing about an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    Serving,
    Loading,
    Paused,
    Stopping,
    NoApplication,
    /// It serves, but what was there before.
    ReloadFailed,
}

/// Workers by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Workers {
    pub(crate) wanted: u32,
    pub(crate) ready: u32,
    pub(crate) starting: u32,
    pub(crate) leaving: u32,
}

/// What workers and zygotes hold of the machine's memory, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// How many workers were looked at.
    pub(crate) workers: u32,
    /// And how many zygotes.
    pub(crate) zygotes: u32,
    /// Of all workers: pages that no other process maps.
    pub(crate) private_bytes: u64,
    /// Of the worker that has most: pages that others map as well.
    pub(crate) shared_bytes: u64,
    /// Of workers and zygotes: all of the first, and their parts of the second.
    pub(crate) pss_bytes: u64,
    /// What is saved by forking workers from one that has served, if they are.
    pub(crate) refork_saved_bytes: Option<u64>,
    /// Whose memory cannot be read, and why: the first of them.
    pub(crate) unread: Option<String>,
}

/// What runs beside the workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UpOf {
    pub(crate) wanted: usize,
    pub(crate) up: usize,
}

impl Standing {
    /// The same with the state that follows from the rest.
    pub(crate) fn judged(mut self, has_served: bool, stopping: bool) -> Self {
        let nobody = self.workers.wanted > 0 && self.workers.ready == 0;
        self.state = if stopping {
            State::Stopping
        } else if self.paused {
            State::Paused
        } else if !has_served || nobody {
            State::Loading
        } else if self.no_application {
            State::NoApplication
        } else if self.last_reload_failed.is_some() {
            State::ReloadFailed
        } else {
            State::Serving
        };
        self
    }
}

impl State {
    /// For people.
    fn says(self) -> &'static str {
        match self {
            State::Serving => "serving",
            State::Loading => "loading",
            State::Paused => "paused",
            State::Stopping => "stopping",
            State::NoApplication => "no application",
            State::ReloadFailed => "serving what was there before the last reload",
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let Self { workers, zygotes, private_bytes, shared_bytes, pss_bytes, refork_saved_bytes, unread } = self;
        write!(f, "{:.1} MiB for {workers} workers and {zygotes} that fork them", mib(*pss_bytes))?;
        if *workers > 0 {
            let own = mib(private_bytes / u64::from(*workers));
            write!(f, " (a worker has {own:.1} of its own and shares {:.1})", mib(*shared_bytes))?;
        }
        if let Some(saved) = refork_saved_bytes {
            write!(f, ", refork saves {:.1} MiB", mib(*saved))?;
        }
        match unread {
            Some(why) => write!(f, ", not all of it known: {why}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Workers { wanted, ready, starting, leaving } = self.workers;
        write!(f, "{}: pid {}, generation {}, ", self.state.says(), self.pid, self.generation)?;
        write!(f, "{ready} of {wanted} workers ready, {starting} starting, {leaving} leaving")?;
        for (kind, UpOf { wanted, up }) in
            [("daemons", self.daemons), ("mules", self.mules), ("spoolers", self.spoolers)]
        {
            if wanted > 0 {
                write!(f, ", {up} of {wanted} {kind} up")?;
            }
        }
        if self.paused {
            f.write_str(", paused")?;
        }
        if self.no_application {
            f.write_str(", no application could be loaded: every request is answered with 500")?;
        }
        if let Some(generation) = self.canary {
            write!(f, ", generation {generation} on trial")?;
        }
        if let Some(memory) = &self.memory {
            write!(f, ", {memory}")?;
        }
        if let Some(why) = &self.last_reload_failed {
            write!(f, ", last reload failed: {why}")?;
        }
        if let Some(left) = &self.left_as_it_was {
            write!(f, ", last reload: {left}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::seeds::Seeds;

    fn standing() -> Standing {
        Standing {
            state: State::Serving,
            pid: 7,
            generation: 2,
            workers: Workers { wanted: 2, ready: 2, starting: 0, leaving: 0 },
            daemons: UpOf::default(),
            mules: UpOf::default(),
            spoolers: UpOf::default(),
            paused: false,
            no_application: false,
            reloading: false,
            last_reload_failed: None,
            left_as_it_was: None,
            canary: None,
            memory: None,
        }
    }

    #[test]
    fn the_gravest_that_holds_is_the_state() {
        let state = |standing: Standing| standing.judged(true, false).state;
        assert_eq!(state(standing()), State::Serving);
        assert_eq!(standing().judged(false, false).state, State::Loading);
        let failed = Standing { last_reload_failed: Some("x".into()), ..standing() };
        assert_eq!(state(failed.clone()), State::ReloadFailed);
        let none = Standing { no_application: true, ..failed };
        assert_eq!(state(none.clone()), State::NoApplication);
        let crashed = Standing { workers: Workers { wanted: 2, ready: 0, starting: 1, leaving: 0 }, ..none };
        assert_eq!(state(crashed.clone()), State::Loading);
        let asleep = Standing { workers: Workers { wanted: 0, ready: 0, starting: 0, leaving: 0 }, ..standing() };
        assert_eq!(state(asleep), State::Serving, "no worker is needed until a connection comes");
        let paused = Standing { paused: true, ..crashed };
        assert_eq!(state(paused.clone()), State::Paused);
        assert_eq!(paused.judged(true, true).state, State::Stopping);
    }

    #[test]
    fn mutants_of_states_that_are_understood_are_told_in_bounds() {
        let canary = Standing { canary: Some(3), last_reload_failed: Some("why".into()), ..standing() };
        let memory = Memory { workers: 2, pss_bytes: 9 << 20, unread: Some("why".into()), ..Memory::default() };
        let weighed = Standing { memory: Some(memory), ..standing() };
        let originals = [standing(), canary, weighed].map(|standing| serde_json::to_value(standing).unwrap());
        Seeds::of_this_run(1_000).try_all(|(): &mut (), seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut mutant = originals[random.usize(..originals.len())].clone();
            testkit::json_mutation::mutate(&mut random, &mut mutant);
            // As it is heard: what could move a cursor is escaped before it is read.
            let told = crate::escape::said(&mutant.to_string());
            if let Ok(understood) = serde_json::from_str::<Standing>(&told) {
                let again = serde_json::to_string(&understood).unwrap();
                assert_eq!(serde_json::from_str::<Standing>(&again).unwrap(), understood);
                let line = understood.to_string();
                assert!(line.len() <= told.len() + 300, "{line:?}");
            }
            Ok(())
        });
    }

    #[test]
    fn programs_read_it_as_json() {
        let json = serde_json::to_string(&standing()).unwrap();
        assert!(json.starts_with(r#"{"state":"serving","pid":7,"generation":2,"workers":{"wanted":2,"#), "{json}");
        assert_eq!(serde_json::from_str::<Standing>(&json).unwrap(), standing());
    }
}
