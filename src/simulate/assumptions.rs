//! What a simulation takes for granted, said before its result, each with the option that says otherwise. Pure text.

use std::fmt::Write;

use super::Arguments;
use crate::scaling::simulator::World;
use crate::scaling::simulator::traces::Gaps;

/// A line for each assumption, and one for lines that are left out.
pub(super) fn text(arguments: &Arguments, world: &World, gaps: Gaps) -> String {
    let mut text = String::from("assumed:\n");
    let ms = |us: u64| us as f64 / 1e3;
    let reading = arguments.reading;
    if gaps.untimed > 0 {
        let taken = ms(reading.service_us);
        let _ = writeln!(
            text,
            "  {taken} ms for each of {} requests that the log has no time of (--service-ms)",
            gaps.untimed
        );
    }
    if gaps.drawn > 0 {
        let _ =
            writeln!(text, "  a moment within the second for {} requests, whose log has no $msec (--seed)", gaps.drawn);
    }
    let _ =
        writeln!(text, "  {} % of a request's time is computing (--compute-percent)", reading.compute_permille / 10);
    let whose = if arguments.has_cores { "" } else { ", as this machine or its cgroup has" };
    let _ = writeln!(text, "  {} cores{whose} (--cores)", world.cores);
    let (fork, boot) = (ms(world.fork_us), ms(world.boot_us));
    let _ = writeln!(text, "  a fork takes {fork} ms, and {boot} ms later the worker is ready (--fork-ms, --boot-ms)");
    let _ = writeln!(text, "  a worker takes {} MB (--worker-mb)\n", world.worker_rss_bytes >> 20);
    if gaps.skipped > 0 {
        let _ = writeln!(text, "{} lines left out: no arrival can be read from them\n", gaps.skipped);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn what_the_log_does_not_say_is_said() {
        let words = "--ini x --trace y --cores 3 --service-ms 20".split(' ').map(OsString::from).collect::<Vec<_>>();
        let arguments = Arguments::parse(&words).expect("fine");
        let gaps = Gaps { skipped: 1, untimed: 7, drawn: 5 };
        let text = text(&arguments, &arguments.world, gaps);
        for said in ["20 ms for each of 7 requests", "5 requests, whose log", "3 cores (", "40 MB", "1 lines left out"]
        {
            assert!(text.contains(said), "{said}: {text}");
        }
    }

    #[test]
    fn what_it_says_is_not_assumed() {
        let words = "--ini x --trace y".split(' ').map(OsString::from).collect::<Vec<_>>();
        let arguments = Arguments::parse(&words).expect("fine");
        let text = text(&arguments, &arguments.world, Gaps::default());
        assert!(
            !text.contains("requests that the log") && text.contains("as this machine or its cgroup has"),
            "{text}"
        );
    }
}
