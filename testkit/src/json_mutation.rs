//! JSON that is nearly right: still JSON, but for what stands in one place or a few.

use fastrand::Rng;
use serde_json::{Value, json};

/// One or two changes, each at any depth: a value in the place of another, one left out, one that is there twice.
pub fn mutate(random: &mut Rng, value: &mut Value) {
    for _ in 0..=random.usize(..2) {
        let place = random.usize(..size(value));
        change(random, value, place);
    }
}

/// How many values there are, those within others included.
fn size(value: &Value) -> usize {
    1 + inner(value).iter().map(|value| size(value)).sum::<usize>()
}

fn inner(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn inner_mut(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => Vec::new(),
    }
}

/// Changes the value that is `place` values behind this one.
fn change(random: &mut Rng, value: &mut Value, mut place: usize) {
    if place == 0 {
        return change_here(random, value);
    }
    place -= 1;
    for within in inner_mut(value) {
        let values = size(within);
        if place < values {
            return change(random, within, place);
        }
        place -= values;
    }
}

fn change_here(random: &mut Rng, value: &mut Value) {
    match value {
        Value::Array(items) if !items.is_empty() && random.bool() => {
            let at = random.usize(..items.len());
            match random.bool() {
                true => drop(items.remove(at)),
                false => items.push(items[at].clone()),
            }
        }
        Value::Object(fields) if !fields.is_empty() && random.usize(..4) > 0 => {
            let name = fields.keys().nth(random.usize(..fields.len())).cloned().unwrap_or_default();
            fields.remove(&name);
        }
        Value::Number(number) if random.bool() => {
            let near = number.as_i64().unwrap_or(0).wrapping_add(random.i64(-2..3));
            *value = json!(near);
        }
        _ => *value = odd(random),
    }
}

/// Values at which readers go wrong.
fn odd(random: &mut Rng) -> Value {
    let all = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(255),
        json!(65_536),
        json!(i64::from(i32::MAX)),
        json!(u32::MAX),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1.5),
        json!(""),
        json!("\u{0}\u{1b}[2J\n"),
        json!("/"),
        json!([]),
        json!({}),
        json!([[], [1, "a"]]),
    ];
    all[random.usize(..all.len())].clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn mutants_differ_at_every_depth_and_come_again_with_their_seed() {
        let original = json!({ "a": [1, 2, { "b": "text", "c": null }], "d": { "e": { "f": 7 } } });
        let mutant = |seed| {
            let mut value = original.clone();
            mutate(&mut Rng::with_seed(seed), &mut value);
            value
        };
        let mutants: Vec<Value> = (0..1_000).map(mutant).collect();
        let distinct: HashSet<String> = mutants.iter().map(Value::to_string).collect();
        assert!(distinct.len() > 300, "{} of 1000 are different", distinct.len());
        assert!(mutants.iter().any(|mutant| mutant.pointer("/d/e/f") == Some(&json!(8))));
        assert!(mutants.iter().any(|mutant| mutant.pointer("/d/e") == Some(&json!({}))));
        assert_eq!(mutant(5), mutant(5));
    }
}
