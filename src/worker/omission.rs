//! What an operator has to know of a web server that leaves out what applications rely on. Worker only.

use worker_protocol::head::RequestHead;
use worker_protocol::scoreboard::Notice;

use super::process::Worker;

/// Says, once for each instance, that a request came without its method. It is served, as uWSGI serves it: the web
/// server sends the variables of its configuration and no others. But applications rarely expect it (PEP 3333 has the
/// key always there).
#[inline(always)]
pub(super) fn tell_of_omission(worker: &Worker<'_>, head: &RequestHead<'_>) {
    if head.method.is_empty() && worker.member().instance().is_news(Notice::NoMethod) {
        log::warn!(
            "a request has no REQUEST_METHOD and is served as GET: the application sees what was sent, and most expect \
             this key. The web server sends the variables that its configuration lists; in nginx, write 'include \
             uwsgi_params;' beside uwsgi_pass"
        );
    }
}
