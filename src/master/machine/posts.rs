//! The posts there are: which are wanted, how many children each has had, how long the next one waits.
//!
//! The workers' posts are numbers 1 to N. The posts of executed children come and go with their recipes ([`Posts::assign`]).
//! Pure; used in the master.

use super::identity::{Post, RecipeId, Role};
use super::plan::Plan;
use super::recipe::{AtReload, Recipe};
use crate::supervision::back_off::BackOff;
use crate::supervision::role::{Born, Rule};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One place of work, whoever holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PostState {
    /// Whether someone is wanted.
    pub(super) active: bool,
    /// How many children it has had.
    pub(super) made: u32,
    /// Deaths at once, one after the other.
    pub(super) back_off: BackOff,
    /// Of an executed child: how the next one is made.
    pub(super) recipe: Option<Recipe>,
}

/// The posts beside the workers whose children the zygote forks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Companions<'p> {
    pub(super) all: &'p [Post],
    /// Those of them that are not wanted from the beginning.
    pub(super) dormant: &'p [Post],
}

impl<'p> From<&'p Plan> for Companions<'p> {
    fn from(plan: &'p Plan) -> Self {
        Companions { all: &plan.companions, dormant: &plan.dormant }
    }
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Post, PostState)>", into = "Vec<(Post, PostState)>")]
pub(super) struct Posts(BTreeMap<Post, PostState>);

impl Posts {
    /// The posts of so many workers, the first of them wanted, of these companions, and of these recipes.
    pub(super) fn new(workers: u32, wanted: u32, companions: Companions<'_>, recipes: &[Recipe]) -> Posts {
        let mut posts = Posts::default();
        posts.have_workers(workers);
        posts.want_companions(companions);
        for number in 1..=wanted {
            posts.0.entry(Post::worker(number)).or_default().active = true;
        }
        posts.assign(recipes, &BTreeSet::new());
        posts
    }

    /// Has posts for at least so many workers.
    pub(super) fn have_workers(&mut self, workers: u32) {
        for number in 1..=workers {
            self.0.entry(Post::worker(number)).or_default();
        }
    }

    /// Of the posts whose children are forked beside the workers, these are wanted and no others; of those that are dormant,
    /// the ones that were wanted before. What is known of predecessors is forgotten.
    pub(super) fn want_companions(&mut self, Companions { all, dormant }: Companions<'_>) {
        let mut before = BTreeSet::new();
        for (post, state) in self.0.iter_mut().filter(|(post, _)| is_companion(post.role)) {
            if std::mem::take(&mut state.active) {
                before.insert(*post);
            }
            state.back_off.forgive();
        }
        for post in all {
            let wanted = !dormant.contains(post) || before.contains(post);
            self.0.entry(*post).or_default().active = wanted;
        }
    }

    pub(super) fn get(&self, post: Post) -> Option<&PostState> {
        self.0.get(&post)
    }

    pub(super) fn get_mut(&mut self, post: Post) -> Option<&mut PostState> {
        self.0.get_mut(&post)
    }

    pub(super) fn is_active(&self, post: Post) -> bool {
        self.0.get(&post).is_some_and(|state| state.active)
    }

    /// Those that are wanted, by role and number.
    pub(super) fn active(&self) -> impl Iterator<Item = (Post, &PostState)> {
        self.0.iter().filter(|(_, state)| state.active).map(|(post, state)| (*post, state))
    }

    /// The workers' posts, by number.
    pub(super) fn workers(&self) -> impl Iterator<Item = (Post, &PostState)> {
        self.0.iter().filter(|(post, _)| post.role == Role::Worker).map(|(post, state)| (*post, state))
    }

    pub(super) fn workers_mut(&mut self) -> impl Iterator<Item = (Post, &mut PostState)> {
        self.0.iter_mut().filter(|(post, _)| post.role == Role::Worker).map(|(post, state)| (*post, state))
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = (Post, &mut PostState)> {
        self.0.iter_mut().map(|(post, state)| (*post, state))
    }

    pub(super) fn recipe(&self, post: Post) -> Option<&Recipe> {
        self.0.get(&post)?.recipe.as_ref()
    }

    pub(super) fn recipe_id(&self, post: Post) -> Option<RecipeId> {
        self.recipe(post).map(|recipe| recipe.id)
    }

    /// Gives each recipe a post, and forgets the posts that have neither a recipe nor (`occupied`) a child. Which posts
    /// are to be renewed although their recipe is the same.
    ///
    /// A recipe that was there keeps its post. A changed one takes the post of the one that it replaces: the one that
    /// holds the same, or else the first one that is not wanted any more and holds nothing.
    pub(super) fn assign(&mut self, recipes: &[Recipe], occupied: &BTreeSet<Post>) -> Vec<Post> {
        let mut old: BTreeMap<Post, Recipe> = BTreeMap::new();
        for (post, state) in &mut self.0 {
            if let Some(recipe) = state.recipe.as_ref().filter(|_| state.active) {
                old.insert(*post, recipe.clone());
                state.active = false;
            }
        }
        let same = |recipe: &Recipe, old: &Recipe| recipe.id == old.id && recipe.role == old.role;
        let heir = |recipe: &Recipe, old: &Recipe| recipe.role == old.role && recipe.holds == old.holds;
        let mut renewed = Vec::new();
        let mut changed = Vec::new();
        for recipe in recipes {
            match take_first(&mut old, |before| same(recipe, before)) {
                Some(post) => {
                    renewed.extend((recipe.at_reload == AtReload::Renew).then_some(post));
                    self.want(post, recipe);
                }
                None => changed.push(recipe),
            }
        }
        let mut new = Vec::new();
        for recipe in changed {
            match take_first(&mut old, |before| heir(recipe, before)) {
                Some(post) => self.want(post, recipe),
                None => new.push(recipe),
            }
        }
        for recipe in new {
            self.want(self.free(recipe.role, occupied), recipe);
        }
        self.0.retain(|post, state| state.recipe.is_none() || state.active || occupied.contains(post));
        renewed
    }

    /// What is known of the predecessors is forgotten: a reload is a new chance.
    fn want(&mut self, post: Post, recipe: &Recipe) {
        let state = self.0.entry(post).or_default();
        state.active = true;
        state.back_off.forgive();
        state.recipe = Some(recipe.clone());
    }

    /// The lowest number in this role that nobody has.
    fn free(&self, role: Role, occupied: &BTreeSet<Post>) -> Post {
        let taken = |post: &Post| occupied.contains(post) || self.is_active(*post);
        let mut numbers = (1..=Post::NUMBER_MAX).map(|number| Post { role, number });
        numbers.find(|post| !taken(post)).unwrap_or(Post { role, number: Post::NUMBER_MAX })
    }
}

fn is_companion(role: Role) -> bool {
    let rule = Rule::of(role);
    rule.born == Born::Forked && !rule.counts
}

fn take_first(from: &mut BTreeMap<Post, Recipe>, wanted: impl Fn(&Recipe) -> bool) -> Option<Post> {
    let post = from.iter().find(|(_, recipe)| wanted(recipe)).map(|(post, _)| *post)?;
    from.remove(&post);
    Some(post)
}

impl From<Vec<(Post, PostState)>> for Posts {
    fn from(posts: Vec<(Post, PostState)>) -> Posts {
        Posts(posts.into_iter().collect())
    }
}

impl From<Posts> for Vec<(Post, PostState)> {
    fn from(posts: Posts) -> Vec<(Post, PostState)> {
        posts.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recipe whose name begins with `/` holds that file, and is kept at a reload.
    fn recipe(name: &str) -> Recipe {
        let holds = name.split_once(' ').map(|(file, _)| file.to_owned());
        Recipe {
            role: Role::Daemon,
            id: RecipeId(name.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte))),
            title: name.to_owned(),
            at_reload: if holds.is_some() { AtReload::Keep } else { AtReload::Renew },
            outlives: holds.is_some(),
            holds,
            vital: false,
            ready_within_us: 1,
            mercy_us: 1,
            respawn_delay_max_us: 1,
        }
    }

    /// Posts of these, all of them taken.
    fn posts(names: &[&str]) -> (Posts, BTreeSet<Post>) {
        let mut posts = Posts::new(1, 1, Companions::default(), &[]);
        posts.assign(&names.iter().map(|name| recipe(name)).collect::<Vec<_>>(), &BTreeSet::new());
        let occupied = posts.active().map(|(post, _)| post).collect();
        (posts, occupied)
    }

    fn assign(posts: &mut Posts, names: &[&str], occupied: &BTreeSet<Post>) -> Vec<u32> {
        let recipes: Vec<Recipe> = names.iter().map(|name| recipe(name)).collect();
        posts.assign(&recipes, occupied).into_iter().map(|post| post.number).collect()
    }

    fn there(posts: &Posts) -> Vec<(u32, String)> {
        let named = |(post, state): (Post, &PostState)| Some((post.number, state.recipe.as_ref()?.title.clone()));
        posts.active().filter_map(named).collect()
    }

    fn expected(there: &[(u32, &str)]) -> Vec<(u32, String)> {
        there.iter().map(|(number, name)| (*number, (*name).to_owned())).collect()
    }

    #[test]
    fn a_recipe_keeps_its_post_wherever_it_stands() {
        let (mut posts, occupied) = posts(&["a", "b", "/pid c"]);
        assert_eq!(assign(&mut posts, &["/pid c", "new", "b", "a"], &occupied), [2, 1], "those that are renewed");
        assert_eq!(there(&posts), expected(&[(1, "a"), (2, "b"), (3, "/pid c"), (4, "new")]));
    }

    #[test]
    fn two_of_the_same_recipe_are_two() {
        let (mut posts, occupied) = posts(&["a", "a"]);
        assert_eq!(there(&posts), expected(&[(1, "a"), (2, "a")]));
        assert_eq!(assign(&mut posts, &["a"], &occupied), [1]);
        assert_eq!(there(&posts), expected(&[(1, "a")]));
    }

    #[test]
    fn a_changed_recipe_takes_the_post_of_the_one_that_it_replaces() {
        let (mut posts, occupied) = posts(&["a", "/1 b", "/2 c"]);
        assert_eq!(assign(&mut posts, &["/2 c2", "/1 b2", "a2"], &occupied), [0; 0]);
        assert_eq!(there(&posts), expected(&[(1, "a2"), (2, "/1 b2"), (3, "/2 c2")]));
    }

    #[test]
    fn a_new_recipe_has_a_post_where_nobody_is_on_the_way_out() {
        let (mut posts, occupied) = posts(&["/1 a"]);
        assign(&mut posts, &["b"], &occupied);
        assert_eq!(there(&posts), expected(&[(2, "b")]));
        let nobody = BTreeSet::new();
        assign(&mut posts, &["b", "/3 c"], &nobody);
        assert_eq!(there(&posts), expected(&[(1, "/3 c"), (2, "b")]));
    }

    #[test]
    fn a_new_recipe_and_a_changed_one_do_not_share_a_post_that_waits() {
        let (mut posts, _) = posts(&["a"]);
        assign(&mut posts, &["/1 new", "a2"], &BTreeSet::new());
        assert_eq!(there(&posts), expected(&[(1, "a2"), (2, "/1 new")]));
    }

    #[test]
    fn the_workers_posts_stay() {
        let (mut posts, occupied) = posts(&["a"]);
        assign(&mut posts, &[], &occupied);
        assert_eq!((posts.workers().count(), posts.active().count()), (1, 1));
    }
}
