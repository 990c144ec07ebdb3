//! Unpacks the blocks of an Avro file, to a bounded size.

use std::io::Read;

use bytes::Bytes;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;

use super::Damage;

/// How long a block may be, in bytes, packed and unpacked. Writers make blocks of kilobytes.
pub(super) const BLOCK_BYTES_MAX: usize = 64 << 20;

/// How the blocks of a file are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
    Bzip2,
    Xz,
}

impl Codec {
    /// The codec of the header's `avro.codec`.
    pub(super) fn named(name: &[u8]) -> Result<Self, Damage> {
        Ok(match name {
            b"null" => Self::Null,
            b"deflate" => Self::Deflate,
            b"snappy" => Self::Snappy,
            b"zstandard" => Self::Zstandard,
            b"bzip2" => Self::Bzip2,
            b"xz" => Self::Xz,
            other => {
                let name = String::from_utf8_lossy(other);
                return Err(Damage::new(format!("its codec \"{name}\" is not known")));
            }
        })
    }

    /// The block's values.
    pub(super) fn unpacked(self, block: Bytes) -> Result<Bytes, Damage> {
        match self {
            Self::Null => Ok(block),
            Self::Snappy => snappy(&block),
            Self::Deflate => bounded(flate2::read::DeflateDecoder::new(&*block)),
            Self::Zstandard => stream(FileCompressionType::ZSTD, block),
            Self::Bzip2 => stream(FileCompressionType::BZIP2, block),
            Self::Xz => stream(FileCompressionType::XZ, block),
        }
    }
}

fn stream(compression: FileCompressionType, block: Bytes) -> Result<Bytes, Damage> {
    let reader = compression.convert_read(std::io::Cursor::new(block));
    bounded(reader.map_err(damaged)?)
}

fn bounded(reader: impl Read) -> Result<Bytes, Damage> {
    let mut unpacked = Vec::new();
    reader
        .take(BLOCK_BYTES_MAX as u64 + 1)
        .read_to_end(&mut unpacked)
        .map_err(damaged)?;
    check_length(unpacked.len())?;
    Ok(unpacked.into())
}

/// Snappy's block format, and behind it the checksum of what was packed.
fn snappy(block: &[u8]) -> Result<Bytes, Damage> {
    let (packed, checksum) = block
        .split_last_chunk::<4>()
        .ok_or_else(|| Damage::new("a block ends before its checksum"))?;
    check_length(snap::raw::decompress_len(packed).map_err(damaged)?)?;
    let unpacked = snap::raw::Decoder::new()
        .decompress_vec(packed)
        .map_err(damaged)?;
    let mut crc = flate2::Crc::new();
    crc.update(&unpacked);
    if crc.sum() != u32::from_be_bytes(*checksum) {
        return Err(Damage::new("a block differs from its checksum"));
    }
    Ok(unpacked.into())
}

fn check_length(n_bytes: usize) -> Result<(), Damage> {
    if n_bytes > BLOCK_BYTES_MAX {
        return Err(Damage::new("a block is longer than 64 MiB"));
    }
    Ok(())
}

fn damaged(cause: impl std::fmt::Display) -> Damage {
    Damage::new(format!("a block cannot be unpacked: {cause}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_block_unpacks_to_a_bounded_size() {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Default::default());
        let zeros = vec![0; 1 << 20];
        for _ in 0..65 {
            encoder.write_all(&zeros).unwrap();
        }
        let packed = encoder.finish().unwrap();
        assert!(packed.len() < 1 << 20);
        assert!(Codec::Deflate.unpacked(packed.into()).is_err());
        let length = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0];
        assert!(
            Codec::Snappy
                .unpacked(Bytes::copy_from_slice(&length))
                .is_err()
        );
    }

    #[test]
    fn a_damaged_block_is_told() {
        let mut packed = snap::raw::Encoder::new().compress_vec(b"abc").unwrap();
        packed.extend([0; 4]);
        for codec in [Codec::Snappy, Codec::Zstandard, Codec::Bzip2, Codec::Xz] {
            assert!(codec.unpacked(packed.clone().into()).is_err(), "{codec:?}");
        }
        assert!(Codec::Snappy.unpacked(Bytes::from_static(b"ab")).is_err());
        assert!(Codec::named(b"lz77").is_err());
    }
}
