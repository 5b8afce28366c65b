//! What of a running instance stays as it is when a reload brings another configuration: what only a restart changes.
//!
//! So that the configuration in force says what is so, and the next reload is told again of what it leaves. Which options
//! these are is said in their rows (`config::options`). Pure; used in the master.

use super::{Address, Config, Listener};

impl Config {
    /// Makes this configuration, which comes into force after `old`, say what it could not change.
    pub(crate) fn stay(&mut self, old: &Config) {
        self.identity.stay(&old.identity);
        self.resources.stay(&old.resources);
        self.zerg.stay(&old.zerg);
        self.descriptors.clone_from(&old.descriptors);
        self.logging.chown = old.logging.chown;
        self.process_names.auto |= old.process_names.auto;
        if self.log_file().is_none() {
            self.logging.to.clone_from(&old.logging.to);
            self.logging.to2.clone_from(&old.logging.to2);
        }
        let mut keeps_file = false;
        let mut keeps_tcp = false;
        for listener in &mut self.sockets {
            let Some(open) = old.sockets.iter().find(|open| open.address == listener.address) else { continue };
            keeps_tcp |= matches!(listener.address, Address::Tcp(_));
            keeps_file |= matches!(listener.address, Address::Unix(_));
            *listener = Listener { reuse_port: open.reuse_port, ..listener.clone() };
        }
        if keeps_tcp {
            self.socket_tuning.freebind = old.socket_tuning.freebind;
        }
        if keeps_file {
            self.chmod_socket = old.chmod_socket;
            self.chown_socket.clone_from(&old.chown_socket);
        }
    }
}
