//! OpenTelemetry's words, made and read without its SDK: traces of requests, and the messages of OTLP
//! (<https://opentelemetry.io/docs/specs/otlp/>). Pure; workers begin spans, the master writes metrics, the exporter
//! (`crate::exporter`) sends both.
//!
//! - `protobuf` is the form of the messages on the wire.
//! - `context` is where a request stands in its trace (W3C Trace Context).
//! - `span` is a request on its way from a worker to the exporter; `spans` writes it for a collector.
//! - `metrics` writes metrics.
//! - `envelope` says whose spans and metrics they are.
//! - `reply` is what a collector says to them, and when to try again.

mod context;
mod envelope;
#[cfg(test)]
mod example;
mod metrics;
mod protobuf;
mod reply;
mod span;
mod spans;

pub use context::{Dice, Place, TraceContext, state};
pub use envelope::{Envelope, pairs_of_environment};
pub use metrics::{Kind, Metrics};
pub use protobuf::Message;
pub use reply::{Verdict, pause, rejected, verdict};
pub use span::{SPAN_BYTES_MAX, Span};
pub use spans::written;
