//! The numbers of the kinds, as they stand on the wire.

/// [`super::ToZygote::Setup`]: generation; seats in `seat`, listeners in `post`, threads in `a`.
pub const SETUP: u16 = 1;
/// [`super::ToZygote::Fork`]: seat, post; life in `a`, the how many-th in its post in `b`.
pub const FORK: u16 = 2;
/// [`super::ToZygote::Stop`].
pub const STOP: u16 = 3;
/// [`super::ToZygote::LogTo`].
pub const ZYGOTE_LOG_TO: u16 = 4;
/// [`super::ToZygote::Listeners`]: the first one's index in `a`, how many in `b`.
pub const LISTENERS: u16 = 5;
/// [`super::ToZygote::Rest`].
pub const REST: u16 = 6;
/// [`super::ToZygote::Mailboxes`]: the first one's index in `a`, how many in `b`.
pub const MAILBOXES: u16 = 7;
/// [`super::ToZygote::Memories`]: the first one's index in `a`, how many in `b`.
pub const MEMORIES: u16 = 8;
/// [`super::FromZygote::Loaded`]: microseconds in `a`.
pub const LOADED: u16 = 16;
/// [`super::FromZygote::LoadFailed`]: exit code in `a`; text.
pub const LOAD_FAILED: u16 = 17;
/// [`super::FromZygote::LiveThreads`]: count in `a`; text.
pub const LIVE_THREADS: u16 = 18;
/// [`super::FromZygote::Forked`]: seat; process id in `a`.
pub const FORKED: u16 = 19;
/// [`super::FromZygote::ForkFailed`]: seat; error number in `a`.
pub const FORK_FAILED: u16 = 20;
/// [`super::FromZygote::Exited`]: seat; process id in `a`, wait status in `b`.
pub const EXITED: u16 = 21;
/// [`super::FromZygote::NoApplication`].
pub const ZYGOTE_NO_APPLICATION: u16 = 22;
/// [`super::ToWorker::Retire`].
pub const RETIRE: u16 = 32;
/// [`super::ToWorker::Pause`].
pub const PAUSE: u16 = 33;
/// [`super::ToWorker::Resume`].
pub const RESUME: u16 = 34;
/// [`super::ToWorker::LogTo`].
pub const WORKER_LOG_TO: u16 = 35;
/// [`super::ToWorker::Signal`]: its number in `a`.
pub const SIGNAL: u16 = 36;
/// [`super::ToWorker::Certificates`].
pub const CERTIFICATES: u16 = 37;
/// [`super::ToWorker::Mold`]: the generation.
pub const MOLD: u16 = 38;
/// [`super::FromWorker::Ready`]: microseconds in `a`.
pub const READY: u16 = 48;
/// [`super::FromWorker::NotReady`]: exit code in `a`; text.
pub const NOT_READY: u16 = 49;
/// [`super::FromWorker::Leaving`]: reason in `a`: 1 max-requests, 2 max-lifetime, 3 memory, 4 signal, 5 exception.
pub const LEAVING: u16 = 50;
/// [`super::FromWorker::AskReload`].
pub const ASK_RELOAD: u16 = 51;
/// [`super::FromWorker::AskStop`].
pub const ASK_STOP: u16 = 52;
/// [`super::FromWorker::AskCheap`].
pub const ASK_CHEAP: u16 = 53;
/// [`super::FromWorker::NoApplication`].
pub const WORKER_NO_APPLICATION: u16 = 54;
/// [`super::FromWorker::Worn`]: reason in `a`, as in [`LEAVING`].
pub const WORN: u16 = 55;
/// [`super::FromWorker::Seasoned`].
pub const SEASONED: u16 = 56;
/// [`super::FromWorker::Molded`], with the new control socket beside it.
pub const MOLDED: u16 = 57;
/// [`super::FromWorker::NotMolded`], with the reason as text.
pub const NOT_MOLDED: u16 = 58;
