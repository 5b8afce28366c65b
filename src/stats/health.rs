//! Whether an instance lives and could serve a request, as balancers and orchestrators ask for it. Pure.

/// Whether a request would be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// No worker has served yet.
    #[default]
    Loading,
    /// No worker is ready at this moment.
    NoWorker,
    /// Every request is answered with an error, since the application could not be loaded.
    NoApplication,
    /// Workers were told not to accept.
    Paused,
    /// It stops, or is about to: whoever is asked to send requests is to send them elsewhere.
    Stopping,
}

/// What is known of an instance when it is asked.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each of them is a fact of its own")]
pub struct Answer {
    /// Whether a worker has been ready since the start.
    pub has_served: bool,
    /// Whether it stops, or drains before it does.
    pub stopping: bool,
    /// Whether workers are told not to accept.
    pub paused: bool,
    /// Whether the application could not be loaded.
    pub no_application: bool,
    /// Workers that are to run. With none a connection wakes the instance up.
    pub wanted: u32,
    /// Workers that are ready.
    pub ready: u32,
}

impl Answer {
    /// Whether a request would be served.
    pub fn readiness(self) -> Readiness {
        match self {
            Answer { stopping: true, .. } => Readiness::Stopping,
            Answer { has_served: false, .. } => Readiness::Loading,
            Answer { paused: true, .. } => Readiness::Paused,
            Answer { no_application: true, .. } => Readiness::NoApplication,
            Answer { wanted: 1.., ready: 0, .. } => Readiness::NoWorker,
            Answer { .. } => Readiness::Ready,
        }
    }
}

impl Readiness {
    /// Whether it is.
    pub fn is_ready(self) -> bool {
        self == Readiness::Ready
    }

    /// What is said to who asks.
    pub fn word(self) -> &'static str {
        match self {
            Readiness::Ready => "ready",
            Readiness::Loading => "loading",
            Readiness::NoWorker => "no worker is ready",
            Readiness::NoApplication => "the application could not be loaded",
            Readiness::Paused => "paused",
            Readiness::Stopping => "stopping",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVING: Answer =
        Answer { has_served: true, stopping: false, paused: false, no_application: false, wanted: 2, ready: 1 };

    #[test]
    fn ready_is_who_would_serve_a_request() {
        assert!(SERVING.readiness().is_ready());
        // Asleep: the next connection wakes it.
        assert!(Answer { wanted: 0, ready: 0, ..SERVING }.readiness().is_ready());
        for (answer, expected) in [
            (Answer { ready: 0, ..SERVING }, Readiness::NoWorker),
            (Answer { has_served: false, ..SERVING }, Readiness::Loading),
            (Answer { paused: true, ..SERVING }, Readiness::Paused),
            (Answer { no_application: true, ..SERVING }, Readiness::NoApplication),
            (Answer { stopping: true, has_served: false, ..SERVING }, Readiness::Stopping),
        ] {
            assert_eq!(answer.readiness(), expected);
            assert!(!expected.is_ready());
        }
    }
}
