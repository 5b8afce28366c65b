//! Who is measured: the floor, rhinod with its Rust and Python applications, uWSGI, gunicorn; and how each is started.
//!
//! rhinod and uWSGI read the same ini options, so one list of options describes a setup for both. Runs in the
//! measuring process.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::client::Target;
use crate::lab::{Error, Lab, io_error};
use crate::server::{Launch, Server};

/// A program that answers `GET /` with `Hello, world\n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    /// accept4, read, write, close.
    Floor,
    /// rhinod with the Rust example.
    Hello,
    /// rhinod with the Python application.
    Wsgi,
    /// uWSGI with the Python application.
    Uwsgi,
    /// gunicorn's uwsgi protocol with the Python application.
    Gunicorn,
}

/// A contender and its options.
#[derive(Debug, Clone)]
pub struct Setup {
    contender: Contender,
    name: String,
    options: Vec<(String, String)>,
    load_ms: u64,
    workers: usize,
}

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Hello => "rhinod hello",
            Self::Wsgi => "rhinod wsgi",
            Self::Uwsgi => "uwsgi wsgi",
            Self::Gunicorn => "gunicorn wsgi",
        }
    }
}

impl Setup {
    /// `workers` processes, request logging off.
    pub fn pool(contender: Contender, workers: usize) -> Self {
        Self { contender, name: contender.name().to_owned(), options: Vec::new(), load_ms: 0, workers }
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

    /// Makes loading the application take that long (environment variable LOAD_MS).
    pub fn load_ms(mut self, load_ms: u64) -> Self {
        self.load_ms = load_ms;
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
        Ok(server)
    }

    /// What to start, in a fresh directory.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub fn launch(&self, lab: &Lab) -> Result<Launch, Error> {
        let dir = tempfile::Builder::new().prefix("rhinod-bench-").tempdir().map_err(io_error("directory"))?;
        let socket = dir.path().join("s");
        let (program, arguments) = self.command(lab, dir.path(), &socket)?;
        let environment = vec![("LOAD_MS".to_owned(), self.load_ms.to_string())];
        Ok(Launch { name: self.name.clone(), program, arguments, environment, target: Target::Unix(socket), dir })
    }

    fn command(&self, lab: &Lab, dir: &Path, socket: &Path) -> Result<(PathBuf, Vec<OsString>), Error> {
        let with_ini = |program: PathBuf, extra: &[(&str, &str)]| -> Result<(PathBuf, Vec<OsString>), Error> {
            let ini = dir.join("server.ini");
            fs::write(&ini, self.ini(socket, extra)).map_err(io_error("ini"))?;
            Ok((program, vec!["--ini".into(), ini.into()]))
        };
        let app = lab.root.join("bench/apps/wsgi.py");
        let wsgi_file = ("wsgi-file", app.to_string_lossy().into_owned());
        match self.contender {
            Contender::Floor => {
                let processes = self.workers.to_string();
                let arguments = vec!["--socket".into(), socket.into(), "--processes".into(), processes.into()];
                Ok((lab.program("floor")?, arguments))
            }
            Contender::Hello => with_ini(lab.program("examples/hello")?, &[]),
            Contender::Wsgi => {
                extension(lab)?;
                with_ini(lab.program("rhinod")?, &[(wsgi_file.0, &wsgi_file.1)])
            }
            // Without die-on-term uWSGI takes SIGTERM for a reload.
            Contender::Uwsgi => with_ini(lab.rival("uwsgi")?, &[(wsgi_file.0, &wsgi_file.1), ("die-on-term", "true")]),
            Contender::Gunicorn => Ok((lab.rival("gunicorn")?, self.gunicorn_arguments(&app, socket))),
        }
    }

    fn ini(&self, socket: &Path, extra: &[(&str, &str)]) -> String {
        let mut text = format!(
            "[uwsgi]\nsocket = {}\nmaster = true\nworkers = {}\ndisable-logging = true\n",
            socket.display(),
            self.workers
        );
        let own = self.options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        for (key, value) in own.chain(extra.iter().copied()) {
            // Writing to a string cannot fail.
            let _written = writeln!(text, "{key} = {value}");
        }
        text
    }

    fn gunicorn_arguments(&self, app: &Path, socket: &Path) -> Vec<OsString> {
        let mut bind = OsString::from("unix:");
        bind.push(socket);
        let workers = self.workers.to_string();
        let directory = app.parent().unwrap_or(Path::new("."));
        let mut arguments: Vec<OsString> =
            ["--protocol", "uwsgi", "--log-level", "warning", "--workers", &workers, "--bind"].map(Into::into).into();
        arguments.extend([bind, "--chdir".into(), directory.into(), "wsgi:application".into()]);
        arguments
    }
}

/// rhinod's Python support is a module beside the program.
fn extension(lab: &Lab) -> Result<(), Error> {
    let directories = [lab.programs.clone(), lab.root.join("python/python/rhinod")];
    let is_module = |path: &Path| path.extension().is_some_and(|extension| extension == "so");
    let built = directories.iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten().flatten();
    if built.into_iter().any(|entry| is_module(&entry.path())) {
        Ok(())
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
        assert_eq!(setup.ini(Path::new("/run/s"), &[("need-app", "true")]), expected);
    }

    #[test]
    fn gunicorn_is_given_its_socket_and_application() {
        let arguments =
            Setup::pool(Contender::Gunicorn, 2).gunicorn_arguments(Path::new("/p/wsgi.py"), Path::new("/s"));
        let text: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        assert_eq!(
            text.join(" "),
            "--protocol uwsgi --log-level warning --workers 2 --bind unix:/s --chdir /p wsgi:application"
        );
    }
}
