//! What an operator has to know of a proxy in front that nobody is told to trust. Worker only.

use worker_protocol::head::RequestHead;
use worker_protocol::scoreboard::Notice;

use super::process::Worker;

/// Says, once for each instance, that `X-Forwarded-Proto` is not believed, where that makes a difference: uWSGI believes
/// it, whoever sends it, so that a site which worked behind a proxy for TLS would stop working without a word.
#[inline(always)]
pub(super) fn tell_of_hearsay(worker: &Worker<'_>, head: &RequestHead<'_>) {
    let nobody_is_trusted = worker.limits().trusted_proxies.is_empty();
    if nobody_is_trusted && head.is_https_by_hearsay() && worker.member().instance().is_news(Notice::UntrustedScheme) {
        log::warn!(
            "a request says X-Forwarded-Proto: https, which is not believed, as no trusted-proxy is set: applications \
             see http, make links and redirects to it, and Django refuses forms (CSRF). If a proxy sends it, name the \
             proxy (trusted-proxy = ADDRESS, or unix:), or have the web server set HTTPS or UWSGI_SCHEME"
        );
    }
}
