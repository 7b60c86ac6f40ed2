use super::super::Graph;
use super::*;

#[test]
fn a_built_graph_has_its_ports_and_parameters() {
    let mut builder = GraphBuilder::default();
    let input = builder.input("mix", &[4, 6]);
    let weight = builder.parameter("layer.weight", &[8, 6]);
    let same = builder.parameter("layer.weight", &[8, 6]);
    assert_eq!(weight, same);
    let value = builder.linear(&input, &weight, None);
    let parts = builder.split(&value, &[3, 5], 1);
    let value = builder.concat(&[parts[1].clone(), parts[0].clone()], 1);
    let value = builder.transpose(&value, &[1, 0]);
    builder.output(&value, "stems");
    let metadata = [("family", "test".to_owned())];
    let graph = Graph::parse(&builder.finish("test", &metadata)).unwrap();
    assert_eq!(graph.port("mix"), Some(vec![4, 6]));
    assert_eq!(graph.port("stems"), Some(vec![8, 4]));
    let open: Vec<_> = graph.open_initialisers().into_iter().collect();
    assert_eq!(open, [("layer.weight".to_owned(), vec![8, 6])]);
    assert_eq!(graph.metadata("family"), Some("test"));
}
