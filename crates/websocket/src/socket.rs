//! A WebSocket over a stream of bytes. It does nothing by itself: who has it answers pings, and says when to write.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Decoder, Frame, Message, Violation};

/// Bytes that are read at once, into a buffer that the connections of a thread share.
const READ_BYTES: usize = 16 * 1024;
/// Bytes that are gathered from several frames and written at once; a longer frame is written from where it lies.
const WRITE_BYTES: usize = 32 * 1024;
/// Reads in a row that bring no whole message; then it is the turn of others.
const READS_MAX: usize = 4;
/// Frames that an empty queue keeps room for.
const QUEUE_KEPT: usize = 16;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
    static WRITE: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(WRITE_BYTES));
}

/// Why nothing more can be received.
#[derive(Debug, Error)]
pub enum ReceiveError {
    /// The peer does not keep to the protocol.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A WebSocket.
#[derive(Debug)]
pub struct Socket<S> {
    stream: S,
    decoder: Decoder,
    queue: VecDeque<Frame>,
    /// Bytes of the first frame in the queue that are written.
    written: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// A WebSocket over a stream whose handshake is over.
    pub fn new(stream: S, message_bytes_max: usize) -> Self {
        Self { stream, decoder: Decoder::new(message_bytes_max), queue: VecDeque::new(), written: 0 }
    }

    /// The next message; `None` when the peer has gone.
    pub fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Message<'_>>, ReceiveError>> {
        for _ in 0..READS_MAX {
            if let Some(found) = self.decoder.find()? {
                return Poll::Ready(Ok(Some(self.decoder.message(&found)?)));
            }
            if ready!(self.poll_read(context))? == 0 {
                return Poll::Ready(Ok(None));
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads until the peer has gone, and forgets what it reads: for a connection whose end is said.
    pub fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.decoder = Decoder::new(0);
        READ.with_borrow_mut(|buffer| {
            loop {
                let mut buffer = ReadBuf::new(buffer);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
                if buffer.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
        })
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        READ.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            self.decoder.push(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }

    /// Puts a frame behind those that wait to be written.
    pub fn send(&mut self, frame: Frame) {
        self.queue.push_back(frame);
    }

    /// Frames that wait to be written.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Writes what waits, as much at once as the system takes.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() {
            let written = ready!(self.poll_write(context))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        if self.queue.capacity() > QUEUE_KEPT {
            self.queue = VecDeque::new();
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let mut frames = self.queue.iter();
        let Some(first) = frames.next() else { return Poll::Ready(Ok(0)) };
        let first = &first.as_bytes()[self.written..];
        match frames.next() {
            Some(second) if first.len() + second.as_bytes().len() <= WRITE_BYTES => WRITE.with_borrow_mut(|gathered| {
                gathered.clear();
                gathered.extend_from_slice(first);
                gathered.extend_from_slice(second.as_bytes());
                for frame in frames {
                    if gathered.len() + frame.as_bytes().len() > WRITE_BYTES {
                        break;
                    }
                    gathered.extend_from_slice(frame.as_bytes());
                }
                stream.poll_write(context, gathered)
            }),
            _ => stream.poll_write(context, first),
        }
    }

    /// Takes what is written out of the queue.
    fn advance(&mut self, written: usize) {
        self.written += written;
        while let Some(first) = self.queue.front()
            && self.written >= first.as_bytes().len()
        {
            self.written -= first.as_bytes().len();
            self.queue.pop_front();
        }
    }

    /// Ends the writing side.
    pub fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
