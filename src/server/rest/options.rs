//! Options of `POST /api/separate` and `POST /api/uploads`.

use std::num::NonZero;

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::option_names::{
    ACCOMPANIMENTS, AccompanimentName, CHANNELS, ChannelsName, DISCONNECTS, DisconnectName,
    MASK_EXTENSIONS, MaskExtensionName, NORMALIZATIONS, NormalizationName, RATES, RateName,
};
use super::query::{choice, value};
use crate::proto;
use crate::server::convert;
use crate::server::status::ApiError;
use crate::session::Settings;

/// The names of the options of a session.
pub(super) const SETTINGS: &str = "model, quality, ensemble, stems, normalization, overlap, allow_fallback, accompaniment, \
                                   mask_extension, rate, track, channels, start_s, end_s";

/// The names of all options of `POST /api/separate`.
pub(super) const OPTIONS: &str = "async, model, quality, ensemble, stems, normalization, overlap, allow_fallback, accompaniment, \
                       mask_extension, rate, track, channels, start_s, end_s, on_disconnect";

/// The names of all fields of the form.
const FIELDS: &str = "file, async, model, quality, ensemble, stems, normalization, overlap, allow_fallback, \
                      accompaniment, mask_extension, rate, track, channels, start_s, end_s, on_disconnect";

/// Options of the response to `POST /api/separate`.
#[derive(Serialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only documents the options, which are parsed one by one")]
pub(super) struct ResponseParameters {
    /// Respond once the upload is complete, not once the stems are done. Default: false.
    r#async: Option<bool>,
    /// If the client disconnects before the response: `pause` (default), `continue` or `cancel` the session.
    #[param(value_type = Option<DisconnectName>, inline)]
    #[schema(value_type = Option<DisconnectName>, inline)]
    on_disconnect: Option<String>,
}

/// Options of a session.
#[derive(Serialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only documents the options, which are parsed one by one")]
pub(super) struct SettingsParameters {
    /// Model name. Default: the first working model of the chain.
    model: Option<String>,
    /// Choose the model among the installed ones: `fast`, `balanced` or `best`; not beside `model`.
    quality: Option<String>,
    /// Several models as one, in place of `model`, such as `vocals=melband-kim,rest=scnet-large`.
    ensemble: Option<String>,
    /// Stem names, separated by commas; `no_drums` is everything but the drums. Default: all stems of the model and the
    /// accompaniment.
    stems: Option<String>,
    /// `streaming` (default) or `exact`.
    #[param(value_type = Option<NormalizationName>, inline)]
    #[schema(value_type = Option<NormalizationName>, inline)]
    normalization: Option<String>,
    /// Overlap of consecutive segments.
    #[param(minimum = 0, maximum = 0.9)]
    #[schema(minimum = 0, maximum = 0.9)]
    overlap: Option<f64>,
    /// Continue with another engine if one fails. Default: true.
    allow_fallback: Option<bool>,
    /// Everything but a stem: `sum` of the other stems (default) or `minus`: the song minus the stem.
    #[param(value_type = Option<AccompanimentName>, inline)]
    #[schema(value_type = Option<AccompanimentName>, inline)]
    accompaniment: Option<String>,
    /// `average` (default) or `zeros`: Spleeter's masks above 11 kHz.
    #[param(value_type = Option<MaskExtensionName>, inline)]
    #[schema(value_type = Option<MaskExtensionName>, inline)]
    mask_extension: Option<String>,
    /// Sample rate of the stems: `model` (default) or `source`.
    #[param(value_type = Option<RateName>, inline)]
    #[schema(value_type = Option<RateName>, inline)]
    rate: Option<String>,
    /// Number of the audio track of a file with several, from 1. Default: the first.
    #[param(minimum = 1, maximum = 4_294_967_295.0)]
    #[schema(minimum = 1, maximum = 4_294_967_295.0)]
    track: Option<u32>,
    /// Channels of downloads and reads: `stereo` (default), or `source`: one if the song has one.
    #[param(value_type = Option<ChannelsName>, inline)]
    #[schema(value_type = Option<ChannelsName>, inline)]
    channels: Option<String>,
    /// Start of the part of the song to separate, in seconds; its stems begin there. Default: 0.
    #[param(minimum = 0, maximum = 3_600_000)]
    #[schema(minimum = 0, maximum = 3_600_000)]
    start_s: Option<f64>,
    /// End of that part, behind its start. Default: the end of the song.
    #[param(minimum = 0, maximum = 3_600_000)]
    #[schema(minimum = 0, maximum = 3_600_000)]
    end_s: Option<f64>,
}

/// Form with a song. Options must precede `file`, or be in the query.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "only documents the form, which is parsed field by field")]
pub(super) struct SeparateForm {
    #[serde(flatten)]
    response: ResponseParameters,
    #[serde(flatten)]
    settings: SettingsParameters,
    /// The song.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// The options of a request, each from the query or from a field before `file`.
#[derive(Debug, Default)]
pub(super) struct SeparateOptions {
    config: proto::SeparationConfig,
    /// Whether to respond once the upload is complete.
    pub(super) is_async: bool,
    seen: Vec<String>,
}

impl SeparateOptions {
    /// Parses the query string of a route whose options have the names `known`.
    ///
    /// # Errors
    /// Those of [`SeparateOptions::set`].
    pub(super) fn of_query(
        text: Option<&str>,
        known: &'static str,
    ) -> Result<SeparateOptions, ApiError> {
        let mut options = SeparateOptions::default();
        for (name, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            options.set(&name, &value, known)?;
        }
        Ok(options)
    }

    /// Sets the option in a field of the form before `file`.
    ///
    /// # Errors
    /// Those of [`SeparateOptions::set`].
    pub(super) fn set_field(&mut self, name: &str, text: &str) -> Result<(), ApiError> {
        self.set(name, text, FIELDS)
    }

    /// Sets an option, whose name is one of `known`.
    ///
    /// # Errors
    /// `FieldUnknown`, `FieldRepeated`, `Invalid`.
    pub(super) fn set(
        &mut self,
        name: &str,
        text: &str,
        known: &'static str,
    ) -> Result<(), ApiError> {
        let unknown = || {
            let name = name.chars().take(64).collect();
            ApiError::FieldUnknown { name, known }
        };
        if !known.split(", ").any(|option| option == name) {
            return Err(unknown());
        }
        if self.seen.iter().any(|seen| seen == name) {
            return Err(ApiError::FieldRepeated(name.to_owned()));
        }
        let config = &mut self.config;
        match name {
            "async" => self.is_async = flag("async", text)?,
            "model" => text.clone_into(&mut config.model),
            "quality" => {
                use proto::Quality::{Balanced, Best, Fast};
                let known = [("fast", Fast), ("balanced", Balanced), ("best", Best)];
                config.quality = choice("quality", text, known)?.into();
            }
            "ensemble" => text.clone_into(&mut config.ensemble),
            "stems" => {
                let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
                config.stems = names.map(str::to_owned).collect();
            }
            "normalization" => {
                config.normalization = choice("normalization", text, NORMALIZATIONS)?.into();
            }
            "overlap" => config.overlap = Some(value("overlap", text, "a number such as 0.25")?),
            "allow_fallback" => config.allow_fallback = Some(flag("allow_fallback", text)?),
            "accompaniment" => {
                config.accompaniment = choice("accompaniment", text, ACCOMPANIMENTS)?.into();
            }
            "mask_extension" => {
                config.mask_extension = choice("mask_extension", text, MASK_EXTENSIONS)?.into();
            }
            "rate" => {
                let rate = choice("rate", text, RATES)?.into();
                config.output.get_or_insert_default().rate = rate;
            }
            "track" => {
                let track: NonZero<u32> = value("track", text, "a number from 1")?;
                config.track = track.get();
            }
            "channels" => {
                let channels = choice("channels", text, CHANNELS)?.into();
                config.output.get_or_insert_default().channels = channels;
            }
            "start_s" => config.start_s = value("start_s", text, "a number of seconds")?,
            "end_s" => config.end_s = Some(value("end_s", text, "a number of seconds")?),
            "on_disconnect" => {
                config.on_disconnect = choice("on_disconnect", text, DISCONNECTS)?.into();
            }
            _ => return Err(unknown()),
        }
        self.seen.push(name.to_owned());
        Ok(())
    }

    /// The settings of the session. Without `stems`, it yields the model's stems and the accompaniment.
    ///
    /// # Errors
    /// `Invalid`.
    pub(super) fn settings(&self, file_name: &str) -> Result<Settings, ApiError> {
        let config =
            proto::SeparationConfig { file_name: file_name.to_owned(), ..self.config.clone() };
        let settings = convert::settings(&config)?;
        Ok(Settings { with_accompaniment: config.stems.is_empty(), ..settings })
    }
}

fn flag(name: &'static str, text: &str) -> Result<bool, ApiError> {
    choice(name, text, [("true", true), ("false", false), ("1", true), ("0", false)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::settings::Normalization;

    #[track_caller]
    fn check(query: &str, expected: Result<(), &str>) {
        let found = SeparateOptions::of_query(Some(query), OPTIONS)
            .and_then(|options| options.settings("a.wav"));
        match (found, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, _) => panic!("{query:?} gave {found:?}"),
        }
    }

    #[test]
    fn options_are_checked() {
        check("", Ok(()));
        check("async=true&model=mini&overlap=0.5&allow_fallback=false&rate=source", Ok(()));
        check("stem=vocals", Err("\"stem\" is unknown"));
        check("model=a&model=b", Err("occurs twice"));
        check("normalization=loud", Err("streaming, exact"));
        check("overlap=half", Err("overlap"));
        check("quality=best&stems=vocals", Ok(()));
        check("quality=good", Err("fast, balanced, best"));
        check("quality=best&model=mini", Err("config.quality"));
        check("track=2", Ok(()));
        check("track=0", Err("track"));
        check("stems=../vocals", Err("config.stems"));
        check("file=song.mp3", Err("known fields: async"));
        check("start_s=1.5&end_s=2&channels=source", Ok(()));
        check("start_s=1:00", Err("a number of seconds"));
        check("start_s=-1", Err("config.start_s"));
        check("start_s=nan", Err("config.start_s"));
        check("start_s=2&end_s=2", Err("config.end_s"));
        check("channels=mono", Err("stereo, source"));
    }

    #[test]
    fn every_option_is_accepted_in_query_and_form() {
        assert_eq!(FIELDS, format!("file, {OPTIONS}"));
        assert_eq!(OPTIONS, format!("async, {SETTINGS}, on_disconnect"));
        for name in OPTIONS.split(", ") {
            // No text is a valid value of every option.
            let set = SeparateOptions::default().set_field(name, "?");
            assert!(!matches!(set, Err(ApiError::FieldUnknown { .. })), "{name}");
        }
    }

    #[test]
    fn the_accompaniment_comes_unless_stems_are_named() {
        let settings = |query| {
            SeparateOptions::of_query(Some(query), SETTINGS).unwrap().settings("x").unwrap()
        };
        assert!(settings("normalization=exact").with_accompaniment);
        assert_eq!(settings("normalization=exact").normalization, Normalization::Exact);
        assert!(!settings("stems=vocals,+drums").with_accompaniment);
        assert_eq!(settings("stems=vocals,+drums").stems.len(), 2);
    }
}
