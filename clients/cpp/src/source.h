#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "sha256.h"
#include "stemwire/song.h"

namespace stemwire {

/// Bytes per message.
constexpr std::size_t CHUNK_BYTES = 256 << 10;

/// Where the bytes of a song are. One thread reads.
class Source {
 public:
  virtual ~Source() = default;

  /// The bytes from an offset on, at most as many as a message has, and none at the end; empty if it was interrupted.
  virtual std::optional<std::string> read(std::uint64_t offset) = 0;

  /// Whether any offset can be read.
  virtual bool is_seekable() const { return true; }

  /// Whether reads end at once, for another thread.
  virtual void set_interrupted(bool) {}
};

/// A source that can be read once.
std::unique_ptr<Source> stream_source(Song::Read read);

/// A source, and the hash of what was read.
class SongReader {
 public:
  explicit SongReader(std::unique_ptr<Source> source) : source_(std::move(source)) {}

  /// As the source's.
  std::optional<std::string> read(std::uint64_t offset);

  /// SHA-256 of the first bytes; empty if not all of them were read.
  std::string sha256(std::uint64_t total) const { return hashed_ == total ? hash_.so_far() : ""; }

  /// As the source's.
  void set_interrupted(bool is_interrupted) { source_->set_interrupted(is_interrupted); }

 private:
  void add(std::string_view bytes);

  std::unique_ptr<Source> source_;
  Sha256 hash_;
  std::uint64_t hashed_ = 0;
};

}  // namespace stemwire
