//! The wire format of protocol buffers, read in place: nothing is allocated, however many fields a file has.
//!
//! prost would build every message of a file: one of 500 MB of empty tensors would take gigabytes.

use std::mem;

/// A field: its number and its value.
pub(super) type Field<'a> = (u64, Value<'a>);

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    /// A text, a message, packed numbers.
    Bytes(&'a [u8]),
    /// A number of 4 bytes.
    Fixed32(f32),
    /// A number of 8 bytes.
    Fixed64,
}

/// The fields of a message in order. After an error there are no more.
pub(super) struct MessageFields<'a> {
    rest: &'a [u8],
}

impl<'a> MessageFields<'a> {
    pub(super) fn of(message: &'a [u8]) -> MessageFields<'a> {
        MessageFields { rest: message }
    }

    /// The next field with the bytes of the message that it takes.
    pub(super) fn next_raw(&mut self) -> Option<(Result<Field<'a>, String>, &'a [u8])> {
        let message = self.rest;
        let field = self.next()?;
        Some((field, &message[..message.len() - self.rest.len()]))
    }

    fn field(&mut self) -> Option<Field<'a>> {
        let key = varint(&mut self.rest)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.rest)?),
            1 => {
                take(&mut self.rest, 8)?;
                Value::Fixed64
            }
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).ok()?;
                Value::Bytes(take(&mut self.rest, length)?)
            }
            5 => {
                let bytes = take(&mut self.rest, 4)?.try_into().ok()?;
                Value::Fixed32(f32::from_le_bytes(bytes))
            }
            // Groups, which no current file has.
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

impl<'a> Iterator for MessageFields<'a> {
    type Item = Result<Field<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field.ok_or_else(|| "not an ONNX graph: it ends within a field".to_owned()))
    }
}

impl<'a> Value<'a> {
    /// The bytes of a text or message.
    pub(super) fn bytes(self) -> Result<&'a [u8], String> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err("not an ONNX graph: a number stands in place of a message".into()),
        }
    }

    /// A text, for errors and comparison.
    pub(super) fn text(self) -> Result<&'a str, String> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|_| "not an ONNX graph: a name is no text".into())
    }

    /// The numbers of a field that is repeated, packed or not, as `visit` sees them.
    pub(super) fn varints(self, visit: &mut dyn FnMut(u64)) -> Result<(), String> {
        match self {
            Value::Varint(number) => visit(number),
            Value::Bytes(mut bytes) => {
                while !bytes.is_empty() {
                    let number = varint(&mut bytes);
                    visit(number.ok_or("not an ONNX graph: it ends within a number")?);
                }
            }
            Value::Fixed32(_) | Value::Fixed64 => {
                return Err("not an ONNX graph: a number has another size".into());
            }
        }
        Ok(())
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for (at, &byte) in rest.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte < 0x80 {
            *rest = &rest[at + 1..];
            return Some(number);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = mem::take(rest).split_at_checked(length)?;
    *rest = after;
    Some(taken)
}
