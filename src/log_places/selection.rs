//! Which places a line is for: those of the routes that it matches (`log-route`, `log-req-route`), else all that have no
//! name. Pure; wherever lines are written.

use regex_lite::Regex;

use crate::config::model::{Logger, Route};

/// The routes, and the places by their indexes.
#[derive(Debug, Default)]
pub(super) struct Selection {
    routes: Vec<(Regex, Vec<usize>)>,
    nameless: Vec<usize>,
}

impl Selection {
    /// Of places and routes. An expression that cannot be read was refused before.
    pub(super) fn of(loggers: &[Logger], routes: &[Route]) -> Self {
        let with = |wanted: &dyn Fn(Option<&str>) -> bool| {
            let all = loggers.iter().enumerate();
            all.filter(|(_, logger)| wanted(logger.id.as_deref())).map(|(index, _)| index).collect::<Vec<_>>()
        };
        let route = |route: &Route| {
            let expression = Regex::new(&route.expression).ok()?;
            Some((expression, with(&|id| id == Some(route.id.as_str()))))
        };
        Self { routes: routes.iter().filter_map(route).collect(), nameless: with(&|id| id.is_none()) }
    }

    /// The indexes of the places that a line is for, each once; none where every place has a name and no route takes it.
    pub(super) fn of_line(&self, line: &str) -> Vec<usize> {
        let matching = self.routes.iter().filter(|(expression, _)| expression.is_match(line));
        let mut routed: Vec<usize> = matching.flat_map(|(_, places)| places).copied().collect();
        if routed.is_empty() {
            return self.nameless.clone();
        }
        routed.sort_unstable();
        routed.dedup();
        routed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::LogPlace;

    #[test]
    fn a_line_goes_to_the_places_of_its_routes_or_to_those_without_a_name() {
        let logger = |id: Option<&str>| Logger { id: id.map(str::to_owned), to: LogPlace::Stdio };
        let route = |id: &str, expression: &str| Route { id: id.into(), expression: expression.into() };
        let loggers = [logger(Some("errors")), logger(None), logger(Some("admin")), logger(None)];
        let routes = [route("errors", " 50[0-9]\\)"), route("admin", "/admin"), route("errors", "boom")];
        let selection = Selection::of(&loggers, &routes);
        assert_eq!(selection.of_line("GET / (HTTP/1.1 200)"), [1, 3]);
        assert_eq!(selection.of_line("GET / (HTTP/1.1 500) boom"), [0]);
        assert_eq!(selection.of_line("GET /admin (HTTP/1.1 502)"), [0, 2]);
    }
}
