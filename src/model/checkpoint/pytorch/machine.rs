//! Reads a pickle of protocol 2, as `torch.save` writes it, without executing anything.
//!
//! Opcodes: Lib/pickle.py and Lib/pickletools.py of CPython. Only those that build plain values, containers and tensors are
//! accepted; a class or a function is a name of a fixed list ([`TorchGlobal`]).

use std::collections::HashMap;

use super::objects::{PickleDict, PickleObjects, PickleValue, TorchGlobal};

/// Most opcodes of a pickle, each of which takes about 100 bytes of memory at most; 684 tensors take 25,000.
pub(super) const MAX_OPCODES: usize = 1 << 20;
/// Longest description of what is refused, in characters.
const MAX_FAULT: usize = 300;
/// Longest name of a module, a class or a function.
const MAX_NAME: usize = 256;

/// Runs a pickle to its end.
///
/// # Errors
/// The first thing that is not accepted, in words.
pub(super) fn run(pickle: &[u8]) -> Result<(PickleObjects<'_>, PickleValue<'_>), String> {
    let mut machine = PickleMachine { rest: pickle, ..PickleMachine::default() };
    for _ in 0..MAX_OPCODES {
        let position = pickle.len() - machine.rest.len();
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok((machine.objects, root)),
            Err(fault) => {
                // It may name objects of any length.
                let fault: String = fault.chars().take(MAX_FAULT).collect();
                return Err(format!("its pickle is refused at byte {position}: {fault}"));
            }
        }
    }
    Err(format!("its pickle has more than {MAX_OPCODES} opcodes"))
}

#[derive(Default)]
struct PickleMachine<'a> {
    rest: &'a [u8],
    stack: Vec<PickleValue<'a>>,
    /// Heights of the stack at its marks.
    marks: Vec<usize>,
    memo: HashMap<u32, PickleValue<'a>>,
    objects: PickleObjects<'a>,
}

impl<'a> PickleMachine<'a> {
    /// Runs an opcode; returns the root of the pickle at its end.
    fn step(&mut self) -> Result<Option<PickleValue<'a>>, String> {
        let opcode = self.byte()?;
        match opcode {
            b'.' => return self.pop().map(Some),
            0x80 => match self.byte()? {
                2 => {}
                version => return Err(format!("pickle protocol {version}, not 2")),
            },
            b'(' => self.marks.push(self.stack.len()),
            b'q' | b'r' => {
                let index = if opcode == b'q' { u32::from(self.byte()?) } else { self.long()? };
                let top = self.pop()?;
                self.stack.push(top);
                self.memo.insert(index, top);
            }
            b'h' | b'j' => {
                let index = if opcode == b'h' { u32::from(self.byte()?) } else { self.long()? };
                let value = self.memo.get(&index).ok_or("an object that was not stored")?;
                self.stack.push(*value);
            }
            b'u' | b's' => {
                let start = if opcode == b'u' { self.mark()? } else { self.below(2)? };
                self.set_items(start)?;
            }
            b'e' | b'a' => {
                let start = if opcode == b'e' { self.mark()? } else { self.below(1)? };
                self.append(start)?;
            }
            _ => {
                let value = self.value(opcode)?;
                self.stack.push(value);
            }
        }
        Ok(None)
    }

    /// The value that an opcode pushes.
    fn value(&mut self, opcode: u8) -> Result<PickleValue<'a>, String> {
        Ok(match opcode {
            b'N' => PickleValue::None,
            0x88 => PickleValue::Bool(true),
            0x89 => PickleValue::Bool(false),
            b'K' => PickleValue::Int(i64::from(self.byte()?)),
            b'M' => PickleValue::Int(i64::from(u16::from_le_bytes(self.array()?))),
            b'J' => PickleValue::Int(i64::from(i32::from_le_bytes(self.array()?))),
            0x8a => PickleValue::Int(self.long_integer()?),
            b'G' => PickleValue::Float(f64::from_be_bytes(self.array()?)),
            b'X' => PickleValue::Text(self.text()?),
            b']' => PickleValue::List(self.sequence(Vec::new())),
            b'}' => {
                self.objects.dicts.push(PickleDict::default());
                PickleValue::Dict(self.objects.dicts.len() - 1)
            }
            b')' => PickleValue::Tuple(self.sequence(Vec::new())),
            b't' | 0x85..=0x87 => {
                let start = if opcode == b't' {
                    self.mark()?
                } else {
                    self.below(usize::from(opcode - 0x84))?
                };
                let items = self.stack.split_off(start);
                PickleValue::Tuple(self.sequence(items))
            }
            b'c' => PickleValue::Global(self.global()?),
            b'Q' => {
                let id = self.pop()?;
                self.objects.persistent(id)?
            }
            b'R' => {
                let arguments = self.pop()?;
                let callable = self.pop()?;
                self.objects.call(callable, arguments)?
            }
            b'b' => {
                let attributes = self.pop()?;
                let object = self.pop()?;
                self.objects.build(object, attributes)?;
                object
            }
            other => return Err(format!("the opcode {}", name_of(other))),
        })
    }

    fn sequence(&mut self, items: Vec<PickleValue<'a>>) -> usize {
        self.objects.sequences.push(items);
        self.objects.sequences.len() - 1
    }

    /// Moves the pairs of keys and values from `start` on into the dict below them.
    fn set_items(&mut self, start: usize) -> Result<(), String> {
        let items = self.stack.split_off(start);
        let Some(&PickleValue::Dict(dict)) = self.stack.last() else {
            return Err("items for an object that is not a dict".into());
        };
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err("a key without a value".into());
        };
        self.objects.dicts[dict].entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
        Ok(())
    }

    /// Moves the values from `start` on into the list below them.
    fn append(&mut self, start: usize) -> Result<(), String> {
        let items = self.stack.split_off(start);
        let Some(&PickleValue::List(list)) = self.stack.last() else {
            return Err("items for an object that is not a list".into());
        };
        self.objects.sequences[list].extend(items);
        Ok(())
    }

    /// A class or a function, by two lines: module and name.
    fn global(&mut self) -> Result<TorchGlobal<'a>, String> {
        let module = self.line()?;
        let name = self.line()?;
        TorchGlobal::named(module, name).ok_or_else(|| {
            let (module, name) = (module.escape_debug(), name.escape_debug());
            format!("the global {module}.{name} is neither a tensor nor a plain container")
        })
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let end = self.rest.iter().take(MAX_NAME).position(|&byte| byte == b'\n');
        let line = self.take(end.ok_or("the name of a global is too long")?)?;
        self.byte()?;
        std::str::from_utf8(line).map_err(|_| "the name of a global is not UTF-8".into())
    }

    fn text(&mut self) -> Result<&'a str, String> {
        let length = self.long()?;
        let bytes = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8".into())
    }

    fn long_integer(&mut self) -> Result<i64, String> {
        let length = usize::from(self.byte()?);
        let bytes = self.take(length)?;
        if length > 8 {
            return Err(format!("an integer of {length} bytes"));
        }
        let is_negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
        let mut extended = [if is_negative { 0xff } else { 0 }; 8];
        extended[..length].copy_from_slice(bytes);
        Ok(i64::from_le_bytes(extended))
    }

    /// The height of the stack at the last mark.
    fn mark(&mut self) -> Result<usize, String> {
        let height = self.marks.pop().filter(|&height| height <= self.stack.len());
        height.ok_or_else(|| "the stack has no mark".into())
    }

    /// The height of the stack without its last `count` values.
    fn below(&self, count: usize) -> Result<usize, String> {
        self.stack.len().checked_sub(count).ok_or_else(|| "the stack is empty".into())
    }

    fn pop(&mut self) -> Result<PickleValue<'a>, String> {
        self.stack.pop().ok_or_else(|| "the stack is empty".into())
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn long(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (head, rest) = self.rest.split_first_chunk().ok_or("it ends too early")?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or("it ends too early")?;
        self.rest = rest;
        Ok(head)
    }
}

/// The name of an opcode that is refused.
fn name_of(opcode: u8) -> String {
    let name = match opcode {
        b'i' => "INST",
        b'o' => "OBJ",
        b'P' => "PERSID",
        0x81 => "NEWOBJ",
        0x82..=0x84 => "EXT",
        0x92 => "NEWOBJ_EX",
        0x93 => "STACK_GLOBAL",
        0x95 => "FRAME",
        _ => return format!("{opcode:#04x}"),
    };
    format!("{name} ({opcode:#04x})")
}
