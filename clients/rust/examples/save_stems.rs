//! Separates a song into WAV files: `save_stems SERVER SONG FOLDER [STEM …]`.

#![allow(clippy::print_stdout)]

use std::process::ExitCode;

use stemwire_client::{Client, ClientError, Song, proto::SeparationConfig};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, song, folder, stems @ ..] = &arguments[..] else {
        eprintln!("usage: save_stems SERVER SONG FOLDER [STEM …]");
        return ExitCode::FAILURE;
    };
    match save(server, song, folder, stems).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}\nremedy: {}", error.remedy());
            ExitCode::FAILURE
        }
    }
}

async fn save(server: &str, song: &str, folder: &str, stems: &[String]) -> Result<(), ClientError> {
    let client = Client::new(server);
    let config = SeparationConfig { stems: stems.to_vec(), ..Default::default() };
    let saved = client.separate(Song::open(song)?, config).save(folder).await?;
    for (stem, path) in saved.files {
        println!("{stem} {}", path.display());
    }
    Ok(())
}
