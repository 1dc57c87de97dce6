//! Protobuf's wire format, the other way round: fields appended to a buffer.
//!
//! In: field numbers and payloads. Out: bytes at the end of a vector. A nested message is written before its length is
//! known: one byte is reserved for it, filled in when the message ends. Knows no message.

use super::cursor::MAX_VARINT_BYTES;

/// A tag of one byte and the longest length.
pub(super) const MAX_HEAD_BYTES: usize = 1 + MAX_VARINT_BYTES;

/// Wire types, below a tag's field number.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const DELIMITED: u8 = 2;

/// Appends a text, bytes or message.
pub(super) fn append_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    out.push(tag(number, DELIMITED));
    append_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a number or an enum's value.
pub(super) fn append_number(out: &mut Vec<u8>, number: u32, value: u64) {
    out.push(tag(number, VARINT));
    append_varint(out, value);
}

/// Begins a nested message, to be ended by [`close`] with what this returns.
pub(super) fn open(out: &mut Vec<u8>, number: u32) -> usize {
    out.extend_from_slice(&[tag(number, DELIMITED), 0]);
    out.len()
}

/// Appends a double.
pub(super) fn append_double(out: &mut Vec<u8>, number: u32, value: f64) {
    out.push(tag(number, FIXED64));
    out.extend_from_slice(&value.to_le_bytes());
}

/// Fills in the length of what was written since [`open`].
pub(super) fn close(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    if let (Ok(short @ 0..=0x7f), Some(reserved)) = (u8::try_from(length), out.get_mut(start - 1)) {
        *reserved = short;
        return;
    }
    let (varint, used) = varint(length as u64);
    // One byte is reserved, the others come in between.
    out.resize(out.len() + used - 1, 0);
    out.copy_within(start..start + length, start + used - 1);
    for (reserved, byte) in out.iter_mut().skip(start - 1).zip(varint.into_iter().take(used)) {
        *reserved = byte;
    }
}

fn append_varint(out: &mut Vec<u8>, value: u64) {
    if let Ok(short @ 0..=0x7f) = u8::try_from(value) {
        out.push(short);
        return;
    }
    let (varint, used) = varint(value);
    out.extend(varint.into_iter().take(used));
}

/// Seven bits a byte, lowest first, and how many bytes they take.
fn varint(mut value: u64) -> ([u8; MAX_VARINT_BYTES], usize) {
    let mut bytes = [0; MAX_VARINT_BYTES];
    let mut used = 0;
    for byte in &mut bytes {
        used += 1;
        *byte = low_byte(value & 0x7f);
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, used)
}

/// All field numbers of `struct.proto`, and of the protocol's `State`, fit a tag of one byte.
fn tag(number: u32, wire_type: u8) -> u8 {
    low_byte(u64::from(number << 3)) | wire_type
}

fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}
