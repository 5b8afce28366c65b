//! Files of users that routing rules name: whether they are there, and whether who reads them gets to them.
//!
//! Pure but for what it asks; runs in `rhinod check`.

use super::findings::Findings;
use crate::config::world::Kind;
use crate::routing::Rules;

/// At each rule. What is wrong with the rules themselves is told elsewhere.
pub(super) fn judge(findings: &mut Findings<'_>) {
    let config = findings.config;
    let Ok(rules) = Rules::compile(&config.routing.rules) else { return };
    for (rule, path) in rules.user_files() {
        let path = findings.chdir.join(path);
        let line = findings.line(&rule.option, |value| value == rule.text);
        if let Some(obstacle) = findings.server.and_then(|who| findings.ways.obstacle(who, &path)) {
            findings.mention(line, obstacle.to_string(), obstacle.remedy());
        } else if findings.ways.world.look(&path).is_none_or(|sight| sight.kind != Kind::File) {
            let problem = format!("{} is no file of users, so that everybody is refused", path.display());
            findings.mention(line, problem, "make it with htpasswd(1): `htpasswd -B -c FILE USER`");
        }
    }
}
