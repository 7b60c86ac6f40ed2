//! Operators of ONNX, in the few forms that the graphs use.

use super::{Attribute, GraphBuilder, GraphValue};

impl GraphBuilder {
    // Operators, in the few forms that are needed.

    /// An operator on one value that keeps its shape.
    pub(crate) fn unary(&mut self, kind: &str, value: &GraphValue) -> GraphValue {
        self.node(kind, &[value], &[], &value.shape)
    }

    /// An operator on two values, of which the second is repeated along its axes of length 1.
    pub(crate) fn binary(
        &mut self,
        kind: &str,
        left: &GraphValue,
        right: &GraphValue,
    ) -> GraphValue {
        self.node(kind, &[left, right], &[], &left.shape)
    }

    /// The same values in another shape.
    pub(crate) fn reshape(&mut self, value: &GraphValue, shape: &[usize]) -> GraphValue {
        debug_assert_eq!(value.shape.iter().product::<usize>(), shape.iter().product::<usize>());
        if value.shape == shape {
            return value.clone();
        }
        let wanted = self.whole(shape, &[shape.len()]);
        self.node("Reshape", &[value, &wanted], &[], shape)
    }

    /// The axes in another order.
    pub(crate) fn transpose(&mut self, value: &GraphValue, order: &[usize]) -> GraphValue {
        let shape: Vec<usize> = order.iter().map(|&axis| value.shape[axis]).collect();
        self.node("Transpose", &[value], &[("perm", Attribute::Ints(order.to_vec()))], &shape)
    }

    /// Parts of these sizes along an axis.
    pub(crate) fn split(
        &mut self,
        value: &GraphValue,
        sizes: &[usize],
        axis: usize,
    ) -> Vec<GraphValue> {
        if sizes.len() == 1 {
            return vec![value.clone()];
        }
        let parts: Vec<GraphValue> =
            sizes.iter().map(|&size| self.value(&with(&value.shape, axis, size))).collect();
        let sizes = self.whole(sizes, &[sizes.len()]);
        let names = parts.iter().map(|part| part.name.clone()).collect();
        self.push(("", "Split"), &[value, &sizes], &[("axis", Attribute::Int(axis))], names);
        parts
    }

    /// The places `from..to` of an axis.
    pub(crate) fn slice(
        &mut self,
        value: &GraphValue,
        axis: usize,
        from: usize,
        to: usize,
    ) -> GraphValue {
        let [from_value, to_value, axes] = [from, to, axis].map(|at| self.whole(&[at], &[1]));
        let shape = with(&value.shape, axis, to - from);
        self.node("Slice", &[value, &from_value, &to_value, &axes], &[], &shape)
    }

    /// Values one behind the other along an axis.
    pub(crate) fn concat(&mut self, values: &[GraphValue], axis: usize) -> GraphValue {
        if let [only] = values {
            return only.clone();
        }
        let size = values.iter().map(|value| value.shape[axis]).sum();
        let shape = with(&values[0].shape, axis, size);
        let inputs: Vec<&GraphValue> = values.iter().collect();
        self.node("Concat", &inputs, &[("axis", Attribute::Int(axis))], &shape)
    }

    /// `[rows, outputs]` from `[rows, inputs]`, a weight `[outputs, inputs]` and a bias `[outputs]`.
    pub(crate) fn linear(
        &mut self,
        value: &GraphValue,
        weight: &GraphValue,
        bias: Option<&GraphValue>,
    ) -> GraphValue {
        let inputs: Vec<&GraphValue> = [value, weight].into_iter().chain(bias).collect();
        let shape = [value.shape[0], weight.shape[0]];
        self.node("Gemm", &inputs, &[("transB", Attribute::Int(1))], &shape)
    }
}

fn with(shape: &[usize], axis: usize, size: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    shape[axis] = size;
    shape
}
