//! The program that `clients/conformance` runs: a task as JSON in, what was received as JSON out; or a list
//! of them.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use stemwire_client::proto::{Encoding, OutputFormat, RawPcm, SeparationConfig};
use stemwire_client::{Client, ClientError, Event, Retry, Separation, Server, Song, WatchOptions};

/// A task; see `clients/conformance/README.md`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Task {
    server: String,
    token: Option<String>,
    authority: Option<String>,
    attempts: Option<u32>,
    song: Option<String>,
    watch: Option<String>,
    stems: Vec<String>,
    model: String,
    request_id: String,
    encoding: String,
    raw: bool,
    memory: bool,
    start_frame: u64,
    time_limit_ms: Option<u64>,
    slow_ms: u64,
    cancel: bool,
    leave: bool,
    measure: bool,
}

#[tokio::main]
async fn main() {
    let asked = std::env::args().nth(1).expect("a task as JSON");
    if asked.starts_with('[') {
        let tasks: Vec<Task> = serde_json::from_str(&asked).expect("tasks");
        let mut answers = Vec::new();
        for task in &tasks {
            answers.push(answer(task).await);
        }
        println!("{}", json!(answers));
    } else {
        let task: Task = serde_json::from_str(&asked).expect("a task");
        println!("{}", answer(&task).await);
    }
}

async fn answer(task: &Task) -> serde_json::Value {
    let error = match run(task).await {
        Ok(answer) => return answer,
        Err(error) => error,
    };
    let (code, reason) = match &error {
        ClientError::Refused(refusal) => (refusal.code as i32, refusal.reason.clone()),
        ClientError::Connect { .. } => (14, String::new()),
        _ => (2, String::new()),
    };
    let (message, remedy) = (error.to_string(), error.remedy());
    json!({"error": {"code": code, "reason": reason, "message": message, "remedy": remedy}})
}

async fn run(task: &Task) -> Result<serde_json::Value, ClientError> {
    let authority = task.authority.as_ref().map(std::fs::read).transpose()?;
    let server = Server { url: task.server.clone(), token: task.token.clone(), authority };
    let retry =
        Retry { attempts: task.attempts.unwrap_or(Retry::default().attempts), ..Retry::default() };
    let client = Client::new(server).with_retry(retry);
    let began = Instant::now();
    let mut separation = separation(task, &client)?;
    let mut first_s = 0.0;
    let mut stems: BTreeMap<String, (u64, Sha256)> = BTreeMap::new();
    let (mut reconnects, mut chunks) = (0, 0);
    while let Some(event) = separation.next().await? {
        match event {
            Event::Chunk(chunk) => {
                chunks += 1;
                let (frames, hash) = stems.entry(chunk.stem.clone()).or_default();
                assert_eq!(
                    task.start_frame + *frames,
                    chunk.start_frame,
                    "a frame is repeated or missing"
                );
                *frames += chunk.frames();
                if !task.measure {
                    hash.update(&chunk.pcm);
                } else if chunks == 1 {
                    first_s = began.elapsed().as_secs_f64();
                }
                if task.leave {
                    break;
                }
                if task.cancel && chunks == 1 {
                    let id = separation.session().map(|session| session.session_id.clone());
                    client.cancel(&id.unwrap_or_default()).await?;
                }
                // Even no time at all would be a tick of the timer: a millisecond.
                if task.slow_ms > 0 {
                    tokio::time::sleep(Duration::from_millis(task.slow_ms)).await;
                }
            }
            Event::Reconnecting { .. } => reconnects += 1,
            _ => {}
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let session = separation.session().cloned().unwrap_or_default();
    let stems: BTreeMap<_, _> = stems
        .into_iter()
        .map(|(name, (frames, hash))| {
            let sha256: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            (name, json!({"frames": frames, "sha256": sha256}))
        })
        .collect();
    let mut answer = json!({
        "session": session.session_id,
        "rate": session.source.map_or(0, |source| source.output_sample_rate),
        "stems": stems,
        "reconnects": reconnects,
    });
    if task.measure {
        answer["first_s"] = first_s.into();
        answer["seconds"] = seconds.into();
    }
    Ok(answer)
}

fn separation(task: &Task, client: &Client) -> Result<Separation, ClientError> {
    let separation = unlimited(task, client)?;
    Ok(match task.time_limit_ms {
        Some(limit) => separation.with_time_limit(Duration::from_millis(limit)),
        None => separation,
    })
}

fn unlimited(task: &Task, client: &Client) -> Result<Separation, ClientError> {
    let encoding = match task.encoding.as_str() {
        "s16" => Encoding::S16le,
        "s24" => Encoding::S24le,
        _ => Encoding::F32le,
    };
    if let Some(id) = &task.watch {
        let (stems, start_frame) = (task.stems.clone(), task.start_frame);
        let options = WatchOptions { stems, start_frame, encoding, ..Default::default() };
        return Ok(client.watch(id.as_str(), options));
    }
    let raw = RawPcm { encoding: Encoding::S16le.into(), sample_rate: 44_100, channels: 2 };
    let config = SeparationConfig {
        model: task.model.clone(),
        stems: task.stems.clone(),
        request_id: task.request_id.clone(),
        input: task.raw.then_some(raw),
        output: Some(OutputFormat { encoding: encoding.into(), ..Default::default() }),
        ..Default::default()
    };
    let song = match &task.song {
        Some(path) if task.memory => Song::bytes(std::fs::read(path)?),
        Some(path) => Song::open(path)?,
        None => Song::stream(std::io::stdin()),
    };
    Ok(client.separate(song, config))
}
