//! The names of the values of options: one list for the parser and for the OpenAPI document.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::audio::FileFormat;
use crate::proto::{
    Accompaniment, MaskExtension, Normalization, OnDisconnect, OutputChannels, OutputRate,
};

pub(super) const NORMALIZATIONS: [(&str, Normalization); 2] =
    [("streaming", Normalization::Streaming), ("exact", Normalization::Exact)];
pub(super) const ACCOMPANIMENTS: [(&str, Accompaniment); 2] =
    [("sum", Accompaniment::Sum), ("minus", Accompaniment::Minus)];
pub(super) const MASK_EXTENSIONS: [(&str, MaskExtension); 2] =
    [("average", MaskExtension::Average), ("zeros", MaskExtension::Zeros)];
pub(super) const RATES: [(&str, OutputRate); 2] =
    [("model", OutputRate::Model), ("source", OutputRate::Source)];
pub(super) const CHANNELS: [(&str, OutputChannels); 2] =
    [("stereo", OutputChannels::Stereo), ("source", OutputChannels::Source)];
pub(super) const DISCONNECTS: [(&str, OnDisconnect); 3] = [
    ("pause", OnDisconnect::Pause),
    ("continue", OnDisconnect::Continue),
    ("cancel", OnDisconnect::Cancel),
];

/// Declares types that stand for names in the OpenAPI document.
macro_rules! documented {
    ($($schema:ident: $names:expr;)*) => {$(
        pub(super) enum $schema {}

        impl PartialSchema for $schema {
            fn schema() -> RefOr<Schema> {
                let object = ObjectBuilder::new().schema_type(Type::String);
                object.enum_values(Some($names)).build().into()
            }
        }

        impl ToSchema for $schema {}
    )*};
}

documented! {
    NormalizationName: names(NORMALIZATIONS);
    AccompanimentName: names(ACCOMPANIMENTS);
    MaskExtensionName: names(MASK_EXTENSIONS);
    RateName: names(RATES);
    ChannelsName: names(CHANNELS);
    DisconnectName: names(DISCONNECTS);
    FormatName: formats();
}

fn names<T, const N: usize>(known: [(&'static str, T); N]) -> [&'static str; N] {
    known.map(|(name, _)| name)
}

fn formats() -> impl Iterator<Item = &'static str> {
    let short = FileFormat::ALL.into_iter().filter_map(FileFormat::short_name);
    FileFormat::ALL.into_iter().map(FileFormat::name).chain(short)
}
