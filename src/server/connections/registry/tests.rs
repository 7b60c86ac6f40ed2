use super::super::open_call::OpenCall;
use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

fn registry(total: usize, per_client: usize) -> Arc<Registry> {
    Arc::new(Registry::new(ConnectionLimits { total, per_client, ..Default::default() }))
}

/// Begins a call of the client of a connection.
fn begin(registration: &Registration, registry: &Arc<Registry>) -> OpenCall {
    let connection = registration.connection();
    OpenCall::begin(connection, connection.client(), registry)
}

fn is_refused(registration: &Registration) -> bool {
    registration.connection().is_refused()
}

#[test]
fn a_client_with_calls_on_all_its_connections_gets_no_more() {
    let registry = registry(9, 2);
    let busy: Vec<_> = (0..2).map(|_| registry.admit(HERE, false).unwrap()).collect();
    let call = |busy: &Registration| begin(busy, &registry);
    let calls: Vec<_> = busy.iter().map(call).collect();
    assert!(is_refused(&registry.admit(HERE, false).unwrap()));
    assert!(!is_refused(&registry.admit(THERE, false).unwrap()));
    drop(calls);
    assert!(!is_refused(&registry.admit(HERE, false).unwrap()));
}

#[test]
fn connections_of_a_proxy_count_in_all_only() {
    let registry = registry(3, 1);
    let busy: Vec<_> = (0..3).map(|_| registry.admit(HERE, true).unwrap()).collect();
    let calls: Vec<_> = busy.iter().map(|busy| begin(busy, &registry)).collect();
    assert!(!busy.iter().any(is_refused));
    assert!(is_refused(&registry.admit(HERE, true).unwrap()));
    drop(calls);
}

#[test]
fn the_connection_that_is_idle_the_longest_gives_way() {
    let registry = registry(3, 9);
    let held: Vec<_> = (0..3).map(|_| registry.admit(HERE, false).unwrap()).collect();
    let call = begin(&held[0], &registry);
    let new = registry.admit(THERE, false).unwrap();
    assert!(!is_refused(&new));
    let orders: Vec<_> = held.iter().map(|held| held.connection().ordered()).collect();
    assert_eq!(orders, [Order::Serve, Order::Drop, Order::Serve]);
    drop((held, new, call));
    let table = registry.lock();
    assert!(table.all.is_empty() && table.by_client.is_empty() && table.counted == 0);
    assert!(table.calls_by_client.is_empty() && table.calls == 0);
}

#[test]
fn refusals_are_limited_too() {
    let registry = registry(1, 1);
    let busy = registry.admit(HERE, false).unwrap();
    let _call = begin(&busy, &registry);
    let refused: Vec<_> = (0..REFUSALS).map(|_| registry.admit(HERE, false).unwrap()).collect();
    assert!(registry.admit(HERE, false).is_none());
    drop(refused);
    assert!(registry.admit(HERE, false).is_some());
}

#[test]
fn a_client_has_at_most_half_of_the_calls() {
    let limits = ConnectionLimits { calls: 3, ..Default::default() };
    let registry = Arc::new(Registry::new(limits));
    let [here, there] = [HERE, THERE].map(|address| registry.admit(address, false).unwrap());
    let call = |client: &Registration| begin(client, &registry);
    let calls = [&here, &here, &here, &there, &there].map(call);
    assert_eq!(calls.each_ref().map(OpenCall::is_counted), [true, true, false, true, false]);
    drop(calls);
    assert!(begin(&there, &registry).is_counted());
}

#[test]
fn clients_that_take_all_calls_that_they_may_have_leave_some_to_the_next() {
    let limits = ConnectionLimits { calls: 16, ..Default::default() };
    let registry = Arc::new(Registry::new(limits));
    let addresses = (1..=5).map(|host| IpAddr::from([10, 0, 0, host]));
    let clients: Vec<_> =
        addresses.map(|address| registry.admit(address, false).unwrap()).collect();
    let mut calls = Vec::new();
    for (client, expected) in clients.iter().zip([8, 4, 2, 1, 1]) {
        let call = |_| begin(client, &registry);
        let begun: Vec<_> = (0..16).map(call).filter(OpenCall::is_counted).collect();
        assert_eq!(begun.len(), expected);
        calls.extend(begun);
    }
    assert_eq!(registry.lock().calls, 16);
}
