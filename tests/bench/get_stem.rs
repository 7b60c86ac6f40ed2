//! `GetStem` beside a bare stream of the same messages.
//!
//! `get_stem bare SERVER SESSION STEM` asks the server for a finished stem, keeps its messages, and serves them from
//! memory without anything around; it prints its own address. `get_stem measure A PID B PID SESSION STEM ROUNDS` asks A
//! and B in turn, over new connections with the settings of Stemwire's own client, A first in one round and B first in
//! the next. It prints a line a round: of A the seconds and the seconds of processor, those of client and server
//! together; the same of B; and the bytes of one.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use stemwire::proto::{GetStemRequest, GetStemResponse};
use stemwire_client::Client;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

#[tokio::main]
async fn main() {
    // Cargo adds `--bench`.
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let arguments: Vec<String> = arguments.collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bare", server, session, stem] => bare(server, &request(session, stem)).await,
        ["measure", a, a_process, b, b_process, session, stem, rounds] => {
            let peers = [(a, a_process), (b, b_process)];
            measure(peers, &request(session, stem), rounds.parse().unwrap()).await;
        }
        _ => panic!("bare SERVER SESSION STEM, or measure A PID B PID SESSION STEM ROUNDS"),
    }
}

fn request(session: &str, stem: &str) -> GetStemRequest {
    GetStemRequest { session_id: session.into(), stem: stem.into(), ..Default::default() }
}

async fn measure(peers: [(&str, &str); 2], request: &GetStemRequest, rounds: usize) {
    // One more, which opens files and warms both up.
    for round in 0..=rounds {
        let [a, b] = peers;
        let (a, b) = if round % 2 == 0 {
            let a = read(a, request).await;
            (a, read(b, request).await)
        } else {
            let b = read(b, request).await;
            (read(a, request).await, b)
        };
        assert_eq!(a.bytes, b.bytes, "both have the same messages");
        if round > 0 {
            println!(
                "{:.6} {:.6} {:.6} {:.6} {}",
                a.wall, a.processor, b.wall, b.processor, a.bytes
            );
        }
    }
}

/// What reading a stem took.
struct Reading {
    /// Seconds, the connection included.
    wall: f64,
    /// Seconds of processor, of client and server.
    processor: f64,
    /// Of PCM.
    bytes: usize,
}

/// Reads all messages.
async fn read((url, process): (&str, &str), request: &GetStemRequest) -> Reading {
    let spent = || processor("self") + processor(process);
    let (begun, before) = (Instant::now(), spent());
    let mut bytes = 0;
    let mut messages = Client::new(url).get_stem(request.clone()).await.unwrap();
    while let Some(message) = messages.message().await.unwrap() {
        bytes += message.chunk.map_or(0, |chunk| chunk.pcm.len());
    }
    let wall = begun.elapsed().as_secs_f64();
    Reading { wall, processor: spent() - before, bytes }
}

/// Seconds of processor that the living threads of a process have had.
fn processor(process: &str) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let spent = threads.flatten().filter_map(|thread| {
        // A thread that ends at this moment has no file any more.
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    spent.sum::<f64>() / 1e9
}

/// Serves what the server answers.
async fn bare(url: &str, request: &GetStemRequest) {
    let mut answers = Client::new(url).get_stem(request.clone()).await.unwrap();
    let mut messages = Vec::new();
    while let Some(message) = answers.message().await.unwrap() {
        messages.push(message);
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    println!("http://{address}");
    let bare = Bare(messages.into());
    let connections = TcpListenerStream::new(listener);
    let server = tonic::transport::Server::builder().tcp_nodelay(true).add_service(bare);
    server.serve_with_incoming(connections).await.unwrap();
}

/// Answers every call with the same messages.
#[derive(Clone)]
struct Bare(Arc<[GetStemResponse]>);

impl NamedService for Bare {
    const NAME: &'static str = "stemwire.v1.SeparationService";
}

impl Service<http::Request<Body>> for Bare {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let bare = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::default());
            Ok(grpc.server_streaming(bare, request).await)
        })
    }
}

impl ServerStreamingService<GetStemRequest> for Bare {
    type Response = GetStemResponse;
    type ResponseStream = tokio_stream::Iter<Messages>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, _: Request<GetStemRequest>) -> Self::Future {
        let messages = Messages { all: Arc::clone(&self.0), at: 0 };
        ready(Ok(Response::new(tokio_stream::iter(messages))))
    }
}

/// The messages, of which only the small parts are copied.
struct Messages {
    all: Arc<[GetStemResponse]>,
    at: usize,
}

impl Iterator for Messages {
    type Item = Result<GetStemResponse, Status>;

    fn next(&mut self) -> Option<Self::Item> {
        let message = self.all.get(self.at)?;
        self.at += 1;
        Some(Ok(message.clone()))
    }
}
