"""A small ONNX graph builder that tracks shapes, so that layers read their sizes off the values they are given."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20  # the first with Gelu
IR_VERSION = 9  # what that opset came with, so that old runtimes load the file
# Initialisers must name a file. There is none: the runtime is handed each tensor by its name.
NOWHERE = "given-by-name"


class Value(NamedTuple):
    """A tensor of the graph, float32 unless it is a shape or an axis."""

    name: str
    shape: tuple[int, ...]


class GraphBuilder:
    """Collects nodes. Parameters are declared when first used, with the shape that the checkpoint gives them."""

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        self._shapes = shapes
        self._parameters: dict[str, TensorProto] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], TensorProto] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._scope = ""

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Nodes made inside are named after the layer, as in the checkpoint, so that profiles can be read."""
        outer, self._scope = self._scope, name
        yield
        self._scope = outer

    def input(self, name: str, shape: Sequence[int]) -> Value:
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return Value(name, tuple(shape))

    def output(self, value: Value, name: str) -> None:
        """Makes `value` an output of the graph. Nothing may use it under its old name."""
        node = next(node for node in reversed(self._nodes) if value.name in node.output)
        node.output[list(node.output).index(value.name)] = name
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape))

    def parameter(self, name: str) -> Value:
        """A tensor of the checkpoint; ValueError where it has none of that name."""
        if name not in self._shapes:
            raise ValueError(f"the checkpoint has no tensor {name}")
        shape = self._shapes[name]
        if name not in self._parameters:
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
            tensor.data_location = TensorProto.EXTERNAL
            length = 4 * int(np.prod(shape, dtype=np.int64))
            for key, entry in [("location", NOWHERE), ("offset", 0), ("length", length)]:
                tensor.external_data.add(key=key, value=str(entry))
            self._parameters[name] = tensor
        return Value(name, shape)

    def constant(self, content: Any, dtype: str = "float32") -> Value:
        """A constant; equal ones are stored once."""
        array = np.asarray(content, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array, f"constant_{len(self._constants)}")
        return Value(self._constants[key].name, array.shape)

    def node(self, kind: str, inputs: Sequence[Value], shape: Sequence[int], **attributes: Any) -> Value:
        return self.node_with_outputs(kind, inputs, [shape], **attributes)[0]

    def node_with_outputs(
        self, kind: str, inputs: Sequence[Value], shapes: Sequence[Sequence[int]], **attributes: Any
    ) -> list[Value]:
        name = f"{self._scope}/{kind}_{len(self._nodes)}"
        values = [Value(f"{name}:{index}", tuple(shape)) for index, shape in enumerate(shapes)]
        names = [value.name for value in inputs], [value.name for value in values]
        self._nodes.append(helper.make_node(kind, *names, name=name, **attributes))
        return values

    def model(self, name: str, metadata: dict[str, str]) -> onnx.ModelProto:
        """The finished graph, checked; ValueError where the checkpoint has tensors that it does not use."""
        unused = self._shapes.keys() - self._parameters.keys()
        if unused:
            raise ValueError(f"tensors that the graph has no place for: {', '.join(sorted(unused))}")
        initializers = [*self._parameters.values(), *self._constants.values()]
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, initializers)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="stemwire")
        helper.set_model_props(model, metadata)
        # Infers every shape anew and compares it with the declared outputs.
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        return model

    # Operators, in the few forms that are needed.

    def add(self, left: Value, right: Value) -> Value:
        return self._elementwise("Add", left, right)

    def subtract(self, left: Value, right: Value) -> Value:
        return self._elementwise("Sub", left, right)

    def multiply(self, left: Value, right: Value) -> Value:
        return self._elementwise("Mul", left, right)

    def divide(self, left: Value, right: Value) -> Value:
        return self._elementwise("Div", left, right)

    def _elementwise(self, kind: str, left: Value, right: Value) -> Value:
        return self.node(kind, [left, right], np.broadcast_shapes(left.shape, right.shape))

    def unary(self, kind: str, value: Value, **attributes: Any) -> Value:
        return self.node(kind, [value], value.shape, **attributes)

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        if value.shape == tuple(shape):
            return value
        assert np.prod(value.shape) == np.prod(shape), (value, shape)
        return self.node("Reshape", [value, self.constant(shape, "int64")], shape)

    def transpose(self, value: Value, order: Sequence[int]) -> Value:
        return self.node("Transpose", [value], [value.shape[axis] for axis in order], perm=list(order))

    def split(self, value: Value, sizes: Sequence[int], axis: int) -> list[Value]:
        shapes = [(*value.shape[:axis], size, *value.shape[axis + 1 :]) for size in sizes]
        return self.node_with_outputs("Split", [value, self.constant(sizes, "int64")], shapes, axis=axis)

    def concat(self, values: Sequence[Value], axis: int) -> Value:
        shape = list(values[0].shape)
        shape[axis] = sum(value.shape[axis] for value in values)
        return self.node("Concat", values, shape, axis=axis)

    def reduce(self, kind: str, value: Value, axes: Sequence[int]) -> Value:
        """The reduced axes stay, with length 1."""
        shape = [1 if axis in axes else size for axis, size in enumerate(value.shape)]
        return self.node(kind, [value, self.constant(axes, "int64")], shape, keepdims=1)

    def matmul(self, left: Value, right: Value) -> Value:
        return self.node("MatMul", [left, right], (*left.shape[:-1], right.shape[-1]))

    def linear(self, value: Value, weight: Value, bias: Value) -> Value:
        """[rows, outputs] from [rows, inputs] and a weight [outputs, inputs]."""
        return self.node("Gemm", [value, weight, bias], (value.shape[0], weight.shape[0]), transB=1)
