//! Runs what waits, rhinod's accept loop and the wait of a zygote, detached from the interpreter. Zygote and worker.

use pyo3::Python;

/// Runs `accept_loop` detached; the calling thread keeps its thread state, so that attaching inside is cheap.
///
/// The loop must come from the `rhinod` crate, which knows nothing of Python: it must hold no reference that is only
/// valid while attached.
pub(crate) fn run_detached(py: Python<'_>, accept_loop: &mut dyn FnMut()) {
    let same_thread = SameThread(accept_loop);
    py.detach(move || same_thread.run());
}

struct SameThread<'l>(&'l mut dyn FnMut());

// SAFETY: `detach` asks for `Send` to keep references that are only valid while attached out of its closure; the closure
// never leaves this thread. By the contract of `run_detached` the loop holds no such reference.
unsafe impl Send for SameThread<'_> {}

impl SameThread<'_> {
    fn run(self) {
        (self.0)();
    }
}
