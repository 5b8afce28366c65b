//! What decides in a simulated run: our policies on events, uWSGI's to the letter at its ticks, and models of what other
//! servers do. The rivals' rules are from their manuals and, for FrankenPHP, its published constants; none is tuned.

use crate::config::model::Policy;
use crate::scaling::{Decided, Decision, Memory, Pace, Reason, Sample, Settings, Wake, step};

/// A rule for the number of workers, with its memory.
#[derive(Debug, Clone)]
pub enum Scaler {
    /// One of rhinod's policies ([`Pace::Events`]), or uWSGI's ([`Pace::Ticks`]).
    Policy(Box<Settings>, Box<Memory>),
    /// So many, always.
    Fixed(u32),
    /// php-fpm's `pm = dynamic`.
    PhpFpm(PhpFpm),
    /// FrankenPHP's thread autoscaling.
    FrankenPhp(FrankenPhp),
}

/// php-fpm: once a second, `pm.min_spare_servers` idle at least (made up by 1, 2, 4 … 32 children, doubling each second
/// in which some were missing), `pm.max_spare_servers` idle at most (one child killed a second).
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct PhpFpm {
    pub start_servers: u32,
    pub min_spare: u32,
    pub max_spare: u32,
    pub max_children: u32,
    rate: u32,
    next_tick_us: u64,
}

/// FrankenPHP: a request that has waited 5 ms asks for one thread, if the processor was less than 80 % busy over a probe
/// of 120 ms; every 5 s at most ten threads that have been idle for 5 s are stopped.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct FrankenPhp {
    pub threads: u32,
    pub max_threads: u32,
    stalled_since_us: Option<u64>,
    probe: Option<Probe>,
    idle_least: u32,
    next_check_us: u64,
}

#[derive(Debug, Clone, Copy)]
struct Probe {
    began_us: u64,
    used_us: u64,
}

const FPM_RATE_MAX: u32 = 32;
const TICK_US: u64 = 1_000_000;
const STALL_US: u64 = 5_000;
const PROBE_US: u64 = 120_000;
const PROBE_BUSY_MAX_PERCENT: u64 = 80;
const DOWNSCALE_US: u64 = 5_000_000;
const DOWNSCALE_MAX: u32 = 10;

impl Scaler {
    /// One of the policies with these settings.
    pub fn policy(settings: Settings) -> Self {
        Scaler::Policy(Box::new(settings), Box::default())
    }

    /// php-fpm's `dynamic`.
    pub fn php_fpm(start_servers: u32, min_spare: u32, max_spare: u32, max_children: u32) -> Self {
        Scaler::PhpFpm(PhpFpm { start_servers, min_spare, max_spare, max_children, rate: 1, next_tick_us: TICK_US })
    }

    /// FrankenPHP's rule.
    pub fn franken_php(threads: u32, max_threads: u32) -> Self {
        Scaler::FrankenPhp(FrankenPhp {
            threads,
            max_threads,
            stalled_since_us: None,
            probe: None,
            idle_least: u32::MAX,
            next_check_us: DOWNSCALE_US,
        })
    }

    /// A short name with the settings that matter.
    pub fn name(&self) -> String {
        match self {
            Scaler::Policy(settings, _) if settings.policy == Policy::Adaptive => {
                format!("adaptive, target {} ms", settings.target_wait_us as f64 / 1000.0)
            }
            Scaler::Policy(settings, _) if settings.pace == Pace::Ticks => {
                format!("uWSGI {} (overload {}, step {})", settings.policy.name(), settings.overload, settings.step)
            }
            Scaler::Policy(settings, _) if settings.minimum == settings.maximum => {
                format!("fixed {}", settings.maximum)
            }
            Scaler::Policy(settings, _) => format!("{} on events", settings.policy.name()),
            Scaler::Fixed(count) => format!("fixed {count}"),
            Scaler::PhpFpm(fpm) => format!("php-fpm dynamic ({} to {} spare)", fpm.min_spare, fpm.max_spare),
            Scaler::FrankenPhp(franken) => format!("FrankenPHP ({} threads)", franken.threads),
        }
    }

    /// Workers at the start.
    pub fn initial(&self) -> u32 {
        match self {
            Scaler::Policy(settings, _) if settings.cheap => 0,
            Scaler::Policy(settings, _) => settings.initial,
            Scaler::Fixed(count) => *count,
            Scaler::PhpFpm(fpm) => fpm.start_servers,
            Scaler::FrankenPhp(franken) => franken.threads,
        }
    }

    /// Most workers.
    pub fn maximum(&self) -> u32 {
        match self {
            Scaler::Policy(settings, _) => settings.maximum,
            Scaler::Fixed(count) => *count,
            Scaler::PhpFpm(fpm) => fpm.max_children,
            Scaler::FrankenPhp(franken) => franken.max_threads,
        }
    }

    pub(super) fn needs_worker_times(&self) -> bool {
        matches!(self, Scaler::Policy(settings, _) if settings.needs_worker_times())
    }

    pub(super) fn look(&mut self, sample: &Sample) -> Decided {
        match self {
            Scaler::Policy(settings, memory) => {
                let (next, decided) = step(settings, std::mem::take(&mut **memory), sample);
                **memory = next;
                decided
            }
            Scaler::Fixed(_) => plain(Decision::Hold, None, Wake::Never),
            Scaler::PhpFpm(fpm) => fpm.look(sample),
            Scaler::FrankenPhp(franken) => franken.look(sample),
        }
    }
}

impl PhpFpm {
    fn look(&mut self, sample: &Sample) -> Decided {
        if sample.now_us < self.next_tick_us {
            return plain(Decision::Hold, Some(self.next_tick_us), Wake::Never);
        }
        self.next_tick_us += TICK_US;
        let idle = sample.idle + sample.starting;
        let room = self.max_children.saturating_sub(sample.live());
        let decision = if idle > self.max_spare && sample.idle > 0 {
            self.rate = 1;
            Decision::Shrink(1)
        } else if idle < self.min_spare {
            let missing = (self.min_spare - idle).min(self.rate).min(room);
            if room > 0 {
                self.rate = (self.rate * 2).min(FPM_RATE_MAX);
            }
            if missing > 0 { Decision::Grow(missing) } else { Decision::Hold }
        } else {
            self.rate = 1;
            Decision::Hold
        };
        plain(decision, Some(self.next_tick_us), Wake::Never)
    }
}

impl FrankenPhp {
    fn look(&mut self, sample: &Sample) -> Decided {
        let now = sample.now_us;
        self.idle_least = self.idle_least.min(sample.idle);
        if now >= self.next_check_us {
            return self.downscale(sample);
        }
        let queue = sample.queue.unwrap_or(0);
        if queue == 0 && self.probe.is_none() {
            self.stalled_since_us = None;
            return self.hold(sample);
        }
        let since = *self.stalled_since_us.get_or_insert(now);
        match self.probe {
            None if now >= since + STALL_US && sample.live() < self.max_threads => {
                self.probe = Some(Probe { began_us: now, used_us: used_us(sample) });
                self.hold(sample)
            }
            Some(probe) if now >= probe.began_us + PROBE_US => {
                self.probe = None;
                self.stalled_since_us = None;
                let used = used_us(sample).saturating_sub(probe.used_us);
                let capacity = (now - probe.began_us) * u64::from(sample.cpus.max(1));
                let calm = used * 100 < capacity * PROBE_BUSY_MAX_PERCENT;
                let grow = calm && sample.live() < self.max_threads;
                let decision = if grow { Decision::Grow(1) } else { Decision::Hold };
                plain(decision, Some(now + STALL_US), Wake::QueueReadable)
            }
            _ => self.hold(sample),
        }
    }

    fn downscale(&mut self, sample: &Sample) -> Decided {
        self.next_check_us = sample.now_us + DOWNSCALE_US;
        let above = sample.live().saturating_sub(self.threads);
        let surplus = self.idle_least.min(above).min(DOWNSCALE_MAX).min(sample.idle);
        self.idle_least = u32::MAX;
        let decision = if surplus > 0 { Decision::Shrink(surplus) } else { Decision::Hold };
        plain(decision, Some(self.next_check_us), Wake::QueueReadable)
    }

    /// While a stall or a probe lasts the next look is when it is over; idleness is sampled four times a second.
    fn hold(&self, sample: &Sample) -> Decided {
        let now = sample.now_us;
        let due = match (self.probe, self.stalled_since_us) {
            (Some(probe), _) => probe.began_us + PROBE_US,
            (None, Some(since)) if now < since + STALL_US => since + STALL_US,
            _ => now + TICK_US / 4,
        };
        let wake = if self.stalled_since_us.is_some() { Wake::Never } else { Wake::QueueReadable };
        plain(Decision::Hold, Some(due.min(self.next_check_us)), wake)
    }
}

fn used_us(sample: &Sample) -> u64 {
    sample.cpu.map_or(0, |cpu| cpu.used_us)
}

fn plain(decision: Decision, next_look_us: Option<u64>, wake: Wake) -> Decided {
    Decided { decision, wished: 0, reason: Reason::Steady, bound: None, next_look_us, wake }
}
