//! Serves the Python examples as their users would: Django behind a real nginx with Redis and Celery, Flask alone.
//!
//! The visitors are in Python (tests/python_examples/), whose standard library has cookies, forms and unittest; this
//! file tells them where the server is and passes their judgement on. What they need and do not find (nginx, Redis,
//! packages from PyPI) is installed or the test fails: nothing is skipped.

use std::path::Path;
use std::process::Command;

#[test]
fn the_django_example_works_behind_nginx() {
    run("django_site.py", "django-venv", 15);
}

#[test]
fn the_django_example_works_with_celery_as_a_daemon_of_the_server() {
    run("django_celery.py", "django-venv", 5);
}

#[test]
fn the_django_example_says_what_is_wrong() {
    run("django_refusals.py", "django-venv", 4);
}

#[test]
fn the_demonstration_of_canaries_ends_as_it_should() {
    run("canary_demo.py", "django-venv", 1);
}

#[test]
fn the_flask_example_works() {
    run("flask_app.py", "flask-venv", 5);
}

/// Runs one of the scripts; it must pass and must have run that many tests.
fn run(script: &str, virtualenv: &str, tests: usize) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python_examples").join(script);
    let output = Command::new("python3")
        .arg(&script)
        .env("RHINOD", crate::extension::rhinod())
        .env("VIRTUALENV", crate::extension::kept(virtualenv))
        .output()
        .expect("execute python3");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    println!("{said}");
    assert!(output.status.success(), "{} failed:\n{said}", script.display());
    assert!(said.contains(&format!("Ran {tests} test")), "{} did not run {tests} tests", script.display());
    assert!(!said.contains("skipped"), "{} skipped a test", script.display());
}
