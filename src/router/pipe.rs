//! Bytes on their way from one side of a connection to the other: a few, so that whoever sends waits for whoever reads.
//! Pure; used in the router.

/// Most bytes that are taken before some are passed on.
const BYTES_MAX: usize = 16_384;

/// What was taken and not passed on yet.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    bytes: Vec<u8>,
    passed: usize,
}

impl Pipe {
    /// Whether more may be taken.
    pub(super) fn has_room(&self) -> bool {
        self.length() < BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How much of it there is.
    pub(super) fn length(&self) -> usize {
        self.bytes.len() - self.passed
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.end().extend_from_slice(bytes);
    }

    /// Where more is added.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        // What has been passed on occupies nothing for long, also in a pipe that is never empty.
        if self.passed > BYTES_MAX.max(self.length()) {
            self.bytes.drain(..std::mem::take(&mut self.passed));
        }
        &mut self.bytes
    }

    /// What is to be passed on.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.passed..]
    }

    /// So many bytes of the rest have been passed on. A pipe that is empty occupies nothing.
    pub(super) fn pass(&mut self, count: usize) {
        self.passed += count;
        if self.passed >= self.bytes.len() {
            self.clear();
        }
    }

    /// Nobody takes the rest.
    pub(super) fn clear(&mut self) {
        *self = Pipe::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_passed_on_in_order_and_no_more_than_a_bound_is_taken() {
        let mut pipe = Pipe::default();
        assert!(pipe.is_empty() && pipe.has_room());
        pipe.add(b"abc");
        pipe.add(b"def");
        pipe.pass(2);
        assert_eq!(pipe.rest(), b"cdef");
        pipe.add(&vec![b'x'; BYTES_MAX - 5]);
        assert!(pipe.has_room());
        pipe.add(b"y");
        assert!(!pipe.has_room());
        pipe.pass(BYTES_MAX);
        assert!(pipe.is_empty() && pipe.rest().is_empty() && pipe.has_room());
    }

    #[test]
    fn a_pipe_that_is_never_empty_does_not_grow() {
        let mut pipe = Pipe::default();
        pipe.add(b"x");
        for _ in 0..100 {
            pipe.add(&[b'x'; BYTES_MAX]);
            pipe.pass(BYTES_MAX);
        }
        assert_eq!(pipe.rest(), b"x");
        assert!(pipe.bytes.len() < 4 * BYTES_MAX, "{}", pipe.bytes.len());
    }
}
