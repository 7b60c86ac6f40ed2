/// Reasons of errors. Those from 80 on occur over plain HTTP only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorReason {
    /// The service has no such method.
    MethodUnknown = 1,
    /// A message is longer than its method allows.
    MessageTooLarge = 2,
    /// The bytes of a message cannot be parsed. The code is INTERNAL where the transport finds it.
    MessageMalformed = 3,
    /// A message sets none of its fields.
    MessageEmpty = 4,
    /// The session id is not a UUID.
    SessionIdInvalid = 5,
    /// The stem name has characters that no stem name has.
    StemNameInvalid = 6,
    /// The page token was not issued by this server.
    PageTokenInvalid = 7,
    /// The server requires a bearer token, and the call has none or a wrong one.
    TokenMissing = 8,
    /// The call uses a host name that the server does not accept.
    HostForbidden = 9,
    /// A web page of another origin calls.
    OriginForbidden = 10,
    /// The call's deadline passed. The session continues.
    DeadlineExceeded = 11,
    /// The server is stopping. Its sessions continue with the next server process.
    ShuttingDown = 12,
    /// A bug of the server.
    Internal = 13,
    /// A file of a session cannot be read or written.
    StorageFailed = 14,
    /// The request names no host, or two of them.
    HostInvalid = 15,
    /// A call of the gRPC service is not gRPC.
    ContentTypeUnsupported = 16,
    /// The header `grpc-timeout` is no time limit.
    DeadlineInvalid = 17,
    /// The request's body arrived too slowly.
    RequestTooSlow = 18,
    /// The client read nothing of the answer for too long.
    ReaderTooSlow = 19,
    /// All slots and all positions in the queue are taken, or as many as one client may have.
    QueueFull = 20,
    /// The disk has too little free space. A session with a complete upload is paused until there is more.
    DiskFull = 21,
    /// The stored sessions occupy the limit, --max-stored. A session with a complete upload is paused until they do not.
    StorageFull = 22,
    /// The server has as many connections as it may have, all of them in use.
    TooManyConnections = 23,
    /// The server has as many calls, or as many bytes of messages, under way as it may have.
    ServerBusy = 24,
    /// The client has sent too many wrong tokens in a minute. Right ones are accepted all the same.
    TooManyGuesses = 25,
    /// The server has reached a limit of its operating system: open files, memory, threads, the size of a file. Sessions are paused until the server can continue them.
    SystemLimit = 26,
    /// The object store of --store has not answered or not stored all in time. Nothing is lost: sessions continue once it has.
    StoreUnavailable = 27,
    /// Stored bytes of the session are missing or differ from their checksum, and cannot be recomputed, or its manifest is damaged. Ends a session that is not done.
    StoredDataDamaged = 28,
    /// Stored frames are damaged, and are being recomputed from the upload.
    Recomputing = 29,
    /// The first message of a stream is not `config`.
    ConfigMissing = 30,
    /// A stream has a second `config`.
    ConfigRepeated = 31,
    /// A field of the request has an invalid value.
    ConfigInvalid = 32,
    /// There is no model of that name.
    ModelUnknown = 33,
    /// The model is published but not installed on the server.
    ModelNotInstalled = 34,
    /// The model cannot be loaded, or no engine works. Also ends a session.
    ModelUnavailable = 35,
    /// The session or the model has no such stem. The code is INVALID_ARGUMENT (HTTP 400) when a session is created.
    StemUnknown = 36,
    /// The request_id belongs to a session with another config.
    RequestConflict = 37,
    /// Another call with the same request_id continues the session.
    RequestTakenOver = 38,
    /// A chunk is longer than 1 MiB.
    ChunkTooLarge = 40,
    /// A chunk starts after the end of the stored bytes.
    UploadGap = 41,
    /// A chunk repeats stored bytes with other values.
    UploadConflict = 42,
    /// The upload is complete.
    UploadFinished = 43,
    /// `finish` names more bytes than were received.
    UploadIncomplete = 44,
    /// `finish` names fewer bytes than were received.
    UploadSizeMismatch = 45,
    /// The request stream ended without `finish`.
    UploadUnfinished = 46,
    /// No byte was received for --idle-upload.
    UploadIdle = 47,
    /// The upload has no bytes. Ends the session.
    UploadEmpty = 50,
    /// The SHA-256 of the upload differs from that in `finish`. Ends the session.
    UploadHashMismatch = 51,
    /// The upload is longer than --max-upload. Ends the session.
    UploadTooLarge = 52,
    /// The upload is not in a known audio format. Ends the session.
    FormatUnknown = 53,
    /// The container is supported, but not its codec. Ends the session.
    CodecUnsupported = 54,
    /// The sample rate is not within 8 to 192 kHz. Ends the session.
    SampleRateUnsupported = 55,
    /// The file has no channels, or too many. Ends the session.
    ChannelsUnsupported = 56,
    /// Raw PCM ends within a frame. Ends the session.
    PcmLengthOdd = 57,
    /// No packet of the file could be decoded. Ends the session.
    NothingDecoded = 58,
    /// The decoder crashed on the file. Ends the session.
    DecoderCrashed = 59,
    /// Decoding the file exceeds the memory or time limit. Ends the session.
    DecoderLimit = 60,
    /// The track is longer than --max-track. Ends the session.
    TrackTooLong = 61,
    /// The model failed twice on a segment, and fallback is off or no other engine works. Ends the session.
    EngineFailed = 62,
    /// As ENGINE_FAILED, and no other engine yields every requested stem. Ends the session.
    NoFallbackForStem = 63,
    /// The server ended abnormally more than eight times while it computed the session, without progress in between. The session is paused for up to a minute, so that others are completed first. Version 0.1.0 ended it.
    CrashedTooOften = 64,
    /// The session stayed paused for longer than --resume-window. Ends the session.
    ResumeWindowEnded = 65,
    /// A process that decoded the song or computed its stems was killed from outside, such as by the system when memory ran out. The session is paused and tried again; the fifth time without progress in between ends it.
    ProcessKilled = 66,
    /// The track is longer than an hour and more than --max-expansion times as large as the upload. Ends the session.
    ExpansionTooLarge = 67,
    /// The decoder's sandbox stopped it, or could not be set up. Ends the session.
    DecoderSandbox = 69,
    /// The session does not exist, or was deleted.
    SessionNotFound = 70,
    /// The session has ended and accepts no more bytes.
    SessionEnded = 71,
    /// The session was cancelled.
    SessionCancelled = 72,
    /// The session is paused, so no more frames will come.
    SessionPaused = 73,
    /// The read starts after the end of the stem.
    FrameOutOfRange = 74,
    /// The session was written by a later version of the server, which this one cannot read. It is not changed.
    SessionVersionUnsupported = 75,
    /// Plain HTTP: there is no such route.
    RouteUnknown = 80,
    /// Plain HTTP: the route does not support this method.
    MethodUnsupported = 81,
    /// Plain HTTP: the body is not multipart/form-data.
    MultipartMissing = 82,
    /// Plain HTTP: the form cannot be parsed.
    MultipartMalformed = 83,
    /// Plain HTTP: the form has no field `file`.
    FileMissing = 84,
    /// Plain HTTP: the form or the query has an unknown field.
    FieldUnknown = 85,
    /// Plain HTTP: a field occurs twice.
    FieldRepeated = 86,
    /// Plain HTTP: a field follows `file`; options must precede it.
    FieldLate = 87,
    /// Plain HTTP: the value of a field is too long.
    FieldTooLong = 88,
    /// Plain HTTP: the stem cannot be downloaded yet.
    SessionNotDone = 89,
    /// Plain HTTP: the range starts after the end of the file.
    RangeUnsatisfiable = 90,
    /// tus: the version of the protocol is missing or not supported.
    TusVersionUnsupported = 91,
    /// tus: the body is not application/offset+octet-stream.
    UploadTypeUnsupported = 92,
    /// tus: the bytes do not start at the end of the stored ones.
    UploadOffsetMismatch = 93,
    /// tus: the session of the upload has failed or was cancelled.
    UploadGone = 94,
    /// The format is encoded by FFmpeg, which is not installed, does not work or is switched off.
    EncoderMissing = 95,
    /// An NI stem file holds drums, bass, other and vocals, and the session does not have all of them.
    StemsIncomplete = 96,
    /// NATS of --cluster has not answered in time. Sessions of this gateway continue; it takes none over until NATS answers.
    ClusterUnavailable = 97,
    /// Another gateway of the cluster has the session. If that gateway is lost, another one takes the session over.
    SessionElsewhere = 98,
    /// No worker of the cluster computes the session's segments as they are to be computed. It is paused until one does.
    NoWorker = 99,
}

impl ErrorReason {
    /// Every value, in the order of the proto.
    pub const ALL: &[ErrorReason] = &[
        Self::MethodUnknown,
        Self::MessageTooLarge,
        Self::MessageMalformed,
        Self::MessageEmpty,
        Self::SessionIdInvalid,
        Self::StemNameInvalid,
        Self::PageTokenInvalid,
        Self::TokenMissing,
        Self::HostForbidden,
        Self::OriginForbidden,
        Self::DeadlineExceeded,
        Self::ShuttingDown,
        Self::Internal,
        Self::StorageFailed,
        Self::HostInvalid,
        Self::ContentTypeUnsupported,
        Self::DeadlineInvalid,
        Self::RequestTooSlow,
        Self::ReaderTooSlow,
        Self::QueueFull,
        Self::DiskFull,
        Self::StorageFull,
        Self::TooManyConnections,
        Self::ServerBusy,
        Self::TooManyGuesses,
        Self::SystemLimit,
        Self::StoreUnavailable,
        Self::StoredDataDamaged,
        Self::Recomputing,
        Self::ConfigMissing,
        Self::ConfigRepeated,
        Self::ConfigInvalid,
        Self::ModelUnknown,
        Self::ModelNotInstalled,
        Self::ModelUnavailable,
        Self::StemUnknown,
        Self::RequestConflict,
        Self::RequestTakenOver,
        Self::ChunkTooLarge,
        Self::UploadGap,
        Self::UploadConflict,
        Self::UploadFinished,
        Self::UploadIncomplete,
        Self::UploadSizeMismatch,
        Self::UploadUnfinished,
        Self::UploadIdle,
        Self::UploadEmpty,
        Self::UploadHashMismatch,
        Self::UploadTooLarge,
        Self::FormatUnknown,
        Self::CodecUnsupported,
        Self::SampleRateUnsupported,
        Self::ChannelsUnsupported,
        Self::PcmLengthOdd,
        Self::NothingDecoded,
        Self::DecoderCrashed,
        Self::DecoderLimit,
        Self::TrackTooLong,
        Self::EngineFailed,
        Self::NoFallbackForStem,
        Self::CrashedTooOften,
        Self::ResumeWindowEnded,
        Self::ProcessKilled,
        Self::ExpansionTooLarge,
        Self::DecoderSandbox,
        Self::SessionNotFound,
        Self::SessionEnded,
        Self::SessionCancelled,
        Self::SessionPaused,
        Self::FrameOutOfRange,
        Self::SessionVersionUnsupported,
        Self::RouteUnknown,
        Self::MethodUnsupported,
        Self::MultipartMissing,
        Self::MultipartMalformed,
        Self::FileMissing,
        Self::FieldUnknown,
        Self::FieldRepeated,
        Self::FieldLate,
        Self::FieldTooLong,
        Self::SessionNotDone,
        Self::RangeUnsatisfiable,
        Self::TusVersionUnsupported,
        Self::UploadTypeUnsupported,
        Self::UploadOffsetMismatch,
        Self::UploadGone,
        Self::EncoderMissing,
        Self::StemsIncomplete,
        Self::ClusterUnavailable,
        Self::SessionElsewhere,
        Self::NoWorker,
    ];

    /// The name on the wire, in `UPPER_SNAKE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MethodUnknown => "METHOD_UNKNOWN",
            Self::MessageTooLarge => "MESSAGE_TOO_LARGE",
            Self::MessageMalformed => "MESSAGE_MALFORMED",
            Self::MessageEmpty => "MESSAGE_EMPTY",
            Self::SessionIdInvalid => "SESSION_ID_INVALID",
            Self::StemNameInvalid => "STEM_NAME_INVALID",
            Self::PageTokenInvalid => "PAGE_TOKEN_INVALID",
            Self::TokenMissing => "TOKEN_MISSING",
            Self::HostForbidden => "HOST_FORBIDDEN",
            Self::OriginForbidden => "ORIGIN_FORBIDDEN",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::Internal => "INTERNAL",
            Self::StorageFailed => "STORAGE_FAILED",
            Self::HostInvalid => "HOST_INVALID",
            Self::ContentTypeUnsupported => "CONTENT_TYPE_UNSUPPORTED",
            Self::DeadlineInvalid => "DEADLINE_INVALID",
            Self::RequestTooSlow => "REQUEST_TOO_SLOW",
            Self::ReaderTooSlow => "READER_TOO_SLOW",
            Self::QueueFull => "QUEUE_FULL",
            Self::DiskFull => "DISK_FULL",
            Self::StorageFull => "STORAGE_FULL",
            Self::TooManyConnections => "TOO_MANY_CONNECTIONS",
            Self::ServerBusy => "SERVER_BUSY",
            Self::TooManyGuesses => "TOO_MANY_GUESSES",
            Self::SystemLimit => "SYSTEM_LIMIT",
            Self::StoreUnavailable => "STORE_UNAVAILABLE",
            Self::StoredDataDamaged => "STORED_DATA_DAMAGED",
            Self::Recomputing => "RECOMPUTING",
            Self::ConfigMissing => "CONFIG_MISSING",
            Self::ConfigRepeated => "CONFIG_REPEATED",
            Self::ConfigInvalid => "CONFIG_INVALID",
            Self::ModelUnknown => "MODEL_UNKNOWN",
            Self::ModelNotInstalled => "MODEL_NOT_INSTALLED",
            Self::ModelUnavailable => "MODEL_UNAVAILABLE",
            Self::StemUnknown => "STEM_UNKNOWN",
            Self::RequestConflict => "REQUEST_CONFLICT",
            Self::RequestTakenOver => "REQUEST_TAKEN_OVER",
            Self::ChunkTooLarge => "CHUNK_TOO_LARGE",
            Self::UploadGap => "UPLOAD_GAP",
            Self::UploadConflict => "UPLOAD_CONFLICT",
            Self::UploadFinished => "UPLOAD_FINISHED",
            Self::UploadIncomplete => "UPLOAD_INCOMPLETE",
            Self::UploadSizeMismatch => "UPLOAD_SIZE_MISMATCH",
            Self::UploadUnfinished => "UPLOAD_UNFINISHED",
            Self::UploadIdle => "UPLOAD_IDLE",
            Self::UploadEmpty => "UPLOAD_EMPTY",
            Self::UploadHashMismatch => "UPLOAD_HASH_MISMATCH",
            Self::UploadTooLarge => "UPLOAD_TOO_LARGE",
            Self::FormatUnknown => "FORMAT_UNKNOWN",
            Self::CodecUnsupported => "CODEC_UNSUPPORTED",
            Self::SampleRateUnsupported => "SAMPLE_RATE_UNSUPPORTED",
            Self::ChannelsUnsupported => "CHANNELS_UNSUPPORTED",
            Self::PcmLengthOdd => "PCM_LENGTH_ODD",
            Self::NothingDecoded => "NOTHING_DECODED",
            Self::DecoderCrashed => "DECODER_CRASHED",
            Self::DecoderLimit => "DECODER_LIMIT",
            Self::TrackTooLong => "TRACK_TOO_LONG",
            Self::EngineFailed => "ENGINE_FAILED",
            Self::NoFallbackForStem => "NO_FALLBACK_FOR_STEM",
            Self::CrashedTooOften => "CRASHED_TOO_OFTEN",
            Self::ResumeWindowEnded => "RESUME_WINDOW_ENDED",
            Self::ProcessKilled => "PROCESS_KILLED",
            Self::ExpansionTooLarge => "EXPANSION_TOO_LARGE",
            Self::DecoderSandbox => "DECODER_SANDBOX",
            Self::SessionNotFound => "SESSION_NOT_FOUND",
            Self::SessionEnded => "SESSION_ENDED",
            Self::SessionCancelled => "SESSION_CANCELLED",
            Self::SessionPaused => "SESSION_PAUSED",
            Self::FrameOutOfRange => "FRAME_OUT_OF_RANGE",
            Self::SessionVersionUnsupported => "SESSION_VERSION_UNSUPPORTED",
            Self::RouteUnknown => "ROUTE_UNKNOWN",
            Self::MethodUnsupported => "METHOD_UNSUPPORTED",
            Self::MultipartMissing => "MULTIPART_MISSING",
            Self::MultipartMalformed => "MULTIPART_MALFORMED",
            Self::FileMissing => "FILE_MISSING",
            Self::FieldUnknown => "FIELD_UNKNOWN",
            Self::FieldRepeated => "FIELD_REPEATED",
            Self::FieldLate => "FIELD_LATE",
            Self::FieldTooLong => "FIELD_TOO_LONG",
            Self::SessionNotDone => "SESSION_NOT_DONE",
            Self::RangeUnsatisfiable => "RANGE_UNSATISFIABLE",
            Self::TusVersionUnsupported => "TUS_VERSION_UNSUPPORTED",
            Self::UploadTypeUnsupported => "UPLOAD_TYPE_UNSUPPORTED",
            Self::UploadOffsetMismatch => "UPLOAD_OFFSET_MISMATCH",
            Self::UploadGone => "UPLOAD_GONE",
            Self::EncoderMissing => "ENCODER_MISSING",
            Self::StemsIncomplete => "STEMS_INCOMPLETE",
            Self::ClusterUnavailable => "CLUSTER_UNAVAILABLE",
            Self::SessionElsewhere => "SESSION_ELSEWHERE",
            Self::NoWorker => "NO_WORKER",
        }
    }
}

/// Reasons of switches to another engine, and of engines out of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChangeReason {
    /// The model failed twice on a segment.
    EngineFailed = 1,
    /// The model returned NaN or infinity twice.
    EngineNotFinite = 2,
    /// The model exceeded its time limit twice.
    EngineTimeout = 3,
    /// The engine's code panicked twice.
    EnginePanicked = 4,
    /// The engine crashed a process of its own, in which the segment was computed after the server had ended abnormally twice during it.
    EngineCrashed = 5,
    /// The model cannot be loaded.
    ModelUnavailable = 6,
    /// The engine failed repeatedly in other sessions and is out of service for now.
    BreakerOpen = 7,
    /// The server was restarted with another runtime library or number of threads.
    ServerRestarted = 8,
    /// The model's weights were replaced.
    ModelReplaced = 9,
    /// No worker is left that computes the same bits: others have another library, provider, precision or number of threads.
    WorkersChanged = 10,
}

impl ChangeReason {
    /// Every value, in the order of the proto.
    pub const ALL: &[ChangeReason] = &[
        Self::EngineFailed,
        Self::EngineNotFinite,
        Self::EngineTimeout,
        Self::EnginePanicked,
        Self::EngineCrashed,
        Self::ModelUnavailable,
        Self::BreakerOpen,
        Self::ServerRestarted,
        Self::ModelReplaced,
        Self::WorkersChanged,
    ];

    /// The name on the wire, in `UPPER_SNAKE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EngineFailed => "ENGINE_FAILED",
            Self::EngineNotFinite => "ENGINE_NOT_FINITE",
            Self::EngineTimeout => "ENGINE_TIMEOUT",
            Self::EnginePanicked => "ENGINE_PANICKED",
            Self::EngineCrashed => "ENGINE_CRASHED",
            Self::ModelUnavailable => "MODEL_UNAVAILABLE",
            Self::BreakerOpen => "BREAKER_OPEN",
            Self::ServerRestarted => "SERVER_RESTARTED",
            Self::ModelReplaced => "MODEL_REPLACED",
            Self::WorkersChanged => "WORKERS_CHANGED",
        }
    }
}

/// What an error concerns. The number is the exit code of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Category {
    /// Something else, such as a bug.
    Other = 1,
    /// The request: an argument, an option, a name.
    Usage = 2,
    /// The song: it cannot be read or decoded.
    Input = 3,
    /// The inference runtime or a model.
    Engine = 4,
    /// The exchange with the server: access, limits, the state of sessions and uploads.
    Server = 5,
    /// The disk.
    Disk = 6,
}

impl Category {
    /// Every value, in the order of the proto.
    pub const ALL: &[Category] = &[
        Self::Other,
        Self::Usage,
        Self::Input,
        Self::Engine,
        Self::Server,
        Self::Disk,
    ];

    /// The name on the wire, in `UPPER_SNAKE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Other => "OTHER",
            Self::Usage => "USAGE",
            Self::Input => "INPUT",
            Self::Engine => "ENGINE",
            Self::Server => "SERVER",
            Self::Disk => "DISK",
        }
    }
}

impl ErrorReason {
    fn options(self) -> ReasonOptions {
        match self {
            Self::MethodUnknown => ReasonOptions { code: 12, http_status: 501, retry_after_s: 0, category: Category::Usage, remedy: "Use a client generated from this server's proto." },
            Self::MessageTooLarge => ReasonOptions { code: 11, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Send chunks of 64 to 256 KiB." },
            Self::MessageMalformed => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Use a client generated from this server's proto." },
            Self::MessageEmpty => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Send `chunk` or `finish`." },
            Self::SessionIdInvalid => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Send the session_id as the server returned it." },
            Self::StemNameInvalid => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Use one of the session's stem names." },
            Self::PageTokenInvalid => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Start again without a page_token." },
            Self::TokenMissing => ReasonOptions { code: 16, http_status: 401, retry_after_s: 0, category: Category::Server, remedy: "Send the header `Authorization: Bearer TOKEN`." },
            Self::HostForbidden => ReasonOptions { code: 7, http_status: 403, retry_after_s: 0, category: Category::Server, remedy: "Call the server by its IP address, or start it with --allow-host." },
            Self::OriginForbidden => ReasonOptions { code: 7, http_status: 403, retry_after_s: 0, category: Category::Server, remedy: "Start the server with --allow-origin for that page." },
            Self::DeadlineExceeded => ReasonOptions { code: 4, http_status: 504, retry_after_s: 1, category: Category::Server, remedy: "Continue or watch the session, or set a longer deadline." },
            Self::ShuttingDown => ReasonOptions { code: 14, http_status: 503, retry_after_s: 5, category: Category::Server, remedy: "Try again in a few seconds." },
            Self::Internal => ReasonOptions { code: 13, http_status: 500, retry_after_s: 0, category: Category::Other, remedy: "See the server log, and report the bug with what it shows." },
            Self::StorageFailed => ReasonOptions { code: 13, http_status: 500, retry_after_s: 0, category: Category::Disk, remedy: "See the server log, and check the disk." },
            Self::HostInvalid => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Send one header `Host`." },
            Self::ContentTypeUnsupported => ReasonOptions { code: 3, http_status: 415, retry_after_s: 0, category: Category::Usage, remedy: "Call it with a gRPC client, or use the routes of plain HTTP in /openapi.json." },
            Self::DeadlineInvalid => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Send at most eight digits and a unit: H, M, S, m, u or n." },
            Self::RequestTooSlow => ReasonOptions { code: 4, http_status: 408, retry_after_s: 1, category: Category::Server, remedy: "Send the request again, in smaller pieces if the network is slow." },
            Self::ReaderTooSlow => ReasonOptions { code: 10, http_status: 408, retry_after_s: 1, category: Category::Server, remedy: "Read on from the last frame that was received." },
            Self::QueueFull => ReasonOptions { code: 8, http_status: 429, retry_after_s: 10, category: Category::Server, remedy: "Try again later, or start the server with a larger --max-open or --max-queued." },
            Self::DiskFull => ReasonOptions { code: 8, http_status: 507, retry_after_s: 60, category: Category::Disk, remedy: "Delete sessions that are no longer needed, or free space on the disk." },
            Self::StorageFull => ReasonOptions { code: 8, http_status: 507, retry_after_s: 60, category: Category::Disk, remedy: "Delete sessions that are no longer needed, or start the server with a larger --max-stored." },
            Self::TooManyConnections => ReasonOptions { code: 14, http_status: 503, retry_after_s: 5, category: Category::Server, remedy: "Try again later, use fewer connections, or start the server with a larger --max-connections." },
            Self::ServerBusy => ReasonOptions { code: 8, http_status: 503, retry_after_s: 2, category: Category::Server, remedy: "Try again later." },
            Self::TooManyGuesses => ReasonOptions { code: 8, http_status: 429, retry_after_s: 5, category: Category::Server, remedy: "Send a valid token, which is accepted at once, or wait before another try." },
            Self::SystemLimit => ReasonOptions { code: 8, http_status: 503, retry_after_s: 10, category: Category::Server, remedy: "Try again later, or raise the limits of the server process, such as `ulimit -n`." },
            Self::StoreUnavailable => ReasonOptions { code: 14, http_status: 503, retry_after_s: 5, category: Category::Server, remedy: "Try again later, and check the object store with `stemwire cluster check`." },
            Self::StoredDataDamaged => ReasonOptions { code: 15, http_status: 500, retry_after_s: 0, category: Category::Disk, remedy: "Check the disk, and send the song again." },
            Self::Recomputing => ReasonOptions { code: 14, http_status: 503, retry_after_s: 5, category: Category::Server, remedy: "Read again once the session is done." },
            Self::ConfigMissing => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Send `config` first." },
            Self::ConfigRepeated => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Send `config` once." },
            Self::ConfigInvalid => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Correct the field that the message names, or leave it out." },
            Self::ModelUnknown => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Name one of the listed models, or none to use the default." },
            Self::ModelNotInstalled => ReasonOptions { code: 9, http_status: 409, retry_after_s: 0, category: Category::Engine, remedy: "Install the model with `stemwire models pull`, or name another model." },
            Self::ModelUnavailable => ReasonOptions { code: 14, http_status: 503, retry_after_s: 30, category: Category::Engine, remedy: "Name another model, or run `stemwire doctor` on the server." },
            Self::StemUnknown => ReasonOptions { code: 5, http_status: 404, retry_after_s: 0, category: Category::Usage, remedy: "Use one of the stems in the message." },
            Self::RequestConflict => ReasonOptions { code: 6, http_status: 409, retry_after_s: 0, category: Category::Server, remedy: "Use a new request_id." },
            Self::RequestTakenOver => ReasonOptions { code: 10, http_status: 409, retry_after_s: 0, category: Category::Server, remedy: "Follow the other call, or watch the session." },
            Self::ChunkTooLarge => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Send chunks of 64 to 256 KiB." },
            Self::UploadGap => ReasonOptions { code: 11, http_status: 400, retry_after_s: 0, category: Category::Server, remedy: "Continue at `committed_bytes`." },
            Self::UploadConflict => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Server, remedy: "Open a new session for another file." },
            Self::UploadFinished => ReasonOptions { code: 9, http_status: 409, retry_after_s: 0, category: Category::Server, remedy: "Send no more bytes, or open a new session." },
            Self::UploadIncomplete => ReasonOptions { code: 11, http_status: 400, retry_after_s: 0, category: Category::Server, remedy: "Continue at `committed_bytes`." },
            Self::UploadSizeMismatch => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Server, remedy: "Finish with the number of bytes that were sent." },
            Self::UploadUnfinished => ReasonOptions { code: 10, http_status: 409, retry_after_s: 0, category: Category::Server, remedy: "Continue at `committed_bytes`, then send `finish`." },
            Self::UploadIdle => ReasonOptions { code: 10, http_status: 408, retry_after_s: 1, category: Category::Server, remedy: "Continue the upload, or send it again, without such a long pause." },
            Self::UploadEmpty => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Input, remedy: "Send an audio file that is not empty." },
            Self::UploadHashMismatch => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Input, remedy: "Send the song again: it was damaged in transit." },
            Self::UploadTooLarge => ReasonOptions { code: 8, http_status: 413, retry_after_s: 0, category: Category::Input, remedy: "Send a shorter or compressed song, or start the server with a larger --max-upload." },
            Self::FormatUnknown => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Input, remedy: "Send WAV, AIFF, FLAC, MP3, AAC, Opus, Ogg Vorbis, MP4 or Matroska." },
            Self::CodecUnsupported => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Input, remedy: "Convert the file to WAV, FLAC or MP3." },
            Self::SampleRateUnsupported => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Input, remedy: "Convert the file to 44.1 or 48 kHz." },
            Self::ChannelsUnsupported => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Input, remedy: "Mix the file down to stereo." },
            Self::PcmLengthOdd => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Input, remedy: "Check the encoding and the number of channels, and send whole frames." },
            Self::NothingDecoded => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Input, remedy: "Check that the file plays, and convert it to WAV or FLAC." },
            Self::DecoderCrashed => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Input, remedy: "Convert the file to WAV or FLAC." },
            Self::DecoderLimit => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Input, remedy: "Convert the file to WAV or FLAC." },
            Self::TrackTooLong => ReasonOptions { code: 8, http_status: 413, retry_after_s: 0, category: Category::Input, remedy: "Send a shorter song, or start the server with a larger --max-track." },
            Self::EngineFailed => ReasonOptions { code: 13, http_status: 500, retry_after_s: 0, category: Category::Engine, remedy: "Name another model, or allow fallback." },
            Self::NoFallbackForStem => ReasonOptions { code: 13, http_status: 500, retry_after_s: 0, category: Category::Engine, remedy: "Ask for fewer stems or name another model; the frames finished so far stay readable." },
            Self::CrashedTooOften => ReasonOptions { code: 13, http_status: 500, retry_after_s: 0, category: Category::Other, remedy: "Find out in the system's log why the server ended; if it has too little memory, give it more." },
            Self::ResumeWindowEnded => ReasonOptions { code: 9, http_status: 409, retry_after_s: 0, category: Category::Other, remedy: "Send the song again." },
            Self::ProcessKilled => ReasonOptions { code: 13, http_status: 500, retry_after_s: 0, category: Category::Server, remedy: "Give the server more memory or fewer --workers, and send the song again." },
            Self::ExpansionTooLarge => ReasonOptions { code: 8, http_status: 413, retry_after_s: 0, category: Category::Input, remedy: "Send a shorter song, or start the server with a larger --max-expansion." },
            Self::DecoderSandbox => ReasonOptions { code: 13, http_status: 500, retry_after_s: 0, category: Category::Other, remedy: "Report this to the operator of the server, with the id of the session." },
            Self::SessionNotFound => ReasonOptions { code: 5, http_status: 404, retry_after_s: 0, category: Category::Server, remedy: "List the sessions, or send the song again." },
            Self::SessionEnded => ReasonOptions { code: 9, http_status: 409, retry_after_s: 0, category: Category::Server, remedy: "Send the song again." },
            Self::SessionCancelled => ReasonOptions { code: 1, http_status: 409, retry_after_s: 0, category: Category::Server, remedy: "Send the song again if its stems are still needed." },
            Self::SessionPaused => ReasonOptions { code: 9, http_status: 409, retry_after_s: 0, category: Category::Server, remedy: "Continue the upload, or watch the session to resume it." },
            Self::FrameOutOfRange => ReasonOptions { code: 11, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Start within the stem." },
            Self::SessionVersionUnsupported => ReasonOptions { code: 9, http_status: 409, retry_after_s: 0, category: Category::Server, remedy: "Start the server version that wrote the session, or a later one." },
            Self::RouteUnknown => ReasonOptions { code: 5, http_status: 404, retry_after_s: 0, category: Category::Usage, remedy: "See /openapi.json for all routes." },
            Self::MethodUnsupported => ReasonOptions { code: 12, http_status: 405, retry_after_s: 0, category: Category::Usage, remedy: "Use one of the methods in the header `Allow`; /openapi.json has all routes." },
            Self::MultipartMissing => ReasonOptions { code: 3, http_status: 415, retry_after_s: 0, category: Category::Usage, remedy: "Send a form with the song in the field `file`, as `curl -F \"file=@song.mp3\"` does." },
            Self::MultipartMalformed => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Send a form as `curl -F` or a browser makes it." },
            Self::FileMissing => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Send the song in the field `file`, as `curl -F \"file=@song.mp3\"` does." },
            Self::FieldUnknown => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Use one of the names in the message, or leave the field out." },
            Self::FieldRepeated => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Send each field once, and one file per request." },
            Self::FieldLate => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Put the field before `file`, or into the query." },
            Self::FieldTooLong => ReasonOptions { code: 3, http_status: 400, retry_after_s: 0, category: Category::Usage, remedy: "Send a shorter value, and the song in the field `file`." },
            Self::SessionNotDone => ReasonOptions { code: 9, http_status: 409, retry_after_s: 0, category: Category::Server, remedy: "Wait until /api/sessions/{id} shows the state DONE." },
            Self::RangeUnsatisfiable => ReasonOptions { code: 11, http_status: 416, retry_after_s: 0, category: Category::Usage, remedy: "Ask for a range that starts within the file, or for the whole file." },
            Self::TusVersionUnsupported => ReasonOptions { code: 9, http_status: 412, retry_after_s: 0, category: Category::Usage, remedy: "Send the header `Tus-Resumable: 1.0.0`." },
            Self::UploadTypeUnsupported => ReasonOptions { code: 3, http_status: 415, retry_after_s: 0, category: Category::Usage, remedy: "Send the bytes with the header `Content-Type: application/offset+octet-stream`." },
            Self::UploadOffsetMismatch => ReasonOptions { code: 11, http_status: 409, retry_after_s: 0, category: Category::Server, remedy: "Continue at `committed_bytes`." },
            Self::UploadGone => ReasonOptions { code: 9, http_status: 410, retry_after_s: 0, category: Category::Server, remedy: "Create a new upload if the stems are still needed." },
            Self::EncoderMissing => ReasonOptions { code: 9, http_status: 409, retry_after_s: 0, category: Category::Usage, remedy: "Use the format m4a-alac, or install FFmpeg where the file is encoded." },
            Self::StemsIncomplete => ReasonOptions { code: 9, http_status: 409, retry_after_s: 0, category: Category::Usage, remedy: "Separate the song into drums, bass, other and vocals, or choose a format with a file for each stem." },
            Self::ClusterUnavailable => ReasonOptions { code: 14, http_status: 503, retry_after_s: 5, category: Category::Server, remedy: "Try again later, and check that the NATS server of --cluster can be reached." },
            Self::SessionElsewhere => ReasonOptions { code: 14, http_status: 503, retry_after_s: 5, category: Category::Server, remedy: "Try again in a few seconds: the gateway that has the session cannot be reached." },
            Self::NoWorker => ReasonOptions { code: 14, http_status: 503, retry_after_s: 10, category: Category::Server, remedy: "Start a worker with this model, with `stemwire worker`; the session continues by itself." },
        }
    }
}
