//! Writes Avro object container files, without compression.
//!
//! <https://avro.apache.org/docs/1.12.0/specification/#object-container-files>

/// A file that is being put together in memory.
pub(super) struct AvroFile {
    bytes: Vec<u8>,
    sync_marker: [u8; 16],
    block: AvroBytes,
    n_records: usize,
}

impl AvroFile {
    /// A file without records. `sync_marker` stands between its blocks.
    pub(super) fn new(schema: &str, sync_marker: [u8; 16]) -> Self {
        let mut header = AvroBytes::default();
        header.map(
            &[("avro.schema", schema), ("avro.codec", "null")],
            |bytes, value| {
                bytes.text(value);
            },
        );
        let mut bytes = b"Obj\x01".to_vec();
        bytes.extend(header.0);
        bytes.extend(sync_marker);
        Self {
            bytes,
            sync_marker,
            block: AvroBytes::default(),
            n_records: 0,
        }
    }

    /// Adds a record, which `write` writes field by field.
    pub(super) fn record(&mut self, write: impl FnOnce(&mut AvroBytes)) {
        write(&mut self.block);
        self.n_records += 1;
    }

    /// Ends the block; a reader may start at any.
    pub(super) fn end_block(&mut self) {
        if self.n_records == 0 {
            return;
        }
        let mut sizes = AvroBytes::default();
        sizes.long(self.n_records as i64);
        sizes.long(self.block.0.len() as i64);
        self.bytes.extend(sizes.0);
        self.bytes.append(&mut self.block.0);
        self.bytes.extend(self.sync_marker);
        self.n_records = 0;
    }

    /// The whole file.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.end_block();
        self.bytes
    }
}

/// Values in Avro's binary encoding.
#[derive(Default)]
pub(super) struct AvroBytes(Vec<u8>);

impl AvroBytes {
    /// A number, also the place of a branch in its union: zigzag, then seven bits a byte.
    pub(super) fn long(&mut self, value: i64) {
        let mut left = ((value << 1) ^ (value >> 63)) as u64;
        while left >= 0x80 {
            self.0.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.0.push(left as u8);
    }

    /// A string, or bytes, which are encoded alike.
    pub(super) fn text(&mut self, value: &str) {
        self.long(value.len() as i64);
        self.0.extend(value.as_bytes());
    }

    /// A map as one block, then the end of blocks.
    pub(super) fn map<V>(&mut self, entries: &[(&str, V)], write: impl Fn(&mut Self, &V)) {
        if !entries.is_empty() {
            self.long(entries.len() as i64);
        }
        for (key, value) in entries {
            self.text(key);
            write(self, value);
        }
        self.long(0);
    }
}

#[cfg(test)]
mod tests {
    use super::AvroBytes;

    fn check(value: i64, expected: &[u8]) {
        let mut bytes = AvroBytes::default();
        bytes.long(value);
        assert_eq!(bytes.0, expected, "{value}");
    }

    // The first six are the table of the specification.
    #[test]
    fn numbers_are_zigzag_varints() {
        check(0, &[0x00]);
        check(-1, &[0x01]);
        check(1, &[0x02]);
        check(-2, &[0x03]);
        check(-64, &[0x7f]);
        check(64, &[0x80, 0x01]);
        check(8_192, &[0x80, 0x80, 0x01]);
        check(
            i64::MAX,
            &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        );
        check(
            i64::MIN,
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        );
    }

    #[test]
    fn maps_end_with_zero() {
        let mut bytes = AvroBytes::default();
        bytes.map(&[("a", 1)], |bytes, value| bytes.long(*value));
        bytes.map(&[], |bytes, value| bytes.long(*value));
        assert_eq!(bytes.0, [0x02, 0x02, b'a', 0x02, 0x00, 0x00]);
    }
}
