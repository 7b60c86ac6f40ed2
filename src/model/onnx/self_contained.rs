//! Checks ONNX files of unknown origin before anything executes them.
//!
//! A file must hold all of its weights, and only the operators of convolutional networks: no other files, no operators of other
//! domains, no subgraphs (loops), nothing whose output is larger than its operands allow. It is read in place.

mod operators;
mod tensors;

use operators::check_operator;
use tensors::{FLOAT, MOST_DIMENSIONS, check_tensor};

use super::wire::{MessageFields, Value};

/// Most operators of a graph; the published have below 300.
const MOST_OPERATORS: usize = 20_000;

/// Most tensors of a graph.
const MOST_TENSORS: usize = 20_000;

/// Largest file; the published have 67 MB and below.
pub(crate) const MOST_BYTES: u64 = 512 << 20;

/// Longest name in an error.
const LONGEST_NAME: usize = 80;

/// A graph that holds all it needs.
#[derive(Debug)]
pub(crate) struct SelfContained<'a> {
    inputs: Vec<Port<'a>>,
    outputs: Vec<Port<'a>>,
}

/// An input or an output.
#[derive(Debug)]
struct Port<'a> {
    name: &'a str,
    element: u64,
    /// -1 for an open dimension.
    shape: Vec<i64>,
}

/// What a graph of spectra takes and yields: [1, 4, bins, columns].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpectrumPorts {
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) bins: usize,
    pub(crate) columns: usize,
}

impl<'a> SelfContained<'a> {
    /// Checks a file.
    ///
    /// # Errors
    /// The first fault by name, in words.
    pub(crate) fn check(file: &'a [u8]) -> Result<SelfContained<'a>, String> {
        if file.len() as u64 > MOST_BYTES {
            return Err(format!("it has {} bytes, more than {MOST_BYTES}", file.len()));
        }
        let mut graph = None;
        for field in MessageFields::of(file) {
            match field? {
                (7, value) if graph.is_none() => graph = Some(value.bytes()?),
                (7, _) => return Err("it has two graphs".into()),
                (8, value) => check_domain(value.bytes()?, 1, "it imports operators")?,
                (20, _) => return Err("it has a graph of training".into()),
                (25, _) => return Err("it has functions of its own".into()),
                _ => {}
            }
        }
        check_graph(graph.ok_or("not an ONNX graph: the file has no graph")?)
    }

    /// The ports of a graph of one input and one output, spectra of the same shape.
    ///
    /// # Errors
    /// The first difference, in words.
    pub(crate) fn spectrum(&self) -> Result<SpectrumPorts, String> {
        let ([input], [output]) = (&self.inputs[..], &self.outputs[..]) else {
            let (inputs, outputs) = (self.inputs.len(), self.outputs.len());
            return Err(format!("it has {inputs} inputs and {outputs} outputs, not one of each"));
        };
        for port in [input, output] {
            if port.element != FLOAT {
                return Err(format!("{} is not a tensor of 32-bit floats", shown(port.name)));
            }
        }
        let size =
            |size: i64| usize::try_from(size).ok().filter(|size| (1..=1 << 20).contains(size));
        let shape = match input.shape[..] {
            [-1 | 1, 4, bins, columns] => size(bins).zip(size(columns)),
            _ => None,
        };
        let Some((bins, columns)) = shape.filter(|(bins, columns)| bins * columns <= 1 << 26)
        else {
            return Err(format!(
                "{} has the shape {:?}, not [1, 4, bins, columns]",
                shown(input.name),
                input.shape
            ));
        };
        let alike = output.shape.len() == 4
            && output
                .shape
                .iter()
                .zip(&input.shape)
                .skip(1)
                .all(|(&out, &into)| out < 0 || out == into);
        if !alike {
            return Err(format!(
                "{} has the shape {:?}, {} has {:?}",
                shown(output.name),
                output.shape,
                shown(input.name),
                input.shape
            ));
        }
        Ok(SpectrumPorts { input: input.name.into(), output: output.name.into(), bins, columns })
    }
}

fn check_graph(graph: &[u8]) -> Result<SelfContained<'_>, String> {
    let (mut operators, mut tensors) = (0, 0);
    let mut found = SelfContained { inputs: Vec::new(), outputs: Vec::new() };
    for field in MessageFields::of(graph) {
        match field? {
            (1, value) => {
                operators += 1;
                if operators > MOST_OPERATORS {
                    return Err(format!("it has more than {MOST_OPERATORS} operators"));
                }
                check_operator(value.bytes()?)?;
            }
            (5, value) => {
                tensors += 1;
                if tensors > MOST_TENSORS {
                    return Err(format!("it has more than {MOST_TENSORS} tensors"));
                }
                check_tensor(value.bytes()?, "")?;
            }
            (11, value) => keep(&mut found.inputs, port(value.bytes()?)?)?,
            (12, value) => keep(&mut found.outputs, port(value.bytes()?)?)?,
            (15, _) => return Err("it has sparse tensors".into()),
            _ => {}
        }
    }
    // Older files list their weights as inputs, too.
    for field in MessageFields::of(graph) {
        if let (5, value) = field? {
            let name = name_of(value.bytes()?, 8)?;
            found.inputs.retain(|port| port.name != name);
        }
    }
    Ok(found)
}

/// Most ports, with the weights that older files list among them.
const MOST_PORTS: usize = 4096;

fn keep<'a>(ports: &mut Vec<Port<'a>>, port: Port<'a>) -> Result<(), String> {
    if ports.len() == MOST_PORTS {
        return Err(format!("it has more than {MOST_PORTS} inputs or outputs"));
    }
    ports.push(port);
    Ok(())
}

/// Checks the domain that a message has in the field `tag`.
fn check_domain(message: &[u8], tag: u64, what: &str) -> Result<(), String> {
    match name_of(message, tag)? {
        "" | "ai.onnx" => Ok(()),
        other => Err(format!("{what} of the domain {}", shown(other))),
    }
}

/// The text in the field `tag` of a message; empty if there is none.
fn name_of(message: &[u8], tag: u64) -> Result<&str, String> {
    let mut name = "";
    for field in MessageFields::of(message) {
        match field? {
            (found, value) if found == tag => name = value.text()?,
            _ => {}
        }
    }
    Ok(name)
}

/// A port's name, type and shape.
fn port(message: &[u8]) -> Result<Port<'_>, String> {
    let mut port = Port { name: name_of(message, 1)?, element: 0, shape: Vec::new() };
    let nested = |message, tag| {
        let fields = MessageFields::of(message).filter_map(move |field| match field {
            Ok((found, value)) => (found == tag).then_some(Ok(value)),
            Err(error) => Some(Err(error)),
        });
        fields.last().unwrap_or(Ok(Value::Bytes(&[])))?.bytes()
    };
    let tensor = nested(nested(message, 2)?, 1)?;
    for field in MessageFields::of(tensor) {
        if let (1, Value::Varint(element)) = field? {
            port.element = element;
        }
    }
    for field in MessageFields::of(nested(tensor, 2)?) {
        let (1, value) = field? else { continue };
        if port.shape.len() == MOST_DIMENSIONS {
            return Err(format!("{} has too many dimensions", shown(port.name)));
        }
        let size = MessageFields::of(value.bytes()?).find_map(|field| match field {
            Ok((1, Value::Varint(size))) => Some(i64::try_from(size).unwrap_or(-1)),
            _ => None,
        });
        port.shape.push(size.unwrap_or(-1));
    }
    Ok(port)
}

/// A name from the file, for an error.
fn shown(name: &str) -> String {
    let start: String = name.chars().take(LONGEST_NAME).collect();
    format!("{start:?}")
}

#[cfg(test)]
mod tests;
