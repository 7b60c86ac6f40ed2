#include "received.h"

#include <algorithm>

#include "errors.h"

namespace stemwire {

Received::Received(v1::Encoding encoding, float gain, std::uint64_t start, std::vector<std::string> requested)
    : encoding_(encoding), start_(start), requested_(std::move(requested)) {
  if (sample_bytes(encoding) == sizeof(float) && (gain == 0 || gain == 1) && start == 0) {
    hashes_.emplace();
  }
}

std::vector<std::string> Received::stems() const {
  if (!requested_.empty()) {
    return requested_;
  }
  std::vector<std::string> names;
  for (const v1::Stem& stem : session_.stems()) {
    names.push_back(stem.name());
  }
  return names;
}

std::uint64_t Received::next_frame(const std::string& stem) const {
  const auto known = next_.find(stem);
  return known == next_.end() ? start_ : known->second;
}

std::uint64_t Received::resume_frame() const {
  std::optional<std::uint64_t> first;
  for (const std::string& stem : stems()) {
    first = std::min(first.value_or(next_frame(stem)), next_frame(stem));
  }
  return first.value_or(start_);
}

Position Received::position() const {
  if (session_.session_id().empty()) {
    return {0, 0};
  }
  return {std::max<std::uint64_t>(session_.committed_bytes(), 1), resume_frame()};
}

std::optional<Chunk> Received::new_frames(v1::StemChunk message) {
  Chunk chunk;
  chunk.stem = message.stem();
  chunk.start_frame = next_frame(chunk.stem);
  chunk.encoding = encoding_;
  // A server that is older than the field sends stereo.
  chunk.channels = message.channels() == 1 ? 1 : 2;
  chunk.sample_rate = sample_rate();
  chunk.clipped_samples = message.clipped_samples();
  if (message.start_frame() > chunk.start_frame) {
    raise(invalid_answer("frames " + std::to_string(chunk.start_frame) + " to " +
                         std::to_string(message.start_frame()) + " of " + chunk.stem + " are missing"));
  }
  // A repeated call starts all stems at one frame, and some may be ahead of it.
  const std::uint64_t frame_bytes = sample_bytes(encoding_) * static_cast<std::uint64_t>(chunk.channels);
  const std::uint64_t repeated = chunk.start_frame - message.start_frame();
  if (repeated >= message.pcm().size() / frame_bytes) {
    return std::nullopt;
  }
  chunk.pcm = std::move(*message.mutable_pcm());
  chunk.pcm.erase(0, repeated * frame_bytes);
  if (chunk.channels != 2) {
    hashes_.reset();
  }
  if (hashes_) {
    (*hashes_)[chunk.stem].add(chunk.pcm);
  }
  next_[chunk.stem] = chunk.start_frame + chunk.frames();
  return chunk;
}

void Received::verify(const v1::Session& done) const {
  const std::vector<std::string> names = stems();
  for (const v1::Stem& stem : done.stems()) {
    if (std::find(names.begin(), names.end(), stem.name()) == names.end()) {
      continue;
    }
    if (next_frame(stem.name()) < stem.frames()) {
      raise(invalid_answer("only " + std::to_string(next_frame(stem.name())) + " of " + std::to_string(stem.frames()) +
                           " frames of " + stem.name() + " were received"));
    }
    if (!hashes_ || stem.sha256().empty()) {
      continue;
    }
    const auto hash = hashes_->find(stem.name());
    if (hash != hashes_->end() && hash->second.so_far() != stem.sha256()) {
      raise(invalid_answer("the SHA-256 of " + stem.name() + " is not that of the server"));
    }
  }
}

}  // namespace stemwire
