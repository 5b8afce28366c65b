//! The executed children of the made-up world: programs that cannot be executed, hang, crash, ignore their signal to
//! stop, leave to the background under another number, or go on when the instance ends.

use super::*;

/// A program that was executed for the master.
pub(super) struct Program {
    seat: Seat,
    post: Post,
    recipe: Recipe,
    alive: bool,
    /// It has said, or will by a message that is on its way, that it is up.
    up: bool,
    /// The instance has let it go: it is nobody's, and may live on.
    released: bool,
    /// Its end, or that it was let go, was told to the master.
    told: bool,
}

/// A few recipes, of which several plans have some. Those that hold something are there once.
pub(super) fn random_recipes(dice: &mut Dice) -> Vec<Recipe> {
    let mut recipes: Vec<Recipe> = Vec::new();
    for _ in 0..dice.below(4) {
        let kinds = if dice.percent(20) { 7 } else { 6 };
        let recipe = recipe(dice.below(kinds));
        let held = recipe.holds.is_some() && recipes.iter().any(|other| other.holds == recipe.holds);
        if !held {
            recipes.push(recipe);
        }
    }
    recipes
}

/// The recipe of a number: what it is like follows from that.
fn recipe(number: u64) -> Recipe {
    let outlives = number.is_multiple_of(3);
    Recipe {
        role: Role::Daemon,
        id: RecipeId(number),
        title: format!("program {number}"),
        holds: outlives.then(|| "the pid file".to_owned()),
        at_reload: if outlives { AtReload::Keep } else { AtReload::Renew },
        outlives,
        vital: number == 6,
        ready_within_us: 400 * MS,
        mercy_us: number * 100 * MS,
        respawn_delay_max_us: SECOND,
    }
}

impl World {
    pub(super) fn order_program(&mut self, seat: Seat, post: Post, id: RecipeId) -> Check {
        let wanted = self.plan.executed.iter().find(|recipe| recipe.id == id);
        let recipe = wanted.cloned().ok_or_else(|| format!("executes {id}, which is not wanted"))?;
        ensure(!self.machine.is_stopping(), || format!("executes {id} during the stop"))?;
        let ours = |program: &&Program| program.alive && !program.released;
        let mut there = self.programs.values().filter(ours);
        ensure(there.all(|other| other.post != post && other.seat != seat), || format!("two live in {post}"))?;
        let ordered = self.processes.values().any(|process| process.alive && process.seat == seat);
        ensure(!ordered, || format!("executes {id} in seat {seat}, which a worker has"))?;
        if !self.kind() && self.dice.percent(3) {
            self.send(0, Event::ForkFailed { seat, errno: 11 }, None);
            return Ok(());
        }
        let program = Program { seat, post, recipe, alive: true, up: false, released: false, told: false };
        if let Some(pid) = self.found(&program) {
            self.programs.insert(pid, Program { up: true, ..program });
            self.say(pid, |seat| Event::Forked { seat, pid: tests::pid(pid) });
            self.say(pid, |seat| Event::Ready { seat, boot_us: 1, pid: None });
            self.tally.count("adopted");
            return Ok(());
        }
        self.next_pid += 1;
        let pid = self.next_pid;
        self.programs.insert(pid, program);
        self.say(pid, |seat| Event::Forked { seat, pid: tests::pid(pid) });
        self.give_program_fate(pid);
        Ok(())
    }

    /// A program that went on alone and holds what the new one would.
    fn found(&self, program: &Program) -> Option<i32> {
        let same = |other: &Program| other.released && other.alive && other.recipe.holds == program.recipe.holds;
        self.programs.iter().find(|(_, other)| same(other)).map(|(pid, _)| *pid)
    }

    fn give_program_fate(&mut self, pid: i32) {
        if self.kind() {
            return self.happen_within(50 * MS, Happening::ProgramUp(pid));
        }
        match self.dice.below(100) {
            0..5 => self.happen_within(300 * MS, Happening::ProgramDies(pid, ExitStatus::Code(127))),
            5..10 => self.happen_within(300 * MS, Happening::ProgramUnfit(pid)),
            10..13 => {}
            fate => {
                self.happen_within(300 * MS, Happening::ProgramUp(pid));
                if fate < 40 {
                    self.happen_within(5 * SECOND, Happening::ProgramDies(pid, ExitStatus::Signal(11)));
                }
            }
        }
    }

    /// Something about the program in its seat, in order with all else about it.
    fn say(&mut self, pid: i32, event: impl FnOnce(Seat) -> Event) {
        if let Some(program) = self.programs.get(&pid) {
            self.send(-i64::from(pid), event(program.seat), None);
        }
    }

    fn living_program(&mut self, pid: i32) -> Option<&mut Program> {
        self.programs.get_mut(&pid).filter(|program| program.alive && !program.released)
    }

    pub(super) fn program_comes_up(&mut self, pid: i32) {
        let moves = self.dice.percent(30);
        let Some(program) = self.living_program(pid).filter(|program| !program.up) else { return };
        program.up = true;
        let background = moves && program.recipe.outlives;
        if !background {
            return self.say(pid, |seat| Event::Ready { seat, boot_us: 1, pid: None });
        }
        self.next_pid += 1;
        let now = self.next_pid;
        // What is under way about it keeps its order.
        let last = self.channels.get(&-i64::from(pid)).copied().unwrap_or_default();
        self.channels.insert(-i64::from(now), last);
        if let Some(program) = self.programs.remove(&pid) {
            self.programs.insert(now, program);
        }
        self.moved.insert(pid, now);
        self.say(now, |seat| Event::Ready { seat, boot_us: 1, pid: Some(tests::pid(now)) });
        self.tally.count("moved");
    }

    pub(super) fn program_is_unfit(&mut self, pid: i32) {
        if self.living_program(pid).is_some_and(|program| !program.up) {
            self.say(pid, |seat| Event::NotReady { seat, exit_code: 1, reason: "no such file".to_owned() });
            self.happen_within(MS, Happening::ProgramDies(pid, ExitStatus::Code(1)));
        }
    }

    /// It dies, and says how; unless it is nobody's.
    pub(super) fn program_dies(&mut self, pid: i32, status: ExitStatus) {
        let pid = self.moved.get(&pid).copied().unwrap_or(pid);
        let Some(program) = self.programs.get_mut(&pid).filter(|program| program.alive) else { return };
        program.alive = false;
        if !program.released {
            self.say(pid, |seat| Event::Exited { seat, pid: tests::pid(pid), status });
        }
    }

    pub(super) fn retire_program(&mut self, seat: Seat, why: Farewell) -> Check {
        let pid = self.program_in(seat, "retires")?;
        let Some(program) = self.living_program(pid) else { return Ok(()) };
        ensure(program.up, || format!("retires seat {seat}, which was never up"))?;
        if program.recipe.outlives && why.is_parting() {
            program.released = true;
            self.say(pid, |seat| Event::Exited { seat, pid: tests::pid(pid), status: ExitStatus::Code(0) });
            self.tally.count("released");
        } else {
            self.finish_program(pid);
        }
        Ok(())
    }

    /// It heeds the signal, or not.
    fn finish_program(&mut self, pid: i32) {
        if self.kind() || self.dice.percent(80) {
            self.happen_within(SECOND, Happening::ProgramDies(pid, ExitStatus::Signal(15)));
        } else {
            self.tally.count("ignored signal");
        }
    }

    pub(super) fn withdraw_program(&mut self, seat: Seat) -> Check {
        let pid = self.program_in(seat, "withdraws")?;
        if self.programs[&pid].up {
            self.finish_program(pid);
        } else {
            self.happen_within(MS, Happening::ProgramDies(pid, ExitStatus::Signal(9)));
        }
        Ok(())
    }

    pub(super) fn kill_program(&mut self, seat: Seat) -> Check {
        let pid = self.program_in(seat, "kills")?;
        self.happen_within(MS, Happening::ProgramDies(pid, ExitStatus::Signal(9)));
        Ok(())
    }

    /// The program in a seat whose end was not told yet.
    fn program_in(&self, seat: Seat, verb: &str) -> Result<i32, String> {
        let mut there = self.programs.iter().filter(|(_, program)| program.seat == seat && !program.told);
        there.next().map(|(pid, _)| *pid).ok_or_else(|| format!("{verb} seat {seat}, where no program is"))
    }

    pub(super) fn note_program_told(&mut self, pid: ProcessId) {
        let pid = self.moved.get(&pid.get()).copied().unwrap_or(pid.get());
        if let Some(program) = self.programs.get_mut(&pid) {
            program.told = true;
        }
    }

    pub(super) fn whimsical_program(&mut self) -> Check {
        if self.dice.percent(50) {
            let recipe = RecipeId(self.dice.below(7));
            return self.tell(Event::Renew { recipe });
        }
        let alive: Vec<i32> = self.programs.iter().filter(|(_, program)| program.alive).map(|(pid, _)| *pid).collect();
        if let Some(pid) = self.dice.pick(&alive) {
            self.program_dies(pid, ExitStatus::Signal(9));
        }
        Ok(())
    }

    /// Whether the instance has a program whose end is its own.
    pub(super) fn has_vital(&self) -> bool {
        self.machine.seats.iter().flatten().any(|child| child.recipe().is_some_and(|recipe| recipe.vital))
    }

    /// Nobody waits for a program, and nobody counts one.
    pub(super) fn check_programs(&self) -> Check {
        let workers_only = self.machine.workers().all(|worker| worker.post.role == Role::Worker);
        ensure(workers_only, || "a program counts as a worker".to_owned())?;
        let Count { ready, starting, leaving, .. } = self.machine.count();
        let seated = self.machine.seats.iter().flatten().filter(|child| child.post.role == Role::Worker).count();
        ensure((ready + starting + leaving) as usize <= seated, || "a program is counted".to_owned())?;
        if !matches!(self.machine.stage, Stage::Starting) {
            return Ok(());
        }
        let ready: BTreeSet<Post> = self.machine.workers().filter(is_ready).map(|worker| worker.post).collect();
        let all_ready = self.machine.posts.workers().all(|(post, state)| !state.active || ready.contains(&post));
        ensure(!all_ready, || "all workers are ready, and the instance is not".to_owned())
    }

    /// Nobody is left but those who are to go on.
    pub(super) fn check_programs_at_exit(&self) -> Check {
        let left = self.programs.values().find(|program| program.alive && !program.released);
        ensure(left.is_none(), || format!("an exit before that of {}", left.map_or("", |left| &left.recipe.title)))
    }

    /// Exactly what is wanted is there, and up.
    pub(super) fn check_programs_at_rest(&self) -> Check {
        let ours = || self.programs.values().filter(|program| program.alive && !program.released);
        ensure(ours().all(|program| program.up), || "a program is not up".to_owned())?;
        let mut there: Vec<u64> = ours().map(|program| program.recipe.id.0).collect();
        let mut wanted: Vec<u64> = self.plan.executed.iter().map(|recipe| recipe.id.0).collect();
        there.sort_unstable();
        wanted.sort_unstable();
        ensure(there == wanted, || format!("the programs {there:?} live, {wanted:?} are wanted"))
    }
}

fn is_ready(worker: &WorkerView) -> bool {
    matches!(worker.condition, Condition::Ready(_) | Condition::Paused(_))
}
