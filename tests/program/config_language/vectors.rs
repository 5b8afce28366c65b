//! The 55 test vectors of uWSGI's manual, "How uWSGI parses config files", by their numbers.
//!
//! Vectors 37, 39 to 50, 54 and 55 are about what options make of their values; here they say which entries the options
//! get. Deviations on purpose carry the reason.

use rhinod::config::{Collected, ConfigErrors};

use super::support::{Memory, run, shown};

/// A vector whose text stands in the section `[uwsgi]` of `main.ini`, unless it brings its own section.
struct Vector {
    number: u32,
    text: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    files: &'static [(&'static str, &'static str)],
    expected: Expected,
}

enum Expected {
    /// These entries, `ini = main.ini` and those of the command line left out.
    Shows(&'static [&'static str]),
    /// An error that says this.
    Fails(&'static str),
    /// These entries although uWSGI does otherwise: the reason first.
    Deviates(&'static str, &'static [&'static str]),
}

use Expected::{Deviates, Fails, Shows};

const fn vector(number: u32, text: &'static str, expected: Expected) -> Vector {
    Vector { number, text, arguments: &["--ini", "main.ini"], environment: &[], files: &[], expected }
}

impl Vector {
    const fn called(mut self, arguments: &'static [&'static str]) -> Self {
        self.arguments = arguments;
        self
    }

    const fn with(mut self, environment: &'static [(&'static str, &'static str)]) -> Self {
        self.environment = environment;
        self
    }

    const fn beside(mut self, files: &'static [(&'static str, &'static str)]) -> Self {
        self.files = files;
        self
    }

    fn check(&self) {
        let text = if self.text.starts_with('[') { self.text.to_owned() } else { format!("[uwsgi]\n{}", self.text) };
        let mut world = Memory::new().file("main.ini", text);
        for (name, content) in self.files {
            world = world.file(name, content);
        }
        let result = run(&world, self.arguments, self.environment);
        match &self.expected {
            Shows(lines) => self.check_entries(result, lines, "as uWSGI"),
            Deviates(why, lines) => self.check_entries(result, lines, why),
            Fails(text) => {
                let errors = result.err().unwrap_or_else(|| panic!("vector {} is no error", self.number)).to_string();
                assert!(errors.contains(text), "vector {}: {errors}", self.number);
            }
        }
    }

    fn check_entries(&self, result: Result<Collected, ConfigErrors>, lines: &[&str], why: &str) {
        let collected = result.unwrap_or_else(|errors| panic!("vector {} ({why}): {errors}", self.number));
        let mut entries = shown(&collected);
        entries.retain(|entry| entry != "ini = main.ini");
        assert_eq!(entries, lines, "vector {} ({why})", self.number);
    }
}

const NESTED: &str = "blocks may be nested";
const EXPANDED: &str = "listen may refer to the environment";
const SECTION: &str = "include may name a section";

const VECTORS: [Vector; 56] = [
    vector(1, "  a  ==  b c  ", Shows(&["a = =  b c"])),
    vector(2, "a=b=c", Shows(&["a = b=c"])),
    vector(3, "flag", Shows(&["flag = "])),
    vector(4, "a = \"x y\"", Shows(&["a = \"x y\""])),
    vector(5, "a = 1 ; c", Shows(&["a = 1 ; c"])),
    vector(6, "; a = 1\n  # a", Shows(&[])),
    vector(7, "a: b", Shows(&["a: b = "])),
    vector(8, "= v", Shows(&[" = v"])),
    vector(9, "a = 1\r\n", Shows(&["a = 1"])),
    vector(
        10,
        "[uwsgi] # hi\nfoo=x\n[ uwsgi ]\nfoo=x\n[uwsgi\nfoo=x\n[UWSGI]\nfoo=x\n[uwsgi]\nfoo=5\n[x]\nfoo=6\n[uwsgi]\nfoo=7",
        Shows(&["foo = 5", "foo = 7"]),
    ),
    vector(11, "a = 100%%", Shows(&["a = 100%"])),
    vector(12, "a = a%qb%zc", Shows(&["a = abc"])),
    vector(13, "a = x%\nb = y", Shows(&["a = xb = y"])),
    vector(14, "log-date = %Y-%m-%d %H:%M", Shows(&["log-date = --/srv/app/ :"])),
    vector(15, "log-date = %%Y-%%m-%%d", Shows(&["log-date = %Y-%m-%d"])),
    vector(16, "a = %(undefined)", Shows(&["a = %(undefined)"])),
    vector(17, "a = %%(n)\nn = 17", Shows(&["a = 17", "n = 17"])),
    vector(18, "a = $(HOME) $(NOPE) ${HOME} $HOME", Shows(&["a = /root $(NOPE) ${HOME} $HOME"])),
    vector(19, "a = [@(f)]", Shows(&["a = [one\ntwo]"])).beside(&[("f", "one\ntwo\n")]),
    vector(20, "a = @(nofile)", Fails("main.ini:2: a = @(nofile): @(nofile): /srv/app/nofile cannot be read")),
    vector(21, "a = %()\na = %(abc", Shows(&["a = %()", "a = %(abc"])),
    vector(22, "n1 = 17\nn2 = 30\na = %(n1)-%(n2)", Shows(&["n1 = 17", "n2 = 30", "a = 17-30"])),
    vector(23, "a=%(n)", Shows(&["set-ph = n=1", "n = 1", "a = 1"])).called(&["--set-ph", "n=1", "--ini", "main.ini"]),
    vector(
        24,
        "for = a b  c\nt = <%(_)>\nendfor",
        Shows(&["for = a b  c", "t = <a>", "t = <b>", "t = <c>", "endfor = "]),
    ),
    vector(25, "for-times = 3\nv = %(_)\nend-for", Shows(&["for-times = 3", "v = 1", "v = 2", "v = 3", "end-for = "])),
    vector(26, "for-glob = nomatch*\nx = %(_)", Shows(&["for-glob = nomatch*", "x = nomatch*"])),
    vector(27, "for =\nz = 1\nendfor", Shows(&["for = ", "endfor = "])),
    vector(28, "if-env = FOO=baz\nc=1\nelse =\nd=1\nendif", Shows(&["if-env = FOO=baz", "endif = "]))
        .with(&[("FOO", "bar")]),
    vector(
        29,
        "if-env = HOME\nfor = a b\nx = %(_)\nendfor\nendif",
        Deviates(NESTED, &["if-env = HOME", "for = a b", "x = a", "x = b", "endfor = ", "endif = "]),
    ),
    vector(
        30,
        "if-env = NOPE\nif-env = HOME\nx=1\nendif\ny=1\nendif",
        Deviates(NESTED, &["if-env = NOPE", "endif = "]), // uWSGI ends the outer block at the first endif: y = 1
    ),
    vector(31, "if-env = NOPE\na = 1", Shows(&["if-env = NOPE"])).called(&["--ini", "main.ini", "--processes", "4"]),
    vector(32, "inherit = t.ini\nprocesses = 7", Shows(&["inherit = t.ini", "processes = 7", "processes = 3"]))
        .beside(&[("t.ini", "[uwsgi]\nprocesses=3\n")]),
    vector(33, "ini = l2.ini\nini = :extra\n[extra]\na = main", Shows(&["ini = l2.ini", "ini = :extra", "a = l2"]))
        .beside(&[("l2.ini", "[uwsgi]\n[extra]\na = l2\n")]),
    vector(34, "include = other.ini:sec", Deviates(SECTION, &["include = other.ini:sec", "a = 1"]))
        .beside(&[("other.ini", "[sec]\na = 1\n")]),
    vector(35, "strict\nfoo = 1", Fails("main.ini:3: foo = 1: not an option, and the configuration is strict")),
    vector(35, "foo = 1\nstrict", Fails("main.ini:2: foo = 1: not an option, and the configuration is strict")),
    vector(36, "strict\nset-ph = foo=1", Shows(&["strict = ", "set-ph = foo=1", "foo = 1"])),
    vector(37, "a = 1", Shows(&["version = 1", "a = 1"])).with(&[("UWSGI_VERSION", "1")]),
    vector(38, "a = 1", Shows(&["foo-bar = x", "a = 1"])).with(&[("UWSGI_FOO_BAR", "x")]),
    vector(39, "env = A=B=C\nenv = HOME", Shows(&["env = A=B=C", "env = HOME"])),
    vector(
        40,
        "chmod-socket = 0666\nchmod-socket\nchmod-socket = true",
        Shows(&["chmod-socket = 0666", "chmod-socket = ", "chmod-socket = true"]),
    ),
    vector(41, "chmod-socket = 1", Shows(&["chmod-socket = 1"])),
    vector(42, "uid = 0", Shows(&["uid = 0"])),
    vector(43, "cheaper = 4\nprocesses = 4", Shows(&["cheaper = 4", "processes = 4"])),
    vector(44, "processes = auto", Shows(&["processes = auto"])),
    vector(45, "listen = 99999", Shows(&["listen = 99999"])),
    vector(46, "listen = $(B)", Deviates(EXPANDED, &["listen = 50"])).with(&[("B", "50")]),
    vector(47, "module = a:app\nwsgi-file = b.py", Shows(&["module = a:app", "wsgi-file = b.py"])),
    vector(48, "module = m:missing\nneed-app", Shows(&["module = m:missing", "need-app = "])),
    vector(49, "plugin = doesnotexist", Shows(&["plugin = doesnotexist"])),
    vector(50, "stats = :1717\nmaster = false", Shows(&["stats = :1717", "master = false"])),
    vector(51, "", Shows(&["json = a.json", "a = 1", "b = 0", "c = 1", "c = x"]))
        .called(&["--json", "a.json"])
        .beside(&[("a.json", r#"{"uwsgi":{"a":true,"b":null,"c":[1,"x"],"d":{}}}"#)]),
    vector(52, "", Shows(&["yaml = a.yaml", "k = x", "k = y"]))
        .called(&["--yaml", "a.yaml"])
        .beside(&[("a.yaml", "uwsgi:\n  k: [x, y]\n")]),
    vector(53, "if-opt = master\na = 1\nendif", Shows(&["master = true", "if-opt = master", "endif = "]))
        .called(&["--master", "--ini", "main.ini"]),
    vector(54, "pythonpath = /a\npythonpath = /b", Shows(&["pythonpath = /a", "pythonpath = /b"])),
    vector(55, "pyargv = one \"two x\"", Shows(&["pyargv = one \"two x\""])),
];

#[test]
fn every_vector_gives_the_expected_entries() {
    VECTORS.iter().for_each(Vector::check);
}

#[test]
fn every_vector_is_here() {
    let mut numbers: Vec<u32> = VECTORS.iter().map(|vector| vector.number).collect();
    numbers.dedup();
    assert_eq!(numbers, (1..=55).collect::<Vec<_>>());
}

#[test]
fn a_flag_of_the_command_line_is_no_placeholder() {
    let world = Memory::new().file("main.ini", "[uwsgi]\na = x%(master)\n");
    let collected = run(&world, &["--master", "--ini", "main.ini"], &[]).unwrap();
    assert_eq!(shown(&collected).last().map(String::as_str), Some("a = x%(master)"));
}
