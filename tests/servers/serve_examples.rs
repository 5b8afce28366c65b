//! What is meant to be copied works as it stands: the configuration in `examples/`, the script behind `make run-rust`, and
//! the links of the documents.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Log, PATIENCE, await_exit, example_path, http_get, processes_with};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `make run-rust` is this script after a build.
#[test]
fn the_hello_example_runs_behind_nginx_until_ctrl_c_and_leaves_nothing() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    let temporary = tempfile::tempdir().expect("a temporary directory");
    // nginx's workers have another user when root starts it.
    fs::set_permissions(temporary.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    let mark = format!("RHINOD_TEST_RUN={}", temporary.path().display());
    let (reader, writer) = io::pipe().expect("a pipe for the log");
    let mut command = Command::new(package().join("examples/run-hello"));
    command.arg(free.port().to_string()).env("HELLO", example_path("hello")).env("TMPDIR", temporary.path());
    command.env("RHINOD_TEST_RUN", temporary.path()).env_remove("RUST_LOG").process_group(0).stdin(Stdio::null());
    command.stdout(writer.try_clone().expect("a second end")).stderr(writer);
    let mut child = command.spawn().expect("run the script");
    drop(command);
    let (pid, log) = (i32::try_from(child.id()).expect("a pid"), Log::of(reader));
    let exit = await_exit(pid);
    let address: SocketAddr = free;
    assert!(log.wait_for_or_end(&format!("serving on http://{address}/")).is_some(), "{}", log.tail());
    for _ in 0..10 {
        assert_eq!(http_get(address, "/").text(), "Hello, world\n");
    }
    assert!(http_get(address, "/env").text().contains("REQUEST_MSEC="));
    // A terminal sends its Ctrl-C to everyone in the foreground.
    killpg(Pid::from_raw(pid), Signal::SIGINT).expect("the script's own group");
    assert!(exit.within(PATIENCE), "it does not end:\n{}", log.tail());
    assert!(child.wait().expect("our child").success(), "{}", log.tail());
    assert!(log.wait_for_end(PATIENCE), "someone is left: {:?}", processes_with(&mark));
    assert_eq!(fs::read_dir(temporary.path()).expect("the directory").count(), 0, "files are left");
    assert!(!log.tail().contains("[error]"), "{}", log.tail());
}

/// Every line of the example's configuration does something. (`documents` judges those of the pages.)
#[test]
fn the_configuration_of_the_example_does_what_it_says() {
    let file = package().join("examples/hello.ini");
    let checked = Command::new(example_path("hello")).arg("check").arg(&file).output().expect("run hello");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(0), "{}:\n{said}", file.display());
}

/// What systemd itself says of the units, where it is installed; the drop-in is for a newer one than most have.
#[test]
fn systemd_has_nothing_against_the_units() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else { return };
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let is_253 =
        version.split_whitespace().nth(1).and_then(|number| number.parse().ok()).is_some_and(|it: u32| it >= 253);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str| {
        let text = fs::read_to_string(package().join("examples").join(name)).expect("the unit");
        let text = text.replace("/usr/local/bin/rhinod", "/bin/true").replace("/usr/local/bin/hello", "/bin/true");
        for word in ["NoNewPrivileges=yes", "CapabilityBoundingSet=\n", "AF_NETLINK", "SystemCallFilter=", "UMask="] {
            assert!(name.ends_with(".socket") || text.contains(word), "{name} has no {word}");
        }
        fs::write(directory.path().join(name), text).expect("write the unit");
    };
    for name in ["hello.service", "rhinod.service", "rhinod.socket", "app.service"] {
        write(name);
    }
    if is_253 {
        let drop_in = directory.path().join("rhinod.service.d");
        fs::create_dir(&drop_in).expect("a directory");
        fs::copy(package().join("examples/rhinod-253.conf"), drop_in.join("253.conf")).expect("copy the drop-in");
    }
    for name in ["hello.service", "rhinod.service", "rhinod.socket", "app.service"] {
        let judged = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(directory.path().join(name))
            .env("SYSTEMD_UNIT_PATH", format!("{}:", directory.path().display()))
            .output()
            .expect("execute systemd-analyze");
        let said = String::from_utf8_lossy(&judged.stderr).into_owned();
        let about_ours: Vec<&str> = said
            .lines()
            .filter(|line| line.contains(directory.path().to_str().unwrap_or(name)) || line.contains(name))
            .collect();
        assert!(judged.status.success() && about_ours.is_empty(), "{name}: {judged:?}");
    }
}

/// The unit names the codes that a restart does not mend.
#[test]
fn the_systemd_unit_knows_the_exit_codes() {
    let units = ["hello", "rhinod", "app"].map(|name| package().join(format!("examples/{name}.service")));
    let [unit, others @ ..] = units.map(|path| fs::read_to_string(path).expect("the unit"));
    let line = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus=")).expect("the line");
    let named: Vec<u8> = line.split(' ').map(|code| code.parse().expect("a number")).collect();
    use rhinod::exit::Exit;
    let unmendable =
        [Exit::Usage, Exit::Input, Exit::Account, Exit::Create, Exit::Permission, Exit::Configuration].map(Exit::code);
    assert_eq!(named, unmendable);
    assert!(others.iter().all(|other| other.contains(&format!("RestartPreventExitStatus={line}\n"))));
}

/// The links of the documents lead somewhere.
#[test]
fn the_documents_link_to_files_that_exist() {
    let pages = fs::read_dir(package().join("docs")).expect("the pages").map(|page| page.expect("a page").path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let others = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| package().join(name));
    for path in pages.chain(others) {
        let document = path.display();
        let text = fs::read_to_string(&path).expect("the document");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let linked: PathBuf =
                path.parent().expect("a directory").join(target.split('#').next().unwrap_or_default());
            assert!(linked.exists(), "{document} links to {target}");
        }
    }
}
