//! Copies texts and bytes with their length before them, in steps of fixed size where they are
//! short: a call that asks for the length costs more than most of them.

use arrow::array::ByteView;
use arrow::buffer::Buffer;

/// Bytes of a length field.
const LENGTH_BYTES: usize = 4;
/// Bytes copied at once.
const STEP_BYTES: usize = 32;
/// Texts up to this length lie in the view itself (Arrow, "Variable-size Binary View Layout").
const INLINE_BYTES_MAX: u32 = 12;

/// Copies `length` bytes of `data` from `start` on; how much was written. `None` if there is no
/// room.
#[inline(always)]
pub(super) fn bytes(data: &[u8], start: usize, length: usize, out: &mut [u8]) -> Option<usize> {
    let (head, out) = out.split_first_chunk_mut()?;
    *head = i32::try_from(length).ok()?.to_be_bytes();
    // What is behind the value is overwritten by the next one.
    if length <= 2 * STEP_BYTES
        && let Some(from) = data.get(start..start + 2 * STEP_BYTES)
        && let Some(to) = out.get_mut(..2 * STEP_BYTES)
    {
        to[..STEP_BYTES].copy_from_slice(&from[..STEP_BYTES]);
        if length > STEP_BYTES {
            to[STEP_BYTES..].copy_from_slice(&from[STEP_BYTES..]);
        }
    } else {
        out.get_mut(..length)?
            .copy_from_slice(data.get(start..start + length)?);
    }
    Some(LENGTH_BYTES + length)
}

/// Copies the first `length` of `data`, which are values with their lengths already; how many
/// bytes they are. `None` if there is no room.
#[inline(always)]
pub(super) fn run(data: &[u8], length: usize, out: &mut [u8]) -> Option<usize> {
    if let Some(from) = data.first_chunk::<{ 4 * STEP_BYTES }>()
        && let Some(to) = out.first_chunk_mut::<{ 4 * STEP_BYTES }>()
        && length <= 4 * STEP_BYTES
    {
        to[..STEP_BYTES].copy_from_slice(&from[..STEP_BYTES]);
        to[STEP_BYTES..2 * STEP_BYTES].copy_from_slice(&from[STEP_BYTES..2 * STEP_BYTES]);
        if length > 2 * STEP_BYTES {
            to[2 * STEP_BYTES..].copy_from_slice(&from[2 * STEP_BYTES..]);
        }
    } else {
        out.get_mut(..length)?.copy_from_slice(data.get(..length)?);
    }
    Some(length)
}

/// Copies the text of a view, which lies in itself or in one of the buffers.
#[inline(always)]
pub(super) fn view(view: u128, buffers: &[Buffer], out: &mut [u8]) -> Option<usize> {
    let ByteView {
        length,
        buffer_index,
        offset,
        ..
    } = ByteView::from(view);
    let n_bytes = usize::try_from(length).ok()?;
    if length <= INLINE_BYTES_MAX {
        // The length is the view's first field already, in the other order of bytes.
        let sent = (view & !u128::from(u32::MAX)) | u128::from(length.swap_bytes());
        *out.first_chunk_mut()? = sent.to_le_bytes();
        return Some(LENGTH_BYTES + n_bytes);
    }
    let buffer = buffers.get(usize::try_from(buffer_index).ok()?)?;
    bytes(buffer, usize::try_from(offset).ok()?, n_bytes, out)
}
