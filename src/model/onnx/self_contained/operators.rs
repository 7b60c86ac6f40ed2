//! The operators that a file may have.

use super::super::wire::MessageFields;
use super::tensors::check_tensor;
use super::{check_domain, name_of, shown};

/// Operators of MDX-Nets, and what exporters put around them. None of them allocates by a number in the file alone, but for
/// the attributes that [`LARGEST_ATTRIBUTE`] bounds.
const OPERATORS: &[&str] = &[
    "Add",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "ConvTranspose",
    "Div",
    "Dropout",
    "Elu",
    "Flatten",
    "Gemm",
    "Identity",
    "InstanceNormalization",
    "LeakyRelu",
    "MatMul",
    "Mul",
    "Neg",
    "PRelu",
    "Relu",
    "Reshape",
    "Shape",
    "Sigmoid",
    "Slice",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
];

/// Largest number in a list of an attribute of a convolution: kernels, strides, dilations, pads.
const LARGEST_ATTRIBUTE: u64 = 256;

pub(super) fn check_operator(node: &[u8]) -> Result<(), String> {
    let (kind, name) = (name_of(node, 4)?, name_of(node, 3)?);
    let who = || format!("operator {} ({})", shown(name), shown(kind));
    check_domain(node, 7, &format!("{} is", who()))?;
    if !OPERATORS.contains(&kind) {
        return Err(format!("{} is none of an MDX-Net's", who()));
    }
    for field in MessageFields::of(node) {
        if let (5, value) = field? {
            check_attribute(value.bytes()?, kind).map_err(|fault| format!("{}: {fault}", who()))?;
        }
    }
    Ok(())
}

fn check_attribute(attribute: &[u8], kind: &str) -> Result<(), String> {
    let name = name_of(attribute, 1)?;
    let is_convolution = kind.starts_with("Conv");
    for field in MessageFields::of(attribute) {
        match field? {
            (5, value) => check_tensor(value.bytes()?, name)?,
            (8, value) if is_convolution => {
                let mut largest = 0;
                value.varints(&mut |number| largest = largest.max(number))?;
                if largest > LARGEST_ATTRIBUTE {
                    return Err(format!("{} is above {LARGEST_ATTRIBUTE}", shown(name)));
                }
            }
            (6 | 11, _) => return Err(format!("{} is a graph", shown(name))),
            (10 | 22 | 23, _) => return Err(format!("{} is not a plain value", shown(name))),
            _ => {}
        }
    }
    Ok(())
}
