//! Static files and response headers.
//!
//! The rows of the option table for the group [`Files`](super::Group::Files).
//! Read in the master before anything else, and by the commands.

use worker_protocol::response::HEAD_BYTES_MAX;

use super::draft::Draft;
use super::header;
use super::parsed::Parsed;
use super::regex::is_regex;
use super::row::{Opt, flag, int, list, pair, path, seconds, text};
use crate::config::error::ConfigError;
use crate::config::model::{ErrorPage, Expiry, ExpiryOf, Packed, Place, PlaceKind, Sender};

// What stands behind several rows.
const NO_CACHE: &str = "paths are resolved for each request, so that a link that is switched is seen at once";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    text("upload-progress").unsupported("let nginx do it").says("Directory for upload progress JSON files"),
    flag("vhost").unsupported("run one instance for each host").says("Choose app by SERVER_NAME"),
    flag("vhost-host").unsupported("run one instance for each host").says("Choose app by Host header"),
    path("error-page-403").list().sets(|d, v| error_page(d, 403, v)).works()
        .says("HTML file for the server's own 403 responses; the first that is there"),
    path("error-page-404").list().sets(|d, v| error_page(d, 404, v)).works()
        .says("HTML file for the server's own 404 responses; the first that is there"),
    path("error-page-500").list().sets(|d, v| error_page(d, 500, v)).works()
        .says("HTML file for the server's own 500 responses; the first that is there"),
    list("add-header").sets(add_header).works().says("Append a response header: Name: value"),
    list("rem-header").aka(&["del-header"]).sets(|d, v| d.config.answers.removed.push(v.string())).works()
        .says("Remove a response header"),
    path("check-static").aka(&["static-check"]).list().sets(|d, v| place(d, PlaceKind::All, "", v.text)).works()
        .says("Serve file if PATH_INFO exists under directory"),
    flag("check-static-docroot").sets(|d, v| d.config.statics.in_document_root = v.on()).works()
        .says("Serve file if it exists under DOCUMENT_ROOT"),
    pair("static-map").list().sets(|d, v| map(d, PlaceKind::Map, v)).works()
        .says("Serve prefix from directory or file: /prefix=path"),
    pair("static-map2").list().sets(|d, v| map(d, PlaceKind::Map2, v)).works()
        .says("Like static-map keeping the prefix in the path"),
    list("static-skip-ext").sets(|d, v| d.config.statics.skipped.push(v.string())).works()
        .says("Never treat this extension as static"),
    list("static-index").sets(|d, v| d.config.statics.indexes.push(v.string())).works()
        .says("File name served for directory requests"),
    path("static-safe").list().sets(|d, v| d.config.statics.safe.push(v.path())).works()
        .says("Extra directory allowed by symlink safety check"),
    seconds("static-cache-paths").default("0").accepted(NO_CACHE).says("Seconds to cache resolved static paths"),
    text("static-cache-paths-name").accepted(NO_CACHE).says("Cache used for static paths"),
    path("mime-file").aka(&["mimefile"]).list().sets(|d, v| d.config.statics.mime_files.push(v.path())).works()
        .says("mime.types file; counts more than the built-in list"),
    pair("static-expires-type").list().sets(|d, v| expiry(d, v, ExpiryOf::Type, false)).works()
        .says("Expires seconds per content type: type=seconds"),
    pair("static-expires-type-mtime").list().sets(|d, v| expiry(d, v, ExpiryOf::Type, true)).works()
        .says("As static-expires-type, counted from file mtime"),
    list("static-expires").sets(|d, v| expiry(d, v, ExpiryOf::File, false)).works()
        .says("Expires seconds per filename regex: regex seconds"),
    list("static-expires-mtime").sets(|d, v| expiry(d, v, ExpiryOf::File, true)).works()
        .says("As static-expires, counted from file mtime"),
    list("static-expires-uri").sets(|d, v| expiry(d, v, ExpiryOf::Uri, false)).works()
        .says("Expires seconds per REQUEST_URI regex"),
    list("static-expires-uri-mtime").sets(|d, v| expiry(d, v, ExpiryOf::Uri, true)).works()
        .says("Same per REQUEST_URI, counted from mtime"),
    list("static-expires-path-info").sets(|d, v| expiry(d, v, ExpiryOf::Path, false)).works()
        .says("Expires seconds per PATH_INFO regex"),
    list("static-expires-path-info-mtime").sets(|d, v| expiry(d, v, ExpiryOf::Path, true)).works()
        .says("Same per PATH_INFO, counted from mtime"),
    list("static-gzip").sets(|d, v| packed(d, v, Packed::Named(v.string()))).works()
        .says("Try .br, .zst and .gz siblings for files matching regex"),
    flag("static-gzip-all").sets(|d, v| packed(d, v, Packed::All)).works()
        .says("Try .br, .zst and .gz siblings for every static file"),
    list("static-gzip-dir").aka(&["static-gzip-prefix"]).sets(|d, v| packed(d, v, Packed::Below(v.path()))).works()
        .says("Try .br, .zst and .gz siblings under this directory"),
    list("static-gzip-ext").aka(&["static-gzip-suffix"]).sets(|d, v| packed(d, v, Packed::Ending(v.string()))).works()
        .says("Try .br, .zst and .gz siblings for this extension"),
    flag("honour-range").sets(|d, v| d.config.statics.ranges = v.on()).works()
        .says("Support Range requests for static files"),
    int("offload-threads", 0, 64).aka(&["offload-thread"]).default("0").sets(|d, v| d.config.offload_threads = v.size())
        .works().says("Threads of each worker that send files, and bodies in one piece, to clients that do not take them at once"),
    text("file-serve-mode").aka(&["fileserve-mode"]).sets(sender).works()
        .says("Delegate static files: nginx/x-accel-redirect or x-sendfile"),
    flag("disable-sendfile").sets(|d, v| d.config.answers.copies_files = v.on()).works()
        .says("Copy files with read/write"),
    text("check-cache").optional().unsupported("let nginx do it").says("Answer from cache when key equals URI"),
    int("response-headers-limit", 1, HEAD_BYTES_MAX as i64).default("65536")
        .sets(|d, v| d.config.answers.head_bytes_max = v.size()).works().says("Largest response header block in bytes"),
];

/// What an answer says of itself: whoever changes that changes where it ends.
const FRAMING: &[&str] = &["content-length", "transfer-encoding", "connection"];

/// What options mean together: the order in which files are looked for, and in which expiries are tried.
pub(super) fn judge(draft: &mut Draft<'_>) {
    // Both stable: lines of one option stay in their order.
    draft.config.statics.places.sort_by_key(|place| place.kind);
    draft.config.statics.expiries.sort_by_key(|expiry| expiry.of);
    let removed = &draft.config.answers.removed;
    if let Some(name) = removed.iter().find(|name| FRAMING.contains(&name.to_ascii_lowercase().as_str())) {
        let problem = format!("{name} says where an answer ends, so that it is not removed");
        if let Some(directive) = draft.given("rem-header") {
            draft.warning(ConfigError::about(directive, problem));
        }
        draft.config.answers.removed.retain(|name| !FRAMING.contains(&name.to_ascii_lowercase().as_str()));
    }
}

fn place(draft: &mut Draft<'_>, kind: PlaceKind, prefix: &str, at: &str) {
    let line = draft.current().origin.to_string();
    draft.config.statics.places.push(Place { kind, prefix: prefix.to_owned(), at: at.into(), line });
}

fn error_page(draft: &mut Draft<'_>, status: u16, value: &Parsed<'_>) {
    let line = draft.current().origin.to_string();
    draft.config.answers.pages.push(ErrorPage { status, path: value.path(), line });
}

/// `static-map`, `static-map2`: `/PREFIX=PATH`.
fn map(draft: &mut Draft<'_>, kind: PlaceKind, value: &Parsed<'_>) {
    let (prefix, at) = value.pair();
    if !prefix.starts_with('/') || at.is_empty() {
        return draft.refuse("expected /PREFIX=PATH", "for example /static=/srv/app/static");
    }
    place(draft, kind, prefix.trim_end_matches('/'), &at);
}

/// `static-expires` and its relatives: a pattern, a blank (`=` before the seconds of a type) and seconds.
fn expiry(draft: &mut Draft<'_>, value: &Parsed<'_>, of: ExpiryOf, since_modified: bool) {
    let separator = if of == ExpiryOf::Type { '=' } else { ' ' };
    let parts = value.text.trim().rsplit_once(separator);
    let parts = parts.and_then(|(pattern, seconds)| Some((pattern.trim(), seconds.trim().parse().ok()?)));
    let Some((pattern, seconds)) = parts.filter(|(pattern, _)| !pattern.is_empty()) else {
        return match of {
            ExpiryOf::Type => draft.refuse("expected TYPE=SECONDS", "for example text/css=86400"),
            _ => draft.refuse("expected a regular expression, a blank and seconds", r"for example \.css$ 86400"),
        };
    };
    if of == ExpiryOf::Type || is_regex(draft, pattern) {
        draft.config.statics.expiries.push(Expiry { of, pattern: pattern.to_owned(), seconds, since_modified });
    }
}

fn packed(draft: &mut Draft<'_>, value: &Parsed<'_>, what: Packed) {
    match &what {
        Packed::All if !value.on() => return,
        Packed::Named(pattern) if !is_regex(draft, pattern) => return,
        _ => {}
    }
    draft.config.statics.packed.push(what);
}

fn sender(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    draft.config.statics.sender = match value.text.to_ascii_lowercase().as_str() {
        "nginx" | "x-accel-redirect" | "xaccelredirect" => Sender::XAccelRedirect,
        "x-sendfile" | "xsendfile" => Sender::XSendfile,
        _ => return draft.refuse("expected nginx, x-accel-redirect or x-sendfile", "without it workers send files"),
    };
}

/// `add-header`: `Name: value`.
fn add_header(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let Some((name, content)) = header::pair(value.text) else {
        let problem = match value.text.contains(':') {
            true => "expected the name of a header, a colon and its value",
            false => "expected Name: value",
        };
        return draft.refuse(problem, "for example X-Frame-Options: DENY");
    };
    if FRAMING.contains(&name.to_ascii_lowercase().as_str()) {
        return draft.refuse(format!("{name} says where an answer ends"), "leave it to the application and the server");
    }
    draft.config.answers.added.push((name.to_owned(), content.to_owned()));
}
