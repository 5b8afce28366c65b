//! `uwsgi-compat.ini`: a configuration that runs, then every option that works with its default and one line. Made from
//! the option table. Pure; runs in the test that keeps the file equal to the table.

use std::fmt::Write;

use crate::config::options::{Group, Kind, Opt, Section, Status, TABLE};

/// The live part. `%d` is the directory of the file, with a slash at the end, so that it runs from a checkout.
const LIVE: &str = "\
# A configuration of uWSGI's that rhinod runs as it is: rhinod uwsgi-compat.ini
#
# `rhinod check uwsgi-compat.ini` says what each line does, `rhinod --help WORD` explains options.
# Below the live part stands every other option that works, commented out, with its default.
# Written by `make bless`; the table in src/config/options/ is the source.

[uwsgi]
# Where everything is; %d is the directory of this file, with a slash at the end.
base = %d
# What nginx connects to: uwsgi_pass unix:/path/of/this/directory/myProject.sock;
socket = %(base)myProject.sock
module = configuration.wsgi:application
pidfile = %(base)myProject.pid
# A virtual environment beside this file is used if there is one.
if-dir = %dvenv
home = %(_)
endif =
master = true
enable-threads = true
single-interpreter = true
cheaper-algo = spare
cheaper-initial = 2
workers = 10
cheaper-step = 2

# The application above, for a checkout of rhinod; your own needs no such line if it is in this directory.
pythonpath = %(base)examples/wsgi
vacuum = true
";

/// The whole file.
pub fn sample() -> String {
    let mut text = String::from(LIVE);
    let shown = TABLE.iter().filter(|section| !matches!(section.group, Group::Language | Group::Helpers));
    for Section { group, rows, .. } in shown {
        let working: Vec<&Opt> = rows.iter().filter(|option| option.status == Status::Works).collect();
        if working.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n#\n# {}\n#", group.title());
        for option in working {
            let _ = writeln!(text, "\n# {}\n{}", option.manual, commented(option));
        }
    }
    text
}

/// `#name = default`, or what a value looks like when there is no default.
fn commented(option: &Opt) -> String {
    let value = match (option.default, option.kind) {
        ("", Kind::FlagOrText) => "true".to_owned(),
        ("", kind) => kind.placeholder(),
        (default, _) => default.to_owned(),
    };
    format!("#{} = {value}", option.name)
}
