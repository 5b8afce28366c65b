//! The table of actions: those that there are, and those of uWSGI's that there are not, with the reason. Pure.

use super::cache_arguments;
use super::call_arguments;
use super::calling::Use;
use super::kinds::{Action, Operator};
use super::reading::{self as read_as};
use crate::cache::Arithmetic;
use crate::routing::error::RuleError;
use crate::routing::template::Template;
use crate::routing::written::Field;

/// A name of an action.
#[derive(Debug)]
pub struct ActionName {
    /// The name.
    pub name: &'static str,
    reads: Reads,
}

#[derive(Debug)]
enum Reads {
    With(fn(&str) -> Result<Action, RuleError>),
    /// There is none, for this reason.
    Refused(&'static str),
}

impl ActionName {
    /// Why there is no such action here; `None` if there is.
    pub fn refusal(&self) -> Option<&'static str> {
        match self.reads {
            Reads::With(_) => None,
            Reads::Refused(why) => Some(why),
        }
    }
}

const fn with(name: &'static str, read: fn(&str) -> Result<Action, RuleError>) -> ActionName {
    ActionName { name, reads: Reads::With(read) }
}

const fn refused(name: &'static str, why: &'static str) -> ActionName {
    ActionName { name, reads: Reads::Refused(why) }
}

// What stands behind several names.
const TUNNEL: &str = "let the web server make tunnels; http: and uwsgi: pass single requests on";
const CODE: &str = "no request loads code here; name applications with mount";
const CALLS: &str = "there are no symbols to be called; register a function and write call:";
const STORES: &str = "a worker waits for no other server; let the application or the web server do it";
const METRICS: &str = "metrics are counted by the server itself; log-format and logvar tell of requests";
const BODY: &str = "answers are not kept in memory to be changed; let the application do it";

/// Every name, in the order of docs/ROUTING.md.
#[rustfmt::skip]
const NAMES: &[ActionName] = &[
    with("continue", |_| Ok(Action::Continue)),
    with("last", |_| Ok(Action::Continue)),
    with("break", read_as::end),
    with("return", read_as::phrase),
    with("break-with-status", read_as::phrase),
    with("goto", |text| Ok(Action::GoTo(Template::read(text)?))),
    with("log", |text| Ok(Action::Log(Template::read(text)?))),
    with("alarm", read_as::alarm),
    with("logvar", |text| read_as::assignment(text, Action::LogVariable)),
    with("donotlog", |_| Ok(Action::NoLog)),
    with("donotoffload", |_| Ok(Action::Nothing)),
    with("addvar", read_as::variable),
    with("setuser", |text| Ok(Action::SetUser(Template::read(text)?))),
    with("setremoteuser", |text| Ok(Action::SetUser(Template::read(text)?))),
    with("setremoteaddr", |text| read_as::field(Field::Address, text)),
    with("seturi", |text| read_as::field(Field::Uri, text)),
    with("setpathinfo", |text| read_as::field(Field::Path, text)),
    with("sethost", |text| read_as::field(Field::Host, text)),
    with("setscriptname", |text| read_as::set("SCRIPT_NAME", text)),
    with("setmethod", |text| read_as::set("REQUEST_METHOD", text)),
    with("setdocroot", |text| read_as::set("DOCUMENT_ROOT", text)),
    with("setscheme", |text| read_as::set("UWSGI_SCHEME", text)),
    with("fixpathinfo", |_| Ok(Action::FixPath)),
    with("+", |text| read_as::calculation(Operator::Add, text)),
    with("-", |text| read_as::calculation(Operator::Subtract, text)),
    with("*", |text| read_as::calculation(Operator::Multiply, text)),
    with("/", |text| read_as::calculation(Operator::Divide, text)),
    with("hash", read_as::hash),
    with("addheader", read_as::header),
    with("delheader", read_as::no_header),
    with("remheader", read_as::no_header),
    with("clearheaders", read_as::cleared),
    with("resetheaders", read_as::cleared),
    with("expires", read_as::expires),
    with("rewrite", |text| Ok(Action::Rewrite { is_last: false, to: Template::read(text)? })),
    with("rewrite-last", |text| Ok(Action::Rewrite { is_last: true, to: Template::read(text)? })),
    with("redirect", |text| Ok(Action::Redirect { is_permanent: false, to: Template::read(text)? })),
    with("redirect-302", |text| Ok(Action::Redirect { is_permanent: false, to: Template::read(text)? })),
    with("redirect-permanent", |text| Ok(Action::Redirect { is_permanent: true, to: Template::read(text)? })),
    with("redirect-301", |text| Ok(Action::Redirect { is_permanent: true, to: Template::read(text)? })),
    with("basicauth", |text| read_as::authentication(text, false)),
    with("basicauth-next", |text| read_as::authentication(text, true)),
    with("static", |text| Ok(Action::Static { path: Template::read(text)?, passes_on: false })),
    with("static-next", |text| Ok(Action::Static { path: Template::read(text)?, passes_on: true })),
    with("file", |text| read_as::file(text, false)),
    with("file-next", |text| read_as::file(text, true)),
    with("sendfile", |text| read_as::file(text, false)),
    with("sendfile-next", |text| read_as::file(text, true)),
    with("fastfile", |text| read_as::file(text, false)),
    with("fastfile-next", |text| read_as::file(text, true)),
    with("cache", cache_arguments::answer),
    with("cachestore", cache_arguments::keep),
    with("cache-store", cache_arguments::keep),
    with("cacheset", cache_arguments::set),
    with("cachevar", cache_arguments::read),
    with("cacheinc", |text| cache_arguments::calculation(Arithmetic::Add, "1", text)),
    with("cachedec", |text| cache_arguments::calculation(Arithmetic::Subtract, "1", text)),
    with("cachemul", |text| cache_arguments::calculation(Arithmetic::Multiply, "2", text)),
    with("cachediv", |text| cache_arguments::calculation(Arithmetic::Divide, "2", text)),
    with("rpc", |text| call_arguments::call(text, Use::Answer)),
    with("call", |text| call_arguments::call(text, Use::Answer)),
    with("rpcblob", |text| call_arguments::call(text, Use::AnswerOrGoOn)),
    with("rpcnext", |text| call_arguments::call(text, Use::AnswerOrGoOn)),
    with("rpcraw", |text| call_arguments::call(text, Use::WholeAnswer)),
    with("rpcret", |text| call_arguments::call(text, Use::Follow)),
    with("rpcvar", call_arguments::call_for_variable),
    with("signal", read_as::signal),
    with("http", call_arguments::http),
    with("proxyhttp", call_arguments::http),
    with("httpdumb", call_arguments::http),
    with("uwsgi", call_arguments::uwsgi),
    with("proxyuwsgi", call_arguments::uwsgi),
    with("send", |text| Ok(Action::Send(Template::read(text)?, ""))),
    with("send-crnl", |text| Ok(Action::Send(Template::read(text)?, "\r\n"))),
    with("harakiri", read_as::deadline),
    with("chdir", |text| Ok(Action::ChangeDirectory(Template::read(text)?))),
    with("setprocname", |text| Ok(Action::SetTitle(Template::read(text)?))),
    with("chunked", |_| Ok(Action::Nothing)),
    with("flush", |_| Ok(Action::Nothing)),
    with("offload", |_| Ok(Action::Nothing)),
    refused("gzip", "let the web server pack answers (gzip of nginx)"),
    refused("fixcl", BODY),
    refused("forcecl", BODY),
    refused("template", BODY),
    refused("tofile", BODY),
    refused("disableheaders", "an answer without a head is no HTTP"),
    refused("setapp", "applications are chosen by path; setscriptname and setpathinfo change it"),
    refused("sethome", CODE),
    refused("setfile", CODE),
    refused("setmodifier1", "an instance has one kind of application; run one instance for each"),
    refused("setmodifier2", "an instance has one kind of application; run one instance for each"),
    refused("httpconnect", TUNNEL),
    refused("proxyhttpconnect", TUNNEL),
    refused("symcall", CALLS),
    refused("symcall-next", CALLS),
    refused("cache-continue", "a request has one answer; write cache:"),
    refused("memcached", STORES),
    refused("memcached-continue", STORES),
    refused("memcached-store", STORES),
    refused("memcachedstore", STORES),
    refused("redis", STORES),
    refused("redis-continue", STORES),
    refused("redis-store", STORES),
    refused("redisstore", STORES),
    refused("metricinc", METRICS),
    refused("metricdec", METRICS),
    refused("metricmul", METRICS),
    refused("metricdiv", METRICS),
    refused("metricset", METRICS),
    refused("access", "restrict addresses with route-if-not = ipv4in:… break:403, or in the web server"),
    refused("radius", STORES),
    refused("ldapauth", STORES),
    refused("spnego", STORES),
    refused("cgi", CODE),
    refused("cgihelper", CODE),
    refused("xslt", BODY),
    refused("toxslt", BODY),
    refused("ssi", BODY),
    refused("xmldir", BODY),
    refused("gridfs", STORES),
    refused("toupper", BODY),
];

/// Every name, those included that are refused.
pub fn names() -> impl Iterator<Item = &'static ActionName> {
    NAMES.iter()
}

/// Reads `NAME:ARGUMENT`.
pub(in crate::routing) fn read(text: &str) -> Result<Action, RuleError> {
    let Some((name, argument)) = text.split_once(':') else {
        let problem = format!("expected an action and a colon, not `{text}`");
        return Err(RuleError::new(problem).advise("the colon is needed without an argument, too: last:"));
    };
    match NAMES.iter().find(|known| known.name == name) {
        Some(ActionName { reads: Reads::With(read), .. }) => read(argument),
        Some(ActionName { reads: Reads::Refused(why), .. }) => {
            Err(RuleError::new(format!("there is no action {name} here")).advise(*why))
        }
        None => {
            let there = NAMES.iter().filter(|known| known.refusal().is_none()).map(|known| known.name);
            Err(RuleError::unknown("action", name, there))
        }
    }
}
