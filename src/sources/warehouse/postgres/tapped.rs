//! Takes the rows of COPY out of what a server sends, before the client that talks with it would cut
//! them into messages, each of which is a row: they go to their reader in large blocks.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The bytes that are read at a time.
const READ_BYTES: usize = 64 << 10;

/// The bytes that may wait for the reader: beyond them the server has to.
const WAITING_BYTES_MAX: usize = 4 * READ_BYTES;

/// The type of messages that hold rows.
const COPY_DATA: u8 = b'd';

/// The bytes of a message before its body: its type, and its length without that.
const HEAD_BYTES: usize = 5;

/// The rows that a session has received, as COPY writes them.
#[derive(Debug, Default)]
pub(super) struct Copied {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    blocks: VecDeque<Vec<u8>>,
    n_bytes: usize,
    /// Who waits for a block.
    reader: Option<Waker>,
    /// Who waits for room.
    writer: Option<Waker>,
}

impl Copied {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next block, if one is there; else `context` is woken by it.
    pub(super) fn poll_take(&self, context: &Context<'_>) -> Poll<Vec<u8>> {
        let mut waiting = self.waiting();
        match waiting.take() {
            Some(block) => Poll::Ready(block),
            None => {
                waiting.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The next block, if one is there.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        self.waiting().take()
    }

    fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        let mut waiting = self.waiting();
        if waiting.n_bytes < WAITING_BYTES_MAX {
            return Poll::Ready(());
        }
        waiting.writer = Some(context.waker().clone());
        Poll::Pending
    }

    fn put(&self, block: Vec<u8>) {
        let mut waiting = self.waiting();
        waiting.n_bytes += block.len();
        waiting.blocks.push_back(block);
        if let Some(reader) = waiting.reader.take() {
            reader.wake();
        }
    }
}

impl Waiting {
    fn take(&mut self) -> Option<Vec<u8>> {
        let block = self.blocks.pop_front()?;
        self.n_bytes -= block.len();
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
        Some(block)
    }
}

/// A connection whose rows go another way.
pub(super) struct Tapped<S> {
    socket: S,
    copied: Arc<Copied>,
    buffer: Vec<u8>,
    sorter: Sorter,
    /// What is not of rows, and how much of it has been read.
    others: Vec<u8>,
    n_read: usize,
}

impl<S> Tapped<S> {
    /// All that comes over the connection is made of messages from now on.
    pub(super) fn new(socket: S, copied: Arc<Copied>) -> Self {
        Self {
            socket,
            copied,
            buffer: vec![0; READ_BYTES],
            sorter: Sorter::default(),
            others: Vec::new(),
            n_read: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tapped<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let left = &this.others[this.n_read..];
            if !left.is_empty() {
                let n_bytes = left.len().min(into.remaining());
                into.put_slice(&left[..n_bytes]);
                this.n_read += n_bytes;
                return Poll::Ready(Ok(()));
            }
            this.others.clear();
            this.n_read = 0;
            ready!(this.copied.poll_room(context));
            let mut buffer = ReadBuf::new(&mut this.buffer);
            ready!(Pin::new(&mut this.socket).poll_read(context, &mut buffer))?;
            let bytes = buffer.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let mut rows = Vec::new();
            this.sorter.sort(bytes, &mut rows, &mut this.others)?;
            if !rows.is_empty() {
                this.copied.put(rows);
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tapped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// Tells messages of rows from others, wherever what is read of them begins and ends.
#[derive(Default)]
struct Sorter {
    head: [u8; HEAD_BYTES],
    /// The bytes of the next head that have come.
    n_head: usize,
    /// The bytes of a message's body that have not come.
    n_left: usize,
    is_of_rows: bool,
}

impl Sorter {
    /// Appends the bodies of rows to `rows`, and all other messages to `others`.
    fn sort(
        &mut self,
        mut bytes: &[u8],
        rows: &mut Vec<u8>,
        others: &mut Vec<u8>,
    ) -> io::Result<()> {
        loop {
            let (body, behind) = bytes.split_at(self.n_left.min(bytes.len()));
            if self.is_of_rows {
                if rows.capacity() == 0 {
                    rows.reserve(bytes.len());
                }
                rows.extend_from_slice(body);
            } else {
                others.extend_from_slice(body);
            }
            self.n_left -= body.len();
            if behind.is_empty() {
                return Ok(());
            }
            let n_head = (HEAD_BYTES - self.n_head).min(behind.len());
            let (head, behind) = behind.split_at(n_head);
            self.head[self.n_head..self.n_head + n_head].copy_from_slice(head);
            self.n_head += n_head;
            bytes = behind;
            if self.n_head < HEAD_BYTES {
                return Ok(());
            }
            self.begin(others)?;
        }
    }

    /// Begins a message, whose head has come.
    fn begin(&mut self, others: &mut Vec<u8>) -> io::Result<()> {
        let [kind, length @ ..] = self.head;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(0);
        let n_left = length.checked_sub(HEAD_BYTES - 1);
        self.n_left = n_left.ok_or_else(|| io::Error::other("a message has no length"))?;
        self.n_head = 0;
        self.is_of_rows = kind == COPY_DATA;
        if !self.is_of_rows {
            others.extend_from_slice(&self.head);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("it is short");
        [&[kind], length.to_be_bytes().as_slice(), body].concat()
    }

    #[test]
    fn rows_are_told_from_others_wherever_what_is_read_ends() {
        let sent = [
            message(b'H', b"head"),
            message(COPY_DATA, b"one"),
            message(COPY_DATA, b""),
            message(COPY_DATA, b"two"),
            message(b'c', b""),
            message(b'Z', b"I"),
        ]
        .concat();
        let expected = [
            message(b'H', b"head"),
            message(b'c', b""),
            message(b'Z', b"I"),
        ]
        .concat();
        for n_bytes in 1..sent.len() {
            let (mut sorter, mut rows, mut others) = (Sorter::default(), Vec::new(), Vec::new());
            for bytes in sent.chunks(n_bytes) {
                let sorted = sorter.sort(bytes, &mut rows, &mut others);
                sorted.expect("they are messages");
            }
            assert_eq!(
                (rows.as_slice(), others.as_slice()),
                (b"onetwo".as_slice(), expected.as_slice())
            );
        }
        let mut none = Sorter::default();
        assert!(
            none.sort(b"d\0\0\0\x03", &mut Vec::new(), &mut Vec::new())
                .is_err()
        );
    }

    #[test]
    fn a_server_waits_for_who_reads_its_rows() {
        let rows = message(COPY_DATA, &[7; 1000]);
        let sent = [rows.repeat(2000), message(b'c', b"")].concat();
        let copied = Arc::new(Copied::default());
        let mut tapped = Tapped::new(sent.as_slice(), Arc::clone(&copied));
        let others = async move {
            let mut others = Vec::new();
            tapped
                .read_to_end(&mut others)
                .await
                .expect("they are messages");
            others
        };
        let mut others = Box::pin(others);
        let mut context = Context::from_waker(Waker::noop());
        assert!(others.as_mut().poll(&mut context).is_pending());
        assert!(copied.waiting().n_bytes < WAITING_BYTES_MAX + READ_BYTES);
        let mut n_bytes = 0;
        let read = loop {
            while let Some(block) = copied.take() {
                n_bytes += block.len();
            }
            if let Poll::Ready(read) = others.as_mut().poll(&mut context) {
                break read;
            }
        };
        assert_eq!(read, message(b'c', b""));
        while let Some(block) = copied.take() {
            n_bytes += block.len();
        }
        assert_eq!(n_bytes, 2_000_000);
    }
}
