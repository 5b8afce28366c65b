//! The nodes of each key: what becomes of them when they are heard, when they fall silent, and when they cannot be asked. Pure;
//! used in the router. All of it is bounded: anybody may announce something.

use std::collections::BTreeMap;
use std::time::Duration;

use super::choosing::choose;
use super::graves::Graves;
use super::node::{Held, Node};
use super::record::Record;
use crate::config::model::{Address, Hearing, Turns};
use crate::router::alarms::micros;
use crate::router::report::{OnePool, PoolNode};

/// Most nodes of all keys together, with the keys that have just lost their last one.
pub(super) const NODES_MAX: usize = 4_096;

/// Most nodes of one key: all of them are looked at for each request.
pub(super) const NODES_OF_KEY_MAX: usize = 256;

/// How many names of a host are looked for (`subscription-dotsplit`).
const SPLITS_MAX: usize = 5;

/// All of them.
#[derive(Debug)]
pub(in crate::router) struct Table {
    pools: BTreeMap<String, Pool>,
    nodes_count: usize,
    gone: Graves,
    turns: Turns,
    splits_dots: bool,
    fallback_key: Option<String>,
    tolerance: Duration,
    tolerance_us: u64,
    /// How long one that could not be connected to is left alone, while there are others; and how long a key is remembered
    /// that has lost its last node.
    grace_us: u64,
    next_id: u64,
    /// No node is due earlier.
    due_us: Option<u64>,
}

#[derive(Debug, Default)]
struct Pool {
    nodes: Vec<Node>,
    requests: u64,
    /// Since when it has no node.
    empty_since_us: u64,
}

/// What an announcement comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::router) enum Applied {
    /// The node is known from now on.
    New,
    /// It was known.
    Again,
    /// It was, and is asked no more.
    Gone,
    /// There is nothing to be done.
    Nothing,
    /// It has been said before, or is older than what was.
    Stale,
    /// There are as many as there may be.
    Full,
}

/// A node that has been silent for too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::router) struct Parting {
    pub(in crate::router) key: String,
    pub(in crate::router) address: Address,
}

/// Whom to ask.
#[derive(Debug)]
pub(in crate::router) enum Choice {
    /// This node.
    Node { id: u64, address: Address, modifiers: (u8, u8), held: Held },
    /// Somebody served that until a moment ago.
    Nobody,
    /// Nobody serves that.
    Unknown,
}

impl Table {
    pub(in crate::router) fn new(terms: &Hearing, grace: Duration) -> Table {
        Table {
            pools: BTreeMap::new(),
            nodes_count: 0,
            gone: Graves::default(),
            turns: terms.turns,
            splits_dots: terms.splits_dots,
            fallback_key: terms.fallback_key.clone(),
            tolerance: terms.tolerance,
            tolerance_us: micros(terms.tolerance),
            grace_us: micros(grace),
            next_id: 0,
            due_us: None,
        }
    }

    /// How long a node may be silent.
    pub(in crate::router) fn tolerance(&self) -> Duration {
        self.tolerance
    }

    /// Takes what was heard and believed.
    pub(in crate::router) fn apply(&mut self, record: &Record) -> Applied {
        let known = self.place(&record.key, &record.address);
        if record.is_stale_after(self.last_moment_s(record, known)) {
            return Applied::Stale;
        }
        match known {
            Some(place) if record.goes => {
                self.remove(&record.key, place, record.at_us);
                self.gone.bury(record);
                Applied::Gone
            }
            None if record.goes => {
                self.gone.bury(record);
                Applied::Nothing
            }
            Some(place) => {
                if let Some(node) = self.pools.get_mut(&record.key).and_then(|pool| pool.nodes.get_mut(place)) {
                    node.record = record.clone();
                    // It lives, so that it is tried again; and its requests are counted anew.
                    (node.shunned_until_us, node.since_heard) = (0, 0);
                }
                Applied::Again
            }
            None => self.add(record),
        }
    }

    /// What others have heard: as [`Table::apply`], but of what is older than what is known nothing comes, nor of what is too
    /// old by now.
    pub(in crate::router) fn learn(&mut self, record: &Record, now_us: u64) -> Applied {
        let known = self.place(&record.key, &record.address);
        let newest_us = known.and_then(|place| Some(self.pools.get(&record.key)?.nodes.get(place)?.record.at_us));
        let is_over = !record.goes && record.at_us.saturating_add(self.tolerance_us) < now_us;
        if is_over || newest_us.is_some_and(|newest_us| record.at_us <= newest_us) {
            return Applied::Nothing;
        }
        self.apply(record)
    }

    /// All that is known is this; what is not among it has gone.
    pub(in crate::router) fn learn_whole(&mut self, records: &[Record], now_us: u64) {
        let all =
            || records.iter().filter(|record| !record.goes).map(|record| (&record.key, record.address.to_string()));
        let among: std::collections::BTreeSet<_> = all().collect();
        let mut missing = Vec::new();
        for (key, pool) in &self.pools {
            let is_missing = |node: &&Node| !among.contains(&(key, node.record.address.to_string()));
            missing.extend(pool.nodes.iter().filter(is_missing).map(|node| node.record.clone()));
        }
        for record in missing {
            if let Some(place) = self.place(&record.key, &record.address) {
                self.remove(&record.key, place, now_us);
            }
        }
        for record in records {
            self.learn(record, now_us);
        }
    }

    /// What a router needs that knows nothing yet.
    pub(in crate::router) fn whole(&self) -> Vec<Record> {
        let gone = self.gone.iter().filter_map(|((key, address), moment_s)| {
            let address = serde_json::from_str(address).ok()?;
            Some(departure(key, &address, moment_s))
        });
        let nodes = self.pools.values().flat_map(|pool| pool.nodes.iter().map(|node| node.record.clone()));
        gone.chain(nodes).collect()
    }

    /// Whom to ask for a host. `avoid`: one that has just failed.
    pub(in crate::router) fn choose(&mut self, host: Option<&str>, now_us: u64, avoid: Option<u64>) -> Choice {
        let Some(key) = self.key_for(host) else {
            let was_known = host.is_some_and(|host| self.names(host).iter().any(|name| self.pools.contains_key(*name)));
            return if was_known { Choice::Nobody } else { Choice::Unknown };
        };
        let (turns, pool) = (self.turns, self.pools.get_mut(&key));
        let chosen = pool.and_then(|pool| Some((choose(&mut pool.nodes, turns, now_us, avoid)?, pool)));
        let Some((place, pool)) = chosen else { return Choice::Nobody };
        let node = &mut pool.nodes[place];
        node.requests += 1;
        node.since_heard += 1;
        pool.requests += 1;
        Choice::Node {
            id: node.id,
            address: node.record.address.clone(),
            modifiers: node.record.modifiers,
            held: node.held.clone(),
        }
    }

    /// It could not be connected to.
    pub(in crate::router) fn shun(&mut self, id: u64, now_us: u64) {
        let mut nodes = self.pools.values_mut().flat_map(|pool| &mut pool.nodes);
        if let Some(node) = nodes.find(|node| node.id == id) {
            node.shunned_until_us = now_us.saturating_add(self.grace_us);
            node.failures += 1;
        }
    }

    /// When somebody may have been silent for too long.
    pub(in crate::router) fn due_us(&self) -> Option<u64> {
        self.due_us
    }

    /// Lets those go that have been silent for too long, and forgets keys that have had no node for a while.
    pub(in crate::router) fn expire(&mut self, now_us: u64) -> Vec<Parting> {
        let is_silent = |node: &Node| node.record.at_us.saturating_add(self.tolerance_us) < now_us;
        let silent = self.pools.values().flat_map(|pool| pool.nodes.iter().filter(|node| is_silent(node)));
        let silent: Vec<Record> = silent.map(|node| node.record.clone()).collect();
        for record in &silent {
            if let Some(place) = self.place(&record.key, &record.address) {
                self.remove(&record.key, place, now_us);
                self.gone.bury(record);
            }
        }
        let grace_us = self.grace_us;
        self.pools.retain(|_, pool| !pool.nodes.is_empty() || pool.empty_since_us.saturating_add(grace_us) > now_us);
        let due = |pool: &Pool| match pool.nodes.iter().map(|node| node.record.at_us).min() {
            Some(heard_us) => heard_us.saturating_add(self.tolerance_us).saturating_add(1),
            None => pool.empty_since_us.saturating_add(grace_us),
        };
        self.due_us = self.pools.values().map(due).min();
        silent.into_iter().map(|record| Parting { key: record.key, address: record.address }).collect()
    }

    /// What is told of all of them.
    pub(in crate::router) fn told(&self, now_us: u64, epoch_s: u64) -> Vec<OnePool> {
        let node = |node: &Node| PoolNode {
            name: node.record.address.to_string(),
            modifier1: node.record.modifiers.0,
            modifier2: node.record.modifiers.1,
            last_check: epoch_s.saturating_sub(now_us.saturating_sub(node.record.at_us) / 1_000_000),
            pid: node.record.process.0,
            uid: node.record.process.1,
            gid: node.record.process.2,
            requests: node.requests,
            last_requests: node.since_heard,
            tx: 0,
            rx: 0,
            cores: node.record.cores,
            load: node.record.load,
            weight: node.record.weight,
            wrr: node.credit,
            r#ref: node.open(),
            failcnt: node.failures,
            death_mark: u8::from(node.shunned_until_us > now_us),
            backup: node.record.backup,
            grace: node.shunned_until_us.saturating_sub(now_us).div_ceil(1_000_000),
        };
        let pool = |(key, pool): (&String, &Pool)| OnePool {
            key: key.clone(),
            hash: 0,
            hits: pool.requests,
            sni_enabled: 0,
            nodes: pool.nodes.iter().map(node).collect(),
        };
        self.pools.iter().map(pool).collect()
    }

    /// The key of the pool that serves a host.
    fn key_for(&self, host: Option<&str>) -> Option<String> {
        let serves = |name: &str| self.pools.get(name).is_some_and(|pool| !pool.nodes.is_empty());
        let name = host.and_then(|host| self.names(host).into_iter().find(|name| serves(name)));
        name.or(self.fallback_key.as_deref().filter(|key| serves(key))).map(str::to_owned)
    }

    /// Under which names a host may be known: `a.b.example`, and where that is asked for `.b.example` and `.example`.
    fn names<'h>(&self, host: &'h str) -> Vec<&'h str> {
        let shorter = |name: &&'h str| name.get(1..)?.find('.').map(|dot| &name[1 + dot..]);
        let most = if self.splits_dots { SPLITS_MAX } else { 1 };
        std::iter::successors(Some(host), shorter).take(most).collect()
    }

    fn place(&self, key: &str, address: &Address) -> Option<usize> {
        self.pools.get(key)?.nodes.iter().position(|node| node.record.address == *address)
    }

    /// The last moment that a node has signed.
    fn last_moment_s(&self, record: &Record, place: Option<usize>) -> Option<u64> {
        match place {
            Some(place) => self.pools.get(&record.key)?.nodes.get(place)?.record.moment_s,
            None => self.gone.last_moment_s(record),
        }
    }

    fn add(&mut self, record: &Record) -> Applied {
        let is_full = self.pools.get(&record.key).is_some_and(|pool| pool.nodes.len() >= NODES_OF_KEY_MAX);
        // A key without a node takes no less room.
        if is_full || self.nodes_count + self.empty_pools() >= NODES_MAX {
            return Applied::Full;
        }
        let pool = self.pools.entry(record.key.clone()).or_default();
        pool.nodes.push(Node {
            id: self.next_id,
            record: record.clone(),
            shunned_until_us: 0,
            requests: 0,
            since_heard: 0,
            failures: 0,
            credit: 0,
            held: Held::default(),
        });
        self.next_id += 1;
        self.nodes_count += 1;
        self.gone.remove(record);
        let due_us = record.at_us.saturating_add(self.tolerance_us).saturating_add(1);
        self.due_us = Some(self.due_us.map_or(due_us, |earlier_us| earlier_us.min(due_us)));
        Applied::New
    }

    fn empty_pools(&self) -> usize {
        // Counted only where it may matter: all pools together have that many nodes.
        if self.nodes_count + self.pools.len() < NODES_MAX {
            return 0;
        }
        self.pools.values().filter(|pool| pool.nodes.is_empty()).count()
    }

    fn remove(&mut self, key: &str, place: usize, now_us: u64) {
        let Some(pool) = self.pools.get_mut(key).filter(|pool| place < pool.nodes.len()) else { return };
        pool.nodes.remove(place);
        self.nodes_count -= 1;
        if pool.nodes.is_empty() {
            pool.empty_since_us = now_us;
            let due_us = now_us.saturating_add(self.grace_us);
            self.due_us = Some(self.due_us.map_or(due_us, |earlier_us| earlier_us.min(due_us)));
        }
    }
}

/// What is told of a node that has gone.
fn departure(key: &str, address: &Address, moment_s: u64) -> Record {
    Record {
        at_us: 0,
        goes: true,
        key: key.to_owned(),
        address: address.clone(),
        modifiers: (0, 0),
        cores: 0,
        load: 0,
        weight: 0,
        backup: 0,
        moment_s: Some(moment_s),
        process: (0, 0, 0),
    }
}
