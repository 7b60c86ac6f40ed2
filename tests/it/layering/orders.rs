//! The order of modules, as data: see `docs/ARCHITECTURE.md`.

/// A folder, and the levels of its submodules from the lowest on. A submodule imports only from levels below its own; those
/// of one level do not import each other. A name may be a path: `provider/selection` has a level of its own.
pub(super) type Order<'a> = (&'a str, &'a [&'a [&'a str]]);

pub(super) const ORDERS: &[Order<'_>] = &[
    (
        "",
        &[
            &["audio", "proto/reason"],
            &["files", "process"],
            &["decode", "dsp"],
            &["model"],
            &["engine", "session"],
            &["separation", "proto"],
            &["server"],
            &["client"],
            &["cli"],
            &["fuzzing"],
            &["lib"],
            &["main"],
        ],
    ),
    (
        "audio",
        &[
            &["device_names", "units"],
            &["stereo", "stem"],
            &["pcm"],
            &["file_format", "flac", "resample", "wav"],
        ],
    ),
    (
        "cli",
        &[
            &["engine_args", "error"],
            &["autotune", "decode", "output"],
            &["score", "setup"],
            &["models", "providers", "runtime"],
            &["doctor", "separate", "serve"],
            &["arguments"],
        ],
    ),
    (
        "cli/separate",
        &[
            &["args", "choices", "export", "progress", "scratch"],
            &["request"],
            &["local", "received"],
            &["remote"],
        ],
    ),
    ("cli/serve", &[&["args"], &["config"]]),
    (
        "decode",
        &[
            &["downmix", "panics", "report", "upload"],
            &["codecs", "error", "limits"],
            &["reader"],
            &["demux"],
            &["containers"],
            &["link"],
            &["probe"],
            &["decoder"],
            &["fuzzing", "track"],
        ],
    ),
    ("decode/codecs", &[&["aac_packet", "pcm"]]),
    ("dsp", &[&["mask", "score", "segments", "stft"], &["overlap"], &["fade"]]),
    (
        "engine",
        &[
            &["error", "limits", "provider"],
            &["stop"],
            &["runtime"],
            &["inference"],
            &["autotune", "fallback"],
            &["provider/selection"],
            &["pool"],
        ],
    ),
    (
        "engine/autotune",
        &[
            &["candidate", "segment"],
            &["child", "decision", "fingerprint"],
            &["cache"],
            &["process"],
            &["runner"],
            &["benchmark"],
        ],
    ),
    ("engine/fallback", &[&["circuit_breaker"], &["chain"]]),
    (
        "engine/inference",
        &[
            &["residual", "spectra", "weights"],
            &["graph"],
            &["htdemucs", "spleeter"],
            &["bag"],
            &["load"],
        ],
    ),
    ("engine/inference/spectra", &[&["parallel", "tile"]]),
    ("engine/pool", &[&["fairness", "typical"], &["dispatcher"], &["worker"], &["watchdog"]]),
    ("engine/runtime", &[&["execution", "locate", "wheel"], &["install"]]),
    (
        "model",
        &[
            &["embedded", "hash", "name", "onnx", "provider"],
            &["error"],
            &["card"],
            &["checkpoint", "files"],
            &["registry"],
            &["catalog"],
        ],
    ),
    ("files", &[&["atomic", "scratch"]]),
    ("model/card", &[&["one_or_more", "validation"]]),
    ("model/checkpoint", &[&["htdemucs", "safetensors", "tensorflow"], &["fuzzing"]]),
    ("model/checkpoint/tensorflow", &[&["archive", "table"], &["fuzzing"]]),
    (
        "model/registry",
        &[&["error"], &["file"], &["catalogue", "download", "installed"], &["pull"], &["import"]],
    ),
    (
        "separation/decoder",
        &[&["failure", "protocol"], &["child", "shared"], &["receiver"], &["parent"]],
    ),
    ("process", &[&["ending", "limits", "messages", "priority", "stall", "stderr"], &["child"]]),
    ("proto", &[&["config", "reason"]]),
    ("model/registry/import", &[&["given", "spleeter"], &["unverified", "verified"]]),
];

/// Folders whose submodules have no order yet, because some import each other.
pub(super) const UNORDERED: &[&str] = &[
    "decode/containers",
    "decode/containers/mp3",
    "decode/containers/mp4",
    "decode/containers/ogg",
    "separation",
    "separation/pipeline",
    "separation/scheduler",
    "server",
    "server/convert",
    "server/grpc",
    "server/grpc/follow",
    "server/middleware",
    "server/middleware/metrics",
    "server/rest",
    "server/status",
    "session",
    "session/lifecycle",
    "session/live",
    "session/store",
];

/// Crates that only these modules may name.
pub(super) const OWNERS: &[(&str, &[&str])] = &[
    ("symphonia", &["decode"]),
    ("rubato", &["audio/resample"]),
    ("hound", &["audio/wav"]),
    ("rustfft", &["dsp"]),
    ("ort", &["engine/runtime", "engine/inference", "engine/stop"]),
    ("safetensors", &["model/checkpoint"]),
    ("half", &["model/checkpoint"]),
    ("toml", &["engine/autotune/cache", "model/card"]),
    ("zip", &["engine/runtime", "server/rest"]),
    ("flacenc", &["audio/flac"]),
    ("prometheus_client", &["server/middleware/metrics"]),
    ("http_body_util", &["server"]),
    ("flate2", &["model/checkpoint/tensorflow"]),
    ("tar", &["model/checkpoint/tensorflow"]),
    ("crc32c", &["model/checkpoint/tensorflow"]),
    ("uuid", &["session", "server/middleware/request_id", "cli/separate"]),
    ("serde_json", &["session", "separation", "model/checkpoint", "server/rest", "server/status"]),
    ("multer", &["server/rest"]),
    ("form_urlencoded", &["server/rest"]),
    ("percent_encoding", &["server/rest"]),
    ("http_range_header", &["server/rest"]),
    ("utoipa", &["server"]),
    ("tonic", &["server", "client", "proto"]),
    ("prost", &["server", "client", "proto", "model"]),
    ("ureq", &["model/registry/download"]),
    ("axum", &["server"]),
    ("tower", &["server"]),
    ("tower_http", &["server"]),
    ("tokio", &["server", "client", "cli"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("ctrlc", &["cli"]),
    ("tempfile", &["cli", "files"]),
    ("rustix", &["process"]),
    ("fs4", &["files"]),
];

/// Only these top modules may be asynchronous.
pub(super) const ASYNCHRONOUS: &[&str] = &["server", "client", "cli"];
