//! Which node of a pool is next. Pure; used in the router.
//!
//! By weight the turns are spread evenly (smooth weighted round robin, as nginx has it): weights 1, 2 and 3 give `c b a c b c`,
//! where uWSGI gives `c a b b c c`.

use super::node::Node;
use crate::config::model::Turns;

/// The place of the node whose turn it is. `avoid`: one that has just failed. Nodes that are left alone for now, and that one, are
/// asked only if there is nobody else; of the others those with the lowest number as backup.
pub(super) fn choose(nodes: &mut [Node], turns: Turns, now_us: u64, avoid: Option<u64>) -> Option<usize> {
    let is_well = |node: &Node| node.shunned_until_us <= now_us;
    let is_other = |node: &Node| Some(node.id) != avoid;
    let Some(rank) = nodes.iter().filter(|node| is_well(node) && is_other(node)).map(|node| node.record.backup).min()
    else {
        return (0..nodes.len()).min_by_key(|place| (nodes[*place].shunned_until_us, !is_other(&nodes[*place])));
    };
    let places = (0..nodes.len()).filter(|place| {
        let node = &nodes[*place];
        is_well(node) && is_other(node) && node.record.backup == rank
    });
    let places: Vec<usize> = places.collect();
    match turns {
        Turns::Weighted => next_by_weight(nodes, &places),
        Turns::LeastBusy => places.into_iter().min_by_key(|place| (nodes[*place].open(), nodes[*place].since_heard)),
        Turns::LeastBusyWeighted => places.into_iter().min_by(|one, other| {
            let part = |place: usize, count: u64| u128::from(count) * u128::from(nodes[place].weight());
            let (a, b) = (&nodes[*one], &nodes[*other]);
            // Of two fractions, without dividing.
            let open = part(*other, a.open()).cmp(&part(*one, b.open()));
            open.then_with(|| part(*other, a.since_heard).cmp(&part(*one, b.since_heard)))
        }),
    }
}

fn next_by_weight(nodes: &mut [Node], places: &[usize]) -> Option<usize> {
    let mut total = 0;
    for place in places {
        let weight = i64::try_from(nodes[*place].weight()).unwrap_or(1);
        nodes[*place].credit += weight;
        total += weight;
    }
    let most = |best: usize, place: usize| if nodes[place].credit > nodes[best].credit { place } else { best };
    let chosen = places.iter().copied().reduce(most)?;
    nodes[chosen].credit -= total;
    Some(chosen)
}
