#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "stemwire/error.h"
#include "stemwire/v1/config.pb.h"
#include "stemwire/v1/engine.pb.h"
#include "stemwire/v1/session.pb.h"

namespace stemwire {

/// The next frames of one stem.
struct Chunk {
  /// Its name.
  std::string stem;
  /// Position of the first frame.
  std::uint64_t start_frame = 0;
  /// Interleaved little-endian samples, whole frames.
  std::string pcm;
  /// Encoding of the samples.
  v1::Encoding encoding = v1::ENCODING_F32LE;
  /// 1 or 2.
  int channels = 2;
  /// In frames per second.
  std::uint32_t sample_rate = 0;
  /// Number of samples that an integer encoding clipped to full scale.
  std::uint64_t clipped_samples = 0;

  /// Number of frames.
  std::size_t frames() const;

  /// Position of the first frame, in seconds.
  double start_seconds() const;

  /// The samples of each channel; full scale is 1.
  std::vector<std::vector<float>> samples() const;
};

/// The session: at the start of each call, and once the format of the song is known, before the first chunk.
struct Accepted {
  v1::Session session;
};

/// Progress, at least every five seconds.
struct Progressed {
  v1::Progress progress;
};

/// A switch to another engine.
struct EngineChanged {
  v1::EngineChange change;
};

/// The call failed, and is repeated after a pause.
struct Reconnecting {
  Error error;
  std::chrono::milliseconds pause;
};

/// The last event: all stems are complete, and have the lengths and hashes that the server computed.
struct Done {
  v1::Session session;
};

/// An event of a session.
using Event = std::variant<Chunk, Accepted, Progressed, EngineChanged, Reconnecting, Done>;

/// Bytes of one sample.
std::size_t sample_bytes(v1::Encoding encoding);

}  // namespace stemwire
