//! What SIGTERM means to the master.
//!
//! Part of the configuration. Not for what a hook makes of signals (`hook`). Pure; the master reads it.

use super::word::words;

words! {
    /// What SIGTERM means to the master.
    #[derive(Default)]
    TermMeaning, "meaning of SIGTERM" {
        /// Stop gracefully (our default, and `die-on-term`).
        #[default]
        GracefulStop = "graceful-stop",
        /// Brutal reload, as uWSGI without `die-on-term` (`reload-on-term`, ours).
        BrutalReload = "brutal-reload",
    }
}
