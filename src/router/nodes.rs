//! Whom the router asks: the workers of this instance, or others, one after the other. Which of them is next is decided
//! here; connecting is `session`'s. Pure; used in the router.

use std::time::Duration;

use super::alarms::micros;
use super::report::OneNode;
use crate::config::model::Address;

/// All of them.
#[derive(Debug)]
pub(super) struct Nodes {
    all: Vec<Node>,
    next: usize,
    /// How long one that could not be connected to is left alone, while there are others.
    grace_us: u64,
}

#[derive(Debug)]
struct Node {
    address: Address,
    shunned_until_us: u64,
    /// How often it was asked.
    hits: u64,
}

impl Nodes {
    pub(super) fn new(addresses: Vec<Address>, grace: Duration) -> Nodes {
        let node = |address| Node { address, shunned_until_us: 0, hits: 0 };
        Nodes { all: addresses.into_iter().map(node).collect(), next: 0, grace_us: micros(grace) }
    }

    /// The one whose turn it is, by its number; one that is left alone only if all others are as well.
    pub(super) fn choose(&mut self, now_us: u64) -> Option<(usize, &Address)> {
        let count = self.all.len();
        let turn = |step: usize| (self.next + step) % count.max(1);
        let chosen = (0..count)
            .map(turn)
            .find(|number| self.all[*number].shunned_until_us <= now_us)
            .or_else(|| (0..count).map(turn).min_by_key(|number| self.all[*number].shunned_until_us))?;
        self.next = (chosen + 1) % count;
        Some((chosen, &self.all[chosen].address))
    }

    /// It could not be connected to.
    pub(super) fn shun(&mut self, number: usize, now_us: u64) {
        if let Some(node) = self.all.get_mut(number) {
            node.shunned_until_us = now_us.saturating_add(self.grace_us);
        }
    }

    /// It is asked.
    pub(super) fn note_hit(&mut self, number: usize) {
        if let Some(node) = self.all.get_mut(number) {
            node.hits += 1;
        }
    }

    /// What is told of all of them.
    pub(super) fn told(&self, now_us: u64) -> Vec<OneNode> {
        let told = |node: &Node| OneNode {
            name: node.address.to_string(),
            hits: node.hits,
            grace: node.shunned_until_us.saturating_sub(now_us).div_ceil(1_000_000),
        };
        self.all.iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_turn_and_one_that_is_gone_is_left_alone_for_a_time() {
        let address = |port: u16| Address::Tcp(([127, 0, 0, 1], port).into());
        let mut nodes = Nodes::new(vec![address(1), address(2), address(3)], Duration::from_secs(30));
        let choose = |nodes: &mut Nodes, now_us| nodes.choose(now_us).map(|(number, _)| number);
        assert_eq!([0; 4].map(|now_us| choose(&mut nodes, now_us)), [Some(0), Some(1), Some(2), Some(0)]);
        nodes.shun(1, 0);
        assert_eq!([1; 3].map(|now_us| choose(&mut nodes, now_us)), [Some(2), Some(0), Some(2)]);
        assert_eq!([30_000_000; 2].map(|now_us| choose(&mut nodes, now_us)), [Some(0), Some(1)]);
        for (number, now_us) in [(0, 7), (1, 5), (2, 6)] {
            nodes.shun(number, now_us);
        }
        assert_eq!(choose(&mut nodes, 8), Some(1), "whoever has been left alone the longest");
        nodes.note_hit(2);
        let told = nodes.told(1_000_006).pop();
        assert_eq!(told, Some(OneNode { name: "127.0.0.1:3".to_owned(), hits: 1, grace: 29 }));
        assert_eq!(choose(&mut Nodes::new(Vec::new(), Duration::ZERO), 0), None);
    }
}
