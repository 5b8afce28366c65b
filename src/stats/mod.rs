//! What an instance tells of itself to whoever monitors it: one [`Report`], and its forms. The documents are functions of
//! it and always whole: whatever a client has sent, they can be parsed.
//!
//! Not for finding out what is in a report, and not for connections: that is `master::statistics`. Pure; runs in the master.

mod agent;
mod brief;
mod exposition;
mod figures;
mod health;
mod metrics;
mod report;
mod request;
mod services;
mod uwsgi;

/// A page that shows people what `/metrics` of the same address tells: one text, which needs nothing from elsewhere.
pub const PAGE: &str = include_str!("page.html");

pub use agent::{Load, agent_line};
pub use brief::{Brief, BriefRequest, BriefWorker};
pub use exposition::Form;
pub use figures::{Figure, Figures, Measure, WorkerFigures};
pub use health::{Answer, Readiness};
pub use metrics::{metrics, metrics_for_collectors};
pub use report::{
    Application, Core, Decision, Holding, Instance, Listener, Report, Running, ScaledBy, Tally, Totals, Worker,
    WorkerStatus, Zygote,
};
pub use request::{BRIEF_PATH, HEAD_BYTES_MAX, Head, Page, Request, read};
pub use services::{Cache, Companion, Cron, Daemon, Farm, Metric, Mule, Queue, Services, SignalCron, Spooler, Timer};
pub use uwsgi::{Style, document};
