//! Client of Stemwire, a music source separation service.
//!
//! A song is sent, and its stems arrive while it still is. After a broken connection or a restart of the server a
//! [`Separation`] continues where both sides are: each frame of a stem comes once and in order.
//!
//! ```no_run
//! use stemwire_client::{Client, Event, Song, proto::SeparationConfig};
//!
//! # async fn example() -> Result<(), stemwire_client::ClientError> {
//! let client = Client::new("http://127.0.0.1:8000");
//! let mut separation = client.separate(Song::open("song.mp3")?, SeparationConfig::default());
//! while let Some(event) = separation.next().await? {
//!     if let Event::Chunk(chunk) = event {
//!         println!("{} {} {}", chunk.stem, chunk.start_frame, chunk.samples().len());
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod client;
mod error;
pub mod proto;
pub mod reason;
mod retry;
mod separation;
mod server;
mod song;

pub use client::Client;
pub use error::{ClientError, Refusal};
pub use retry::Retry;
pub use separation::{Chunk, Event, SavedStems, Separation, WatchOptions};
pub use server::Server;
pub use song::Song;
