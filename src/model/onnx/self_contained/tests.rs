use super::*;

const TINY: &[u8] = include_bytes!("../../../../tests/golden/mdx-tiny/mdx-tiny.onnx");

/// A field of a message.
fn field(tag: u64, value: &[u8]) -> Vec<u8> {
    let mut bytes = varint(tag << 3 | 2);
    bytes.extend(varint(value.len() as u64));
    bytes.extend(value);
    bytes
}

fn number(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn port(name: &str, shape: &[u64]) -> Vec<u8> {
    let dimensions = shape.iter().map(|&size| field(1, &number(1, size))).collect::<Vec<_>>();
    let tensor = [number(1, 1), field(2, &dimensions.concat())].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}

/// A graph that passes, with more in the graph and the model.
fn model(in_graph: &[Vec<u8>], in_model: &[Vec<u8>]) -> Vec<u8> {
    let relu = [field(1, b"input"), field(2, b"output"), field(4, b"Relu")].concat();
    let graph = [
        field(1, &relu),
        in_graph.concat(),
        field(11, &port("input", &[1, 4, 9, 8])),
        field(12, &port("output", &[1, 4, 9, 8])),
    ];
    [field(8, &number(2, 13)), field(7, &graph.concat()), in_model.concat()].concat()
}

fn operator(kind: &str, more: &[Vec<u8>]) -> Vec<u8> {
    field(1, &[field(3, b"it"), field(4, kind.as_bytes()), more.concat()].concat())
}

/// A tensor of floats.
fn tensor(shape: &[u64], values: &[f32], more: &[Vec<u8>]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let dimensions: Vec<_> = shape.iter().map(|&size| number(1, size)).collect();
    [dimensions.concat(), number(2, FLOAT), field(8, b"weight"), field(9, &raw), more.concat()]
        .concat()
}

#[track_caller]
fn check(file: &[u8], expected: &str) {
    let error = SelfContained::check(file).and_then(|graph| graph.spectrum()).unwrap_err();
    assert!(error.contains(expected), "{error} lacks {expected:?}");
}

#[test]
fn an_mdx_net_has_the_ports_of_its_spectrum() {
    let ports = SelfContained::check(TINY).unwrap().spectrum().unwrap();
    assert_eq!((ports.input.as_str(), ports.output.as_str()), ("input", "output"));
    assert_eq!((ports.bins, ports.columns), (256, 32));
    let small = SelfContained::check(&model(&[], &[])).unwrap().spectrum().unwrap();
    assert_eq!((small.bins, small.columns), (9, 8));
    // Weights among the inputs, as in older files.
    let weight = [field(5, &tensor(&[2], &[1.0, 2.0], &[])), field(11, &port("weight", &[2]))];
    assert!(SelfContained::check(&model(&weight, &[])).unwrap().spectrum().is_ok());
}

#[test]
fn what_is_outside_of_the_file_or_of_onnx_is_refused_by_name() {
    let outside =
        [field(13, &[field(1, b"location"), field(2, b"/etc/passwd")].concat()), number(14, 1)];
    check(
        &model(&[field(5, &tensor(&[0], &[], &outside))], &[]),
        "tensor \"weight\" lies in another file",
    );
    check(&model(&[field(5, &tensor(&[0], &[], &outside[1..]))], &[]), "another file");
    let hidden = operator(
        "Constant",
        &[field(5, &[field(1, b"value"), field(5, &tensor(&[0], &[], &outside))].concat())],
    );
    check(&model(&[hidden], &[]), "\"Constant\"): tensor \"weight\" lies in another file");
    check(&model(&[], &[field(8, &field(1, b"com.evil"))]), "the domain \"com.evil\"");
    check(
        &model(&[operator("Relu", &[field(7, b"com.evil")])], &[]),
        "is of the domain \"com.evil\"",
    );
    check(&model(&[operator("If", &[])], &[]), "operator \"it\" (\"If\") is none of an MDX-Net's");
    check(&model(&[operator("ConstantOfShape", &[])], &[]), "ConstantOfShape");
    let graph = field(5, &[field(1, b"body"), field(6, b"")].concat());
    check(&model(&[operator("Relu", &[graph])], &[]), "\"body\" is a graph");
    let strides = field(5, &[field(1, b"strides"), field(8, &varint(1 << 40))].concat());
    check(&model(&[operator("ConvTranspose", &[strides])], &[]), "\"strides\" is above 256");
    check(&model(&[], &[field(25, b"")]), "functions of its own");
    check(&model(&[], &[field(20, b"")]), "graph of training");
    check(&model(&[field(15, b"")], &[]), "sparse");
    check(&[model(&[], &[]), field(7, b"")].concat(), "two graphs");
}

#[test]
fn tensors_that_do_not_fit_their_shape_or_are_no_numbers_are_refused() {
    let with = |tensor: Vec<u8>| model(&[field(5, &tensor)], &[]);
    check(&with(tensor(&[3], &[1.0, 2.0], &[])), "has 2 values, its shape 3");
    check(&with(tensor(&[1 << 40, 1 << 40], &[1.0], &[])), "has 1 values");
    check(&with(tensor(&[1; 9], &[1.0], &[])), "9 dimensions");
    check(&with(tensor(&[1], &[f32::NAN], &[])), "NaN or infinite");
    check(
        &with([number(1, 1), number(2, 1), field(4, &f32::INFINITY.to_le_bytes())].concat()),
        "NaN or infinite",
    );
    check(&with(tensor(&[1], &[1.0], &[number(2, 8)])), "unsuitable type 8");
}

#[test]
fn other_ports_are_refused_with_their_shape() {
    check(&model(&[field(11, &port("second", &[1]))], &[]), "2 inputs and 1 outputs");
    let ports = |input: &[u64], output: &[u64]| {
        let graph = [field(11, &port("a", input)), field(12, &port("b", output))].concat();
        field(7, &graph)
    };
    check(&ports(&[1, 2, 9, 8], &[1, 2, 9, 8]), "\"a\" has the shape [1, 2, 9, 8]");
    check(&ports(&[1, 4, 9, 1 << 40], &[1, 4, 9, 8]), "has the shape");
    check(&ports(&[1, 4, 9, 8], &[1, 4, 8, 8]), "\"b\" has the shape [1, 4, 8, 8]");
    check(b"", "has no graph");
    check(b"RIFF....WAVE", "not an ONNX graph");
}

#[test]
fn broken_files_end_without_a_panic() {
    for step in (0..TINY.len()).step_by(997) {
        let mut broken = TINY.to_vec();
        broken[step] ^= 0xff;
        drop(SelfContained::check(&broken).and_then(|graph| graph.spectrum()));
        assert!(SelfContained::check(&TINY[..step]).is_err());
    }
}

#[test]
fn many_empty_messages_cost_no_memory() {
    let nodes = operator("Relu", &[]).repeat(MOST_OPERATORS + 1);
    check(&model(&[nodes], &[]), "more than 20000 operators");
    check(&model(&[field(11, b"").repeat(MOST_PORTS + 1)], &[]), "more than 4096 inputs");
}
