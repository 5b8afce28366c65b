//! Who is compared: the default settings, and every rival over the settings that an operator would try.

use rhinod::config::model::{Config, Policy, Scaling};
use rhinod::scaling::simulator::Scaler;
use rhinod::scaling::{Pace, Settings};

/// The target wait of `adaptive` when nothing else is said.
pub(crate) const TARGET_WAIT_US: u64 = Scaling::TARGET_WAIT.as_micros() as u64;

/// The default settings with these bounds, and uWSGI's defaults for its policies.
pub(crate) fn settings(minimum: u32, maximum: u32) -> Settings {
    let least = minimum as usize;
    let scaling = Scaling { enabled: true, minimum: least, initial: least, ..Scaling::default() };
    Settings::of(&Config { workers: maximum as usize, scaling, ..Config::default() })
}

/// Every rival, by family.
pub(crate) fn rivals(settings: &Settings) -> Vec<(&'static str, Vec<Scaler>)> {
    vec![
        ("uWSGI spare", spare(settings)),
        ("uWSGI spare2, backlog, busyness", other_uwsgi(settings)),
        ("php-fpm dynamic", php_fpm(settings.maximum)),
        ("FrankenPHP", franken_php(settings)),
        ("fixed pool", fixed(settings.maximum)),
    ]
}

fn letter(settings: &Settings, policy: Policy) -> Settings {
    Settings { policy, pace: Pace::Ticks, ..settings.clone() }
}

fn spare(settings: &Settings) -> Vec<Scaler> {
    let each = |overload| {
        [1, 2, 4, 8].map(|step| Scaler::policy(Settings { overload, step, ..letter(settings, Policy::Spare) }))
    };
    [1, 2, 3, 5].into_iter().flat_map(each).collect()
}

fn other_uwsgi(settings: &Settings) -> Vec<Scaler> {
    let maximum = settings.maximum;
    let mut scalers = Vec::new();
    for minimum in [1, 2, 4, 6, 8, 12].into_iter().filter(|&minimum| minimum < maximum) {
        let initial = minimum;
        let spare2 = Settings { minimum, initial, step: 8, ..letter(settings, Policy::Spare2) };
        scalers.push(Scaler::policy(spare2));
    }
    for (overload, step) in [(1, 1), (1, 4), (3, 1), (3, 4), (10, 4)] {
        scalers.push(Scaler::policy(Settings { overload, step, ..letter(settings, Policy::Backlog) }));
    }
    for (overload, step, max_percent) in [(3, 1, 50), (3, 4, 50), (10, 2, 50), (3, 2, 70), (10, 4, 30)] {
        let mut busyness = Settings { overload, step, ..letter(settings, Policy::Busyness) };
        busyness.busyness.max_percent = max_percent;
        busyness.busyness.min_percent = max_percent / 2;
        scalers.push(Scaler::policy(busyness));
    }
    scalers
}

fn php_fpm(maximum: u32) -> Vec<Scaler> {
    let spares = [(1, 2), (1, 3), (2, 4), (2, 5), (3, 6), (4, 8), (5, 10), (6, 12), (8, 16), (12, 20)];
    let fitting = spares.into_iter().filter(|&(_, most)| most <= maximum);
    // pm.start_servers by default lies in the middle between the two
    fitting.map(|(least, most)| Scaler::php_fpm(least + (most - least) / 2, least, most, maximum)).collect()
}

fn franken_php(settings: &Settings) -> Vec<Scaler> {
    let threads = [settings.minimum.max(1), 4, 8, 12, 16, 24];
    threads.into_iter().filter(|&n| n <= settings.maximum).map(|n| Scaler::franken_php(n, settings.maximum)).collect()
}

fn fixed(maximum: u32) -> Vec<Scaler> {
    let step = maximum.div_ceil(40) as usize;
    (1..=maximum).step_by(step).map(Scaler::Fixed).collect()
}
