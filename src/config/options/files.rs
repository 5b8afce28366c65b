//! Static files, response headers and request routing.
//!
//! The rows of the option table for the group [`Files`](super::Group::Files).
//! Read in the master before anything else, and by the commands.

use super::row::{Opt, count, flag, list, pair, path, seconds, text};

// What stands behind several rows.
const ROUTING: &str = "route in nginx";
const ERROR_PAGES: &str = "error pages; use error_page of nginx";
const HEADERS: &str = "changes of response headers; use add_header and the like of nginx";
const STATIC: &str = "static files; let nginx serve them";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    text("upload-progress").unsupported("let nginx do it").says("Directory for upload progress JSON files"),
    flag("vhost").unsupported("run one instance for each host").says("Choose app by SERVER_NAME"),
    flag("vhost-host").unsupported("run one instance for each host").says("Choose app by Host header"),
    list("route").unsupported(ROUTING).says("Request routing rule on PATH_INFO regex: match action"),
    list("route-host").unsupported(ROUTING).says("Request routing rule on Host regex: match action"),
    list("route-uri").unsupported(ROUTING).says("Request routing rule on REQUEST_URI regex: match action"),
    list("route-qs").unsupported(ROUTING).says("Request routing rule on QUERY_STRING regex: match action"),
    list("route-remote-addr").unsupported(ROUTING).says("Request routing rule on client address regex: match action"),
    list("route-user-agent").unsupported(ROUTING).says("Request routing rule on User-Agent regex: match action"),
    list("route-remote-user").unsupported(ROUTING).says("Request routing rule on REMOTE_USER regex: match action"),
    list("route-referer").unsupported(ROUTING).says("Request routing rule on Referer regex: match action"),
    list("route-label").unsupported(ROUTING).says("Request routing label, target of goto"),
    list("route-if").unsupported(ROUTING).says("Request routing rule on true condition: match action"),
    list("route-if-not").unsupported(ROUTING).says("Request routing rule on false condition: match action"),
    list("route-run").unsupported(ROUTING).says("Request routing action always executed"),
    list("final-route").unsupported(ROUTING).says("Final-stage routing rule on PATH_INFO regex: match action"),
    list("final-route-status").unsupported(ROUTING).says("Final-stage routing rule on response status: match action"),
    list("final-route-host").unsupported(ROUTING).says("Final-stage routing rule on Host regex: match action"),
    list("final-route-uri").unsupported(ROUTING).says("Final-stage routing rule on REQUEST_URI regex: match action"),
    list("final-route-qs").unsupported(ROUTING).says("Final-stage routing rule on QUERY_STRING regex: match action"),
    list("final-route-remote-addr").unsupported(ROUTING)
        .says("Final-stage routing rule on client address regex: match action"),
    list("final-route-user-agent").unsupported(ROUTING)
        .says("Final-stage routing rule on User-Agent regex: match action"),
    list("final-route-remote-user").unsupported(ROUTING)
        .says("Final-stage routing rule on REMOTE_USER regex: match action"),
    list("final-route-referer").unsupported(ROUTING).says("Final-stage routing rule on Referer regex: match action"),
    list("final-route-label").unsupported(ROUTING).says("Final-stage routing label, target of goto"),
    list("final-route-if").unsupported(ROUTING).says("Final-stage routing rule on true condition: match action"),
    list("final-route-if-not").unsupported(ROUTING).says("Final-stage routing rule on false condition: match action"),
    list("final-route-run").unsupported(ROUTING).says("Final-stage routing action always executed"),
    list("error-route").unsupported(ROUTING).says("Error-stage routing rule on PATH_INFO regex: match action"),
    list("error-route-status").unsupported(ROUTING).says("Error-stage routing rule on response status: match action"),
    list("error-route-host").unsupported(ROUTING).says("Error-stage routing rule on Host regex: match action"),
    list("error-route-uri").unsupported(ROUTING).says("Error-stage routing rule on REQUEST_URI regex: match action"),
    list("error-route-qs").unsupported(ROUTING).says("Error-stage routing rule on QUERY_STRING regex: match action"),
    list("error-route-remote-addr").unsupported(ROUTING)
        .says("Error-stage routing rule on client address regex: match action"),
    list("error-route-user-agent").unsupported(ROUTING)
        .says("Error-stage routing rule on User-Agent regex: match action"),
    list("error-route-remote-user").unsupported(ROUTING)
        .says("Error-stage routing rule on REMOTE_USER regex: match action"),
    list("error-route-referer").unsupported(ROUTING).says("Error-stage routing rule on Referer regex: match action"),
    list("error-route-label").unsupported(ROUTING).says("Error-stage routing label, target of goto"),
    list("error-route-if").unsupported(ROUTING).says("Error-stage routing rule on true condition: match action"),
    list("error-route-if-not").unsupported(ROUTING).says("Error-stage routing rule on false condition: match action"),
    list("error-route-run").unsupported(ROUTING).says("Error-stage routing action always executed"),
    list("response-route").unsupported(ROUTING).says("Response-stage routing rule on PATH_INFO regex: match action"),
    list("response-route-status").unsupported(ROUTING)
        .says("Response-stage routing rule on response status: match action"),
    list("response-route-host").unsupported(ROUTING).says("Response-stage routing rule on Host regex: match action"),
    list("response-route-uri").unsupported(ROUTING)
        .says("Response-stage routing rule on REQUEST_URI regex: match action"),
    list("response-route-qs").unsupported(ROUTING)
        .says("Response-stage routing rule on QUERY_STRING regex: match action"),
    list("response-route-remote-addr").unsupported(ROUTING)
        .says("Response-stage routing rule on client address regex: match action"),
    list("response-route-user-agent").unsupported(ROUTING)
        .says("Response-stage routing rule on User-Agent regex: match action"),
    list("response-route-remote-user").unsupported(ROUTING)
        .says("Response-stage routing rule on REMOTE_USER regex: match action"),
    list("response-route-referer").unsupported(ROUTING)
        .says("Response-stage routing rule on Referer regex: match action"),
    list("response-route-label").unsupported(ROUTING).says("Response-stage routing label, target of goto"),
    list("response-route-if").unsupported(ROUTING).says("Response-stage routing rule on true condition: match action"),
    list("response-route-if-not").unsupported(ROUTING)
        .says("Response-stage routing rule on false condition: match action"),
    list("response-route-run").unsupported(ROUTING).says("Response-stage routing action always executed"),
    list("error-page-403").not_yet(ERROR_PAGES).says("HTML file for 403 responses"),
    list("error-page-404").not_yet(ERROR_PAGES).says("HTML file for 404 responses"),
    list("error-page-500").not_yet(ERROR_PAGES).says("HTML file for 500 responses"),
    list("add-header").not_yet(HEADERS).says("Append a response header: Name: value"),
    list("rem-header").aka(&["del-header"]).not_yet(HEADERS).says("Remove a response header"),
    list("collect-header").aka(&["response-header-collect"]).not_yet(HEADERS)
        .says("Copy response header into request variable: header var"),
    list("pull-header").not_yet(HEADERS).says("Move response header into request variable: header var"),
    path("check-static").aka(&["static-check"]).list().not_yet(STATIC)
        .says("Serve file if PATH_INFO exists under directory"),
    flag("check-static-docroot").not_yet(STATIC).says("Serve file if it exists under DOCUMENT_ROOT"),
    pair("static-map").list().not_yet(STATIC).says("Serve prefix from directory or file: /prefix=path"),
    pair("static-map2").list().not_yet(STATIC).says("Like static-map keeping the prefix in the path"),
    list("static-skip-ext").not_yet(STATIC).says("Never treat this extension as static"),
    list("static-index").not_yet(STATIC).says("File name served for directory requests"),
    list("static-safe").not_yet(STATIC).says("Extra directory allowed by symlink safety check"),
    seconds("static-cache-paths").default("0").not_yet(STATIC).says("Seconds to cache resolved static paths"),
    text("static-cache-paths-name").not_yet(STATIC).says("Cache used for static paths"),
    list("mime-file").aka(&["mimefile"]).default("/etc/mime.types").not_yet(STATIC).says("mime.types file"),
    pair("static-expires-type").list().not_yet(STATIC).says("Expires seconds per content type: type=seconds"),
    pair("static-expires-type-mtime").list().not_yet(STATIC).says("As static-expires-type, counted from file mtime"),
    list("static-expires").not_yet(STATIC).says("Expires seconds per filename regex: regex seconds"),
    list("static-expires-mtime").not_yet(STATIC).says("As static-expires, counted from file mtime"),
    list("static-expires-uri").not_yet(STATIC).says("Expires seconds per REQUEST_URI regex"),
    list("static-expires-uri-mtime").not_yet(STATIC).says("Same per REQUEST_URI, counted from mtime"),
    list("static-expires-path-info").not_yet(STATIC).says("Expires seconds per PATH_INFO regex"),
    list("static-expires-path-info-mtime").not_yet(STATIC).says("Same per PATH_INFO, counted from mtime"),
    list("static-gzip").not_yet(STATIC).says("Try .gz sibling for files matching regex"),
    flag("static-gzip-all").not_yet(STATIC).says("Try .gz sibling for every static file"),
    list("static-gzip-dir").aka(&["static-gzip-prefix"]).not_yet(STATIC).says("Try .gz sibling under this directory"),
    list("static-gzip-ext").aka(&["static-gzip-suffix"]).not_yet(STATIC).says("Try .gz sibling for this extension"),
    flag("honour-range").not_yet(STATIC).says("Support Range requests for static files"),
    count("offload-threads").aka(&["offload-thread"]).not_yet(STATIC)
        .says("Helper threads per worker for file transfer"),
    text("file-serve-mode").aka(&["fileserve-mode"]).not_yet(STATIC)
        .says("Delegate static files: nginx/x-accel-redirect or x-sendfile"),
    flag("disable-sendfile").not_yet(STATIC).says("Copy files with read/write"),
    text("check-cache").optional().unsupported("let nginx do it").says("Answer from cache when key equals URI"),
    count("response-headers-limit").default("65535").not_yet(HEADERS).says("Largest response header block in bytes"),
];
