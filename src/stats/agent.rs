//! What HAProxy's agent is told of an instance (HAProxy's manual, `agent-check`): whether it is to get requests, and how
//! many in proportion to others. Pure.

use super::health::Readiness;

/// Least weight of an instance that serves, in percent: with none it would get nothing, and nobody would see it recover.
const LEAST_PERCENT: u32 = 10;

/// How much of an instance is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Requests that it can hold at once, with as many workers as there may be.
    pub most: u32,
    /// Requests in hand, and connections that wait.
    pub jobs: u32,
}

/// The line for the agent.
pub fn agent_line(readiness: Readiness, load: Load) -> String {
    match readiness {
        // `ready` takes a drain back.
        Readiness::Ready => format!("ready up {}%\n", spare_percent(load)),
        // Whoever is being served stays.
        Readiness::Stopping | Readiness::Paused => "drain\n".to_owned(),
        Readiness::Loading | Readiness::NoWorker | Readiness::NoApplication => format!("down#{}\n", readiness.word()),
    }
}

fn spare_percent(load: Load) -> u32 {
    let spare = u64::from(load.most.saturating_sub(load.jobs)) * 100;
    let percent = spare.checked_div(u64::from(load.most)).unwrap_or(0);
    u32::try_from(percent).unwrap_or(100).clamp(LEAST_PERCENT, 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_is_what_is_spare() {
        let line = |most, jobs| agent_line(Readiness::Ready, Load { most, jobs });
        assert_eq!(line(8, 0), "ready up 100%\n");
        assert_eq!(line(8, 2), "ready up 75%\n");
        assert_eq!(line(8, 8), "ready up 10%\n");
        assert_eq!(line(8, 4_000), "ready up 10%\n");
        assert_eq!(line(0, 0), "ready up 10%\n");
        assert_eq!(line(u32::MAX, 1), "ready up 99%\n");
    }

    #[test]
    fn who_cannot_serve_gets_nothing_and_who_stops_nothing_new() {
        let line = |readiness| agent_line(readiness, Load { most: 8, jobs: 0 });
        assert_eq!(line(Readiness::Stopping), "drain\n");
        assert_eq!(line(Readiness::Paused), "drain\n");
        assert_eq!(line(Readiness::Loading), "down#loading\n");
        assert_eq!(line(Readiness::NoWorker), "down#no worker is ready\n");
    }
}
