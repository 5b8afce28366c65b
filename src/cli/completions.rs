//! Completion scripts for bash, zsh and fish, made from the option table: options that work, and the commands. Pure;
//! runs in the command and in the test that keeps the files equal to the table.

use std::fmt::Write;

use super::shell::Shell;
use super::words::WORDS;
use crate::config::options::{Argument, Kind, Opt, Status, options};

/// Words that stand in the place of options.
fn commands() -> Vec<&'static str> {
    WORDS.iter().map(|word| word.name).collect()
}

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

fn working() -> impl Iterator<Item = &'static Opt> {
    options().filter(|option| option.status == Status::Works && !matches!(option.kind, Kind::Logic))
}

/// Whether files are what the value is completed with.
fn names_a_file(option: &Opt) -> bool {
    matches!(option.kind, Kind::Path | Kind::ConfigFile | Kind::Address) || option.kind == Kind::Action
}

fn bash() -> String {
    let names: Vec<String> = working().map(|option| format!("--{}", option.name)).collect();
    let mut choices = String::new();
    for option in working() {
        if let Kind::Choice(words) = option.kind {
            let _ = writeln!(choices, "        --{}) words=\"{}\" ;;", option.name, words.join(" "));
        }
    }
    format!(
        "# bash completion for rhinod\n\
         _rhinod() {{\n    \
             local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words=\n    \
             case $before in\n{choices}        \
                 completions) words=\"bash zsh fish\" ;;\n    \
             esac\n    \
             if [[ -n $words ]]; then\n        \
                 COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n    \
             elif [[ $word == -* ]]; then\n        \
                 COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))\n    \
             elif (( COMP_CWORD == 1 )); then\n        \
                 COMPREPLY=($(compgen -W \"{}\" -- \"$word\") $(compgen -f -- \"$word\"))\n    \
             else\n        \
                 COMPREPLY=($(compgen -f -- \"$word\"))\n    \
             fi\n\
         }}\n\
         complete -o filenames -F _rhinod rhinod\n",
        names.join(" "),
        commands().join(" "),
    )
}

fn zsh() -> String {
    let mut script = String::from("#compdef rhinod\n# zsh completion for rhinod\n_arguments -s \\\n");
    for option in working() {
        let manual = option.manual.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
        let value = zsh_value(option);
        let line = format!("--{}{}[{manual}]{value}", option.name, if value.is_empty() { "" } else { "=" });
        let _ = writeln!(script, "    '*{}' \\", line.replace('\'', "'\\''"));
    }
    let _ = writeln!(script, "    '1: :(({}))' \\\n    '*:file:_files'", commands().join(" "));
    script.replace("((", "(").replace("))", ")")
}

fn zsh_value(option: &Opt) -> String {
    match (option.argument, option.kind) {
        (Argument::None, _) => String::new(),
        (_, Kind::Choice(words)) => format!(":value:({})", words.join(" ")),
        _ if names_a_file(option) => ":file:_files".to_owned(),
        _ => format!(":{}:", option.kind.placeholder().to_lowercase().replace('|', " ")),
    }
}

fn fish() -> String {
    let mut script = String::from("# fish completion for rhinod\n");
    for command in commands() {
        let _ = writeln!(script, "complete -c rhinod -n __fish_use_subcommand -a {command}");
    }
    let _ = writeln!(script, "complete -c rhinod -n '__fish_seen_subcommand_from completions' -a 'bash zsh fish'");
    for option in working() {
        let short = option.short.map_or_else(String::new, |letter| format!(" -s {letter}"));
        let value = match (option.argument, option.kind) {
            (Argument::None, _) => String::new(),
            (_, Kind::Choice(words)) => format!(" -x -a '{}'", words.join(" ")),
            _ if names_a_file(option) => " -r -F".to_owned(),
            _ => " -x".to_owned(),
        };
        let manual = option.manual.replace('\\', "\\\\").replace('\'', "\\'");
        let _ = writeln!(script, "complete -c rhinod{short} -l {}{value} -d '{manual}'", option.name);
    }
    script
}
