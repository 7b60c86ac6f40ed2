//! Audio as values and files: [`units`], [`stereo`] buffers, [`pcm`] encodings, [`stem`] names, and,
//! above these, [`file_format`]s, growing [`wav`] files and [`resample`]. [`titles`] become file names, except
//! for the [`windows_names`] that Windows reserves. A [`time_span`] is a part of a song, a [`mix`] a sum of its stems. A song has
//! [`tags`] and a [`cover`].

pub mod cover;
pub mod file_format;
pub mod mix;
pub mod pcm;
pub mod resample;
pub mod stem;
pub mod stereo;
pub mod tags;
pub mod time_span;
pub mod titles;
pub mod units;
pub mod wav;
pub mod windows_names;

pub use cover::{Cover, CoverError};
pub use file_format::FileFormat;
pub use pcm::Encoding;
pub use stem::StemName;
pub use stereo::Stereo;
pub use tags::SourceTags;
pub use time_span::{InvalidTimeSpan, TimeSpan};
pub use titles::title;
pub use units::{Frames, Hertz};
pub use windows_names::is_device_name;
