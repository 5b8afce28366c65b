//! What a zygote and the processes below it host: the runtime of one language, and how its application is loaded.

use worker_protocol::ids::Generation;

use crate::config::model::{Config, Hook, HookPhase};
use crate::escape;
use crate::exit::Exit;

/// The runtime of one language, as zygotes use it. What it does in a worker is `worker::WorkerRuntime`.
pub trait Runtime {
    /// Called once in the zygote, before anything else, also with `lazy-apps`.
    ///
    /// # Errors
    /// The generation cannot begin.
    fn prepare(&mut self, _config: &Config) -> Result<(), LoadFailure> {
        Ok(())
    }

    /// Loads the application. Called once in the zygote; with `lazy-apps` once in each process below it instead.
    ///
    /// `generation`: a runtime that serves errors in place of an application that cannot be loaded may do so in the
    /// first one; a later one replaces a generation that serves, and must fail.
    ///
    /// # Errors
    /// There is no application.
    fn load(&mut self, config: &Config, generation: Generation) -> Result<(), LoadFailure>;

    /// Whether [`Runtime::load`] found no application and errors are served in its place.
    fn serves_errors(&self) -> bool {
        false
    }

    /// Runs a wait of the zygote, at the end of which it may fork: here threads of the application run, there they do
    /// not.
    fn wait_in_zygote(&mut self, wait: &mut dyn FnMut()) {
        wait();
    }

    /// Called in the zygote right before a fork.
    fn before_fork(&mut self) {}

    /// Called in the zygote right after a fork.
    fn after_fork_in_zygote(&mut self) {}

    /// Called in the child right after the fork, before any other code of the runtime.
    fn after_fork_in_child(&mut self) {}

    /// Names of threads that live in the zygote besides the main one: they do not exist in its children.
    fn live_threads(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Why an application does not serve.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct LoadFailure {
    /// Exit code that tells the kind of failure.
    pub exit_code: i32,
    /// What the operator reads: message and traceback.
    pub reason: String,
}

impl LoadFailure {
    /// The ordinary kind, with the exit code for it (uWSGI's manual, "Things to know").
    pub fn new(reason: impl Into<String>) -> Self {
        Self { exit_code: Exit::Application.code().into(), reason: reason.into() }
    }

    /// The reason for log and operator: whoever has a say in an exception's message forges nothing.
    pub fn told(&self) -> String {
        escape::lines(&self.reason)
    }
}

/// Loads the application between its hooks, in the process that is to load it.
pub(crate) fn load_with_hooks(
    runtime: &mut dyn Runtime,
    config: &Config,
    generation: Generation,
) -> Result<(), LoadFailure> {
    run_hooks(&config.hooks, &[HookPhase::PreApp])?;
    runtime.load(config, generation)?;
    run_hooks(&config.hooks, &[HookPhase::PostApp])
}

/// Runs the hooks of some moments, one moment after the other. What fails keeps the application from serving.
pub(crate) fn run_hooks(hooks: &[Hook], phases: &[HookPhase]) -> Result<(), LoadFailure> {
    let run = |phase: &HookPhase| crate::hooks::run(hooks, *phase).map_err(|error| LoadFailure::new(error.to_string()));
    phases.iter().try_for_each(run)
}
