//! One rule for the number of workers, tried on one load: its name beside what came of it. For the `simulate` command's
//! report and for the study of the bench; the run itself is in `engine`.

use super::{Load, Outcome, Scaler, World, run};

/// One rule's result on one load.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The rule and its settings.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

impl Trial {
    /// One run.
    pub fn of(scaler: Scaler, world: &World, load: &Load) -> Self {
        let outcome = run(world, &scaler, load, &mut |_, _| {});
        Trial { name: scaler.name(), outcome }
    }

    /// What it cost.
    pub fn worker_s(&self) -> f64 {
        self.outcome.worker_us as f64 / 1e6
    }
}
