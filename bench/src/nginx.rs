//! nginx, as it is measured: in front of a contender, and as one that serves files. Runs in the measuring process.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::contender::directory;
use crate::lab::{Error, io_error};
use crate::server::Launch;
use loadgen::client::{Target, Wire};

/// nginx in front of `upstream`, on a unix socket, so that it needs no free port.
pub(crate) fn before(upstream: &Target, page: &'static str) -> Result<Launch, Error> {
    launch(upstream, page, "access_log off;", "")
}

/// The same with a log of its own: for each request the status, the bytes that `upstream` has sent, how long it took to answer in
/// seconds, and what was asked for.
pub(crate) fn counting(upstream: &Target, log: &Path) -> Result<Launch, Error> {
    let form = "log_format counted '$status $upstream_bytes_received $upstream_response_time $request_uri';";
    let log = format!("{form}\naccess_log {} counted;", log.display());
    launch(upstream, "/", &log, "uwsgi_param REQUEST_MSEC $msec;\n")
}

fn launch(upstream: &Target, page: &'static str, log: &str, more: &str) -> Result<Launch, Error> {
    let dir = directory()?;
    let socket = dir.path().join("front");
    let configuration = dir.path().join("nginx.conf");
    fs::write(&configuration, configuration_before(upstream, &socket, log, more)).map_err(io_error("nginx.conf"))?;
    Ok(Launch {
        name: "nginx".to_owned(),
        program: program()?,
        arguments: arguments(dir.path(), &configuration),
        environment: Vec::new(),
        target: Target::Unix(socket),
        wire: Wire::Http { keep_alive: true },
        page,
        dir,
    })
}

/// How it is told where it is.
fn arguments(dir: &Path, configuration: &Path) -> Vec<OsString> {
    ["-e".into(), "stderr".into(), "-p".into(), dir.into(), "-c".into(), configuration.into()].into()
}

/// As root nginx would change to a user that may not use the sockets and files of these directories.
fn user() -> &'static str {
    if rustix::process::geteuid().is_root() { "user root;" } else { "" }
}

/// What nginx is told to serve the files of a directory over HTTP, as it does by itself.
///
/// # Errors
/// Its configuration cannot be written.
pub(crate) fn serving(dir: &Path, files: &Path, target: &Target, workers: usize) -> Result<Vec<OsString>, Error> {
    let configuration = dir.join("nginx.conf");
    let text = format!(
        "{}\ndaemon off;\nworker_processes {workers};\npid nginx.pid;\nevents {{ worker_connections 512; }}\n\
        http {{\naccess_log off;\nsendfile on;\nkeepalive_requests 1000000;\n\
        client_body_temp_path body;\nproxy_temp_path proxy;\nfastcgi_temp_path fastcgi;\n\
        scgi_temp_path scgi;\nuwsgi_temp_path uwsgi;\n\
        server {{\nlisten {target};\nroot {};\n}}\n}}\n",
        user(),
        files.display()
    );
    fs::write(&configuration, text).map_err(io_error("nginx.conf"))?;
    Ok(arguments(dir, &configuration))
}

fn configuration_before(upstream: &Target, socket: &Path, log: &str, more: &str) -> String {
    let user = user();
    let parameters = [
        "QUERY_STRING $query_string",
        "REQUEST_METHOD $request_method",
        "CONTENT_TYPE $content_type",
        "CONTENT_LENGTH $content_length",
        "REQUEST_URI $request_uri",
        "PATH_INFO $document_uri",
        "DOCUMENT_ROOT $document_root",
        "SERVER_PROTOCOL $server_protocol",
        "REQUEST_SCHEME $scheme",
        "REMOTE_ADDR $remote_addr",
        "REMOTE_PORT $remote_port",
        "SERVER_PORT $server_port",
        "SERVER_NAME $server_name",
    ];
    let parameters: String = parameters.iter().map(|parameter| format!("uwsgi_param {parameter};\n")).collect();
    format!(
        "{user}\ndaemon off;\nworker_processes 1;\npid nginx.pid;\nevents {{ worker_connections 512; }}\n\
        http {{\n{log}\nkeepalive_requests 1000000;\n\
        client_body_temp_path body;\nproxy_temp_path proxy;\nfastcgi_temp_path fastcgi;\n\
        scgi_temp_path scgi;\nuwsgi_temp_path uwsgi;\n\
        server {{\nlisten unix:{};\nserver_name app.example;\nlocation / {{\n{parameters}{more}\
        uwsgi_pass unix:{upstream};\n}}\n}}\n}}\n",
        socket.display()
    )
}

/// A daemon's directory is not on everybody's PATH.
pub(crate) fn program() -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let mut programs = places.map(|directory| directory.join("nginx"));
    programs.find(|program| program.is_file()).ok_or_else(|| Error::Unavailable("nginx is not installed".to_owned()))
}
