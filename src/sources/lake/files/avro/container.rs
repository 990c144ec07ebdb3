//! The container of an Avro file: its header, and its blocks one after the other.

use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt};

use super::Damage;
use super::codec::{BLOCK_BYTES_MAX, Codec};
use super::input::{self, Input};
use super::schema::Schema;
use crate::error::Result;

/// What a file starts with.
const MAGIC: &[u8] = b"Obj\x01";

/// How long a header may be, in bytes: its schema and what writers note beside it.
pub(super) const HEADER_BYTES_MAX: usize = 16 << 20;

/// How many rows a block may claim beyond its bytes, for rows that take none.
const FREE_ROWS_MAX: usize = 1 << 20;

/// What stands at the start of a file.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) schema: Schema,
    codec: Codec,
    sync: [u8; 16],
}

/// The values of some rows.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) n_rows: usize,
    pub(super) bytes: Bytes,
}

impl Header {
    /// Reads the header, and says how long it is; `None` if more bytes are needed.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Damage> {
        let n_known = bytes.len().min(MAGIC.len());
        if bytes[..n_known] != MAGIC[..n_known] {
            return Err(Damage::new("it does not start as an Avro file"));
        }
        match Self::read(bytes) {
            Ok(header) => Ok(Some(header)),
            // Anything may still come of a header that is not whole.
            Err(_) if is_cut(bytes) && bytes.len() <= HEADER_BYTES_MAX => Ok(None),
            Err(damage) => Err(damage),
        }
    }

    fn read(bytes: &[u8]) -> Result<(Self, usize), Damage> {
        let mut input = Input::new(bytes);
        input.take(MAGIC.len())?;
        let (mut schema, mut codec) = (None, Codec::Null);
        entries(&mut input, |key, value| {
            match key {
                b"avro.schema" => schema = Some(value),
                b"avro.codec" => codec = Codec::named(value)?,
                _ => {}
            }
            Ok(())
        })?;
        let sync = input.array()?;
        let schema = schema.ok_or_else(|| Damage::new("its header has no schema"))?;
        let header = Self {
            schema: Schema::parse(schema)?,
            codec,
            sync,
        };
        Ok((header, bytes.len() - input.len()))
    }
}

/// Calls `take` with each key and value of the header's map.
fn entries<'a>(
    input: &mut Input<'a>,
    mut take: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), Damage>,
) -> Result<(), Damage> {
    loop {
        let n_items = input.n_items()?;
        if n_items == 0 {
            return Ok(());
        }
        input.expect(n_items)?;
        for _ in 0..n_items {
            let key = input.bytes()?;
            take(key, input.bytes()?)?;
        }
    }
}

/// Whether the bytes end before the header does.
fn is_cut(bytes: &[u8]) -> bool {
    let mut input = Input::new(bytes);
    let whole = input
        .take(MAGIC.len())
        .and_then(|_| entries(&mut input, |_, _| Ok(())))
        .and_then(|()| input.array::<16>());
    whole.is_err()
}

/// The blocks of a file.
pub(super) struct Blocks {
    input: BoxStream<'static, Result<Bytes>>,
    buffer: BytesMut,
    path: String,
    codec: Codec,
    sync: [u8; 16],
}

impl Blocks {
    /// Reads the header of a file, of which the blocks follow.
    pub(super) async fn open(
        mut input: BoxStream<'static, Result<Bytes>>,
        path: &str,
    ) -> Result<(Schema, Self)> {
        let mut buffer = BytesMut::new();
        // The header is looked at again only once the buffer has doubled.
        let mut n_needed = 0;
        let (header, length) = loop {
            let chunk = input.next().await.transpose()?;
            let is_at_end = chunk.is_none();
            buffer.extend_from_slice(&chunk.unwrap_or_default());
            if buffer.len() < n_needed && !is_at_end {
                continue;
            }
            match Header::parse(&buffer).map_err(|damage| damage.of_file(path))? {
                Some(header) => break header,
                None if is_at_end => {
                    return Err(Damage::new("it ends before its header does").of_file(path));
                }
                None => n_needed = 2 * buffer.len(),
            }
        };
        buffer.advance(length);
        let blocks = Self {
            input,
            buffer,
            path: path.to_owned(),
            codec: header.codec,
            sync: header.sync,
        };
        Ok((header.schema, blocks))
    }

    /// The file's path, for messages.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The next block; `None` at the end of the file.
    pub(super) async fn next(&mut self) -> Result<Option<Block>> {
        loop {
            match self.take().map_err(|damage| damage.of_file(&self.path))? {
                Some(block) => return Ok(Some(block)),
                None => match self.input.next().await {
                    Some(bytes) => self.buffer.extend_from_slice(&bytes?),
                    None if self.buffer.is_empty() => return Ok(None),
                    None => {
                        let damage = Damage::new("it ends in the middle of a block");
                        return Err(damage.of_file(&self.path));
                    }
                },
            }
        }
    }

    /// A block, if all of it is in the buffer.
    fn take(&mut self) -> Result<Option<Block>, Damage> {
        let Some((n_rows, of_rows)) = input::long(&self.buffer).transpose()? else {
            return Ok(None);
        };
        let Some((n_bytes, of_bytes)) = input::long(&self.buffer[of_rows..]).transpose()? else {
            return Ok(None);
        };
        let n_bytes = usize::try_from(n_bytes)
            .ok()
            .filter(|length| *length <= BLOCK_BYTES_MAX)
            .ok_or_else(|| Damage::new("a block is longer than 64 MiB"))?;
        let start = of_rows + of_bytes;
        if self.buffer.len() < start + n_bytes + self.sync.len() {
            return Ok(None);
        }
        self.buffer.advance(start);
        let packed = self.buffer.split_to(n_bytes).freeze();
        if self.buffer.split_to(self.sync.len()) != self.sync[..] {
            return Err(Damage::new("a block does not end where it says"));
        }
        let bytes = self.codec.unpacked(packed)?;
        let n_rows = usize::try_from(n_rows)
            .ok()
            .filter(|n_rows| *n_rows <= bytes.len().max(FREE_ROWS_MAX))
            .ok_or_else(|| Damage::new("a block holds more rows than its bytes can"))?;
        Ok(Some(Block { n_rows, bytes }))
    }
}
