//! What one decision about many workers takes, by the clock: the only figures of the study that differ from run to run.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use rhinod::config::model::Policy;
use rhinod::scaling::simulator::{Job, Load, Scaler, World, run};
use rhinod::scaling::{Memory, Sample, Settings, step};

use crate::rivals::settings;

const WORKERS: u32 = 1_000;
const DECISIONS: u32 = 1_000;

/// One line a policy.
pub(crate) fn cost(out: &mut dyn Write) -> io::Result<()> {
    for policy in [Policy::Adaptive, Policy::Spare, Policy::Spare2, Policy::Backlog, Policy::Busyness] {
        let (settings, memory, sample) = warmed(policy);
        let memories = vec![memory; DECISIONS as usize];
        let began = Instant::now();
        for memory in memories {
            black_box(step(&settings, memory, &sample));
        }
        let each_us = began.elapsed().as_secs_f64() * 1e6 / f64::from(DECISIONS);
        writeln!(out, "{}: {each_us:.2} us a decision", policy.name())?;
    }
    writeln!(out)
}

/// A policy in the middle of its work: settings, memory and the sample to decide on next.
fn warmed(policy: Policy) -> (Settings, Memory, Sample) {
    let settings = Settings { policy, ..settings(WORKERS / 4, WORKERS) };
    let job = Job { at_us: 0, compute_us: 0, wait_us: 20_000 };
    let load = Load::closed("warm", WORKERS * 3 / 4, job, 5_000, 0, 3_000_000);
    let mut memory = Memory::default();
    let mut latest = (Memory::default(), Sample::default());
    let scaler = Scaler::policy(settings.clone());
    run(&World::default(), &scaler, &load, &mut |sample, _| {
        latest = (memory.clone(), sample.clone());
        (memory, _) = step(&settings, std::mem::take(&mut memory), sample);
    });
    (settings, latest.0, latest.1)
}
