//! Templates for the names of results, such as `{artist}/{album}/{title}/{track} {stem}`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::audio::SourceTags;
use crate::audio::StemName;
use crate::audio::titles::{MAX_BYTES, folder_name};

/// The name of a stem's file, without its extension, and the folders above it, below the output folder.
///
/// The part behind the last `/` names the files. The part before it, if any, names the folder of the song's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTemplate {
    text: String,
    folders: Vec<Component>,
    file: Component,
}

/// What placeholders stand for.
#[derive(Debug, Clone, Copy)]
pub struct NameValues<'a> {
    /// The name of the song's file, without its extension.
    pub source: &'a str,
    /// The model that the run began with; `None` if it is not known yet.
    pub model: Option<&'a str>,
    /// `None` before the song has been read.
    pub tags: Option<&'a SourceTags>,
}

/// One name between two `/`.
type Component = Vec<NamePart>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum NamePart {
    Literal(String),
    Value(Placeholder),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Title,
    Artist,
    Album,
    Track,
    Source,
    Model,
    Stem,
}

/// The text is not a template for names.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidNameTemplate {
    /// A placeholder has another name.
    #[error("{0:?} is no placeholder; they are {names}", names = Placeholder::names())]
    UnknownPlaceholder(String),
    /// A brace stands alone.
    #[error("'{{' and '}}' are not in pairs")]
    OpenPlaceholder,
    /// Files would have one name, or stems folders of their own.
    #[error("the part behind the last '/' names the files, and needs {{stem}}; folders have none")]
    StemMisplaced,
    /// A part breaks the rule for names; and a name near it.
    #[error("{0:?} is not a part of a name that every system accepts; a near one is {1:?}")]
    NotAName(String, String),
}

/// Bytes of the longest name of a model, and of a stem.
const MODEL_BYTES: usize = 64;
const STEM_BYTES: usize = 32;

/// Bytes that a text of the song has at least.
const LEAST_BYTES: usize = 16;

impl NameTemplate {
    /// Files are named after their stems.
    pub const DEFAULT: &'static str = "{stem}";

    /// The template as text; `None` for the default.
    pub fn other_than_default(&self) -> Option<String> {
        Some(self.text.clone()).filter(|text| text != Self::DEFAULT)
    }

    /// How many folders below the output folder a result lies.
    pub fn depth(&self) -> usize {
        self.folders.len()
    }

    /// The folder of a song's result: the path of its parent below the output folder, and its name. `None` if a value is
    /// not known yet, or if the template has no folders.
    pub fn folder(&self, values: NameValues<'_>) -> Option<(PathBuf, String)> {
        let names = self.folders.iter().map(|component| name(component, values, ""));
        let mut names = names.collect::<Option<Vec<String>>>()?;
        let last = names.pop()?;
        Some((names.iter().collect(), last))
    }

    /// The name of a stem's file, without its extension; `None` if a value is not known yet.
    pub fn file(&self, values: NameValues<'_>, stem: &StemName) -> Option<String> {
        name(&self.file, values, stem.as_str())
    }
}

impl NameTemplate {
    /// The path of a stem's file below the output folder, with `/` and without its extension; `None` if a value is not known
    /// yet.
    pub fn path(&self, values: NameValues<'_>, stem: &StemName) -> Option<String> {
        let folders = self.folders.iter().map(|component| name(component, values, ""));
        let names: Option<Vec<String>> = folders.chain([self.file(values, stem)]).collect();
        Some(names?.join("/"))
    }
}

impl FromStr for NameTemplate {
    type Err = InvalidNameTemplate;

    fn from_str(text: &str) -> Result<NameTemplate, InvalidNameTemplate> {
        let components: Vec<_> = text.split('/').map(component).collect::<Result<_, _>>()?;
        let mut folders = components;
        let file = folders.pop().unwrap_or_default();
        let has_stem =
            |component: &Component| component.contains(&NamePart::Value(Placeholder::Stem));
        if !has_stem(&file) || folders.iter().any(has_stem) {
            return Err(InvalidNameTemplate::StemMisplaced);
        }
        Ok(NameTemplate { text: text.to_owned(), folders, file })
    }
}

impl fmt::Display for NameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Parses one component.
fn component(text: &str) -> Result<Component, InvalidNameTemplate> {
    let mut parts = Vec::new();
    let mut left = text;
    while !left.is_empty() {
        let (literal, behind) = match left.find(['{', '}']) {
            None => (left, None),
            Some(at) if left[at..].starts_with('}') => {
                return Err(InvalidNameTemplate::OpenPlaceholder);
            }
            Some(at) => (&left[..at], Some(&left[at + 1..])),
        };
        if !literal.is_empty() {
            parts.push(NamePart::Literal(literal.to_owned()));
        }
        left = match behind {
            None => "",
            Some(behind) => {
                let (name, behind) =
                    behind.split_once('}').ok_or(InvalidNameTemplate::OpenPlaceholder)?;
                parts.push(NamePart::Value(Placeholder::named(name)?));
                behind
            }
        };
    }
    // The rule for names must leave a name with values of the least length as it is.
    let sample: String = parts.iter().map(NamePart::sample).collect();
    let accepted = folder_name(&sample);
    if accepted != sample {
        return Err(InvalidNameTemplate::NotAName(sample, accepted));
    }
    Ok(parts)
}

impl NamePart {
    fn sample(&self) -> String {
        match self {
            NamePart::Literal(text) => text.clone(),
            NamePart::Value(Placeholder::Stem) => "x".repeat(STEM_BYTES),
            NamePart::Value(Placeholder::Model) => "x".repeat(MODEL_BYTES),
            NamePart::Value(_) => "x".repeat(LEAST_BYTES),
        }
    }
}

impl Placeholder {
    const ALL: [(&'static str, Placeholder); 7] = [
        ("title", Placeholder::Title),
        ("artist", Placeholder::Artist),
        ("album", Placeholder::Album),
        ("track", Placeholder::Track),
        ("source", Placeholder::Source),
        ("model", Placeholder::Model),
        ("stem", Placeholder::Stem),
    ];

    fn named(name: &str) -> Result<Placeholder, InvalidNameTemplate> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, placeholder)| *placeholder).ok_or_else(|| {
            let name: String = name.chars().take(64).collect();
            InvalidNameTemplate::UnknownPlaceholder(format!("{{{name}}}"))
        })
    }

    fn names() -> String {
        Self::ALL.map(|(name, _)| format!("{{{name}}}")).join(", ")
    }

    /// The text for it; `None` if it is not known yet.
    fn text(self, values: NameValues<'_>, stem: &str) -> Option<String> {
        let of_tags = |tag: fn(&SourceTags) -> &Option<String>, missing: &str| {
            Some(tag(values.tags?).clone().unwrap_or_else(|| missing.to_owned()))
        };
        match self {
            Placeholder::Title => of_tags(|tags| &tags.title, values.source),
            Placeholder::Artist => of_tags(|tags| &tags.artist, "Unknown artist"),
            Placeholder::Album => of_tags(|tags| &tags.album, "Unknown album"),
            Placeholder::Track => Some(format!("{:02}", values.tags?.track_number.unwrap_or(0))),
            Placeholder::Source => Some(values.source.to_owned()),
            Placeholder::Model => values.model.map(str::to_owned),
            Placeholder::Stem => Some(stem.to_owned()),
        }
    }
}

/// The name for a component. Texts of the song are cut so that it keeps everything else.
fn name(component: &Component, values: NameValues<'_>, stem: &str) -> Option<String> {
    let is_cut = |part: &NamePart| {
        !matches!(
            part,
            NamePart::Value(Placeholder::Stem | Placeholder::Model) | NamePart::Literal(_)
        )
    };
    let fixed = component.iter().filter(|part| !is_cut(part)).map(|part| part.sample().len());
    let share = MAX_BYTES.saturating_sub(fixed.sum());
    let share = share / component.iter().filter(|part| is_cut(part)).count().max(1);
    let mut name = String::new();
    for part in component {
        match part {
            NamePart::Literal(text) => name.push_str(text),
            NamePart::Value(placeholder) => {
                let text = placeholder.text(values, stem)?;
                let most = if is_cut(part) { share } else { text.len() };
                name.push_str(&text[..text.floor_char_boundary(most)]);
            }
        }
    }
    Some(folder_name(&name))
}

#[cfg(test)]
mod tests;
