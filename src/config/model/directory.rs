//! Which directory an instance stands in: the start directory, moved by what the configuration says of it.
//!
//! Asked anew for each generation, so that a link on the way that a deployment has switched is followed to where it leads
//! now. Not for going there (`master::directory`). Pure; the master reads it.

use std::path::{Path, PathBuf};

use super::{Config, Hook, HookAction, HookPhase};

impl Config {
    /// The directory of an instance that was started in `start`: hooks of the start may change it before and after
    /// `chdir` does.
    pub fn directory(&self, start: &Path) -> PathBuf {
        let before = self.moved(start.to_owned(), &[HookPhase::Asap, HookPhase::AsRoot]);
        let there = self.identity.chdir.as_deref().map_or(before.clone(), |directory| before.join(directory));
        self.moved(there, &[HookPhase::AsUser])
    }

    fn moved(&self, from: PathBuf, phases: &[HookPhase]) -> PathBuf {
        let moves = |hook: &&Hook| matches!(hook.action, HookAction::Cd | HookAction::Chdir);
        let of_phase = |phase: HookPhase| self.hooks.iter().filter(move |hook| hook.phase == phase).filter(moves);
        let hooks = phases.iter().copied().flat_map(of_phase);
        let targets = hooks.filter_map(|hook| hook.argument.split_whitespace().next());
        targets.fold(from, |from, target| from.join(target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(chdir: Option<&str>, hooks: &[(HookPhase, &str)]) -> String {
        let mut config = Config::default();
        config.identity.chdir = chdir.map(PathBuf::from);
        let hook = |(phase, target): &(HookPhase, &str)| Hook {
            phase: *phase,
            action: HookAction::Cd,
            argument: (*target).to_owned(),
            hidden: false,
            origin: String::new(),
        };
        config.hooks = hooks.iter().map(hook).collect();
        config.directory(Path::new("/srv")).display().to_string()
    }

    #[test]
    fn it_is_the_start_directory_unless_the_configuration_moves_it() {
        assert_eq!(directory(None, &[]), "/srv");
        assert_eq!(directory(Some("app"), &[]), "/srv/app");
        assert_eq!(directory(Some("/opt/current"), &[]), "/opt/current");
        let hooks =
            [(HookPhase::AsUser, "web"), (HookPhase::AsRoot, "b"), (HookPhase::Asap, "/a"), (HookPhase::PreApp, "/no")];
        assert_eq!(directory(Some("app"), &hooks), "/a/b/app/web");
    }
}
