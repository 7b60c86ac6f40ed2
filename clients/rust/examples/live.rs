//! Separates while it records: raw PCM from standard input, vocals as raw PCM to standard output.
//!
//! `arecord -f cd -t raw | live http://127.0.0.1:8000 | aplay -f FLOAT_LE -c 2 -r 44100`

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::mpsc;

use stemwire_client::proto::{Encoding, RawPcm, SeparationConfig};
use stemwire_client::{Client, ClientError, Event, Song};

#[tokio::main]
async fn main() -> ExitCode {
    let Some(server) = std::env::args().nth(1) else {
        eprintln!("usage: live SERVER");
        return ExitCode::FAILURE;
    };
    match separate(&server).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}\nremedy: {}", error.remedy());
            ExitCode::FAILURE
        }
    }
}

async fn separate(server: &str) -> Result<(), ClientError> {
    // A recording library calls back with its samples; here a thread reads them.
    let (sender, pieces) = mpsc::sync_channel(256);
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(count @ 1..) = std::io::stdin().read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    let input = RawPcm { encoding: Encoding::S16le.into(), sample_rate: 44_100, channels: 2 };
    let config =
        SeparationConfig { input: Some(input), stems: vec!["vocals".into()], ..Default::default() };
    let mut separation = Client::new(server).separate(Song::live(pieces), config);
    while let Some(event) = separation.next().await? {
        match event {
            Event::Chunk(chunk) => std::io::stdout().write_all(&chunk.pcm)?,
            Event::EngineChange(change) => eprintln!("note: {}", change.message),
            Event::Reconnecting { error, pause } => {
                eprintln!("{error}: trying again in {:.1} s", pause.as_secs_f32());
            }
            _ => {}
        }
    }
    Ok(())
}
