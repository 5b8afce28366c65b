//! Joins WSGI applications to rhinod's processes: the runtime is the interpreter that runs this.
//!
//! The zygote lets go of the interpreter's lock while it waits, so that threads which an application started while it
//! was loaded run there, as in the master of uWSGI; it holds the lock around each fork, with CPython's own hooks, so that
//! none of them is in the middle of anything of the interpreter's then. Zygote, and worker after the fork.

use std::ffi::CString;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};
use rhinod::companion::{Companion, CompanionRuntime};
use rhinod::config::model::{Application, Config, MuleWork, Python as PythonConfig, Refork, Spoolers};
use rhinod::member::{Instance, LoadFailure, Runtime};
use rhinod::sys::memory::give_back_free;
use rhinod::worker::{Worker, WorkerRuntime};
use worker_protocol::ids::Generation;
use worker_protocol::post::Role;

use crate::environ::Remembered;
use crate::failure::traceback;
use crate::ffi::accept_loop::run_detached;
use crate::ffi::{fork, landmarks, lease};
use crate::file_wrapper::FileWrapper;
use crate::harakiri::{self, Threads};
use crate::mounts::Mounts;
use crate::names::Names;
use crate::program;
use crate::service::WsgiService;

/// The server's own modules: name and source.
const MODULES: [(&str, &str); 13] = [
    ("uwsgi", include_str!("../modules/uwsgi.py")),
    ("uwsgidecorators", include_str!("../modules/uwsgidecorators.py")),
    ("rhinod_cache", include_str!("../modules/cache.py")),
    ("rhinod_django", include_str!("../modules/django_cache.py")),
    ("rhinod_flask", include_str!("../modules/flask_cache.py")),
    ("rhinod_spooler", include_str!("../modules/spooler.py")),
    ("rhinod_signals", include_str!("../modules/signals.py")),
    ("rhinod_areas", include_str!("../modules/areas.py")),
    ("rhinod_mule", include_str!("../modules/mule.py")),
    ("rhinod_rpc", include_str!("../modules/rpc.py")),
    ("rhinod_autoreload", include_str!("../modules/autoreload.py")),
    ("rhinod_refork", include_str!("../modules/refork.py")),
    ("rhinod_tracebacker", include_str!("../modules/tracebacker.py")),
];

const LOADER: &str = include_str!("../modules/loader.py");

/// The generation that serves errors when it cannot load, unless `need-app` is set: there is nothing to replace yet.
const FIRST: Generation = Generation(1);

/// The runtime of WSGI applications.
#[derive(Default)]
pub(crate) struct PythonRuntime {
    loaded: Option<Loaded>,
    serves_errors: bool,
}

struct Loaded {
    loader: Py<PyModule>,
    /// The part of the configuration that Python code reads, as a dict.
    settings: Py<PyAny>,
    applications: Vec<(Vec<u8>, Py<PyAny>)>,
}

impl Runtime for PythonRuntime {
    fn prepare(&mut self, config: &Config) -> Result<(), LoadFailure> {
        let Application::Python(python) = &config.application else {
            return Err(LoadFailure::new("the configuration names no Python application"));
        };
        rhinod::logging::stamp_lines(&config.logging);
        Python::attach(|py| {
            // Nothing but `rhinod stacks` and `rhinod profile` needs them.
            if let Err(error) = landmarks::say(py) {
                log::warn!("rhinod stacks will not see this generation's Python code: {error}");
            }
            let loaded = prepare(py, config, python).map_err(|error| internal(py, &error))?;
            self.loaded = Some(loaded);
            Ok(())
        })
    }

    fn load(&mut self, config: &Config, generation: Generation) -> Result<(), LoadFailure> {
        let Some(loaded) = &mut self.loaded else { return Err(LoadFailure::new("load came before prepare")) };
        Python::attach(|py| match loaded.load(py) {
            Ok(()) => {
                loaded.freeze(py)?;
                // With lazy-apps this process is forked from no more, unless it becomes the mold.
                if config.refork != Refork::Never && !config.lazy_apps {
                    loaded.settle(py, config);
                }
                Ok(())
            }
            Err(failure) if config.need_app || generation != FIRST => Err(failure),
            Err(failure) => {
                log::error!("{}", failure.told());
                log::error!(
                    "*** no app loaded: every request is answered with 500 (need-app = true stops instead) ***"
                );
                self.serves_errors = true;
                Ok(())
            }
        })
    }

    fn serves_errors(&self) -> bool {
        self.serves_errors
    }

    fn wait_in_zygote(&mut self, wait: &mut dyn FnMut()) {
        Python::attach(|py| run_detached(py, wait));
    }

    fn before_fork(&mut self) {
        Python::attach(fork::before);
    }

    fn after_fork_in_zygote(&mut self) {
        Python::attach(fork::after_in_parent);
    }

    fn after_fork_in_child(&mut self) {
        Python::attach(fork::after_in_child);
    }

    fn live_threads(&mut self) -> Vec<String> {
        let Some(loaded) = &self.loaded else { return Vec::new() };
        Python::attach(|py| {
            let names = loaded.loader.bind(py).call_method0("live_threads").and_then(|names| names.extract());
            names.unwrap_or_else(|error: PyErr| {
                log::warn!("cannot tell which threads there are: {error}");
                Vec::new()
            })
        })
    }
}

impl CompanionRuntime for PythonRuntime {
    fn in_companion(
        &mut self,
        companion: &Companion<'_>,
        life: &mut dyn FnMut(&mut dyn CompanionRuntime) -> i32,
    ) -> i32 {
        lease::in_companion(companion, || life(self))
    }

    fn accompany(&mut self, companion: &Companion<'_>) -> i32 {
        let number = companion.member().post().number;
        let module = match companion.member().post().role {
            Role::Spooler => "rhinod_spooler",
            Role::Mule | Role::Worker | Role::Router | Role::Daemon => "rhinod_mule",
        };
        Python::attach(|py| {
            let lived = py.import(module).and_then(|module| module.call_method1("live", (number,))?.extract());
            let code = lived.unwrap_or_else(|error| {
                log::error!("{}\n{}", companion.member().post(), traceback(py, &error));
                1
            });
            end_application(py, companion.member().config());
            code
        })
    }
}

/// What an interpreter does when it exits.
fn end_application(py: Python<'_>, config: &Config) {
    let how = (!config.skip_atexit, !config.leaves_threads);
    let ended = py.import("uwsgi").and_then(|uwsgi| uwsgi.call_method1("_end_worker", how));
    if let Err(error) = ended {
        log::error!("the application's end failed\n{}", traceback(py, &error));
    }
}

impl WorkerRuntime for PythonRuntime {
    fn in_zygote(&mut self, instance: &Instance<'_>, act: &mut dyn FnMut(&mut dyn WorkerRuntime)) {
        lease::in_zygote(instance, || act(self));
    }

    fn in_worker(&mut self, worker: &Worker<'_>, life: &mut dyn FnMut(&mut dyn WorkerRuntime) -> i32) -> i32 {
        lease::in_worker(worker, || life(self))
    }

    fn work(&mut self, worker: &Worker<'_>) -> i32 {
        let Some(loaded) = &self.loaded else {
            return worker.member().refuse(&LoadFailure::new("no application was loaded"));
        };
        Python::attach(|py| loaded.work(py, worker))
    }

    fn scour(&mut self) {
        Python::attach(|py| {
            if let Err(error) = py.import("rhinod_refork").and_then(|refork| refork.call_method0("scour")) {
                log::error!("refork: what nobody uses any more is not found\n{}", traceback(py, &error));
            }
        });
    }

    fn settle(&mut self, config: &Config) {
        if let Some(loaded) = &self.loaded {
            Python::attach(|py| loaded.settle(py, config));
        }
    }

    fn part(&mut self, config: &Config) {
        Python::attach(|py| end_application(py, config));
    }
}

/// `py-tracebacker`: a thread that says where the others are.
fn begin_tracebacker(py: Python<'_>, worker: &Worker<'_>) -> PyResult<()> {
    let member = worker.member();
    let Application::Python(python) = &member.config().application else { return Ok(()) };
    let Some(start) = &python.tracebacker else { return Ok(()) };
    let mut path = start.clone().into_os_string();
    path.push(member.post().number.to_string());
    py.import("rhinod_tracebacker")?.call_method1("start", (path,)).map(drop)
}

/// Makes the interpreter what applications expect.
fn prepare(py: Python<'_>, config: &Config, python: &PythonConfig) -> PyResult<Loaded> {
    let loader = embedded(py, "rhinod_loader", LOADER)?;
    let settings = settings(py, config, python)?;
    let sources = PyDict::new(py);
    for (name, source) in MODULES {
        sources.set_item(name, source)?;
    }
    loader.call_method1("prepare", (&settings, sources))?;
    loader.call_method1("import_shared", (&settings,))?;
    Ok(Loaded { loader: loader.unbind(), settings: settings.unbind(), applications: Vec::new() })
}

fn embedded<'py>(py: Python<'py>, name: &str, source: &str) -> PyResult<Bound<'py, PyModule>> {
    let file = format!("<rhinod {name}>");
    PyModule::from_code(py, &CString::new(source)?, &CString::new(file)?, &CString::new(name)?)
}

/// What of the configuration Python code reads: through JSON, which has exactly the types that Python has.
fn settings<'py>(py: Python<'py>, config: &Config, python: &PythonConfig) -> PyResult<Bound<'py, PyAny>> {
    let locks = config.given.iter().rev().find(|(name, _)| name == "locks");
    let locks = locks.and_then(|(_, value)| value.as_deref()?.parse::<u32>().ok()).unwrap_or(0);
    let mules: Vec<_> = config.mules.list.iter().map(work_of_mule).collect();
    let farms: Vec<_> = config.mules.farms.iter().map(|farm| (&farm.name, &farm.mules)).collect();
    let json = serde_json::json!({
        "module": python.module,
        "file": python.file,
        "callable": python.callable,
        "path": python.path,
        "argv": python.argv,
        "imports": python.imports,
        "shared_imports": python.shared_imports,
        "mounts": python.mounts,
        "given": config.given,
        "workers": config.workers,
        "threads": config.threads.max(1),
        "buffer_size": config.request.buffer_size,
        "pidfile": config.pidfiles.pidfile,
        "locks": locks,
        "rpc_max": config.offers.functions_max,
        "queue": config.queue.slots,
        "areas": config.areas.iter().map(|area| (area.bytes, area.offset, area.is_object)).collect::<Vec<_>>(),
        "mules": mules,
        "farms": farms,
        "generation": lease::with_instance(py, |instance| instance.generation().0),
        "spoolers": spoolers(config),
        "mule_harakiri": seconds(config.mules.harakiri),
        "magic": config.magic,
        "is_a_reload": lease::with_instance(py, |instance| instance.generation() != FIRST),
        "applications": python.mounts.len() + usize::from(python.module.is_some() || python.file.is_some()),
    });
    py.import("json")?.call_method1("loads", (json.to_string(),))
}

/// What a mule does, as Python code reads it: a file, `module:callable`, or neither.
fn work_of_mule(work: &MuleWork) -> (Option<&Path>, Option<&str>) {
    match work {
        MuleWork::Messages => (None, None),
        MuleWork::File(path) => (Some(path), None),
        MuleWork::Callable(name) => (None, Some(name)),
    }
}

/// What Python code reads of spoolers.
fn spoolers(config: &Config) -> serde_json::Value {
    let Spoolers { list, ordered, chdir, frequency, quiet, max_tasks, harakiri, imports, .. } = &config.spoolers;
    serde_json::json!({
        "directories": list.iter().map(|spool| &spool.directory).collect::<Vec<_>>(),
        "processes": config.spoolers.processes().collect::<Vec<_>>(),
        "ordered": ordered,
        "chdir": chdir,
        "frequency": frequency.as_secs_f64(),
        "quiet": quiet,
        "max_tasks": max_tasks,
        "harakiri": seconds(*harakiri),
        "imports": imports,
        "retry_delay": config.spoolers.retry_delay.as_secs_f64(),
        "max_crashes": config.spoolers.max_crashes,
    })
}

/// A time for Python code; 0: none.
fn seconds(time: Option<Duration>) -> f64 {
    time.map_or(0.0, |time| time.as_secs_f64())
}

impl Loaded {
    fn load(&mut self, py: Python<'_>) -> Result<(), LoadFailure> {
        let loader = self.loader.bind(py);
        let applications =
            loader.call_method1("load", (&self.settings,)).and_then(|applications| applications.extract());
        match applications {
            Ok(applications) => {
                let applications: Vec<(String, Py<PyAny>)> = applications;
                self.applications =
                    applications.into_iter().map(|(mountpoint, app)| (mountpoint.into_bytes(), app)).collect();
                Ok(())
            }
            Err(error) => Err(load_failure(py, loader, &error)),
        }
    }

    fn freeze(&self, py: Python<'_>) -> Result<(), LoadFailure> {
        self.loader.bind(py).call_method0("freeze").map(drop).map_err(|error| internal(py, &error))
    }

    /// Has the program be shared for good, where the configuration and the interpreter let it.
    fn settle(&self, py: Python<'_>, config: &Config) {
        if !config.refork_immortal {
            return;
        }
        match program::keep(py, &[self.loader.bind(py).clone().into_any()]) {
            Ok(kept) => {
                // What the walk needed is not for those who are forked.
                give_back_free();
                log::debug!("refork: {kept} more objects of the program live for ever");
            }
            Err(error) => log::error!("refork: the program is not shared for good\n{}", traceback(py, &error)),
        }
    }

    /// The life of a worker, from its hooks to the end of its interpreter.
    fn work(&self, py: Python<'_>, worker: &Worker<'_>) -> i32 {
        let is_grown = worker.member().instance().is_grown();
        if let Err(error) = py.import("uwsgi").and_then(|uwsgi| uwsgi.call_method1("_begin_worker", (is_grown,))) {
            log::error!("an application's hook for new workers failed\n{}", traceback(py, &error));
        }
        if let Err(error) = self.watch_sources(py, worker) {
            log::error!("py-autoreload does not watch\n{}", traceback(py, &error));
        }
        if let Err(error) = begin_tracebacker(py, worker) {
            log::error!("py-tracebacker does not listen\n{}", traceback(py, &error));
        }
        let code = match self.service(py, worker) {
            Ok(service) => py.detach(|| worker.serve(&service)),
            Err(error) => worker.member().refuse(&internal(py, &error)),
        };
        if worker.member().calling().is_some() {
            match py.import("rhinod_refork").and_then(|refork| refork.call_method0("cool_down")) {
                Ok(_) => return code,
                Err(error) => {
                    log::error!("a hook before the refork failed\n{}", traceback(py, &error));
                    worker.member().miss_calling("a hook of before_refork failed, as the log says");
                }
            }
        }
        end_application(py, worker.member().config());
        code
    }

    fn watch_sources(&self, py: Python<'_>, worker: &Worker<'_>) -> PyResult<()> {
        if let Application::Python(python) = &worker.member().config().application
            && python.autoreload > 0
        {
            let files = self.loader.bind(py).call_method1("watched", (&self.settings,))?;
            py.import("rhinod_autoreload")?.call_method1("start", (python.autoreload, files))?;
        }
        Ok(())
    }

    fn service(&self, py: Python<'_>, worker: &Worker<'_>) -> PyResult<WsgiService> {
        let config = worker.member().config();
        let Application::Python(python) = &config.application else {
            return Err(pyo3::exceptions::PyRuntimeError::new_err("the configuration names no Python application"));
        };
        let applications = self.applications.iter().map(|(mountpoint, app)| (mountpoint.clone(), app.clone_ref(py)));
        let uwsgi = py.import("uwsgi")?;
        let threads = config.threads.max(1);
        if config.harakiri.limit.is_some() {
            harakiri::arm(py)?;
        }
        Ok(WsgiService {
            mounts: Mounts::new(applications, python.manage_script_name),
            base: self.base_environ(py, worker)?,
            names: Names::new(py),
            clients: config.clients.clone(),
            show_exceptions: python.catch_exceptions,
            remembered: (0..threads).map(|_| Mutex::new(Remembered::default())).collect(),
            tell_core: threads > 1,
            thread_hook: uwsgi.getattr("_name_thread")?.unbind(),
            threads: Threads::new(py, threads)?,
            spares_hook: config.harakiri.spares_hooks,
            request_hook: uwsgi.getattr_opt("after_req_hook")?.filter(|hook| !hook.is_none()).map(Bound::unbind),
        })
    }

    /// The entries of the environ that are the same for every request (uWSGI's manual, "Python support").
    fn base_environ(&self, py: Python<'_>, worker: &Worker<'_>) -> PyResult<Py<PyDict>> {
        let config = worker.member().config();
        let uwsgi = py.import("uwsgi")?;
        let base = PyDict::new(py);
        base.set_item("wsgi.version", (1, 0))?;
        // Its place, so that no table grows for it with each request.
        base.set_item("wsgi.input", py.None())?;
        base.set_item("wsgi.errors", self.loader.bind(py).call_method0("error_stream")?)?;
        base.set_item("wsgi.url_scheme", "http")?;
        base.set_item("wsgi.multithread", config.threads > 1)?;
        base.set_item("wsgi.multiprocess", config.workers > 1)?;
        base.set_item("wsgi.run_once", false)?;
        base.set_item("wsgi.file_wrapper", py.get_type::<FileWrapper>())?;
        base.set_item("uwsgi.version", uwsgi.getattr("version")?)?;
        base.set_item("uwsgi.node", uwsgi.getattr("hostname")?)?;
        // Which loading of the application this is.
        base.set_item("rhinod.generation", worker.member().instance().generation().0)?;
        // uWSGI leaves it out for some paths (a fault of uWSGI's).
        base.set_item("SCRIPT_NAME", "")?;
        Ok(base.unbind())
    }
}

/// A failure of loading: the loader's own text, or the traceback of an error that it did not foresee.
fn load_failure(py: Python<'_>, loader: &Bound<'_, PyModule>, error: &PyErr) -> LoadFailure {
    let foreseen = loader.getattr("LoadError").is_ok_and(|kind| error.matches(py, kind).unwrap_or(false));
    let text = match foreseen {
        true => error.value(py).str().map(|text| text.to_string_lossy().into_owned()).unwrap_or_default(),
        false => traceback(py, error),
    };
    LoadFailure::new(format!("unable to load app (callable not found or import error): {text}"))
}

/// An error of the server's own Python code.
fn internal(py: Python<'_>, error: &PyErr) -> LoadFailure {
    LoadFailure { exit_code: 1, reason: format!("the Python runtime cannot be prepared\n{}", traceback(py, error)) }
}
