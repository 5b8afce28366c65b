//! Programs beside the workers: what the machine orders about them is passed on to the [`super::children`] with what the
//! configuration says of each. Master only.

use std::path::Path;

use super::children::environment;
use super::children::executed::{Becomes, Order};
use super::driver::Driver;
use super::machine::{Event, Farewell, Post, RecipeId, Role, Seat};
use crate::supervision::role::{Rule, ToldBy};

impl Driver<'_> {
    /// Executes what a recipe says. The plan's recipes stand in the order of the configuration.
    pub(super) fn execute(&mut self, seat: Seat, post: Post, recipe: RecipeId, nth: u32) {
        if post.role == Role::Router {
            return self.execute_router(seat, post, recipe, nth);
        }
        let place = self.machine.plan().executed.iter().position(|known| known.id == recipe);
        let Some(daemon) = place.and_then(|place| self.in_force.config.daemons.list.get(place)) else {
            log::error!("{post} is to be executed by recipe {recipe}, which the configuration does not have");
            return self.handle(Event::ForkFailed { seat, errno: libc::ENOENT });
        };
        let environment = environment::for_children(&self.in_force.config.environment);
        let order = Order { seat, recipe, nth, daemon, environment, becomes: Becomes::Command };
        let events = self.children.executed.start(order, &self.poll);
        self.handle_all(events);
    }

    /// Tells a child to go, in the way in which its kind is told.
    pub(super) fn retire(&mut self, seat: Seat, post: Post, why: Farewell) {
        match Rule::of(post.role).told_by {
            ToldBy::OrderWord => self.children.retire(seat),
            ToldBy::Signal => {
                let events = self.children.executed.retire(seat, why);
                self.handle_all(events);
            }
        }
    }

    /// Takes a child back that may not be up yet.
    pub(super) fn withdraw(&mut self, seat: Seat, post: Post, why: Farewell) {
        match Rule::of(post.role).told_by {
            ToldBy::OrderWord => self.children.withdraw(seat),
            ToldBy::Signal => {
                let events = self.children.executed.withdraw(seat, why, &self.poll);
                self.handle_all(events);
            }
        }
    }

    /// Ends a child at once.
    pub(super) fn kill(&mut self, seat: Seat, post: Post) {
        match Rule::of(post.role).told_by {
            ToldBy::OrderWord => self.children.kill(seat),
            ToldBy::Signal => {
                let events = self.children.executed.kill(seat);
                self.handle_all(events);
            }
        }
    }

    /// Looks at programs that are to name themselves in their pid files.
    pub(super) fn look_at_launches(&mut self) {
        let events = self.children.executed.look(&self.poll);
        self.handle_all(events);
    }

    /// A file of a daemon was touched: it is started anew.
    pub(super) fn renew_daemon(&mut self, path: &Path, place: usize) {
        let Some(recipe) = self.machine.plan().executed.get(place) else { return };
        let (id, title) = (recipe.id, &recipe.title);
        let pid = self.children.executed.pid_of(id).map_or(0, |pid| pid.get());
        log::info!("*** {} has been touched... reloading daemon \"{title}\" (pid: {pid}) !!! ***", path.display());
        self.children.executed.touch(id);
        self.handle(Event::Renew { recipe: id });
    }

    /// A new configuration is in force.
    pub(super) fn tell_daemons_of_reload(&mut self) {
        let recipes: Vec<RecipeId> = self.machine.plan().executed.iter().map(|recipe| recipe.id).collect();
        self.children.executed.follow_reload(&self.in_force.config.daemons, &recipes);
    }
}
