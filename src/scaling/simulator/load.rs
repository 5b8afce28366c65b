//! Arrivals and what they cost: seeded generators of the shapes that servers meet. The same seed gives the same load.

/// One request: when it comes, how long it computes, how long it waits for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Arrival, microseconds from the start.
    pub at_us: u64,
    /// Time on a core.
    pub compute_us: u64,
    /// Time in a worker without a core.
    pub wait_us: u64,
}

/// What a run serves: recorded or generated jobs, and clients that send one request after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// What it is called in tables.
    pub name: String,
    /// In the order of arrival.
    pub jobs: Vec<Job>,
    /// Clients of a closed loop.
    pub clients: u32,
    /// When those begin.
    pub clients_begin_us: u64,
    /// What each of their requests costs; its `at_us` is ignored.
    pub client_job: Job,
    /// From a client's response to its next connection.
    pub think_us: u64,
    /// A connection that waits longer makes its client connect again; zero: clients wait for ever.
    pub impatient_after_us: u64,
    /// How often one client comes back.
    pub retries: u32,
    /// When the run ends.
    pub until_us: u64,
}

/// How long requests take.
#[derive(Debug, Clone, Copy)]
pub enum Service {
    /// All the same.
    Fixed(u64),
    /// Exponential with this mean.
    Exponential(u64),
    /// Pareto with exponent 1.5 and this mean, cut at 200 times the mean: most are short, a few very long.
    HeavyTailed(u64),
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, good enough for arrivals.
#[derive(Debug, Clone)]
pub struct Random(u64);

const SECOND_US: u64 = 1_000_000;

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In (0, 1].
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// From 0 to below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -self.unit().ln() * mean
    }
}

impl Service {
    fn draw(self, random: &mut Random) -> u64 {
        match self {
            Service::Fixed(us) => us,
            Service::Exponential(mean_us) => random.exponential(mean_us as f64) as u64,
            Service::HeavyTailed(mean_us) => {
                let mean = mean_us as f64;
                (mean / 3.0 * random.unit().powf(-1.0 / 1.5)).min(mean * 200.0) as u64
            }
        }
    }
}

impl Load {
    /// Jobs in order of arrival.
    pub fn open(name: &str, mut jobs: Vec<Job>) -> Self {
        jobs.sort_by_key(|job| job.at_us);
        let until_us = jobs.last().map_or(0, |job| job.at_us) + SECOND_US;
        Load {
            name: name.to_owned(),
            jobs,
            clients: 0,
            clients_begin_us: 0,
            client_job: Job { at_us: 0, compute_us: 0, wait_us: 0 },
            think_us: 0,
            impatient_after_us: 0,
            retries: 0,
            until_us,
        }
    }

    /// `clients` that all begin at `begin_us` and each send the next request `think_us` after the last response.
    pub fn closed(name: &str, clients: u32, job: Job, think_us: u64, begin_us: u64, until_us: u64) -> Self {
        Load {
            clients,
            clients_begin_us: begin_us,
            client_job: job,
            think_us: think_us.max(1),
            until_us,
            ..Load::open(name, Vec::new())
        }
    }

    pub(super) fn client_job(&self, _client: u32, now_us: u64) -> Job {
        Job { at_us: now_us, ..self.client_job }
    }

    /// Mean number of requests in hand if none waits, in thousandths: the load in Erlang.
    pub fn erlang_milli(&self) -> u64 {
        let work: u64 = self.jobs.iter().map(|job| job.compute_us + job.wait_us).sum();
        work.saturating_mul(1000).checked_div(self.until_us).unwrap_or(0)
    }
}

/// A Poisson process whose rate (requests a second) follows `rate(seconds)`, at most `rate_max`, by thinning.
pub fn poisson(
    seed: u64,
    seconds: u64,
    rate_max: f64,
    rate: impl Fn(f64) -> f64,
    service: Service,
    compute_permille: u64,
) -> Vec<Job> {
    let mut random = Random::new(seed);
    let mut jobs = Vec::new();
    let mut at = 0.0;
    loop {
        at += random.exponential(1.0 / rate_max);
        if at >= seconds as f64 {
            return jobs;
        }
        if random.unit() * rate_max <= rate(at) {
            let service_us = service.draw(&mut random).max(1);
            let compute_us = service_us * compute_permille / 1000;
            let at_us = (at * SECOND_US as f64) as u64;
            jobs.push(Job { at_us, compute_us, wait_us: service_us - compute_us });
        }
    }
}

/// The loads of the comparison in docs/SCALING-STUDY.md. The mean service time is 50 ms, of which 2 % is computing, unless
/// the name says otherwise, and the largest mean demand is 8 to 12 workers of at most 40.
pub fn catalogue(seed: u64) -> Vec<Load> {
    vec![steady(seed), step(seed), diurnal(seed), flash_crowd(seed), on_off(seed), heavy(seed), cron(seed), storm(seed)]
}

const MEAN: Service = Service::Exponential(50_000);

/// 160 requests a second for five minutes.
pub fn steady(seed: u64) -> Load {
    Load::open("steady Poisson", poisson(seed, 300, 160.0, |_| 160.0, MEAN, 20))
}

/// From 20 to 200 requests a second and back.
fn step(seed: u64) -> Load {
    let rate = |at: f64| if (60.0..180.0).contains(&at) { 200.0 } else { 20.0 };
    Load::open("step", poisson(seed, 300, 200.0, rate, MEAN, 20))
}

/// A day in twenty minutes: between 10 and 200 requests a second.
fn diurnal(seed: u64) -> Load {
    let rate = |at: f64| 105.0 - 95.0 * (at / 1200.0 * std::f64::consts::TAU).cos();
    Load::open("diurnal", poisson(seed, 1200, 200.0, rate, MEAN, 20))
}

/// From 8 requests a second to thirty times that within a minute, then falling by half every minute.
fn flash_crowd(seed: u64) -> Load {
    let rate = |at: f64| match at {
        ..60.0 => 8.0,
        60.0..120.0 => 8.0 + 232.0 * (at - 60.0) / 60.0,
        _ => 8.0 + 232.0 * 0.5f64.powf((at - 120.0) / 60.0),
    };
    Load::open("flash crowd x30", poisson(seed, 480, 240.0, rate, MEAN, 20))
}

/// 240 requests a second for 5 s, then nothing for 15 s, again and again.
fn on_off(seed: u64) -> Load {
    let rate = |at: f64| if at % 20.0 < 5.0 { 240.0 } else { 0.0 };
    Load::open("on/off bursts", poisson(seed, 300, 240.0, rate, MEAN, 20))
}

/// 100 requests a second whose times are Pareto distributed.
fn heavy(seed: u64) -> Load {
    Load::open("heavy-tailed service", poisson(seed, 300, 100.0, |_| 100.0, Service::HeavyTailed(50_000), 20))
}

/// 40 requests a second, and 30 at once on every half minute.
fn cron(seed: u64) -> Load {
    let mut jobs = poisson(seed, 300, 40.0, |_| 40.0, MEAN, 20);
    let mut random = Random::new(seed ^ 1);
    for spike in 1..10 {
        for _ in 0..30 {
            let wait_us = MEAN.draw(&mut random).max(1);
            jobs.push(Job { at_us: spike * 30 * SECOND_US, compute_us: 0, wait_us });
        }
    }
    Load::open("cron spikes", jobs)
}

/// 120 requests a second; for 5 s out of 60 each takes 200 ms longer, and whoever waits a second comes back, twice.
fn storm(seed: u64) -> Load {
    let mut jobs = poisson(seed, 300, 120.0, |_| 120.0, MEAN, 20);
    for job in jobs.iter_mut().filter(|job| job.at_us % (60 * SECOND_US) >= 55 * SECOND_US) {
        job.wait_us += 200_000;
    }
    Load { impatient_after_us: SECOND_US, retries: 2, ..Load::open("retry storm", jobs) }
}

#[cfg(test)]
mod tests {
    use super::{Random, Service, catalogue, steady};

    #[test]
    fn a_seed_gives_the_same_load_and_another_seed_another_one() {
        assert_eq!(steady(1), steady(1));
        assert_ne!(steady(1), steady(2));
    }

    #[test]
    fn rates_and_means_are_what_the_names_say() {
        let load = steady(3);
        assert!((47_000..49_000).contains(&load.jobs.len()), "{}", load.jobs.len());
        assert!((7_600..8_400).contains(&load.erlang_milli()), "{}", load.erlang_milli());
        let mut random = Random::new(4);
        let sum: u64 = (0..100_000).map(|_| Service::HeavyTailed(50_000).draw(&mut random)).sum();
        assert!((42_000..56_000).contains(&(sum / 100_000)), "{}", sum / 100_000);
    }

    #[test]
    fn arrivals_are_in_order() {
        for load in catalogue(5) {
            assert!(load.jobs.is_sorted_by_key(|job| job.at_us), "{}", load.name);
        }
    }
}
