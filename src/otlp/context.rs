//! Where a request stands in its trace: the header `traceparent` (<https://www.w3.org/TR/trace-context/>), taken on where it
//! is valid, and begun anew where it is not; and `tracestate`, what others say of that trace. Pure; workers.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// A span, and the trace that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// Of the whole trace; never all zero.
    pub trace: [u8; 16],
    /// Of the span; never all zero.
    pub span: [u8; 8],
    /// Whether the trace is told of.
    pub is_sampled: bool,
}

/// The span of a request, and what it is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The request's own.
    pub own: TraceContext,
    /// The span of whoever sent the request; `None`: the trace begins here.
    pub parent: Option<[u8; 8]>,
}

impl Place {
    /// Of a request that came with this header. Of traces that begin here so many in a hundred are told of.
    pub fn of(header: &[u8], percent: u32, dice: &Dice) -> Self {
        let span = dice.id();
        match TraceContext::read(header) {
            Some(sent) => Self { own: TraceContext { span, ..sent }, parent: Some(sent.span) },
            None => {
                let trace = dice.trace();
                let is_sampled = dice.next() % 100 < u64::from(percent);
                Self { own: TraceContext { trace, span, is_sampled }, parent: None }
            }
        }
    }
}

/// Length of a header of the version that is known.
const LENGTH: usize = 55;

impl TraceContext {
    /// What a header says; `None` where it is not valid.
    pub fn read(header: &[u8]) -> Option<Self> {
        let (known, more) = header.split_at_checked(LENGTH)?;
        let version: [u8; 1] = hexadecimal(&known[..2])?;
        // Later versions may go on behind a dash.
        let fits = match version[0] {
            0 => more.is_empty(),
            255 => false,
            _ => more.is_empty() || more[0] == b'-',
        };
        let are_dashes = [2, 35, 52].into_iter().all(|at| known[at] == b'-');
        if !fits || !are_dashes {
            return None;
        }
        let (trace, span) = (hexadecimal(&known[3..35])?, hexadecimal(&known[36..52])?);
        let flags: [u8; 1] = hexadecimal(&known[53..])?;
        let is_valid = trace != [0; 16] && span != [0; 8];
        is_valid.then_some(Self { trace, span, is_sampled: flags[0] & 1 == 1 })
    }

    /// The header for those that are called on.
    pub fn header(&self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("00-{}-{}-{:02x}", hex(&self.trace), hex(&self.span), u8::from(self.is_sampled))
    }
}

/// Most bytes of `tracestate` that are passed on; others have to pass on 512.
pub(super) const STATE_BYTES_MAX: usize = 1_024;

/// Most of its members.
const MEMBERS_MAX: usize = 32;

/// What the header `tracestate` says, of which whole members are left out where it is too long; nothing where it is not valid.
pub fn state(header: &[u8]) -> &[u8] {
    let header = header.trim_ascii();
    let members = || header.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let count = members().filter(|member| !member.is_empty()).count();
    if count > MEMBERS_MAX || !members().all(|member| member.is_empty() || is_member(member)) {
        return &[];
    }
    match header.get(..=STATE_BYTES_MAX) {
        None => header,
        Some(beginning) => beginning.iter().rposition(|byte| *byte == b',').map_or(&[], |comma| &header[..comma]),
    }
}

/// `KEY=VALUE`, as they may look.
fn is_member(member: &[u8]) -> bool {
    const BYTES_MAX: usize = 256;
    let Some(equals) = member.iter().position(|byte| *byte == b'=') else { return false };
    let (key, value) = (&member[..equals], &member[equals + 1..]);
    let begins = key.first().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_of_key = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte);
    let is_of_value = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'=';
    let are_short = key.len() <= BYTES_MAX && (1..=BYTES_MAX).contains(&value.len());
    begins && are_short && key.iter().all(is_of_key) && value.iter().all(is_of_value)
}

/// Bytes of twice as many digits, which are lower case.
fn hexadecimal<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    (digits.len() == 2 * N).then_some(bytes)
}

/// Where ids come from: numbers that nobody else has, not secrets. SplitMix64 (Steele, Lea and Flood, 2014), begun with
/// bytes of the system's after the fork; all threads of a process take from one.
#[derive(Debug)]
pub struct Dice(AtomicU64);

impl Dice {
    /// Begun with bytes that nobody else has.
    pub fn begun(seed: [u8; 16]) -> Self {
        let whole = u128::from_le_bytes(seed);
        let dice = Self(AtomicU64::new(whole as u64));
        let first = dice.next();
        Self(AtomicU64::new(first ^ (whole >> 64) as u64))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.0.fetch_add(STEP, Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn id(&self) -> [u8; 8] {
        loop {
            let id = self.next();
            if id != 0 {
                return id.to_be_bytes();
            }
        }
    }

    fn trace(&self) -> [u8; 16] {
        let mut trace = [0; 16];
        trace[..8].copy_from_slice(&self.next().to_be_bytes());
        trace[8..].copy_from_slice(&self.id());
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn dice() -> Dice {
        Dice::begun([7; 16])
    }

    #[test]
    fn a_valid_header_is_read_and_written_as_it_was() {
        let context = TraceContext::read(VALID.as_bytes()).expect("the example of the specification");
        assert_eq!((context.trace[0], context.span[7], context.is_sampled), (0x4b, 0xb7, true));
        assert_eq!(context.header(), VALID);
        let unsampled = TraceContext::read(VALID.replace("-01", "-02").as_bytes()).expect("flags that are not known");
        assert!(!unsampled.is_sampled);
        let later = VALID.replacen("00", "cc", 1) + "-what-the-future-will-be-like";
        assert_eq!(TraceContext::read(later.as_bytes()), Some(context));
    }

    #[test]
    fn what_is_not_valid_begins_a_trace() {
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let no_span = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01";
        let mutants = [
            "",
            "00",
            zero,
            no_span,
            &VALID.to_uppercase(),
            &format!("{VALID}-more"),
            &format!("{VALID}, {VALID}"),
            &VALID.replacen("00", "ff", 1),
            &VALID.replace('-', "_"),
            &VALID[..54],
            &VALID.replacen("4bf9", "4bg9", 1),
            &(VALID.replacen("00", "01", 1) + "x"),
        ];
        for header in mutants {
            let place = Place::of(header.as_bytes(), 100, &dice());
            assert!(place.parent.is_none() && place.own.is_sampled, "{header}");
            assert_eq!(TraceContext::read(place.own.header().as_bytes()), Some(place.own));
        }
        let place = Place::of(VALID.as_bytes(), 0, &dice());
        assert_eq!(place.parent.map(u64::from_be_bytes), Some(0x00f0_67aa_0ba9_02b7));
        assert!(place.own.is_sampled && place.own.header()[..36] == VALID[..36] && place.own.header() != VALID);
    }

    #[test]
    fn a_state_is_passed_on_whole_or_by_whole_members_or_not_at_all() {
        for valid in ["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a=1 , b=2", "t@v=x y", "a=1,,b=2", "0a_-*/@b=!~"] {
            assert_eq!(state(format!(" {valid}\t").as_bytes()), valid.as_bytes());
        }
        let many = |count: usize| (0..count).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
        let wrong = ["", "a", "a=", "=b", "A=b", "a=b=c", "a=\x07", "a=\u{e4}", "a b=c", &many(33), "_a=1"];
        for wrong in wrong.map(str::to_owned).into_iter().chain([format!("a={}", "x".repeat(257))]) {
            assert_eq!(state(wrong.as_bytes()), b"", "{wrong}");
        }
        assert_eq!(state(many(32).as_bytes()), many(32).as_bytes());
        let long = (0..32).map(|number| format!("k{number}={}", "v".repeat(100))).collect::<Vec<_>>().join(",");
        let kept = state(long.as_bytes());
        assert!(kept.len() <= STATE_BYTES_MAX && kept.len() > 900 && long.as_bytes()[kept.len()] == b',');
    }

    #[test]
    fn ids_do_not_come_again_and_so_many_traces_are_told_of_as_were_asked_for() {
        let dice = dice();
        let places: Vec<Place> = (0..20_000).map(|_| Place::of(b"", 10, &dice)).collect();
        let ids: std::collections::BTreeSet<_> = places.iter().map(|place| place.own.span).collect();
        let told = places.iter().filter(|place| place.own.is_sampled).count();
        assert_eq!(ids.len(), places.len());
        assert!((1_700..2_300).contains(&told), "{told}");
        assert_ne!(Dice::begun([1; 16]).next(), Dice::begun([2; 16]).next());
    }
}
