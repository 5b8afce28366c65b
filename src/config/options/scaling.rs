//! How the number of workers follows the load.
//!
//! The group [`Scaling`](super::Group::Scaling) of the option table: rows, setters, and the judgement on bounds.
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::kind::Kind;
use super::parsed::Parsed;
use super::row::{Opt, bytes, count, flag, int, seconds, value};
use super::schedule;
use crate::config::error::ConfigError;
use crate::config::model::{Busyness, Policy};

/// Options that change how far `cheaper` goes but do not switch it on by themselves.
const CHEAPER_DETAILS: &[&str] = &[
    "cheaper-algo",
    "cheaper-step",
    "cheaper-overload",
    "cheaper-idle",
    "cheaper-target-wait",
    "cheaper-schedule",
    "cheaper-rss-limit-soft",
    "cheaper-rss-limit-hard",
];

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    seconds("check-interval").default("1").sets(check_interval).works()
        .says("Seconds between looks of uWSGI's rules"),
    flag("cheap").sets(|d, v| d.config.scaling.cheap = v.on()).works().at_start()
        .says("Start without workers and wait for the first connection"),
    int("cheaper", 0, 10000).sets(|d, v| d.cheaper.minimum = Some(v.size())).works()
        .says("Minimum workers; enables adaptive spawning"),
    int("cheaper-initial", 0, 10000).sets(|d, v| d.cheaper.initial = Some(v.size())).works().at_start()
        .says("Workers at start; `cheaper` without it"),
    value("cheaper-algo", Kind::Choice(Policy::NAMES)).default("adaptive")
        .sets(|d, v| d.cheaper.policy = Policy::of_name(v.text)).works()
        .says("Rule that decides on the number of workers"),
    int("cheaper-step", 1, 10000).default("1").sets(|d, v| d.config.scaling.step = v.size()).works()
        .says("Most workers added by one decision of uWSGI's rules"),
    int("cheaper-overload", 1, i32::MAX as i64).default("3").sets(|d, v| d.config.scaling.overload = v.amount())
        .works()
        .says("What adds workers: hundredths of check-interval (spare), connections (backlog), seconds (busyness)"),
    bytes("cheaper-rss-limit-soft").default("0").sets(|d, v| d.config.scaling.rss_soft = v.unless_zero()).works()
        .says("Stop adding workers above this total RSS bytes"),
    bytes("cheaper-rss-limit-hard").default("0").sets(|d, v| d.config.scaling.rss_hard = v.unless_zero()).works()
        .says("Remove workers above this total RSS bytes"),
    seconds("idle").default("0").sets(|d, v| d.config.scaling.idle_after = v.duration_unless_zero()).works()
        .says("Stop workers after N seconds without requests"),
    flag("die-on-idle").sets(|d, v| d.config.scaling.die_on_idle = v.on()).works()
        .says("Exit instead of going cheap when idle"),
    count("cheaper-busyness-max").default("50").sets(|d, v| busyness(d, v, |b, n| b.max = n)).works()
        .says("Busy percent above which workers are added"),
    count("cheaper-busyness-min").default("25").sets(|d, v| busyness(d, v, |b, n| b.min = n)).works()
        .says("Busy percent below which workers are removed"),
    count("cheaper-busyness-multiplier").default("10").sets(|d, v| busyness(d, v, |b, n| b.multiplier = n)).works()
        .says("Idle cycles before removing a worker"),
    count("cheaper-busyness-penalty").default("2").sets(|d, v| busyness(d, v, |b, n| b.penalty = n)).works()
        .says("Cycles added after flapping"),
    flag("cheaper-busyness-verbose").sets(|d, v| d.config.scaling.busyness.verbose = v.on()).works()
        .says("Log each window of busyness, also those without a decision"),
    count("cheaper-busyness-backlog-alert").default("33").sets(|d, v| busyness(d, v, |b, n| b.backlog_alert = n))
        .works().says("Backlog triggering emergency workers"),
    count("cheaper-busyness-backlog-multiplier").default("3")
        .sets(|d, v| busyness(d, v, |b, n| b.backlog_multiplier = n)).works()
        .says("Multiplier used for emergency workers"),
    count("cheaper-busyness-backlog-step").default("1").sets(|d, v| busyness(d, v, |b, n| b.backlog_step = n)).works()
        .says("Emergency workers added at a time"),
    count("cheaper-busyness-backlog-nonzero").default("60").sets(|d, v| busyness(d, v, |b, n| b.backlog_nonzero = n))
        .works().says("Seconds of non-empty backlog before emergency spawn"),
];

/// Numbers of `busyness`: zero stands for the default (uWSGI's manual, "The uWSGI cheaper subsystem").
fn busyness(draft: &mut Draft<'_>, value: &Parsed<'_>, set: fn(&mut Busyness, u64)) {
    if let Some(number) = value.unless_zero() {
        set(&mut draft.config.scaling.busyness, number);
    }
}

/// `check-interval`: a rule that looks all the time would keep the master awake.
fn check_interval(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.duration_unless_zero() {
        Some(interval) => draft.config.scaling.check_interval = interval,
        None => draft.refuse("expected a number of seconds from 1 on", "without the line it is 1"),
    }
}

/// What the options mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    judge_bounds(draft);
    judge_memory_limits(draft);
    judge_busyness(draft);
    schedule::judge(draft);
}

/// Bounds of the number of workers (uWSGI's manual, "The uWSGI cheaper subsystem").
fn judge_bounds(draft: &mut Draft<'_>) {
    if draft.is_unfit("processes") || draft.is_unfit("cheaper") {
        return;
    }
    let workers = draft.config.workers;
    draft.config.scaling.policy = draft.cheaper.policy.unwrap_or(Policy::Adaptive);
    let (minimum, initial) = match (draft.cheaper.minimum, draft.cheaper.initial) {
        (Some(0), _) => return leave_scaling_off(draft, "cheaper = 0 switches it off"),
        (Some(minimum), initial) => {
            if minimum >= workers {
                return refuse_minimum(draft, minimum, workers);
            }
            (minimum, initial.unwrap_or(minimum))
        }
        (None, Some(initial)) if initial > 0 => {
            let minimum = initial.min(workers);
            note_bounds_without_cheaper(draft, minimum, workers);
            (minimum, initial)
        }
        (None, _) => return leave_scaling_off(draft, "neither `cheaper` nor `cheaper-initial` says how few workers"),
    };
    draft.config.scaling.enabled = minimum < workers;
    draft.config.scaling.minimum = minimum;
    draft.config.scaling.initial = clamp_initial(draft, initial, minimum, workers);
}

fn leave_scaling_off(draft: &mut Draft<'_>, reason: &str) {
    draft.config.scaling.minimum = draft.config.workers;
    draft.config.scaling.initial = draft.config.workers;
    let detail = CHEAPER_DETAILS.iter().find_map(|name| draft.given(name));
    if let Some(directive) = detail {
        let problem = format!("has no effect: all {} workers run; {reason}", draft.config.workers);
        draft.idle(ConfigError::about(directive, problem));
    }
}

fn refuse_minimum(draft: &mut Draft<'_>, minimum: usize, workers: usize) {
    let Some(directive) = draft.given("cheaper") else { return };
    let problem = format!("must be lower than the number of workers ({workers})");
    let suggestion = format!("use processes = {} or more, or a lower cheaper", minimum + 1);
    draft.error(ConfigError::about(directive, problem).suggest(suggestion));
}

fn note_bounds_without_cheaper(draft: &mut Draft<'_>, minimum: usize, workers: usize) {
    let Some(directive) = draft.given("cheaper-initial") else { return };
    let problem = format!("without `cheaper`, the number of workers goes from {minimum} (this line) to {workers}");
    draft.warning(ConfigError::about(directive, problem));
}

fn clamp_initial(draft: &mut Draft<'_>, initial: usize, minimum: usize, workers: usize) -> usize {
    let clamped = if initial == 0 { minimum } else { initial.clamp(minimum, workers) };
    if let (true, Some(directive)) = (initial != 0 && clamped != initial, draft.given("cheaper-initial")) {
        let problem = format!("counts as {clamped}: it must lie from cheaper ({minimum}) to workers ({workers})");
        draft.warning(ConfigError::about(directive, problem));
    }
    clamped
}

/// The two limits on the workers' memory together (uWSGI's manual, "The uWSGI cheaper subsystem"). rhinod measures
/// memory itself, so `memory-report` is no condition.
fn judge_memory_limits(draft: &mut Draft<'_>) {
    let Some(directive) = draft.given("cheaper-rss-limit-hard") else { return };
    let (problem, suggestion) = match (draft.config.scaling.rss_soft, draft.config.scaling.rss_hard) {
        (_, None) => return,
        (None, Some(_)) => ("needs cheaper-rss-limit-soft as well".to_owned(), "add it with a lower value"),
        (Some(soft), Some(hard)) if hard <= soft => {
            (format!("must be above cheaper-rss-limit-soft ({soft})"), "both are in bytes")
        }
        _ => return,
    };
    draft.error(ConfigError::about(directive, problem).suggest(suggestion));
}

/// Between the two nothing changes; the other way round there is no load at which the number of workers could rest.
/// A bound that is not written gives way to the one that is.
fn judge_busyness(draft: &mut Draft<'_>) {
    let (lowest, highest) = (draft.given("cheaper-busyness-min"), draft.given("cheaper-busyness-max"));
    let scaling = &mut draft.config.scaling;
    let (is_used, busyness) = (scaling.policy == Policy::Busyness, &mut scaling.busyness);
    match (lowest, highest) {
        (None, _) => busyness.min = busyness.min.min(busyness.max),
        (_, None) => busyness.max = busyness.max.max(busyness.min),
        (Some(_), Some(directive)) if is_used && busyness.min > busyness.max => {
            let problem = format!("must not be below cheaper-busyness-min ({})", busyness.min);
            draft.error(ConfigError::about(directive, problem).suggest("without the lines they are 25 and 50"));
        }
        _ => {}
    }
}
