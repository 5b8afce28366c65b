//! Many instances under one supervisor, shared sockets and clusters.
//!
//! The rows of the option table for the group [`Emperor`](super::Group::Emperor).
//! Not for what they mean together (`build`). Read in the master before anything else, and by the commands.

use super::{Opt, bytes, count, flag, list, millis, seconds, text};

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    list("emperor").not_yet("the emperor; run one unit for each instance")
        .says("Supervise one instance per config file in dir/glob"),
    text("emperor-proxy-socket").not_yet("the emperor; run one unit for each instance")
        .says("Make the vassal act as an Emperor proxy on socket"),
    text("emperor-wrapper").not_yet("the emperor; run one unit for each instance")
        .says("Binary executed instead of uwsgi for vassals"),
    list("emperor-wrapper-override").not_yet("the emperor; run one unit for each instance")
        .says("Wrapper tried before the default binary"),
    list("emperor-wrapper-fallback").not_yet("the emperor; run one unit for each instance")
        .says("Wrapper tried when the default binary fails"),
    flag("emperor-nofollow").not_yet("the emperor; run one unit for each instance")
        .says("Use link's own mtime when watching vassal files"),
    text("emperor-procname").not_yet("the emperor; run one unit for each instance")
        .says("Process title of the Emperor"),
    seconds("emperor-freq").default("3").not_yet("the emperor; run one unit for each instance")
        .says("Seconds between scans for vassal changes"),
    seconds("emperor-required-heartbeat").default("30").not_yet("the emperor; run one unit for each instance")
        .says("Seconds of silence before a heart-beating vassal is respawned"),
    seconds("emperor-curse-tolerance").default("30").not_yet("the emperor; run one unit for each instance")
        .says("Seconds a cursed vassal may take to die"),
    text("emperor-pidfile").not_yet("the emperor; run one unit for each instance")
        .says("Write the Emperor's pid here"),
    flag("emperor-tyrant").not_yet("the emperor; run one unit for each instance")
        .says("Run each vassal as owner of its config file"),
    flag("emperor-tyrant-nofollow").not_yet("the emperor; run one unit for each instance")
        .says("Take uid/gid from link itself in tyrant mode"),
    text("emperor-stats").aka(&["emperor-stats-server"]).not_yet("the emperor; run one unit for each instance")
        .says("Address of the Emperor's JSON stats server"),
    flag("early-emperor").not_yet("the emperor; run one unit for each instance")
        .says("Start the Emperor before jails and privilege drop"),
    count("emperor-broodlord").not_yet("the emperor; run one unit for each instance")
        .says("Broodlord mode: number of extra vassals allowed"),
    millis("emperor-throttle").default("1000").not_yet("the emperor; run one unit for each instance")
        .says("Milliseconds of delay step for misbehaving vassals"),
    millis("emperor-max-throttle").default("180000").not_yet("the emperor; run one unit for each instance")
        .says("Upper bound in milliseconds for vassal delay"),
    flag("emperor-magic-exec").not_yet("the emperor; run one unit for each instance")
        .says("Run executable vassal files and use their output as config"),
    text("emperor-on-demand-extension").aka(&["emperor-on-demand-ext"])
        .not_yet("the emperor; run one unit for each instance")
        .says("Companion file suffix naming an on-demand socket"),
    text("emperor-on-demand-directory").aka(&["emperor-on-demand-dir"])
        .not_yet("the emperor; run one unit for each instance")
        .says("Directory with on-demand sockets named after vassals"),
    text("emperor-on-demand-exec").not_yet("the emperor; run one unit for each instance")
        .says("Command printing a vassal's on-demand socket"),
    list("emperor-extra-extension").aka(&["emperor-extra-ext"])
        .not_yet("the emperor; run one unit for each instance").says("Additional file suffix accepted as vassal"),
    flag("emperor-no-blacklist").not_yet("the emperor; run one unit for each instance")
        .says("Do not blacklist repeatedly failing vassals"),
    text("emperor-use-clone").not_yet("the emperor; run one unit for each instance")
        .says("Spawn vassals with clone() and these namespace flags"),
    flag("emperor-graceful-shutdown").not_yet("the emperor; run one unit for each instance")
        .says("Stop vassals gracefully when the Emperor dies"),
    text("emperor-cap").aka(&["vassals-cap", "vassal-cap"]).not_yet("the emperor; run one unit for each instance")
        .says("Capabilities granted to vassals"),
    list("vassals-inherit").not_yet("the emperor; run one unit for each instance")
        .says("Template given to each vassal with --inherit"),
    list("vassals-include").not_yet("the emperor; run one unit for each instance")
        .says("Template given to each vassal with --include"),
    list("vassals-inherit-before").not_yet("the emperor; run one unit for each instance")
        .says("Same with --inherit, placed before the vassal file"),
    list("vassals-include-before").not_yet("the emperor; run one unit for each instance")
        .says("Same with --include, placed before the vassal file"),
    text("vassals-start-hook").not_yet("the emperor; run one unit for each instance")
        .says("Command run before each vassal starts"),
    text("vassals-stop-hook").not_yet("the emperor; run one unit for each instance")
        .says("Command run after each vassal ends"),
    count("vassal-sos").not_yet("the emperor; run one unit for each instance")
        .says("Signal the Emperor when every worker is busy"),
    count("vassal-sos-backlog").not_yet("the emperor; run one unit for each instance")
        .says("Ask Emperor for help when backlog exceeds N"),
    list("vassals-set").aka(&["vassal-set"]).not_yet("the emperor; run one unit for each instance")
        .says("key=value passed to each vassal via --set"),
    seconds("heartbeat").default("0").not_yet("the emperor; run one unit for each instance")
        .says("Send an I-am-alive mark to the Emperor every N seconds"),
    count("weight").unsupported("clusters are the business of the orchestrator")
        .says("Load-balancing weight announced in subscriptions"),
    flag("auto-weight").required().unsupported("clusters are the business of the orchestrator")
        .says("Announce weight equal to number of cores"),
    text("udp").unsupported("clusters are the business of the orchestrator").says("Legacy UDP server address"),
    text("multicast").unsupported("clusters are the business of the orchestrator")
        .says("Join multicast group (legacy clustering)"),
    count("multicast-ttl").default("1").unsupported("clusters are the business of the orchestrator")
        .says("TTL for multicast packets"),
    count("multicast-loop").default("1").unsupported("clusters are the business of the orchestrator")
        .says("Loop multicast to local host"),
    text("notify-socket").unsupported("clusters are the business of the orchestrator")
        .says("Datagram socket receiving commands for the master"),
    text("subscription-notify-socket").unsupported("clusters are the business of the orchestrator")
        .says("Where subscription events are reported"),
    list("legion").unsupported("clusters are the business of the orchestrator")
        .says("Join a legion: name addr valor algo:secret"),
    list("legion-mcast").unsupported("clusters are the business of the orchestrator")
        .says("Join a legion over multicast"),
    list("legion-node").unsupported("clusters are the business of the orchestrator")
        .says("Declare another member of a legion"),
    seconds("legion-freq").default("3").unsupported("clusters are the business of the orchestrator")
        .says("Seconds between legion packets"),
    seconds("legion-tolerance").default("15").unsupported("clusters are the business of the orchestrator")
        .says("Seconds of silence before a legion node is dead"),
    seconds("legion-death-on-lord-error").default("0").unsupported("clusters are the business of the orchestrator")
        .says("Seconds to stay dead when lord hook fails"),
    seconds("legion-skew-tolerance").default("60").unsupported("clusters are the business of the orchestrator")
        .says("Allowed clock skew in seconds"),
    list("legion-lord").unsupported("clusters are the business of the orchestrator")
        .says("Action run when becoming lord"),
    list("legion-unlord").unsupported("clusters are the business of the orchestrator")
        .says("Action run when losing lordship"),
    list("legion-setup").unsupported("clusters are the business of the orchestrator")
        .says("Action run when the legion is set up"),
    list("legion-death").unsupported("clusters are the business of the orchestrator")
        .says("Action run when the instance leaves"),
    list("legion-join").unsupported("clusters are the business of the orchestrator")
        .says("Action run at first quorum"),
    list("legion-node-joined").unsupported("clusters are the business of the orchestrator")
        .says("Action run when a node joins"),
    list("legion-node-left").unsupported("clusters are the business of the orchestrator")
        .says("Action run when a node leaves"),
    list("legion-quorum").unsupported("clusters are the business of the orchestrator")
        .says("Votes needed in a legion"),
    list("legion-scroll").unsupported("clusters are the business of the orchestrator")
        .says("Free text announced to the legion"),
    bytes("legion-scroll-max-size").default("4096").unsupported("clusters are the business of the orchestrator")
        .says("Bytes for one scroll"),
    bytes("legion-scroll-list-max-size").default("32768")
        .unsupported("clusters are the business of the orchestrator").says("Bytes for the list of scrolls"),
    text("subscriptions-sign-check").unsupported("clusters are the business of the orchestrator")
        .says("digest:directory used to verify signed subscriptions"),
    count("subscriptions-sign-check-tolerance").default("86400")
        .unsupported("clusters are the business of the orchestrator")
        .says("Allowed clock skew for signed subscriptions"),
    list("subscriptions-sign-skip-uid").unsupported("clusters are the business of the orchestrator")
        .says("Skip signature check for this peer uid"),
    list("subscriptions-credentials-check").unsupported("clusters are the business of the orchestrator")
        .says("Directory with per-key credential rules"),
    flag("subscriptions-use-credentials").unsupported("clusters are the business of the orchestrator")
        .says("Use UNIX peer credentials in subscriptions"),
    text("subscription-algo").default("wrr").unsupported("clusters are the business of the orchestrator")
        .says("Balancing algorithm: wrr, lrc, wlrc"),
    flag("subscription-dotsplit").unsupported("clusters are the business of the orchestrator")
        .says("Retry key lookup dropping leading domain labels"),
    list("subscribe-to").aka(&["st", "subscribe"]).unsupported("clusters are the business of the orchestrator")
        .says("Announce this instance to a router: addr:key[,sign]"),
    list("subscribe2").unsupported("clusters are the business of the orchestrator")
        .says("Announce to a router with key=value syntax"),
    seconds("subscribe-freq").default("10").unsupported("clusters are the business of the orchestrator")
        .says("Seconds between announcements"),
    seconds("subscription-tolerance").default("17").unsupported("clusters are the business of the orchestrator")
        .says("Seconds before a silent node is dropped"),
    flag("unsubscribe-on-graceful-reload").unsupported("clusters are the business of the orchestrator")
        .says("Also unsubscribe during graceful reload"),
    flag("start-unsubscribed").unsupported("clusters are the business of the orchestrator")
        .says("Do not announce until told via FIFO"),
    text("subscribe-with-modifier1").unsupported("clusters are the business of the orchestrator")
        .says("modifier1 sent with announcements"),
    text("snmp").optional().unsupported("clusters are the business of the orchestrator")
        .says("Enable the SNMP agent"),
    text("snmp-community").unsupported("clusters are the business of the orchestrator")
        .says("Secret community name for SNMP"),
    list("zerg").not_yet("zerg: handing sockets to other instances").says("Take sockets from a zerg server"),
    flag("zerg-fallback").not_yet("zerg: handing sockets to other instances")
        .says("Bind own sockets if zerg server missing"),
    text("zerg-server").not_yet("zerg: handing sockets to other instances")
        .says("Offer own sockets to zergs on UNIX socket"),
    list("legion-cron").aka(&["cron-legion"]).unsupported("clusters are the business of the orchestrator")
        .says("Cron run only while lord"),
    list("legion-attach-daemon").unsupported("clusters are the business of the orchestrator")
        .says("attach-daemon only while lord"),
    list("legion-smart-attach-daemon").unsupported("clusters are the business of the orchestrator")
        .says("smart-attach-daemon only while lord"),
    list("legion-smart-attach-daemon2").unsupported("clusters are the business of the orchestrator")
        .says("smart-attach-daemon2 only while lord"),
    list("zergpool").aka(&["zerg-pool"]).not_yet("zerg: handing sockets to other instances")
        .says("Socket pool handed to zergs: addr:sockets"),
];
