//! What helps against each reason, in one sentence, for people who see no proto.

/// What to do about an error of this reason.
pub(in crate::server) fn remedy(reason: &str) -> &'static str {
    let known = REMEDIES.iter().find(|(known, _)| *known == reason);
    known.map_or("look into the server's log", |(_, remedy)| remedy)
}

const REMEDIES: [(&str, &str); 64] = [
    ("CHUNK_TOO_LARGE", "send smaller chunks, 64 to 256 KiB each"),
    ("CODEC_UNSUPPORTED", "convert the file to WAV, FLAC or MP3 and send that"),
    ("CHANNELS_UNSUPPORTED", "mix the file down to stereo and send that"),
    ("CONFIG_INVALID", "correct the field that the message names, or leave it out"),
    ("CONFIG_MISSING", "send `config` first"),
    ("CONFIG_REPEATED", "send `config` once"),
    ("CRASHED_TOO_OFTEN", "convert the file and send it anew"),
    ("DEADLINE_EXCEEDED", "look at the session again, or take a longer deadline"),
    ("DECODER_CRASHED", "convert the file to WAV or FLAC and send that"),
    ("DECODER_LIMIT", "convert the file to WAV or FLAC and send that"),
    ("DISK_FULL", "delete sessions that are not needed any more, or try again later"),
    ("ENGINE_FAILED", "try again, name another model, or allow fallback"),
    ("FIELD_LATE", "put the field before `file`, or into the query of the address"),
    ("FIELD_REPEATED", "send each field once, and one file a request"),
    ("FIELD_TOO_LONG", "send a shorter value, and the song in the field `file`"),
    ("FIELD_UNKNOWN", "take one of the names in the message, or leave it out"),
    ("FILE_MISSING", "send the song as the field `file`: curl -F \"file=@song.mp3\" …"),
    ("FORMAT_UNKNOWN", "send WAV, AIFF, FLAC, MP3, Ogg Vorbis or M4A"),
    ("FRAME_OUT_OF_RANGE", "begin within the stem"),
    ("HOST_FORBIDDEN", "call the server by its address, or start it with --allow-host"),
    ("INTERNAL", "look into the server's log, and try again"),
    ("MESSAGE_EMPTY", "send `chunk` or `finish`"),
    ("MESSAGE_TOO_LARGE", "send chunks of 64 to 256 KiB"),
    (
        "METHOD_UNSUPPORTED",
        "take one of the methods in the header Allow, or see /openapi.json for all routes",
    ),
    ("MODEL_NOT_INSTALLED", "install it with `stemwire models pull`, or name another model"),
    ("MODEL_UNAVAILABLE", "try again later, or name another model"),
    ("MODEL_UNKNOWN", "name one of the models that /health shows, or none"),
    ("MULTIPART_MALFORMED", "send the form again, as curl -F or a browser's form makes it"),
    ("MULTIPART_MISSING", "send a form with the song as `file`: curl -F \"file=@song.mp3\" …"),
    ("NOTHING_DECODED", "check that the file plays, convert it to WAV or FLAC and send that"),
    ("NO_FALLBACK_FOR_STEM", "ask for fewer stems or another model, or read what was finished"),
    ("ORIGIN_FORBIDDEN", "start the server with --allow-origin for that page"),
    ("PAGE_TOKEN_INVALID", "begin with no page_token"),
    ("PCM_LENGTH_ODD", "send whole frames"),
    ("QUEUE_FULL", "try again later"),
    ("RANGE_UNSATISFIABLE", "ask for a range that begins within the file, or for all of it"),
    ("REQUEST_CONFLICT", "take a new request_id"),
    ("REQUEST_TAKEN_OVER", "follow the call that has the session now"),
    ("RESUME_WINDOW_ENDED", "send the song again"),
    ("ROUTE_UNKNOWN", "see /openapi.json for the routes there are"),
    ("SAMPLE_RATE_UNSUPPORTED", "convert the file to 44.1 or 48 kHz and send that"),
    ("SESSION_CANCELLED", "send the song again if its stems are still wanted"),
    ("SESSION_ENDED", "send the song again"),
    ("SESSION_ID_INVALID", "take the session_id as it was answered"),
    ("SESSION_NOT_DONE", "wait until the session is DONE: /api/sessions/{id} tells how far it is"),
    ("SESSION_NOT_FOUND", "list the sessions that there are, or send the song again"),
    ("SESSION_PAUSED", "continue the upload or watch the session, so that it goes on"),
    ("SHUTTING_DOWN", "try again in a moment"),
    ("STEM_NAME_INVALID", "take one of the session's stems"),
    ("STEM_UNKNOWN", "take one of the stems in the message"),
    ("STORAGE_FAILED", "look into the server's log: its disk fails"),
    ("STORAGE_FULL", "delete sessions that are not needed any more, or try again later"),
    ("TOKEN_MISSING", "send the header Authorization: Bearer TOKEN"),
    ("TRACK_TOO_LONG", "send a shorter song, or start the server with a larger --max-track"),
    ("UPLOAD_CONFLICT", "open a new session for another file"),
    ("UPLOAD_EMPTY", "send an audio file that is not empty"),
    ("UPLOAD_FINISHED", "send nothing more"),
    ("UPLOAD_GAP", "continue at committed_bytes"),
    ("UPLOAD_HASH_MISMATCH", "send the song again: it was damaged on its way"),
    ("UPLOAD_IDLE", "send the song again without so long a pause"),
    ("UPLOAD_INCOMPLETE", "continue at committed_bytes"),
    ("UPLOAD_SIZE_MISMATCH", "finish with the size that was sent"),
    (
        "UPLOAD_TOO_LARGE",
        "send a shorter or compressed song, or start the server with a larger --max-upload",
    ),
    ("UPLOAD_UNFINISHED", "continue at committed_bytes"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The reasons that a source names: quoted, in `UPPER_SNAKE`.
    fn reasons(source: &str) -> Vec<&str> {
        let is_reason = |text: &&str| {
            text.len() > 3 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        };
        source.split('"').skip(1).step_by(2).filter(is_reason).collect()
    }

    #[test]
    fn every_reason_has_a_remedy() {
        let failures = include_str!("../../session/failure.rs");
        let failures = failures.split("pub fn as_str").nth(1).unwrap().split("impl ").next();
        let named = [reasons(include_str!("answer.rs")), reasons(failures.unwrap())].concat();
        assert!(named.len() > 60, "{named:?}");
        let without = |reason: &&&str| !REMEDIES.iter().any(|(known, _)| known == *reason);
        let without: Vec<_> = named.iter().filter(without).collect();
        assert!(without.is_empty(), "{without:?}");
        // What stands after the last semicolon of a message is the remedy.
        assert!(REMEDIES.iter().all(|(_, remedy)| !remedy.contains(';')));
    }
}
