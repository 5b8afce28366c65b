//! A configuration's view of the world for who only looks: no command is executed, and each that was left out is noted.
//!
//! Not for serving. Pure but for the world that it looks at; runs in `rhinod check`, `rhinod show`, and where a command
//! looks for an instance.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use super::directive::Origin;
use super::error::ConfigError;
use super::world::{Facts, Sight, World};

/// The world of somebody who only looks.
pub struct Looking<'a> {
    world: &'a dyn World,
    left_out: RefCell<Vec<String>>,
}

impl<'a> Looking<'a> {
    /// Looks at this world.
    pub fn at(world: &'a dyn World) -> Self {
        Looking { world, left_out: RefCell::default() }
    }

    /// What was left out so far, one remark each.
    pub fn remarks(&self) -> Vec<ConfigError> {
        let remark =
            |problem: String| ConfigError::at(&Origin::CommandLine, problem).suggest("add --run to have it executed");
        self.left_out().into_iter().map(remark).collect()
    }

    /// What was left out so far, and what comes of that.
    pub fn left_out(&self) -> Vec<String> {
        let said = |command: &String| format!("exec://{command} was not executed, so what it gives is missing here");
        self.left_out.borrow().iter().map(said).collect()
    }
}

impl World for Looking<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.world.read(path)
    }

    fn read_standard_input(&self) -> io::Result<Vec<u8>> {
        self.world.read_standard_input()
    }

    fn read_descriptor(&self, descriptor: u32) -> io::Result<Vec<u8>> {
        self.world.read_descriptor(descriptor)
    }

    fn run(&self, command: &str, _: &Path) -> io::Result<Vec<u8>> {
        let mut left_out = self.left_out.borrow_mut();
        if !left_out.iter().any(|known| known == command) {
            left_out.push(command.to_owned());
        }
        Ok(Vec::new())
    }

    fn look(&self, path: &Path) -> Option<Sight> {
        self.world.look(path)
    }

    fn is_link(&self, path: &Path) -> bool {
        self.world.is_link(path)
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.world.resolve(path)
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        self.world.glob(pattern)
    }

    fn facts(&self) -> &Facts {
        self.world.facts()
    }
}
