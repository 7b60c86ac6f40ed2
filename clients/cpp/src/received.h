#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "failures.h"
#include "sha256.h"
#include "stemwire/event.h"
#include "stemwire/v1/separation_service.pb.h"

namespace stemwire {

/// What has been received of a session, over any number of calls: each frame of a stem once and in order.
class Received {
 public:
  /// Without requested stems those of the session are received.
  Received(v1::Encoding encoding, float gain, std::uint64_t start, std::vector<std::string> requested);

  /// The session as last received; empty before.
  const v1::Session& session() const { return session_; }
  void set_session(v1::Session session) { session_ = std::move(session); }

  /// Whether a switch of engines is new. Every call lists all switches.
  bool is_new(const v1::EngineChange& change) { return changes_.insert(change.SerializeAsString()).second; }

  /// 0 until the start of the upload has been decoded.
  std::uint32_t sample_rate() const { return session_.source().output_sample_rate(); }

  /// Those that are received.
  std::vector<std::string> stems() const;

  /// The position after the last received frame of a stem.
  std::uint64_t next_frame(const std::string& stem) const;

  /// The first frame that some stem lacks: where the next call starts.
  std::uint64_t resume_frame() const;

  /// Grows whenever a call made progress.
  Position position() const;

  /// The frames of a message that were not received before. The sample rate must be known.
  std::optional<Chunk> new_frames(v1::StemChunk message);

  /// Compares lengths and hashes with those of the session in its final state.
  void verify(const v1::Session& done) const;

 private:
  v1::Encoding encoding_;
  std::uint64_t start_;
  std::vector<std::string> requested_;
  std::map<std::string, std::uint64_t> next_;
  std::set<std::string> changes_;
  /// Of the received samples. The server's are those of whole stems as float32 in stereo; empty if these are others.
  std::optional<std::map<std::string, Sha256>> hashes_;
  v1::Session session_;
};

}  // namespace stemwire
