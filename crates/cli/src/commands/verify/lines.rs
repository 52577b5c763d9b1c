//! Lines in batches: as many as one read brings, so that a pipe is answered at once and a file is read in large pieces.
//!
//! Memory is bounded by the longest line taken; of longer ones nothing is kept but that they were there.

use std::io::Read;
use std::ops::Range;

/// The longest line taken, in bytes. The longest token is 16 kB; the rest is room for JSON around it.
const MAX_LINE: usize = 1024 * 1024;

/// How much one read asks for.
const READ: usize = 256 * 1024;

/// One line of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Where it stands in [`Batches::bytes`], without its line break.
    Text(Range<usize>),
    /// It was longer than is taken.
    TooLong,
}

/// Reads batches of whole lines.
pub(crate) struct Batches<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Where the bytes end that were read.
    filled: usize,
    /// Where the bytes begin that belong to no batch yet.
    rest: usize,
    /// The line that is being read is already too long.
    skipping: bool,
    ended: bool,
}

impl<R: Read> Batches<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; READ], filled: 0, rest: 0, skipping: false, ended: false }
    }

    /// What the ranges of the last batch point into.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Fills `lines` with the next batch; false at the end.
    pub(crate) fn next(&mut self, lines: &mut Vec<Line>) -> std::io::Result<bool> {
        lines.clear();
        while lines.is_empty() && !self.ended {
            self.compact();
            let count = self.read()?;
            let end = self.filled + count;
            let mut from = self.filled;
            while let Some(at) = self.buffer[from..end].iter().position(|&byte| byte == b'\n') {
                let range = self.rest..from + at;
                lines.push(self.line(range));
                from += at + 1;
                self.rest = from;
            }
            self.filled = end;
            if count == 0 {
                self.ended = true;
                if self.skipping || self.rest < self.filled {
                    let range = self.rest..self.filled;
                    lines.push(self.line(range));
                    self.rest = self.filled;
                }
            }
            if self.filled - self.rest > MAX_LINE {
                self.skipping = true;
            }
            if self.skipping {
                self.rest = self.filled;
            }
        }
        Ok(!lines.is_empty())
    }

    fn line(&mut self, range: Range<usize>) -> Line {
        if std::mem::take(&mut self.skipping) || range.len() > MAX_LINE {
            return Line::TooLong;
        }
        let carriage_return = self.buffer[range.clone()].last() == Some(&b'\r');
        Line::Text(range.start..range.end - usize::from(carriage_return))
    }

    /// Moves the unfinished line to the front and makes room behind it.
    fn compact(&mut self) {
        self.buffer.copy_within(self.rest..self.filled, 0);
        self.filled -= self.rest;
        self.rest = 0;
        if self.buffer.len() < self.filled + READ {
            self.buffer.resize(self.filled + READ, 0);
        }
    }

    fn read(&mut self) -> std::io::Result<usize> {
        loop {
            match self.reader.read(&mut self.buffer[self.filled..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out at most so many bytes a read.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(self.1).min(out.len());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn all(input: &[u8], step: usize) -> Vec<Option<Vec<u8>>> {
        let mut batches = Batches::new(Slow(input, step));
        let (mut lines, mut out) = (Vec::new(), Vec::new());
        while batches.next(&mut lines).unwrap() {
            for line in &lines {
                out.push(match line {
                    Line::Text(range) => Some(batches.bytes()[range.clone()].to_vec()),
                    Line::TooLong => None,
                });
            }
        }
        out
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let input = b"one\ntwo\r\n\n\xff\xfe\nlast";
        let expected: Vec<Option<Vec<u8>>> =
            [b"one".as_slice(), b"two", b"", b"\xff\xfe", b"last"].map(|line| Some(line.to_vec())).to_vec();
        for step in [1, 2, 3, 7, 1000] {
            assert_eq!(all(input, step), expected, "{step}");
        }
        assert_eq!(all(b"", 1), []);
        assert_eq!(all(b"\n", 1), [Some(Vec::new())]);
    }

    #[test]
    fn a_line_that_is_too_long_costs_one_answer_and_bounded_memory() {
        let mut input = vec![b'x'; 20 * MAX_LINE];
        input.extend_from_slice(b"\nnext\n");
        input.extend(vec![b'y'; 3 * MAX_LINE]);
        let mut batches = Batches::new(Slow(&input, READ));
        let (mut lines, mut texts, mut long) = (Vec::new(), Vec::new(), 0);
        while batches.next(&mut lines).unwrap() {
            for line in &lines {
                match line {
                    Line::Text(range) => texts.push(batches.bytes()[range.clone()].to_vec()),
                    Line::TooLong => long += 1,
                }
            }
        }
        assert_eq!((texts, long), (vec![b"next".to_vec()], 2));
        assert!(batches.buffer.len() <= MAX_LINE + 2 * READ, "{}", batches.buffer.len());
    }

    #[test]
    fn the_longest_line_taken_is_taken() {
        let mut input = vec![b'x'; MAX_LINE];
        input.extend_from_slice(b"\nz");
        assert_eq!(
            all(&input, READ).iter().map(|line| line.as_ref().map(Vec::len)).collect::<Vec<_>>(),
            [Some(MAX_LINE), Some(1)]
        );
    }

    #[test]
    fn what_has_arrived_is_answered_before_more_is_read() {
        // Each read brings one line; none may wait for the next.
        let mut batches = Batches::new(Slow(b"a\nb\n", 2));
        let mut lines = Vec::new();
        assert!(batches.next(&mut lines).unwrap());
        assert_eq!(lines, [Line::Text(0..1)]);
    }
}
