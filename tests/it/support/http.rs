//! An HTTP server of one file that breaks off, ignores ranges, or refuses.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Behaviour of the server.
#[derive(Clone, Default)]
pub struct Behaviour {
    /// Bytes after which the first responses break off; later ones are complete.
    pub cuts: Vec<usize>,
    /// Whether `Range` is ignored.
    pub without_ranges: bool,
    /// A status instead of the file.
    pub status: Option<u16>,
}

/// The server; its thread ends with the process.
pub struct FileServer {
    /// Such as `http://127.0.0.1:1234`.
    pub address: String,
    ranges: Arc<Mutex<Vec<Option<usize>>>>,
}

impl FileServer {
    /// Serves `content` under every path.
    pub fn start(content: &[u8], behaviour: &Behaviour) -> FileServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let ranges: Arc<Mutex<Vec<Option<usize>>>> = Arc::default();
        let (seen, content, behaviour) = (Arc::clone(&ranges), content.to_vec(), behaviour.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let range = asked(&stream);
                let index = seen.lock().unwrap().len();
                seen.lock().unwrap().push(range);
                let start = range.filter(|_| !behaviour.without_ranges).unwrap_or(0);
                let head = head(&content, range.filter(|_| start > 0), behaviour.status);
                // The client may have gone.
                let _ = stream.write_all(head.as_bytes());
                if behaviour.status.is_none() {
                    let body = &content[start.min(content.len())..];
                    let cut = behaviour.cuts.get(index).copied().unwrap_or(body.len());
                    let _ = stream.write_all(&body[..cut.min(body.len())]);
                }
            }
        });
        FileServer { address, ranges }
    }

    /// The first byte of each requested range.
    pub fn ranges(&self) -> Vec<Option<usize>> {
        self.ranges.lock().unwrap().clone()
    }
}

fn head(content: &[u8], range: Option<usize>, status: Option<u16>) -> String {
    let total = content.len();
    let rest = "ETag: \"one\"\r\nConnection: close\r\n\r\n";
    match (status, range) {
        (Some(status), _) => format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n{rest}"),
        (None, Some(start)) if start >= total => {
            format!(
                "HTTP/1.1 416 No\r\nContent-Range: bytes */{total}\r\nContent-Length: 0\r\n{rest}"
            )
        }
        (None, Some(start)) => format!(
            "HTTP/1.1 206 Partial\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{total}\r\n{rest}",
            total - start,
            total - 1
        ),
        (None, None) => format!("HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n{rest}"),
    }
}

/// The first byte of a request's range.
fn asked(stream: &TcpStream) -> Option<usize> {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let lines = lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase());
    let headers: Vec<String> = lines.collect();
    let range = headers.iter().find_map(|line| line.strip_prefix("range: bytes="))?;
    range.trim_end_matches('-').parse().ok()
}
