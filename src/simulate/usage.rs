//! How `rhinod simulate` is called.

/// What the command takes, for `--help`.
pub const USAGE: &str = "\
rhinod simulate --ini FILE --trace LOG [options]   try the file's policy and others on recorded arrivals
rhinod simulate --ini FILE --shape NAME [options]  … on generated ones: steady, step, diurnal, flash, on/off, heavy,
                                                   cron, retry
rhinod simulate --replay LOG                       decide again on a decision log and compare, bit for bit

LOG is an nginx access log (combined, or with $msec or $time_iso8601 and $request_time or $upstream_response_time), a
CSV of arrival,service[,computing] in seconds, or one of the public traces named in the manual.

  --svg FILE             picture of the workers over time
  --cores N              cores that requests compute on (those of this machine or its cgroup)
  --fork-ms MS           time of one fork (1)
  --worker-mb MB         memory of one worker, for cheaper-rss-limit-soft and -hard (40)
  --boot-ms MS           from the fork to ready (0.5; measure it, above all with lazy-apps)
  --late-ms MS           a request that waits longer is late (10)
  --service-ms MS        service time where the trace has none (50)
  --compute-percent P    share of the service time that is computing (2)
  --speed N              so many times faster than recorded (1)
  --seed N               for what is drawn (1)
";
