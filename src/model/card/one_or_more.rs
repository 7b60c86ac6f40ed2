//! Deserialises a table, or an array of such tables.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::WeightsFile;

/// Deserialises a table as a list of one.
pub(super) fn one_or_more<'de, D: Deserializer<'de>>(
    source: D,
) -> Result<Vec<WeightsFile>, D::Error> {
    struct OneOrMore;
    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<WeightsFile>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table with file and sha256, or an array of such tables")
        }

        fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
            Ok(vec![WeightsFile::deserialize(MapAccessDeserializer::new(table))?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, tables: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(tables))
        }
    }
    source.deserialize_any(OneOrMore)
}
