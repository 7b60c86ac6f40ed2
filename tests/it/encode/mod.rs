//! Files that are written block by block, read back by other decoders.

mod every_format;
mod flac;
mod mp4;
mod tags;
