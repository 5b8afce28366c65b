//! Who is measured: the floor, rhinod with its Rust and Python applications, uWSGI, gunicorn; how each is started, and
//! nginx in front of it.
//!
//! rhinod and uWSGI read the same ini options, so one list of options describes a setup for both. Runs in the
//! measuring process.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::lab::{Error, Lab, io_error};
use crate::nginx;
use crate::server::{Launch, Server};
use loadgen::client::{Target, Wire};

/// A program that answers `GET /`, with `Hello, world\n` where not said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    /// accept4, read, write, close.
    Floor,
    /// rhinod with the Rust example.
    Hello,
    /// rhinod with the Rust example that misbehaves when [`MISDEED_FILE`] in its directory says so.
    Unsteady,
    /// rhinod with the Python application.
    Wsgi,
    /// uWSGI with the Python application.
    Uwsgi,
    /// gunicorn with the Python application: its uwsgi protocol, or HTTP by its threads (`gthread`).
    Gunicorn,
    /// granian with the Python application, as it is by default. HTTP only.
    Granian,
    /// rhinod with the Django example, whose front page is a template with entries from a database; `/hello` is plain.
    Django,
    /// uWSGI with the Django example.
    UwsgiDjango,
    /// nginx with the files of the directory that `check-static` names.
    NginxFiles,
}

/// What [`Contender::Unsteady`] reads at each load, in its directory (examples/unsteady.rs).
pub const MISDEED_FILE: &str = "misdeed";

/// A contender and its options.
#[derive(Debug, Clone)]
pub struct Setup {
    contender: Contender,
    name: String,
    options: Vec<(String, String)>,
    load_ms: u64,
    environment: Vec<(String, String)>,
    application: &'static str,
    /// What the Django contenders load.
    module: &'static str,
    workers: usize,
    page: &'static str,
    behind_nginx: bool,
    on_tcp: bool,
    wire: Wire,
    /// The option that names the address.
    door: &'static str,
}

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Hello => "rhinod hello",
            Self::Unsteady => "rhinod unsteady",
            Self::Wsgi => "rhinod wsgi",
            Self::Uwsgi => "uwsgi wsgi",
            Self::Gunicorn => "gunicorn wsgi",
            Self::Granian => "granian wsgi",
            Self::Django => "rhinod django",
            Self::UwsgiDjango => "uwsgi django",
            Self::NginxFiles => "nginx",
        }
    }
}

impl Setup {
    /// `workers` processes, request logging off.
    pub fn pool(contender: Contender, workers: usize) -> Self {
        let name = contender.name().to_owned();
        Self {
            contender,
            name,
            options: Vec::new(),
            load_ms: 0,
            environment: Vec::new(),
            application: "wsgi.py",
            module: "configuration.wsgi:application",
            workers,
            page: "/",
            behind_nginx: false,
            on_tcp: false,
            wire: Wire::Uwsgi,
            door: "socket",
        }
    }

    /// Replaces the name shown in tables.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Adds an ini option (rhinod and uWSGI).
    pub fn option(mut self, key: &str, value: impl ToString) -> Self {
        self.options.push((key.to_owned(), value.to_string()));
        self
    }

    /// Whether it has this option of its own.
    pub fn has(&self, key: &str) -> bool {
        self.options.iter().any(|(name, _)| name == key)
    }

    /// Has the Python contenders serve another file of `bench/apps`.
    pub fn application(mut self, file: &'static str) -> Self {
        self.application = file;
        self
    }

    /// Has the Django contenders load the project as one that takes no care: what it needs for a page it imports, and compiles,
    /// at the first request for that.
    pub fn loading_late(mut self) -> Self {
        self.module = "django.core.wsgi:get_wsgi_application()";
        self.environment("DJANGO_SETTINGS_MODULE", "configuration.settings")
    }

    /// Adds to the environment.
    pub fn environment(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }

    /// Makes loading the application take that long (environment variable LOAD_MS).
    pub fn load_ms(mut self, load_ms: u64) -> Self {
        self.load_ms = load_ms;
        self
    }

    /// Asks for another page than the first one.
    pub fn page(mut self, page: &'static str) -> Self {
        self.page = page;
        self
    }

    /// Puts an nginx in front, through which the load goes. What it costs is not the contender's.
    pub fn behind_nginx(mut self) -> Self {
        self.behind_nginx = true;
        self
    }

    /// Has it listen on a port of the loopback's instead of a unix socket.
    pub fn on_tcp(mut self) -> Self {
        self.on_tcp = true;
        self
    }

    /// Has it speak HTTP on a TCP port of this machine, without anything in front.
    pub fn over_http(mut self, keep_alive: bool) -> Self {
        (self.wire, self.on_tcp) = (Wire::Http { keep_alive }, true);
        self.door = "http-socket";
        self
    }

    /// Has a process of its own take HTTP, which asks the workers (`http` of rhinod and uWSGI). Connections are kept.
    pub fn behind_router(mut self) -> Self {
        self = self.over_http(true).option("http-processes", 1).option("http-keepalive", 10);
        self.door = "http";
        self
    }

    /// How long loading the application takes at least.
    pub fn loading(&self) -> Duration {
        Duration::from_millis(self.load_ms)
    }

    /// The name shown in tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts it and waits for its first answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when its program is not there, otherwise what went wrong.
    pub fn serve(&self, lab: &Lab) -> Result<Server, Error> {
        let mut server = Server::start(self.launch(lab)?)?;
        server.wait_ready(lab)?;
        if self.behind_nginx {
            server.put_behind(nginx::before(&server.target(), self.page)?, lab)?;
        }
        Ok(server)
    }

    /// What to start, in a fresh directory.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub fn launch(&self, lab: &Lab) -> Result<Launch, Error> {
        if self.behind_nginx {
            nginx::program()?;
        }
        let dir = directory()?;
        let target = if self.on_tcp { Target::Tcp(free_port()?) } else { Target::Unix(dir.path().join("s")) };
        let (program, arguments) = self.command(lab, dir.path(), &target)?;
        let mut environment = self.environment.clone();
        environment.push(("LOAD_MS".to_owned(), self.load_ms.to_string()));
        if self.contender == Contender::Unsteady {
            environment.push(("UNSTEADY_FILE".to_owned(), MISDEED_FILE.to_owned()));
        }
        if let Contender::Django | Contender::UwsgiDjango = self.contender {
            // It keeps no secrets here, and is asked under the requests' name.
            let database = django_home(lab)?.join("db.sqlite3").to_string_lossy().into_owned();
            let settings = [("SECRET_KEY", "measured"), ("ALLOWED_HOSTS", "app.example"), ("DATABASE_PATH", &database)];
            environment.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Ok(Launch {
            name: self.name.clone(),
            program,
            arguments,
            environment,
            target,
            wire: self.wire,
            page: self.page,
            dir,
        })
    }

    fn command(&self, lab: &Lab, dir: &Path, target: &Target) -> Result<(PathBuf, Vec<OsString>), Error> {
        let with_ini = |program: PathBuf, extra: &[(&str, &str)]| -> Result<(PathBuf, Vec<OsString>), Error> {
            let ini = dir.join("server.ini");
            fs::write(&ini, self.ini(target, extra)).map_err(io_error("ini"))?;
            Ok((program, vec!["--ini".into(), ini.into()]))
        };
        let app = lab.root.join("bench/apps").join(self.application);
        let wsgi_file = ("wsgi-file", &*app.to_string_lossy());
        // Without it uWSGI takes SIGTERM for a reload.
        let die_on_term = ("die-on-term", "true");
        match self.contender {
            Contender::Floor => {
                let processes = self.workers.to_string();
                let socket = target.to_string();
                let mut arguments = vec!["--socket".into(), socket.into(), "--processes".into(), processes.into()];
                if self.wire == (Wire::Http { keep_alive: true }) {
                    arguments.push("--keep-alive".into());
                }
                Ok((lab.program("floor")?, arguments))
            }
            Contender::Hello => with_ini(lab.program("examples/hello")?, &[]),
            Contender::Unsteady => with_ini(lab.program("examples/unsteady")?, &[]),
            Contender::Wsgi => with_ini(python_server(lab)?, &[wsgi_file]),
            Contender::Uwsgi => with_ini(lab.rival("uwsgi")?, &[wsgi_file, die_on_term]),
            Contender::Gunicorn => Ok((lab.rival("gunicorn")?, self.gunicorn_arguments(&app, target))),
            Contender::Granian => Ok((lab.rival("granian")?, self.granian_arguments(&app, target)?)),
            Contender::NginxFiles => {
                let files = self.options.iter().find(|(key, _)| key == "check-static");
                let files = files.map_or(dir, |(_, files)| Path::new(files));
                Ok((nginx::program()?, nginx::serving(dir, files, target, self.workers)?))
            }
            Contender::Django | Contender::UwsgiDjango => {
                let project = lab.root.join("examples/django");
                let home = django_home(lab)?;
                let options = [
                    ("chdir", &*project.to_string_lossy()),
                    ("home", &*home.to_string_lossy()),
                    ("module", self.module),
                    // As the example's ini has it.
                    ("enable-threads", "true"),
                    ("single-interpreter", "true"),
                    die_on_term,
                ];
                let ours = self.contender == Contender::Django;
                with_ini(if ours { python_server(lab)? } else { lab.rival("uwsgi")? }, &options)
            }
        }
    }

    fn ini(&self, target: &Target, extra: &[(&str, &str)]) -> String {
        let mut text = format!(
            "[uwsgi]\n{} = {target}\nmaster = true\nworkers = {}\ndisable-logging = true\n",
            self.door, self.workers
        );
        let own = self.options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        for (key, value) in own.chain(extra.iter().copied()) {
            // Writing to a string cannot fail.
            let _written = writeln!(text, "{key} = {value}");
        }
        text
    }

    fn gunicorn_arguments(&self, app: &Path, target: &Target) -> Vec<OsString> {
        let (kind, kind_value, bind) = match target {
            Target::Unix(path) => ("--protocol", "uwsgi", format!("unix:{}", path.display())),
            Target::Tcp(address) => ("--worker-class", "gthread", address.to_string()),
        };
        let workers = self.workers.to_string();
        let arguments = [kind, kind_value, "--log-level", "warning", "--workers", &workers, "--bind", &bind, "--chdir"];
        let mut arguments: Vec<OsString> = arguments.map(Into::into).into();
        arguments.extend([directory_of(app).into(), "wsgi:application".into()]);
        arguments
    }

    fn granian_arguments(&self, app: &Path, target: &Target) -> Result<Vec<OsString>, Error> {
        let Target::Tcp(address) = target else {
            return Err(Error::Unavailable("granian speaks HTTP only".to_owned()));
        };
        let (host, port, workers) = (address.ip().to_string(), address.port().to_string(), self.workers.to_string());
        let arguments = ["--interface", "wsgi", "--host", &host, "--port", &port, "--workers", &workers];
        let mut arguments: Vec<OsString> = arguments.map(Into::into).into();
        let app = [OsString::from("--working-dir"), directory_of(app).into(), "wsgi:application".into()];
        arguments.extend(["--log-level", "warning"].map(Into::into));
        arguments.extend(app);
        Ok(arguments)
    }
}

/// Where the application's module is found.
fn directory_of(app: &Path) -> &Path {
    app.parent().unwrap_or(Path::new("."))
}

/// The virtualenv of the Django example, with a migrated database in it.
fn django_home(lab: &Lab) -> Result<PathBuf, Error> {
    let python = lab.rival("frameworks")?;
    Ok(python.ancestors().nth(2).unwrap_or(Path::new("/")).to_owned())
}

pub(crate) fn directory() -> Result<TempDir, Error> {
    tempfile::Builder::new().prefix("rhinod-bench-").tempdir().map_err(io_error("directory"))
}

/// One that nobody has right now.
fn free_port() -> Result<SocketAddr, Error> {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    taken.map_err(io_error("a free port"))
}

/// `rhinod` with its Python support, a module beside the program.
fn python_server(lab: &Lab) -> Result<PathBuf, Error> {
    let directories = [lab.programs.clone(), lab.root.join("python/python/rhinod")];
    let is_module = |path: &Path| path.extension().is_some_and(|extension| extension == "so");
    let built = directories.iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten().flatten();
    if built.into_iter().any(|entry| is_module(&entry.path())) {
        lab.program("rhinod")
    } else {
        Err(Error::Unavailable("rhinod's Python module is not built".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ini_has_the_pool_and_the_options_in_their_order() {
        let setup = Setup::pool(Contender::Hello, 4).option("cheaper", 2).option("cheaper-algo", "spare");
        let expected = "[uwsgi]\nsocket = /run/s\nmaster = true\nworkers = 4\ndisable-logging = true\n\
            cheaper = 2\ncheaper-algo = spare\nneed-app = true\n";
        assert_eq!(setup.ini(&Target::Unix("/run/s".into()), &[("need-app", "true")]), expected);
    }

    #[test]
    fn gunicorn_is_given_its_socket_and_application() {
        let arguments =
            Setup::pool(Contender::Gunicorn, 2).gunicorn_arguments(Path::new("/p/wsgi.py"), &Target::Unix("/s".into()));
        let text: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        assert_eq!(
            text.join(" "),
            "--protocol uwsgi --log-level warning --workers 2 --bind unix:/s --chdir /p wsgi:application"
        );
    }
}
