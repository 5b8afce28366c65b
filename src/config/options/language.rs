//! Options of the configuration language itself: files, placeholders, logic.
//!
//! The rows of the option table for the group [`Language`](super::Group::Language).
//! Read in the master before anything else, and by the commands.

use super::kind::Kind;
use super::row::{Opt, action, flag, list, pair, text, value};

// What stands behind several rows.
const PLUGINS: &str = "there is nothing to load: what works is built in";
const PRINTING: &str = "printing and ending while the configuration is read; see `rhinod show`";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    value("xml", Kind::ConfigFile).aka(&["xmlconfig"]).short('x').list()
        .unsupported("write the file as ini, yaml or json").says("Read an XML configuration file now"),
    value("config", Kind::ConfigFile).list().works().says("Read a configuration file now, by its ending"),
    text("fallback-config").works().says("Re-exec with this file when startup ends with exit status 1"),
    flag("strict").works().says("Abort on any unknown option instead of treating it as placeholder"),
    pair("set").short('S').list().works().says("Inject key=value as option or placeholder"),
    pair("set-placeholder").aka(&["set-ph"]).list().works()
        .says("Define placeholder key=value; rejects real option names"),
    pair("declare-option").list().works().says("Define a new option as a template of other options"),
    pair("declare-option2").list().unsupported("write it as ini")
        .says("Like declare-option but handled in the later pass"),
    text("resolve").unsupported("write it as ini").says("Store DNS lookup of name into placeholder (ph=name)"),
    value("for", Kind::Logic).list().works().says("Start loop over space-separated words; %(_) is the word"),
    value("for-glob", Kind::Logic).list().works().says("Start loop over files matching a glob"),
    value("for-times", Kind::Logic).list().works().says("Start loop counting from 1 to N"),
    value("for-readline", Kind::Logic).list().works().says("Start loop over lines of a file"),
    value("if-opt", Kind::Logic).list().works().says("Block applies when option is already set (or equals value)"),
    value("if-not-opt", Kind::Logic).list().works().says("Block applies when option is unset (or differs)"),
    value("if-env", Kind::Logic).aka(&["ifenv"]).list().works()
        .says("Block applies when environment variable exists (or equals value)"),
    value("if-not-env", Kind::Logic).list().works()
        .says("Block applies when environment variable is missing (or differs)"),
    value("if-reload", Kind::Logic).bare().list().works().says("Block applies only after an in-place reload"),
    value("if-not-reload", Kind::Logic).bare().list().works().says("Block applies only on first start"),
    value("if-hostname", Kind::Logic).list().works().says("Block applies when hostname equals value"),
    value("if-not-hostname", Kind::Logic).list().works().says("Block applies when hostname differs"),
    value("if-hostname-match", Kind::Logic).list().works().says("Block applies when hostname matches regex"),
    value("if-not-hostname-match", Kind::Logic).list().works().says("Block applies when hostname does not match regex"),
    value("if-exists", Kind::Logic).aka(&["ifexists"]).list().works().says("Block applies when path is readable"),
    value("if-not-exists", Kind::Logic).list().works().says("Block applies when path is not readable"),
    value("if-plugin", Kind::Logic).aka(&["ifplugin"]).list().works().says("Block applies when named plugin is loaded"),
    value("if-not-plugin", Kind::Logic).list().works().says("Block applies when named plugin is not loaded"),
    value("if-file", Kind::Logic).list().works().says("Block applies when path is a regular file"),
    value("if-not-file", Kind::Logic).list().works().says("Block applies when path is not a regular file"),
    value("if-dir", Kind::Logic).aka(&["ifdir", "if-directory"]).list().works()
        .says("Block applies when path is a directory"),
    value("if-not-dir", Kind::Logic).list().works().says("Block applies when path is not a directory"),
    value("endif", Kind::Logic).aka(&["endfor", "end-for", "end-if"]).optional().list().works()
        .says("Close the open if/for block"),
    text("blacklist").works().says("Forbid the listed option names from here on"),
    action("end-blacklist").works().says("Stop enforcing the blacklist"),
    text("whitelist").works().says("Allow only the listed option names from here on"),
    action("end-whitelist").works().says("Stop enforcing the whitelist"),
    value("inherit", Kind::ConfigFile).list().works()
        .says("Load a template file after variable expansion (its values win)"),
    value("include", Kind::ConfigFile).list().works().says("Load another config file at this point"),
    list("inject-before").works().says("Prepend raw file text to every config file read later"),
    list("inject-after").works().says("Append raw file text to every config file read later"),
    value("ini", Kind::ConfigFile).list().works().says("Read an INI file (file, file:section, :section, URL, -)"),
    value("yaml", Kind::ConfigFile).aka(&["yml"]).short('y').list().works().says("Read a YAML file now"),
    value("json", Kind::ConfigFile).aka(&["js"]).short('j').list().works().says("Read a JSON file now"),
    text("mode").accepted("it is only a label, which applications see as `uwsgi.mode`").says("Free mode string visible to apps (and XML filters)"),
    text("plugins").aka(&["plugin"]).accepted(PLUGINS).says("Load comma-separated plugins; missing ones only warn"),
    text("need-plugins").aka(&["need-plugin"]).accepted(PLUGINS).says("Load plugins; missing one aborts"),
    list("plugins-dir").aka(&["plugin-dir"]).accepted(PLUGINS).says("Directory searched for plugins"),
    flag("autoload").accepted(PLUGINS).says("Load plugin automatically for an unknown option"),
    action("print").required().not_yet(PRINTING).says("Print value to stdout"),
    action("iprint").required().not_yet(PRINTING).says("Print value to stdout at parse time"),
    action("exit").optional().default("1").not_yet(PRINTING).says("Exit at parse time with this status"),
    value("ini-paste", Kind::ConfigFile).list().unsupported("write it as ini")
        .says("Read [uwsgi] section and paste app from file"),
    value("ini-paste-logged", Kind::ConfigFile).list().unsupported("write it as ini")
        .says("ini-paste plus logging configuration"),
];
