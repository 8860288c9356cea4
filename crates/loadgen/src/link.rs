//! A connection: a socket and a codec, and nothing kept while nothing comes.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use memchr::memchr;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::clock;
use crate::codec::{Codec, Event};

/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;
/// Largest frame.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

thread_local! {
    /// What is read into; nothing stays in it.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// What has come, and when it was sent if it is one of the driver's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Ready,
    Done(u64),
    Refused(u64, String),
    Message(Option<u64>),
}

/// A message of so many bytes that says when it was sent.
pub fn text(sent: u64, bytes: usize) -> String {
    let mut text = format!("{sent} ");
    text.extend(std::iter::repeat_n('x', bytes.saturating_sub(text.len())));
    text
}

fn sent_at(text: &str) -> Option<u64> {
    text[..memchr(b' ', text.as_bytes())?].parse().ok()
}

/// One connection of the load.
pub struct Link {
    stream: TcpStream,
    codec: Box<dyn Codec>,
    /// The beginning of a frame that is not whole.
    rest: Vec<u8>,
    out: Vec<u8>,
}

impl Link {
    /// Connects and says hello; [`Seen::Ready`] comes later.
    pub async fn open(address: SocketAddr, codec: Box<dyn Codec>) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        let mut link = Self { stream, codec, rest: Vec::new(), out: Vec::new() };
        link.codec.open(&mut link.out);
        link.flush().await?;
        Ok(link)
    }

    /// The same, and waits until the connection can be used.
    pub async fn ready(address: SocketAddr, codec: Box<dyn Codec>) -> Result<Self> {
        let mut link = Self::open(address, codec).await?;
        let mut seen = Vec::new();
        while !seen.contains(&Seen::Ready) {
            link.next(&mut seen).await?;
        }
        Ok(link)
    }

    /// See [`Codec::known`].
    pub fn known(&self) -> Option<u64> {
        self.codec.known()
    }

    /// See [`Codec::again`].
    pub fn again(&self) -> Result<Box<dyn Codec>> {
        self.codec.again().context("the protocol knows no coming back")
    }

    /// Ends the connection now, without a word.
    pub async fn cut(&mut self) {
        // The other side may have ended it already.
        let _ = self.stream.shutdown().await;
    }

    /// Writes what the codec has to say. Can be given up at any time without losing anything.
    pub async fn flush(&mut self) -> Result<()> {
        while !self.out.is_empty() {
            let written = self.stream.write(&self.out).await?;
            ensure!(written > 0, "the server closed the connection");
            self.out.drain(..written);
        }
        self.out = Vec::new();
        Ok(())
    }

    /// Lets the codec say something, and sends it.
    pub async fn say<T>(&mut self, what: impl FnOnce(&mut dyn Codec, &mut Vec<u8>) -> T) -> Result<T> {
        let said = what(&mut *self.codec, &mut self.out);
        self.flush().await?;
        Ok(said)
    }

    /// Lets the codec ask something, and waits until that is done. What else comes meanwhile is dropped.
    pub async fn ask(&mut self, what: impl FnOnce(&mut dyn Codec, &mut Vec<u8>) -> Result<u64>) -> Result<()> {
        let id = self.say(what).await??;
        let mut seen = Vec::new();
        loop {
            self.next(&mut seen).await?;
            for one in seen.drain(..) {
                match one {
                    Seen::Done(done) if done == id => return Ok(()),
                    Seen::Refused(refused, why) if refused == id => bail!("refused: {why}"),
                    _ => {}
                }
            }
        }
    }

    /// Asks several things at once, and waits until all of them are done.
    pub async fn ask_all<T>(
        &mut self,
        what: &[T],
        ask: impl Fn(&mut dyn Codec, &T, &mut Vec<u8>) -> Result<u64>,
    ) -> Result<()> {
        let mut ids = HashSet::new();
        for one in what {
            ids.insert(ask(&mut *self.codec, one, &mut self.out)?);
        }
        self.flush().await?;
        let mut seen = Vec::new();
        while !ids.is_empty() {
            self.next(&mut seen).await?;
            for one in seen.drain(..) {
                match one {
                    Seen::Done(id) => _ = ids.remove(&id),
                    Seen::Refused(id, why) if ids.contains(&id) => bail!("refused: {why}"),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Waits until something comes, and adds what it was. Can be given up at any time without losing anything.
    pub async fn next(&mut self, seen: &mut Vec<Seen>) -> Result<()> {
        loop {
            self.stream.readable().await?;
            if BUFFER.with_borrow_mut(|buffer| self.read(buffer, seen))? {
                return self.flush().await;
            }
        }
    }

    /// Reads what has come; false if nothing has.
    fn read(&mut self, buffer: &mut [u8], seen: &mut Vec<Seen>) -> Result<bool> {
        let bytes = match self.stream.try_read(buffer) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(count) => &buffer[..count],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let mut see = |event: Event<'_>| {
            seen.push(match event {
                Event::Ready => Seen::Ready,
                Event::Done(id) => Seen::Done(id),
                Event::Refused(id, why) => Seen::Refused(id, why),
                Event::Message(text) => Seen::Message(sent_at(text)),
            });
        };
        if self.rest.is_empty() {
            let used = self.codec.read(bytes, &mut self.out, &mut see)?;
            self.rest = bytes[used..].to_vec();
        } else {
            self.rest.extend_from_slice(bytes);
            let used = self.codec.read(&self.rest, &mut self.out, &mut see)?;
            self.rest.drain(..used);
            if self.rest.is_empty() {
                self.rest = Vec::new();
            }
        }
        ensure!(self.rest.len() <= FRAME_BYTES_MAX, "a frame that never ends");
        Ok(true)
    }
}

/// Nanoseconds since then.
pub fn since(sent: u64) -> u64 {
    clock::now().saturating_sub(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_when_they_were_sent() {
        assert_eq!(sent_at(&text(42, 180)), Some(42));
        assert_eq!(text(42, 180).len(), 180);
        assert_eq!(text(u64::MAX, 3).len(), 21);
        assert_eq!(sent_at("hello there"), None);
        assert_eq!(sent_at("hello"), None);
    }
}
