//! Figures as datagrams: statsd's form (<https://github.com/statsd/statsd/blob/master/docs/metric_types.md>), and that of uWSGI's
//! pusher `socket` (uWSGI's manual, "Pushing statistics"). Pure.
//!
//! Differs from uWSGI where that is at fault: a counter is told by what it has grown since it was told last, not by all that it
//! has come to, which a server would add up again and again.

use std::collections::BTreeMap;

use crate::config::model::{Push, PushForm};
use crate::stats::{Figure, Figures, Measure};

/// Most bytes of a datagram: what goes through an Ethernet in one piece.
const DATAGRAM_BYTES_MAX: usize = 1_432;

/// What counters had come to when they were told last.
#[derive(Debug, Default)]
pub(super) struct Pushed(BTreeMap<String, i64>);

/// The datagrams for somebody. At first counters are only looked at.
pub(super) fn datagrams(push: &Push, figures: &Figures, pushed: &mut Pushed) -> Vec<String> {
    let lines = figures.list.iter().flat_map(|figure| match push.form {
        PushForm::Socket => {
            vec![format!("{}.{} {} {}", push.prefix, figure.name, figure.measure.number(), figure.value)]
        }
        PushForm::Statsd => pushed.lines(&push.prefix, figure),
    });
    match push.form {
        // One in each: there is no word for several.
        PushForm::Socket => lines.collect(),
        PushForm::Statsd => packed(lines),
    }
}

impl Pushed {
    /// What statsd is told of a figure.
    fn lines(&mut self, prefix: &str, Figure { name, measure, value }: &Figure) -> Vec<String> {
        if *measure != Measure::Counter {
            let gauge = format!("{prefix}.{name}:{value}|g");
            // A sign would have it changed by so much.
            let first = (*value < 0).then(|| format!("{prefix}.{name}:0|g"));
            return first.into_iter().chain([gauge]).collect();
        }
        let grown = match self.0.get_mut(name) {
            Some(before) => value.saturating_sub(std::mem::replace(before, *value)),
            None => {
                self.0.insert(name.clone(), *value);
                0
            }
        };
        if grown > 0 { vec![format!("{prefix}.{name}:{grown}|c")] } else { Vec::new() }
    }
}

/// Lines in as few datagrams as they fit in.
fn packed(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut datagrams: Vec<String> = Vec::new();
    for line in lines {
        match datagrams.last_mut() {
            Some(last) if last.len() + 1 + line.len() <= DATAGRAM_BYTES_MAX => {
                last.push('\n');
                last.push_str(&line);
            }
            _ => datagrams.push(line),
        }
    }
    datagrams
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(requests: i64, stock: i64) -> Figures {
        let figure = |name: &str, measure, value| Figure { name: name.to_owned(), measure, value };
        let list = vec![
            figure("worker.1.requests", Measure::Counter, requests),
            figure("shop.stock", Measure::Gauge, stock),
            figure("rss_size", Measure::Alias, 7),
        ];
        Figures { list, ..Figures::default() }
    }

    fn push(form: PushForm) -> Push {
        Push { form, to: String::new(), prefix: "shop".to_owned() }
    }

    #[test]
    fn a_counter_is_told_by_what_it_has_grown_and_a_gauge_by_what_it_is() {
        let mut pushed = Pushed::default();
        let mut told =
            |requests, stock| datagrams(&push(PushForm::Statsd), &figures(requests, stock), &mut pushed).join("\n");
        assert_eq!(told(10, 3), "shop.shop.stock:3|g\nshop.rss_size:7|g");
        assert_eq!(
            told(17, -4),
            "shop.worker.1.requests:7|c\nshop.shop.stock:0|g\nshop.shop.stock:-4|g\nshop.rss_size:7|g"
        );
        assert_eq!(told(17, 0), "shop.shop.stock:0|g\nshop.rss_size:7|g");
        // The application has set it back.
        assert_eq!(told(2, 0), "shop.shop.stock:0|g\nshop.rss_size:7|g");
        assert!(told(5, 0).starts_with("shop.worker.1.requests:3|c\n"));
    }

    #[test]
    fn the_form_of_the_pusher_socket_has_types_as_numbers() {
        let told = datagrams(&push(PushForm::Socket), &figures(10, -3), &mut Pushed::default());
        assert_eq!(told, ["shop.worker.1.requests 0 10", "shop.shop.stock 1 -3", "shop.rss_size 3 7"]);
    }

    #[test]
    fn datagrams_are_filled_and_never_too_long() {
        let lines: Vec<String> = (0..1_000).map(|number| format!("a.name.of.a.figure.{number}:1|g")).collect();
        let datagrams = packed(lines.iter().cloned());
        assert!(datagrams.len() < 30 && datagrams.iter().all(|one| one.len() <= DATAGRAM_BYTES_MAX));
        assert_eq!(datagrams.join("\n"), lines.join("\n"));
    }
}
