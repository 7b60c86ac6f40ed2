//! The number of axes of a graph's values, where it follows from few nodes: those between a transposition and a soft-max.

use std::collections::HashMap;

use super::messages::NodeMessage;

/// Numbers of axes by the name of the value.
#[derive(Default)]
pub(super) struct AxisCounts(HashMap<String, usize>);

impl AxisCounts {
    /// The number of axes of a value, if it is known.
    pub(super) fn of(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    /// Adds the outputs of a node, as far as they follow from the node and its inputs. Nodes come in the order of the graph.
    pub(super) fn add(&mut self, node: &NodeMessage) {
        let of_input = |index: usize| node.input.get(index).and_then(|name| self.of(name));
        let count = match (&*node.domain, &*node.op_type) {
            ("", "Transpose") => {
                let order = node.attribute.iter().find(|attribute| attribute.name == "perm");
                order.map(|order| order.ints.len())
            }
            ("", "Split" | "Softmax") => of_input(0),
            // A product of vectors has fewer axes than these.
            ("", "MatMul") => {
                let both = of_input(0).zip(of_input(1));
                both.filter(|&(left, right)| left.min(right) > 1)
                    .map(|(left, right)| left.max(right))
            }
            _ => None,
        };
        if let Some(count) = count {
            self.0.extend(node.output.iter().map(|name| (name.clone(), count)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::AttributeMessage;
    use super::*;

    fn node(kind: &str, inputs: &[&str], outputs: &[&str], order: Option<&[i64]>) -> NodeMessage {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let perm = |order: &[i64]| AttributeMessage {
            name: "perm".to_owned(),
            ints: order.to_vec(),
            r#type: AttributeMessage::INTS,
            ..AttributeMessage::default()
        };
        NodeMessage {
            input: names(inputs),
            output: names(outputs),
            op_type: kind.to_owned(),
            attribute: order.map(perm).into_iter().collect(),
            ..NodeMessage::default()
        }
    }

    #[test]
    fn axes_follow_from_transpositions() {
        let mut counts = AxisCounts::default();
        for node in [
            node("Transpose", &["x"], &["query"], Some(&[1, 0, 2])),
            node("Transpose", &["x"], &["batch"], Some(&[0, 1, 2, 3])),
            node("Transpose", &["x"], &["vector"], Some(&[0])),
            node("Transpose", &["x"], &["reversed"], None),
            node("Split", &["query", "sizes"], &["first", "second"], None),
            node("MatMul", &["second", "batch"], &["scores"], None),
            node("MatMul", &["second", "vector"], &["row"], None),
            node("MatMul", &["second", "x"], &["unknown"], None),
            node("Softmax", &["scores"], &["weights"], None),
            node("Gelu", &["scores"], &["other"], None),
        ] {
            counts.add(&node);
        }
        for name in ["query", "first", "second"] {
            assert_eq!(counts.of(name), Some(3), "{name}");
        }
        for name in ["scores", "weights"] {
            assert_eq!(counts.of(name), Some(4), "{name}");
        }
        for name in ["x", "reversed", "row", "unknown", "other"] {
            assert_eq!(counts.of(name), None, "{name}");
        }
    }

    #[test]
    fn operators_of_other_domains_are_unknown() {
        let mut counts = AxisCounts::default();
        let domain = "com.microsoft".to_owned();
        counts.add(&NodeMessage { domain, ..node("Transpose", &["x"], &["y"], Some(&[1, 0])) });
        assert_eq!(counts.of("y"), None);
    }
}
