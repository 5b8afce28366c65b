//! Many instances under one supervisor, shared sockets and clusters.
//!
//! The rows of the option table for the group [`Emperor`](super::Group::Emperor).
//! Read in the master before anything else, and by the commands.

use std::time::Duration;

use super::draft::Draft;
use super::kind::Kind;
use super::row::{Opt, address, bytes, count, flag, list, millis, seconds, text, value};
use super::statistics::own_address;
use super::{hearing, subscriptions, vassals, zerg};
use crate::config::model::Turns;

// What stands behind several rows.
const SPACES: &str = "vassals get no namespaces from the Emperor; have emperor-wrapper execute unshare(1), or use the unit of the Emperor";
const PROXY: &str =
    "vassals are never in namespaces of their own; whoever executes a wrapper inherits the line by its number";
const CLUSTER: &str = "clusters are the business of the orchestrator";
const LEGION_DAEMON: &str =
    "which machine runs it is the business of the orchestrator; use the option without legion- where it is to run";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    list("emperor").sets(vassals::monitor).works().at_start().says("Supervise one instance per config file in dir/glob"),
    text("emperor-proxy-socket").unsupported(PROXY).says("Make the vassal act as an Emperor proxy on socket"),
    text("emperor-wrapper").sets(|d, v| d.config.emperor.start.wrapper = Some(v.string())).works().at_start()
        .says("Binary executed instead of uwsgi for vassals"),
    list("emperor-wrapper-override").sets(|d, v| d.config.emperor.start.before.push(v.string())).works().at_start()
        .says("Wrapper tried before the default binary"),
    list("emperor-wrapper-fallback").sets(|d, v| d.config.emperor.start.after.push(v.string())).works().at_start()
        .says("Wrapper tried when the default binary fails"),
    flag("emperor-nofollow").sets(|d, v| d.config.emperor.nofollow = v.on()).works().at_start()
        .says("Use link's own mtime when watching vassal files"),
    text("emperor-procname").sets(|d, v| d.config.emperor.title = Some(v.string())).works().at_start()
        .says("Process title of the Emperor"),
    seconds("emperor-freq").default("3").sets(|d, v| d.config.emperor.look_every = v.duration()).works().at_start()
        .says("Seconds between scans for vassal changes of which the kernel does not tell"),
    seconds("emperor-required-heartbeat").default("30")
        .sets(|d, v| d.config.emperor.patience.heartbeat = v.duration()).works().at_start()
        .says("Seconds of silence before a heart-beating vassal is respawned"),
    seconds("emperor-curse-tolerance").default("30").sets(|d, v| d.config.emperor.patience.curse = v.duration())
        .works().at_start().says("Seconds a cursed vassal may take to die"),
    text("emperor-pidfile").sets(|d, v| d.config.emperor.pidfile = Some(v.path())).works().at_start()
        .says("Write the Emperor's pid here"),
    flag("emperor-tyrant").sets(|d, v| d.config.emperor.tyrant = v.on()).works().at_start()
        .says("Run each vassal as owner of its config file"),
    flag("emperor-tyrant-nofollow").sets(|d, v| d.config.emperor.tyrant_nofollow = v.on()).works().at_start()
        .says("Take uid/gid from link itself in tyrant mode"),
    address("emperor-stats").aka(&["emperor-stats-server"])
        .sets(|d, v| d.config.emperor.stats = own_address(d, v)).works().at_start()
        .says("Address of the Emperor's JSON stats server"),
    flag("early-emperor").accepted("the Emperor is a process of its own anyway").says("Start the Emperor before jails and privilege drop"),
    count("emperor-broodlord").sets(|d, v| d.config.emperor.reinforcements = v.size()).works().at_start()
        .says("Broodlord mode: number of extra vassals allowed"),
    millis("emperor-throttle").default("1000").sets(|d, v| d.config.emperor.patience.first = v.duration())
        .works().at_start()
        .says("Milliseconds before a vassal is started anew that failed; twice as long each further time"),
    millis("emperor-max-throttle").default("180000").sets(|d, v| d.config.emperor.patience.longest = v.duration())
        .works().at_start()
        .says("Upper bound in milliseconds for vassal delay"),
    flag("emperor-magic-exec").sets(|d, v| d.config.emperor.start.magic_exec = v.on()).works().at_start()
        .says("Run executable vassal files and use their output as config"),
    text("emperor-on-demand-extension").aka(&["emperor-on-demand-ext"])
        .sets(|d, v| d.config.emperor.on_demand.extension = Some(v.string())).works().at_start()
        .says("Companion file suffix naming an on-demand socket"),
    text("emperor-on-demand-directory").aka(&["emperor-on-demand-dir"])
        .sets(|d, v| d.config.emperor.on_demand.directory = Some(v.path())).works().at_start()
        .says("Directory with on-demand sockets named after vassals"),
    text("emperor-on-demand-exec").sets(|d, v| d.config.emperor.on_demand.command = Some(v.string())).works().at_start()
        .says("Command printing a vassal's on-demand socket"),
    list("emperor-extra-extension").aka(&["emperor-extra-ext"])
        .sets(|d, v| d.config.emperor.extensions.push(v.string())).works().at_start()
        .says("Additional file suffix accepted as vassal"),
    flag("emperor-no-blacklist").sets(|d, v| d.config.emperor.patience.forgives = v.on()).works().at_start()
        .says("Do not blacklist repeatedly failing vassals"),
    text("emperor-use-clone").refused(SPACES).says("Spawn vassals with clone() and these namespace flags"),
    flag("emperor-graceful-shutdown").accepted("vassals are always stopped gracefully").says("Stop vassals gracefully when the Emperor dies"),
    text("emperor-cap").aka(&["vassals-cap", "vassal-cap"]).sets(vassals::bound).works().at_start()
        .says("Linux capabilities that vassals may have at most, with commas between them"),
    list("vassals-inherit").sets(|d, v| vassals::template(d, v, "inherit", false)).works().at_start()
        .says("Template given to each vassal with --inherit"),
    list("vassals-include").sets(|d, v| vassals::template(d, v, "include", false)).works().at_start()
        .says("Template given to each vassal with --include"),
    list("vassals-inherit-before").sets(|d, v| vassals::template(d, v, "inherit", true)).works().at_start()
        .says("Same with --inherit, placed before the vassal file"),
    list("vassals-include-before").sets(|d, v| vassals::template(d, v, "include", true)).works().at_start()
        .says("Same with --include, placed before the vassal file"),
    text("vassals-start-hook").sets(|d, v| d.config.emperor.start.start_hook = Some(v.string())).works().at_start()
        .says("Command run before each vassal starts"),
    text("vassals-stop-hook").sets(|d, v| d.config.emperor.start.stop_hook = Some(v.string())).works().at_start()
        .says("Command run after each vassal ends"),
    seconds("vassal-sos").sets(|d, v| d.config.emperor.plea.every = v.duration_unless_zero()).works()
        .says("Ask the Emperor for help when every worker is busy, at most every N seconds"),
    count("vassal-sos-backlog").sets(|d, v| d.config.emperor.plea.backlog = v.unless_zero()).works()
        .says("Ask the Emperor for help when N connections wait in a queue"),
    list("vassals-set").aka(&["vassal-set"]).sets(vassals::set).works().at_start().says("key=value passed to each vassal via --set"),
    seconds("heartbeat").default("0").sets(|d, v| d.config.emperor.heartbeat = v.duration_unless_zero()).works()
        .says("Send an I-am-alive mark to the Emperor every N seconds"),
    count("weight").sets(|d, v| d.config.subscriptions.weight = v.amount()).works().says("Load-balancing weight announced in subscriptions"),
    flag("auto-weight").required().sets(|d, v| d.config.subscriptions.auto_weight = v.on()).works().says("Announce weight equal to number of cores"),
    text("udp").unsupported(CLUSTER).says("Legacy UDP server address"),
    text("multicast").unsupported(CLUSTER).says("Join multicast group (legacy clustering)"),
    count("multicast-ttl").default("1").unsupported(CLUSTER).says("TTL for multicast packets"),
    count("multicast-loop").default("1").unsupported(CLUSTER).says("Loop multicast to local host"),
    text("notify-socket").unsupported(CLUSTER).says("Datagram socket receiving commands for the master"),
    text("subscription-notify-socket").sets(subscriptions::notify).works().says("Where subscription events are reported"),
    list("legion").unsupported(CLUSTER).says("Join a legion: name addr valor algo:secret"),
    list("legion-mcast").unsupported(CLUSTER).says("Join a legion over multicast"),
    list("legion-node").unsupported(CLUSTER).says("Declare another member of a legion"),
    seconds("legion-freq").default("3").unsupported(CLUSTER).says("Seconds between legion packets"),
    seconds("legion-tolerance").default("15").unsupported(CLUSTER)
        .says("Seconds of silence before a legion node is dead"),
    seconds("legion-death-on-lord-error").default("0").unsupported(CLUSTER)
        .says("Seconds to stay dead when lord hook fails"),
    seconds("legion-skew-tolerance").default("60").unsupported(CLUSTER).says("Allowed clock skew in seconds"),
    list("legion-lord").unsupported(CLUSTER).says("Action run when becoming lord"),
    list("legion-unlord").unsupported(CLUSTER).says("Action run when losing lordship"),
    list("legion-setup").unsupported(CLUSTER).says("Action run when the legion is set up"),
    list("legion-death").unsupported(CLUSTER).says("Action run when the instance leaves"),
    list("legion-join").unsupported(CLUSTER).says("Action run at first quorum"),
    list("legion-node-joined").unsupported(CLUSTER).says("Action run when a node joins"),
    list("legion-node-left").unsupported(CLUSTER).says("Action run when a node leaves"),
    list("legion-quorum").unsupported(CLUSTER).says("Votes needed in a legion"),
    list("legion-scroll").unsupported(CLUSTER).says("Free text announced to the legion"),
    bytes("legion-scroll-max-size").default("4096").unsupported(CLUSTER).says("Bytes for one scroll"),
    bytes("legion-scroll-list-max-size").default("32768").unsupported(CLUSTER).says("Bytes for the list of scrolls"),
    text("subscriptions-sign-check").sets(hearing::signatures).works()
        .says("DIGEST:DIRECTORY: a router believes who signs with the key whose public half is in the directory as KEY.pem"),
    seconds("subscriptions-sign-check-tolerance").default("86400")
        .sets(|d, v| d.config.routers.hearing.skew = v.duration()).works()
        .says("Seconds that the moment of a signed announcement may be from a router's clock"),
    list("subscriptions-sign-skip-uid").sets(hearing::trust_user).works()
        .says("Number of a user whose processes need not sign what they announce on a unix socket"),
    list("subscriptions-credentials-check")
        .sets(|d, v| d.config.routers.hearing.credentials.push(v.text.into())).works()
        .says("A router believes who announces a key, on a unix socket, if a file KEY in this directory is his user's and group's"),
    flag("subscriptions-use-credentials").accepted("on unix sockets the kernel always says whose process announces something")
        .says("Use UNIX peer credentials in subscriptions"),
    value("subscription-algo", Kind::Choice(Turns::NAMES)).default("wrr").sets(hearing::turns).works()
        .says("How a router's requests go to the nodes of a host: wrr in turns by weight, lrc and wlrc to who has the fewest"),
    flag("subscription-dotsplit").sets(|d, v| d.config.routers.hearing.splits_dots = v.on()).works()
        .says("A router asks the nodes of .example for a.example, which nobody has announced"),
    list("subscribe-to").aka(&["st", "subscribe"]).sets(subscriptions::to).works()
        .says("Announce this instance to a router: addr:key[,sign]"),
    list("subscribe2").sets(subscriptions::by_keys).works().says("Announce to a router with key=value syntax"),
    seconds("subscribe-freq").default("10").sets(|d, v| d.config.subscriptions.every = v.duration()).works().says("Seconds between announcements"),
    seconds("subscription-tolerance").default("17")
        .sets(|d, v| d.config.routers.hearing.tolerance = v.duration().max(Duration::from_secs(1))).works()
        .says("Seconds without an announcement after which a router asks a node no more"),
    flag("unsubscribe-on-graceful-reload").sets(|d, v| d.config.subscriptions.pauses_for_reloads = v.on()).works().says("Also unsubscribe during graceful reload"),
    flag("start-unsubscribed").sets(|d, v| d.config.subscriptions.begins_silent = v.on()).works().at_start().says("Do not announce until told via FIFO"),
    text("subscribe-with-modifier1").sets(subscriptions::modifier1).works().says("modifier1 sent with announcements"),
    text("snmp").optional().unsupported(CLUSTER).says("Enable the SNMP agent"),
    text("snmp-community").unsupported(CLUSTER).says("Secret community name for SNMP"),
    list("zerg").sets(zerg::take_from).works().restart(zerg::differs).says("Take sockets from a zerg server or pool"),
    flag("zerg-fallback").sets(|d, v| d.config.zerg.fallback = v.on()).works().at_start()
        .says("Start with the own sockets if the zerg server is missing"),
    text("zerg-server").sets(zerg::serve).works().says("Offer own sockets to zergs on UNIX socket"),
    list("legion-cron").aka(&["cron-legion"]).unsupported(CLUSTER).says("Cron run only while lord"),
    list("legion-attach-daemon").refused(LEGION_DAEMON).says("attach-daemon only while lord"),
    list("legion-smart-attach-daemon").refused(LEGION_DAEMON).says("smart-attach-daemon only while lord"),
    list("legion-smart-attach-daemon2").refused(LEGION_DAEMON).says("smart-attach-daemon2 only while lord"),
    list("zergpool").aka(&["zerg-pool"]).sets(zerg::hold).works().restart(zerg::pools_differ)
        .says("Hold sockets for zergs only: PATH:ADDRESS[,ADDRESS...]"),
];

/// What the options mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    zerg::judge(draft);
    subscriptions::judge(draft);
    vassals::judge(draft);
}
