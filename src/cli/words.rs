//! The words that may stand in the place of the first argument: what each takes, its own help, and what people type who mean
//! one of them. Not for reading what follows them (`word_arguments`). Pure; runs before anything else.

use crate::config::nearest::nearest;

/// One word: how it is called, and what there is to know.
pub(super) struct Word {
    pub(super) name: &'static str,
    /// What follows it, and what that does; the same lines stand in the overview and in the manual page.
    pub(super) usage: &'static str,
    pub(super) does: &'static str,
    /// The rest of its own help.
    pub(super) more: &'static str,
}

/// How an instance is named in every command that is for one.
const INSTANCE: &str = "
INSTANCE is one of
  a pid file        of pidfile, safe-pidfile and their relatives
  a process id      of the master
  an ini file       app.ini, or app.ini:SECTION: by the pid files and master fifos that it names
  a master fifo     of the instance that reads it
";

const ANSWERS: &str = "
Ends with
  0   it is done
  66  there is no such file, or it names no process
  68  no instance answers there
  75  it failed, or is not over in time
  77  the instance belongs to another user
";

const STATES: &str = "
Ends with
  0   serving
  3   loading: no worker has served yet, or none is ready
  4   paused
  5   stopping
  22  there is no application: every request is answered with 500
  75  serving, but the last reload failed and the code from before it serves
  66  there is no such file, or it names no process
  68  no instance answers there
The first of stopping, paused, loading, no application and a failed reload that holds is the state.
With --quiet nothing is printed. A statistics socket is printed as it is, and ends with 0.
";

/// Every word, in the order of the overview.
pub(super) const WORDS: &[Word] = &[
    Word {
        name: "check",
        usage: "[--format json] [--run] [OPTION…] [FILE…]",
        does: "say what each line does, without starting anything",
        more: "
It looks at what can be looked at, with the rights of the user that the instance becomes, if root asks: users, directories,
files to write, addresses, the application's file. Last it says what it did not try.

Ends with
  0  nothing keeps it from starting, and every line does what it says
  1  the same, but some lines do nothing
  2  it cannot be started, or its application cannot be loaded
",
    },
    Word {
        name: "show",
        usage: "[--changed] [--format json] [OPTION…] [FILE…]",
        does: "print each value that holds and where it came from",
        more: "
With --changed those that stand at their default are left out.
",
    },
    Word {
        name: "route",
        usage: "FILE METHOD URL [\"Header: value\"…]",
        does: "say what routing rules make of a request",
        more: "
Rule by rule: what matched, what followed; then what is left of the request, and what becomes of the answer, as if the
application answered with 200. Nothing is started and nothing changed.

Ends with
  0   it is said
  64  the request is none
  78  the configuration cannot be read, or a rule cannot be used
",
    },
    Word { name: "simulate", usage: "…", does: "try scaling rules on a recorded load", more: "" },
    Word {
        name: "status",
        usage: "[--quiet] [--format json] INSTANCE",
        does: "say how an instance is doing",
        more: STATES,
    },
    Word {
        name: "top",
        usage: "INSTANCE",
        does: "show workers and requests on the terminal, live",
        more: "
Once a second: requests a second, how long they take and wait, how many workers there are and what each does, and the last
decisions on their number with the reasons. INSTANCE may be the address of `metrics`, or of `stats` with `stats-http`, too.

Keys
  r     reload
  + -   a worker more or fewer, within the bounds of scaling
  p     pause, or go on
  q     quit
",
    },
    Word {
        name: "stacks",
        usage: "INSTANCE",
        does: "say where each thread of each worker is",
        more: "
Read from the memory of the workers: none of them is stopped, and one that hangs is told of like any other. Of Python the file,
line and function of each call; of every thread its name, and where in the kernel it waits, if the kernel says so. Calls of
code that is not Python are not shown.

Ends with
  0   it is said
  66  there is no such file, or it names no process
  68  no instance answers there
  77  the memory of its workers may not be read, or the instance belongs to another user
",
    },
    Word {
        name: "profile",
        usage: "[-o FILE.svg] INSTANCE SECONDS",
        does: "see for a time where the workers' Python code is",
        more: "
A hundred times a second it looks where each thread is, as `stacks` does; a thread that waits for a request does not count. With
-o it draws a flame graph: the wider a call, the more of the time was spent in it. Without, it prints the stacks and how often
each was seen, as other programs that draw take them. At last it says on standard error how much it saw, and what looking took.

Ends with
  0   it is done
  66  there is no such file, or it names no process
  68  no instance answers there, or none of its workers runs Python
  73  the file cannot be written
  77  the memory of its workers may not be read, or the instance belongs to another user
",
    },
    Word {
        name: "stop",
        usage: "[--no-wait] INSTANCE",
        does: "finish what is under way and end; waits for that",
        more: "
It waits as long as the instance itself does: worker-reload-mercy, and a little for what has to be killed. With --no-wait
it returns as soon as the instance has heard it.
",
    },
    Word {
        name: "reload",
        usage: "INSTANCE",
        does: "load configuration and code anew; waits for the outcome",
        more: "",
    },
    Word {
        name: "canary",
        usage: "commit|rollback INSTANCE",
        does: "end the trial of a new generation (reload-canary) at once",
        more: "",
    },
    Word { name: "pause", usage: "INSTANCE", does: "take no more requests", more: "" },
    Word { name: "resume", usage: "INSTANCE", does: "go on after a pause", more: "" },
    Word {
        name: "help",
        usage: "[WORD]",
        does: "this text, or the options that have to do with a word; `all` lists everything",
        more: "",
    },
    Word { name: "version", usage: "", does: "the version", more: "" },
    Word {
        name: "completions",
        usage: "bash|zsh|fish",
        does: "a completion script for the shell",
        more: "
bash  rhinod completions bash > /etc/bash_completion.d/rhinod
zsh   rhinod completions zsh > \"${fpath[1]}/_rhinod\"
fish  rhinod completions fish > ~/.config/fish/completions/rhinod.fish
",
    },
    Word { name: "man", usage: "", does: "the manual page: rhinod man | man -l -", more: "" },
];

/// What people type who come from other servers, and what it is here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("start", "rhinod FILE serves"),
    ("serve", "rhinod FILE serves"),
    ("run", "rhinod FILE serves"),
    ("restart", "did you mean `rhinod reload`, which loses no request?"),
    ("kill", "did you mean `rhinod stop`?"),
    ("quit", "did you mean `rhinod stop`?"),
    ("suspend", "did you mean `rhinod pause`?"),
    ("validate", "did you mean `rhinod check`?"),
    ("test", "did you mean `rhinod check`?"),
    ("config", "did you mean `rhinod show`?"),
];

impl Word {
    /// The feature that it needs and that this program was built without.
    pub(super) fn missing(&self) -> Option<&'static str> {
        match self.name {
            "check" | "show" | "route" | "top" | "stacks" | "profile" | "completions" | "man"
                if !cfg!(feature = "cli") =>
            {
                Some("cli")
            }
            "simulate" if !cfg!(feature = "simulate") => Some("simulate"),
            _ => None,
        }
    }
}

/// The word of this name.
pub(super) fn find(name: &str) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.name == name)
}

/// The help of one word.
pub(super) fn help_of(name: &str, word: &Word) -> String {
    let rest = match word.usage.contains("INSTANCE") {
        true if word.more.contains("Ends with") => format!("{INSTANCE}{}", word.more),
        true => format!("{INSTANCE}{}{ANSWERS}", word.more),
        false => word.more.to_owned(),
    };
    let call = format!("{name} {} {}", word.name, word.usage);
    format!("{}\n\n{}.\n{rest}", call.trim_end(), capitalised(word.does))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What is to be said of a first argument that is no word of ours, no option, and cannot be a file or an application.
pub(super) fn mistyped(typed: &str) -> Option<String> {
    if !typed.chars().all(|letter| letter.is_ascii_alphabetic() || letter == '-') || typed.starts_with('-') {
        return None;
    }
    if let Some((_, instead)) = ELSEWHERE.iter().find(|(known, _)| *known == typed) {
        return Some(format!("there is no command `{typed}`: {instead}"));
    }
    let near = nearest(typed, WORDS.iter().map(|word| word.name))?;
    Some(format!("there is no command `{typed}`: did you mean `rhinod {}`?", near.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_and_a_word_of_another_server_are_told_what_they_mean_here() {
        let told = |typed: &str| mistyped(typed).unwrap_or_default();
        assert!(told("staus").contains("did you mean `rhinod status`?"), "{}", told("staus"));
        assert!(told("relaod").contains("did you mean `rhinod reload`?"));
        assert!(told("restart").contains("rhinod reload"));
        assert!(told("serve").contains("rhinod FILE serves"));
        for other in ["app.ini", "wsgi:app", "./status", "--stats", "[uwsgi]", "xyzzy"] {
            assert_eq!(mistyped(other), None, "{other}");
        }
    }

    #[test]
    fn the_help_of_each_word_begins_with_how_it_is_called() {
        let texts: Vec<String> = WORDS.iter().map(|word| help_of("rhinod", word)).collect();
        insta::assert_snapshot!(texts.join("\n----\n"));
    }
}
