//! Server-sent events: splits a stream of bytes into events. Pure.

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event as it came, with the blank line that ends it.
    pub raw: Vec<u8>,
    /// Its `data` lines, joined by line feeds; empty for comments.
    pub data: String,
}

/// An event is longer than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {limit} bytes")]
pub struct TooLong {
    limit: usize,
}

/// Collects bytes until an event is whole.
#[derive(Clone, Debug)]
pub struct Splitter {
    buffer: Vec<u8>,
    limit: usize,
}

impl Splitter {
    /// `limit` bounds one event, in bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), limit }
    }

    /// Takes in bytes, gives out the events they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        let mut begin = 0;
        while let Some(length) = end(self.buffer.get(begin..).unwrap_or_default()) {
            let raw = self.buffer.get(begin..begin + length).unwrap_or_default().to_vec();
            events.push(Event { data: data(&raw), raw });
            begin += length;
        }
        self.buffer.drain(..begin);
        if self.buffer.len() > self.limit {
            return Err(TooLong { limit: self.limit });
        }
        Ok(events)
    }

    /// What is left when the stream has ended: an event without its blank line.
    pub fn rest(self) -> Option<Event> {
        let data = data(&self.buffer);
        (!self.buffer.is_empty()).then_some(Event { data, raw: self.buffer })
    }
}

/// The length of the first whole event, blank line included.
fn end(bytes: &[u8]) -> Option<usize> {
    let mut line_begin = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'\n' {
            continue;
        }
        let line = bytes.get(line_begin..at).unwrap_or_default();
        if line.is_empty() || line == b"\r" {
            return Some(at + 1);
        }
        line_begin = at + 1;
    }
    None
}

fn data(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let text =
            b": ping\n\ndata: {\"a\":1}\r\n\r\nevent: x\ndata: one\ndata: two\n\ndata: [DONE]\n\ndata: tail";
        for size in 1..text.len() {
            let mut splitter = Splitter::new(1000);
            let mut data = Vec::new();
            let mut raw = Vec::new();
            for piece in text.chunks(size) {
                for event in splitter.feed(piece).unwrap() {
                    data.push(event.data);
                    raw.extend(event.raw);
                }
            }
            assert_eq!(data, ["", "{\"a\":1}", "one\ntwo", "[DONE]"], "pieces of {size}");
            let rest = splitter.rest().unwrap();
            assert_eq!(rest.data, "tail");
            raw.extend(rest.raw);
            assert_eq!(raw, text);
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        assert_eq!(Splitter::new(10).feed(&[b'x'; 11]), Err(TooLong { limit: 10 }));
    }
}
