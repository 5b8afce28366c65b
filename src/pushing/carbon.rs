//! Figures as carbon takes them (uWSGI's manual, "Integration with Graphite/Carbon"): a line for each, of a name, a value and a
//! moment. Pure.
//!
//! Differs from uWSGI where that is at fault: an id that is a path has no slashes in it, which would be directories of carbon.

use std::fmt::Write as _;

use crate::config::model::{Carbon, IdleAverage};
use crate::stats::{Figures, WorkerFigures};

/// What a server was told last.
#[derive(Debug, Default)]
pub(super) struct Story {
    workers: Vec<WorkerFigures>,
    told_us: Option<u64>,
}

/// The lines about an instance whose first socket has this name, on this host. `now_us`: since the epoch, and by the clock that
/// never goes back.
pub(super) fn lines(
    carbon: &Carbon,
    (host, socket): (&str, &str),
    figures: &Figures,
    story: &mut Story,
    (epoch_us, now_us): (u64, u64),
) -> String {
    let prefix = prefix(carbon, host, socket);
    let moment = epoch_us / 1_000_000;
    let mut lines = String::new();
    let mut add = |name: &str, value: i128| {
        let _ = writeln!(lines, "{prefix}.{name} {value} {moment}");
    };
    if carbon.by_metrics {
        figures.list.iter().for_each(|figure| add(&figure.name, figure.value.into()));
        return lines;
    }
    let before = std::mem::replace(&mut story.workers, figures.workers.clone());
    let period_us = story.told_us.replace(now_us).map_or(0, |told_us| now_us.saturating_sub(told_us));
    let workers: Vec<Told> =
        figures.workers.iter().map(|worker| Told::of(worker, &before, carbon.idle, period_us)).collect();
    let sum = |of: fn(&WorkerFigures) -> u64| figures.workers.iter().map(of).map(i128::from).sum::<i128>();
    let mean = |of: fn(&Told) -> Option<u64>| {
        let known: Vec<i128> = workers.iter().filter(|told| told.is_there).filter_map(of).map(i128::from).collect();
        known.iter().sum::<i128>() / i128::try_from(known.len().max(1)).unwrap_or(1)
    };
    let there = figures.workers.iter().filter(|worker| worker.is_there).count();
    add("requests", sum(|worker| worker.requests));
    add("tx", sum(|worker| worker.sent_bytes));
    add("avg_rt", mean(|told| told.average_us));
    add("busyness", mean(|told| Some(told.busyness)));
    add("harakiri", sum(|worker| worker.harakiris));
    add("active_workers", there as i128);
    add("cheaped_workers", (figures.workers.len() - there) as i128);
    add("rss_size", sum(|worker| worker.rss_bytes));
    add("vsz_size", sum(|worker| worker.vsz_bytes));
    for (worker, told) in figures.workers.iter().zip(&workers).filter(|_| carbon.with_workers) {
        let mut of = |name: &str, value: u64| add(&format!("worker{}.{name}", worker.number), value.into());
        of("requests", worker.requests);
        of("tx", worker.sent_bytes);
        if let Some(average_us) = told.average_us {
            of("avg_rt", average_us);
        }
        of("busyness", told.busyness);
        of("harakiri", worker.harakiris);
        of("rss_size", worker.rss_bytes);
        of("vsz_size", worker.vsz_bytes);
    }
    lines
}

/// What of a worker depends on what it has done since it was told of last.
struct Told {
    is_there: bool,
    /// Part of the time that it was busy, in percent.
    busyness: u64,
    average_us: Option<u64>,
}

impl Told {
    fn of(worker: &WorkerFigures, before: &[WorkerFigures], idle: IdleAverage, period_us: u64) -> Self {
        let before = before.iter().find(|one| one.number == worker.number);
        let ran_us = before.map_or(0, |before| worker.running_us.saturating_sub(before.running_us));
        let was_idle = before.is_some_and(|before| before.requests == worker.requests);
        let average_us = match idle {
            IdleAverage::Zero if was_idle => Some(0),
            IdleAverage::None if was_idle => None,
            _ => Some(worker.average_us),
        };
        let busyness = ran_us.saturating_mul(100).checked_div(period_us).unwrap_or(0).min(100);
        Self { is_there: worker.is_there, busyness, average_us }
    }
}

/// What all names begin with.
fn prefix(carbon: &Carbon, host: &str, socket: &str) -> String {
    let host = match &carbon.dots {
        Some(dots) => host.replace('.', dots),
        None => host.to_owned(),
    };
    let plain = |text: &str, dot: &str| {
        let letter = |letter: char| match letter {
            '.' => dot.to_owned(),
            letter if letter.is_ascii_alphanumeric() || "-_".contains(letter) => letter.to_string(),
            _ => "_".to_owned(),
        };
        text.chars().map(letter).collect::<String>()
    };
    let id = carbon.id.clone().unwrap_or_else(|| plain(socket.trim_start_matches('/'), "_"));
    let id = if id.is_empty() { "rhinod".to_owned() } else { id };
    format!("{}.{}.{id}", carbon.root, plain(&host, "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(requests: u64, running_us: u64) -> Figures {
        let first = WorkerFigures {
            number: 1,
            is_there: true,
            requests,
            running_us,
            average_us: 30,
            ..WorkerFigures::default()
        };
        let second = WorkerFigures { number: 2, ..WorkerFigures::default() };
        Figures { workers: vec![first, second], ..Figures::default() }
    }

    fn told(carbon: &Carbon, steps: &[(u64, u64)]) -> String {
        let mut story = Story::default();
        let of = ("a.example", "/run/app.sock");
        let mut told = |(step, (requests, running_us)): (usize, &(u64, u64))| {
            lines(carbon, of, &figures(*requests, *running_us), &mut story, (9_000_000, 1_000_000 * step as u64))
        };
        steps.iter().enumerate().map(&mut told).last().expect("a step")
    }

    #[test]
    fn every_line_has_a_name_a_value_and_a_moment() {
        let told = told(&Carbon::default(), &[(10, 100_000), (12, 350_000)]);
        for line in told.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(
                words.len() == 3 && words[0].starts_with("uwsgi.a.example.run_app_sock.") && words[2] == "9",
                "{line}"
            );
        }
        for line in [
            "requests 12",
            "busyness 25",
            "worker1.busyness 25",
            "worker1.avg_rt 30",
            "active_workers 1",
            "cheaped_workers 1",
        ] {
            assert!(told.contains(&format!("run_app_sock.{line} 9\n")), "{line} in {told}");
        }
    }

    #[test]
    fn what_is_told_of_an_idle_worker_is_chosen() {
        let average = |idle| {
            let told = told(&Carbon { idle, ..Carbon::default() }, &[(10, 5), (10, 5)]);
            let line = told.lines().find(|line| line.contains("worker1.avg_rt")).map(str::to_owned);
            line.map(|line| line.split(' ').nth(1).expect("a value").to_owned())
        };
        assert_eq!(average(IdleAverage::Last).as_deref(), Some("30"));
        assert_eq!(average(IdleAverage::Zero).as_deref(), Some("0"));
        assert_eq!(average(IdleAverage::None), None);
    }

    #[test]
    fn names_have_no_letters_that_carbon_takes_for_something_else() {
        let of = |carbon: &Carbon, socket: &str| prefix(carbon, "web.example org", socket);
        assert_eq!(of(&Carbon::default(), "127.0.0.1:3031"), "uwsgi.web.example_org.127_0_0_1_3031");
        let named = Carbon { root: "r".into(), id: Some("shop".into()), dots: Some("_".into()), ..Carbon::default() };
        assert_eq!(of(&named, "x"), "r.web_example_org.shop");
        assert_eq!(of(&Carbon::default(), ""), "uwsgi.web.example_org.rhinod");
    }
}
