//! Files that are written block by block, read back by other decoders.

mod flac;
mod mp4;
mod rows;
mod tags;
