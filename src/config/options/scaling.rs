//! How the number of workers follows the load.
//!
//! The rows of the option table for the group [`Scaling`](super::Group::Scaling).
//! Not for what they mean together (`build`). Read in the master before anything else, and by the commands.

use super::{Kind, Opt, bytes, count, flag, int, seconds, value};
use crate::config::model::Policy;

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    seconds("check-interval").default("1").sets(|d, v| d.check_interval(v)).works()
        .says("Seconds between looks of uWSGI's rules"),
    flag("cheap").sets(|d, v| d.config.scaling.cheap = v.on()).works()
        .says("Start without workers and wait for the first connection"),
    int("cheaper", 0, 10000).sets(|d, v| d.cheaper.minimum = Some(v.size())).works()
        .says("Minimum workers; enables adaptive spawning"),
    int("cheaper-initial", 0, 10000).sets(|d, v| d.cheaper.initial = Some(v.size())).works()
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
    count("cheaper-busyness-max").default("50").sets(|d, v| d.busyness(v, |b, n| b.max = n)).works()
        .says("Busy percent above which workers are added"),
    count("cheaper-busyness-min").default("25").sets(|d, v| d.busyness(v, |b, n| b.min = n)).works()
        .says("Busy percent below which workers are removed"),
    count("cheaper-busyness-multiplier").default("10").sets(|d, v| d.busyness(v, |b, n| b.multiplier = n)).works()
        .says("Idle cycles before removing a worker"),
    count("cheaper-busyness-penalty").default("2").sets(|d, v| d.busyness(v, |b, n| b.penalty = n)).works()
        .says("Cycles added after flapping"),
    flag("cheaper-busyness-verbose").sets(|d, v| d.config.scaling.busyness.verbose = v.on()).works()
        .says("Log each window of busyness, also those without a decision"),
    count("cheaper-busyness-backlog-alert").default("33").sets(|d, v| d.busyness(v, |b, n| b.backlog_alert = n))
        .works().says("Backlog triggering emergency workers"),
    count("cheaper-busyness-backlog-multiplier").default("3")
        .sets(|d, v| d.busyness(v, |b, n| b.backlog_multiplier = n)).works()
        .says("Multiplier used for emergency workers"),
    count("cheaper-busyness-backlog-step").default("1").sets(|d, v| d.busyness(v, |b, n| b.backlog_step = n)).works()
        .says("Emergency workers added at a time"),
    count("cheaper-busyness-backlog-nonzero").default("60").sets(|d, v| d.busyness(v, |b, n| b.backlog_nonzero = n))
        .works().says("Seconds of non-empty backlog before emergency spawn"),
];
