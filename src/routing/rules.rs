//! All rules of an instance. Pure; compiled once where the configuration is loaded, shared by the threads of a worker.

use super::answer::Verdict;
use super::chain::Chain;
use super::error::RuleError;
use super::state::Request;
use super::world::World;
use super::written::{Stage, WrittenRule};

/// The rules, ready to be used.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    chains: [Chain; Stage::ALL.len()],
}

impl Rules {
    /// Compiles what was written.
    ///
    /// # Errors
    /// Each rule that cannot be used, and why.
    pub fn compile(written: &[WrittenRule]) -> Result<Rules, Vec<(WrittenRule, RuleError)>> {
        let mut rules = Rules::default();
        let mut errors = Vec::new();
        for rule in written {
            let outcome = match rule.meaning() {
                Some((stage, looks)) => rules.chains[stage as usize].push(stage, looks, rule),
                None => Err(RuleError::new(format!("{} is no option of rules", rule.option))),
            };
            errors.extend(outcome.err().map(|error| (rule.clone(), error)));
        }
        // Labels that stand in lines with errors would be missed twice.
        if errors.is_empty() {
            errors.extend(rules.chains.iter_mut().flat_map(Chain::connect));
        }
        if errors.is_empty() { Ok(rules) } else { Err(errors) }
    }

    /// The caches that rules need, by their names, which are empty for the first there is.
    pub fn caches(&self) -> impl Iterator<Item = (&WrittenRule, &str)> {
        self.chains.iter().flat_map(Chain::caches)
    }

    /// The files of users that rules need, by their paths.
    pub fn user_files(&self) -> impl Iterator<Item = (&WrittenRule, &str)> {
        self.chains.iter().flat_map(Chain::user_files)
    }

    /// Whether what they do before anything answers may take long, so that it needs the deadline of a request.
    pub fn take_time(&self) -> bool {
        self.chains[Stage::Request as usize].takes_time()
    }

    /// Whether a stage has any.
    pub fn has(&self, stage: Stage) -> bool {
        !self.chains[stage as usize].is_empty()
    }

    /// Has a stage's rules look at a request.
    pub fn run(&self, stage: Stage, request: &mut Request<'_>, world: &dyn World) -> Verdict {
        request.stage = stage;
        self.chains[stage as usize].run(request, world)
    }
}
