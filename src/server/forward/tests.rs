use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Uri};
use axum::middleware::from_fn_with_state;
use futures_util::stream::{StreamExt, once};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use super::*;
use crate::cluster::ClusterSecret;
use crate::server::connections::{self, ConnectionLimits, HttpService, TrustedProxies};
use crate::server::forward_headers::Hop;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const METHOD: &str = "/stemwire.v1.SeparationService/Separate";

/// A limit of what would otherwise hang.
const SOON: Duration = Duration::from_secs(20);

/// Serves routes on a port of their own, as a gateway does. Returns its address.
async fn serve(routes: Router, secret: Option<&str>) -> String {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let service = HttpService {
        routes,
        limits: ConnectionLimits::default(),
        proxies: TrustedProxies::default(),
        hops: Some(hops(secret)),
        unsent: Arc::new(Budget::new(1 << 20)),
        is_public: |_| false,
        read_ahead: Arc::new(Budget::new(1 << 20)),
        cut_trailers: HeaderMap::new(),
    };
    tokio::spawn(async move {
        connections::serve(listener, service, &Credentials::default(), pending()).await;
    });
    address
}

fn hops(secret: Option<&str>) -> HopRules {
    HopRules::new(secret.map(|secret| ClusterSecret::new(secret).unwrap()))
}

/// A gateway without sessions: it refuses every call for `owner`, in headers or in trailers.
async fn gateway(owner: &str, is_late: bool, secret: Option<&str>) -> String {
    let (credentials, memory) = (Arc::default(), Arc::new(Budget::new(1 << 20)));
    let forwarder = Arc::new(Forwarder::new("one".into(), hops(secret), &credentials, memory));
    let owner = Arc::new(owner.to_owned());
    let routes = match is_late {
        true => Router::new().fallback(refuse_late),
        false => Router::new().fallback(refuse),
    };
    let routes = routes.with_state(owner).layer(from_fn_with_state(forwarder, calls::forward));
    serve(routes, secret).await
}

fn refused(owner: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    Status::unavailable("elsewhere").add_header(&mut headers).unwrap();
    headers.insert(forward_headers::OWNER, owner.parse().unwrap());
    headers
}

fn grpc(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

async fn refuse(State(owner): State<Arc<String>>, request: Request<Body>) -> Response<Body> {
    let _ = request.into_body().frame().await;
    let mut response = grpc(Body::empty());
    response.headers_mut().extend(refused(&owner));
    response
}

async fn refuse_late(State(owner): State<Arc<String>>, request: Request<Body>) -> Response<Body> {
    let mut body = request.into_body();
    let refusal = once(async move {
        let _ = body.frame().await;
        Ok::<_, axum::Error>(Frame::<Bytes>::trailers(refused(&owner)))
    });
    grpc(Body::new(StreamBody::new(Box::pin(refusal))))
}

/// A gateway that has all sessions. It answers with what it reads, and shows in headers what came with the call.
async fn owner(secret: Option<&str>, open: &watch::Sender<usize>) -> String {
    serve(Router::new().fallback(echo).with_state(open.clone()), secret).await
}

async fn echo(State(open): State<watch::Sender<usize>>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    open.send_modify(|open| *open += 1);
    let counted = OpenBody(open);
    let trailers = async {
        let ok = (Status::GRPC_STATUS, HeaderValue::from_static("0"));
        Some(Ok(HeaderMap::from_iter([ok])))
    };
    let body = body.with_trailers(trailers).map_frame(move |frame| {
        let _ = &counted;
        frame
    });
    let mut response = grpc(Body::new(body));
    let mut show = |name: &'static str, value: String| {
        response.headers_mut().insert(name, value.parse().unwrap());
    };
    show("seen-path", head.uri.path().to_owned());
    show("seen-hop", format!("{:?}", head.extensions.get::<Hop>()));
    show("seen-timeout", format!("{}", head.headers.contains_key("grpc-timeout")));
    response
}

/// Counts a body as open until it is dropped.
struct OpenBody(watch::Sender<usize>);

impl Drop for OpenBody {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// A call of a client, whose messages are sent one by one.
struct TestCall {
    messages: mpsc::Sender<Result<Bytes, axum::Error>>,
    response: Response<Incoming>,
    _client: GatewayConnections,
    _held: answer::HeldCall,
}

impl TestCall {
    /// Begins a call with a first message.
    async fn begin(address: &str) -> TestCall {
        let (messages, stream) = mpsc::channel(4);
        messages.send(Ok(Bytes::from_static(b"one"))).await.unwrap();
        let body = Body::from_stream(ReceiverStream::new(stream));
        let (body, alive, fault) = RelayedBody::new(Vec::new(), Some(body));
        let client = GatewayConnections::new(None);
        let address = client.address(address).unwrap();
        let uri = address.uri(&Uri::from_static(METHOD)).unwrap();
        let request = Request::post(uri).header(CONTENT_TYPE, "application/grpc");
        let request = request.header("grpc-timeout", "1H").body(body).unwrap();
        let sent = timeout(SOON, client.send(&address, request)).await.unwrap();
        let (response, connection) = sent.unwrap();
        let held = answer::HeldCall { _alive: alive, _connection: connection, fault };
        TestCall { messages, response, _client: client, _held: held }
    }

    fn header(&self, name: &str) -> &str {
        self.response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    async fn frame(&mut self) -> Option<Frame<Bytes>> {
        timeout(SOON, self.response.body_mut().frame()).await.unwrap().map(Result::unwrap)
    }

    async fn message(&mut self) -> Bytes {
        self.frame().await.unwrap().into_data().unwrap()
    }

    /// The code of the status, in headers or in trailers.
    async fn code(&mut self) -> Code {
        let headers = match self.header("grpc-status") {
            "" => self.frame().await.unwrap().into_trailers().unwrap(),
            _ => self.response.headers().clone(),
        };
        assert!(!headers.contains_key(forward_headers::OWNER), "{headers:?}");
        Status::from_header_map(&headers).unwrap().code()
    }
}

async fn until_open(open: &mut watch::Receiver<usize>, expected: usize) {
    timeout(SOON, open.wait_for(|open| *open == expected)).await.unwrap().unwrap();
}

#[tokio::test]
async fn messages_stream_both_ways_and_the_status_follows() {
    for is_late in [false, true] {
        let (open, _) = watch::channel(0);
        let owner = owner(Some(SECRET), &open).await;
        let gateway = gateway(&owner, is_late, Some(SECRET)).await;
        let mut call = TestCall::begin(&gateway).await;
        assert_eq!(call.message().await, "one");
        for message in ["two", "three"] {
            call.messages.send(Ok(message.into())).await.unwrap();
            assert_eq!(call.message().await, message);
        }
        drop(std::mem::replace(&mut call.messages, mpsc::channel(1).0));
        assert_eq!(call.code().await, Code::Ok);
    }
}

#[tokio::test]
async fn only_a_gateway_with_the_secret_is_believed() {
    let check = async |from, by, expected: &str| {
        let (open, _) = watch::channel(0);
        let owner = owner(by, &open).await;
        let call = TestCall::begin(&gateway(&owner, false, from).await).await;
        let seen = ["seen-hop", "seen-timeout", "seen-path"].map(|name| call.header(name));
        assert_eq!(seen, [expected, "true", METHOD]);
    };
    check(Some(SECRET), Some(SECRET), "Some(Trusted)").await;
    check(None, None, "Some(Marked)").await;
    check(None, Some(SECRET), "Some(WrongSecret)").await;
}

#[tokio::test]
async fn a_refusal_of_the_secret_is_not_one_of_the_client() {
    let refuse = async |_: Request<Body>| Status::unauthenticated("").into_http::<Body>();
    let check = async |secret, expected| {
        let owner = serve(Router::new().fallback(refuse), secret).await;
        let gateway = gateway(&owner, false, secret).await;
        assert_eq!(TestCall::begin(&gateway).await.code().await, expected);
    };
    check(Some(SECRET), Code::Unavailable).await;
    check(None, Code::Unauthenticated).await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call_at_the_other_gateway() {
    for is_late in [false, true] {
        let (open, mut watched) = watch::channel(0);
        let owner = owner(None, &open).await;
        let gateway = gateway(&owner, is_late, None).await;
        let mut call = TestCall::begin(&gateway).await;
        assert_eq!(call.message().await, "one");
        until_open(&mut watched, 1).await;
        // The upload has not ended.
        let TestCall { messages, response, _client, _held } = call;
        drop((response, _held));
        until_open(&mut watched, 0).await;
        drop(messages);
    }
}

#[tokio::test]
async fn a_gateway_that_cannot_be_reached_leaves_the_refusal() {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let gone = listener.local_addr().unwrap().to_string();
    drop(listener);
    for (is_late, owner) in [(false, gone.as_str()), (true, gone.as_str()), (false, "not one")] {
        let gateway = gateway(owner, is_late, None).await;
        assert_eq!(TestCall::begin(&gateway).await.code().await, Code::Unavailable);
    }
}

#[tokio::test]
async fn a_call_is_forwarded_once() {
    for is_late in [false, true] {
        let (open, watched) = watch::channel(0);
        let last = owner(None, &open).await;
        let second = gateway(&last, is_late, None).await;
        let first = gateway(&second, false, None).await;
        assert_eq!(TestCall::begin(&first).await.code().await, Code::Unavailable);
        assert!(!watched.has_changed().unwrap());
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_with_the_refusal() {
    let broken = async |request: Request<Body>| {
        let mut body = request.into_body();
        let broken = once(async move {
            // The first message, and a second one once the client has had an answer.
            let _ = (body.frame().await, body.frame().await);
            Err(std::io::Error::other("broken"))
        });
        let one = once(async { Ok(Bytes::from_static(b"one")) });
        grpc(Body::from_stream(one.chain(broken)))
    };
    let cut = async |_: Request<Body>| grpc(Body::from("one"));
    for routes in [Router::new().fallback(broken), Router::new().fallback(cut)] {
        let owner = serve(routes, None).await;
        for is_late in [false, true] {
            let gateway = gateway(&owner, is_late, None).await;
            let mut call = TestCall::begin(&gateway).await;
            assert_eq!(call.message().await, "one");
            // An answer that has ended reads no more.
            let _ = call.messages.send(Ok("two".into())).await;
            assert_eq!(call.code().await, Code::Unavailable);
        }
    }
}
