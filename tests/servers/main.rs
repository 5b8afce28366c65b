//! Tests of whole servers, in one program: each starts instances of its own, see `harness`.

mod extension;
mod harness;
mod packaging;
mod python_examples;
mod python_forks;
mod python_life;
mod python_load;
mod python_rival;
mod python_wsgi;
mod pythons;
mod reload_forms;
mod reload_init;
mod reload_switch;
mod reload_upgrade;
mod reloading;
mod scaling_decisions;
mod scaling_life;
mod serve_examples;
mod serve_log;
mod serve_malformed;
mod serve_nginx;
mod serve_processes;
mod serve_refusals;
mod serve_sockets;
