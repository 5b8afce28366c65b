//! What a start says of itself: which program and application, with which Python, where, and with how many workers. Pure; master
//! only.

use std::path::Path;

use crate::config::model::{Application, Config, Python};

/// The first lines, without what the logger adds; the addresses follow. `python` is the version of the interpreter, where files
/// tell it.
pub(super) fn lines(config: &Config, pid: u32, python: Option<&str>) -> [String; 2] {
    let version = env!("CARGO_PKG_VERSION");
    [format!("rhinod {version} (pid {pid}) serves {}", application(&config.application, python)), workers(config)]
}

fn application(application: &Application, version: Option<&str>) -> String {
    match application {
        Application::Embedded => "the application in its own binary".to_owned(),
        Application::Rust(path) => format!("the application of {}", path.display()),
        Application::Python(python) => {
            let of_version = version.map(|version| format!("Python {version}, ")).unwrap_or_default();
            format!("{}, by {of_version}{}", python_application(python), interpreter(python))
        }
    }
}

fn python_application(python: &Python) -> String {
    let callable = python.callable.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
    match (&python.module, &python.file) {
        (Some(module), _) => format!("the Python module {module}{callable}"),
        (None, Some(file)) => format!("the Python file {}{callable}", file.display()),
        (None, None) if python.mounts.is_empty() => "Python".to_owned(),
        (None, None) => format!("{} mounted Python applications", python.mounts.len()),
    }
}

/// Which one will be looked for first, and what chose it.
fn interpreter(python: &Python) -> String {
    let of = |path: &Path| path.display().to_string();
    match (&python.home, &python.interpreter, &python.own_interpreter) {
        (Some(home), ..) => format!("the virtualenv {}", of(home)),
        (None, Some(path), _) => of(path),
        (None, None, Some(path)) => format!("{} (rhinod's own virtualenv)", of(path)),
        (None, None, None) => "python3 of PATH".to_owned(),
    }
}

fn workers(config: &Config) -> String {
    let (most, threads) = (config.workers, config.threads.max(1));
    let threads = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
    match config.scaling.enabled {
        true => format!(
            "{} to {most} workers with {threads} each, as cheaper-algo = {} decides",
            config.scaling.minimum,
            config.scaling.policy.name()
        ),
        false if most == 1 => format!("1 worker with {threads}"),
        false => format!("{most} workers with {threads} each"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(config: &Config) -> String {
        let [_, second] = lines(config, 7, None);
        second
    }

    #[test]
    fn program_application_and_interpreter_are_named() {
        let told = |application: Application, version: Option<&str>| {
            let [first, _] = lines(&Config { application, ..Config::default() }, 7, version);
            first.split_once("(pid 7) serves ").map(|(_, said)| said.to_owned()).unwrap_or_default()
        };
        let said = |application: Application| told(application, None);
        assert_eq!(said(Application::Embedded), "the application in its own binary");
        assert_eq!(said(Application::Rust("/srv/app".into())), "the application of /srv/app");
        let python = Python { module: Some("wsgi:app".into()), home: Some("/srv/venv".into()), ..Python::default() };
        assert_eq!(said(Application::Python(python)), "the Python module wsgi:app, by the virtualenv /srv/venv");
        let python = Python { file: Some("w.py".into()), callable: Some("app".into()), ..Python::default() };
        assert_eq!(said(Application::Python(python)), "the Python file w.py, app, by python3 of PATH");
        let python = Python { module: Some("wsgi".into()), home: Some("/srv/venv".into()), ..Python::default() };
        let said = told(Application::Python(python), Some("3.11.2"));
        assert_eq!(said, "the Python module wsgi, by Python 3.11.2, the virtualenv /srv/venv");
    }

    #[test]
    fn workers_are_a_number_or_a_range_with_its_rule() {
        let mut config = Config { workers: 1, threads: 4, ..Config::default() };
        assert_eq!(second(&config), "1 worker with 4 threads");
        config = Config { workers: 8, threads: 1, ..config };
        assert_eq!(second(&config), "8 workers with 1 thread each");
        config.scaling.enabled = true;
        config.scaling.minimum = 2;
        let said = second(&config);
        assert!(said.starts_with("2 to 8 workers with 1 thread each, as cheaper-algo = "), "{said}");
    }
}
