//! How an attendant asks the master for what there is to tell: a letter over the socket between them, answered with a length
//! and so many bytes. The master answers without waiting, and an attendant asks nothing more before it has the answer.
//! Attendants, and the master for the letters.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

/// What may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inquiry {
    /// Metrics as OTLP has them.
    Metrics,
    /// Figures by the names of uWSGI's metrics.
    Figures,
}

/// Most bytes of an answer that are believed in.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Bytes of its length.
const LENGTH_BYTES: usize = 4;

impl Inquiry {
    /// The letter.
    fn letter(self) -> u8 {
        match self {
            Self::Metrics => b'm',
            Self::Figures => b'f',
        }
    }

    /// What a letter stands for.
    pub(crate) fn of(letter: u8) -> Option<Self> {
        [Self::Metrics, Self::Figures].into_iter().find(|one| one.letter() == letter)
    }
}

/// An answer as it goes over the socket.
pub(crate) fn framed(answer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes(), answer].concat()
}

/// The attendant's end.
#[derive(Debug)]
pub(crate) struct Inquirer<'c> {
    control: &'c UnixStream,
    heard: Vec<u8>,
}

/// What has come from the master.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Not all of an answer yet.
    Nothing,
    /// The answer.
    Answer(Vec<u8>),
    /// The master has ended, or wants an end.
    End,
}

impl<'c> Inquirer<'c> {
    /// Over this socket, on which nothing is waited for from now on.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn over(control: &'c UnixStream) -> io::Result<Self> {
        control.set_nonblocking(true)?;
        Ok(Self { control, heard: Vec::new() })
    }

    /// Asks.
    ///
    /// # Errors
    /// Nobody is there.
    pub(crate) fn ask(&mut self, inquiry: Inquiry) -> io::Result<()> {
        (&mut &*self.control).write_all(&[inquiry.letter()])
    }

    /// Takes in what has come.
    pub(crate) fn hear(&mut self) -> Heard {
        let mut bytes = [0; 16 * 1024];
        loop {
            match (&mut &*self.control).read(&mut bytes) {
                Ok(0) => return Heard::End,
                Ok(count) => self.heard.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Heard::End,
            }
            if self.heard.len() > ANSWER_BYTES_MAX {
                return Heard::End;
            }
        }
        self.answer().map_or(Heard::Nothing, Heard::Answer)
    }

    /// The answer, once it is whole.
    fn answer(&mut self) -> Option<Vec<u8>> {
        let length = u32::from_le_bytes(*self.heard.first_chunk()?) as usize;
        let end = LENGTH_BYTES.checked_add(length)?;
        let answer = self.heard.get(LENGTH_BYTES..end)?.to_vec();
        self.heard.drain(..end);
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_however_it_comes_and_the_end_is_heard() {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        let mut inquirer = Inquirer::over(&theirs).expect("a socket");
        inquirer.ask(Inquiry::Figures).expect("there is room");
        let mut letter = [0];
        ours.read_exact(&mut letter).expect("a letter");
        assert_eq!(Inquiry::of(letter[0]), Some(Inquiry::Figures));
        assert_eq!(Inquiry::of(b'?'), None);
        let answer = framed(b"figures");
        for byte in &answer[..answer.len() - 1] {
            ours.write_all(&[*byte]).expect("there is room");
            assert_eq!(inquirer.hear(), Heard::Nothing);
        }
        ours.write_all(&[*answer.last().expect("bytes"), 0, 0]).expect("there is room");
        assert_eq!(inquirer.hear(), Heard::Answer(b"figures".to_vec()));
        ours.write_all(&[0, 0]).expect("there is room");
        assert_eq!(inquirer.hear(), Heard::Answer(Vec::new()));
        drop(ours);
        assert_eq!(inquirer.hear(), Heard::End);
    }
}
