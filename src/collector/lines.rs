//! Whole lines out of what comes through the pipe, in which the end of a write is no end of a line. Pure; collector only.

/// Longest line; the rest of one that is longer is a line of its own.
const LINE_BYTES_MAX: usize = 64 * 1_024;

/// A line that has begun.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Takes bytes, and hands over each line that is whole by now, without its end.
    pub(super) fn take(&mut self, bytes: &[u8], mut each: impl FnMut(&str)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.add(&rest[..end], &mut each);
            self.end(&mut each);
            rest = &rest[end + 1..];
        }
        self.add(rest, &mut each);
    }

    /// Nothing more comes: what has begun is a line.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&str)) {
        if !self.begun.is_empty() {
            self.end(&mut each);
        }
    }

    fn add(&mut self, part: &[u8], each: &mut impl FnMut(&str)) {
        let mut rest = part;
        while self.begun.len() + rest.len() > LINE_BYTES_MAX {
            let (now, later) = rest.split_at(LINE_BYTES_MAX - self.begun.len());
            self.begun.extend(now);
            self.end(each);
            rest = later;
        }
        self.begun.extend(rest);
    }

    fn end(&mut self, each: &mut impl FnMut(&str)) {
        each(&String::from_utf8_lossy(&self.begun));
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut read) = (Lines::default(), Vec::new());
        parts.iter().for_each(|part| lines.take(part, |line| read.push(line.to_owned())));
        lines.finish(|line| read.push(line.to_owned()));
        read
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        let text = b"one\n\ntw\xc3\xa9o\nno end";
        for split in 0..=text.len() {
            let (first, second) = text.split_at(split);
            assert_eq!(read(&[first, second]), ["one", "", "twéo", "no end"], "split at {split}");
        }
        assert!(read(&[b""]).is_empty());
    }

    #[test]
    fn a_line_without_an_end_is_cut_and_nothing_is_lost() {
        let long = vec![b'x'; 3 * LINE_BYTES_MAX + 5];
        let lengths: Vec<usize> = read(&[&long, b"\n", b"y\n"]).iter().map(String::len).collect();
        assert_eq!(lengths, [LINE_BYTES_MAX, LINE_BYTES_MAX, LINE_BYTES_MAX, 5, 1]);
    }
}
