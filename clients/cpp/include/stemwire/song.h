#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stemwire/v1/config.pb.h"

namespace stemwire {

class SongReader;

/// The bytes of a song: a file of any format that the server decodes, or samples. It is moved into one separation.
///
/// A file and what is in memory can be read again after a broken connection. Of a stream the last 16 MiB are kept for
/// that.
class Song {
 public:
  /// Reads the next bytes of a stream into a buffer, as POSIX `read` does: waits for at least one, returns how many,
  /// and 0 at the end. An exception ends the separation.
  ///
  /// It is called by a thread of its own, which ends with the stream, or after its next read once the separation has
  /// ended. What it refers to must live until then.
  using Read = std::function<std::size_t(char* buffer, std::size_t size)>;

  /// A file, which is opened. Throws `std::system_error`.
  static Song file(const std::filesystem::path& path);

  /// A file in memory.
  static Song bytes(std::string bytes);

  /// One or two channels of samples in memory, of one length; full scale is 1. Throws `std::invalid_argument`.
  static Song samples(std::vector<std::vector<float>> channels, std::uint32_t sample_rate);

  /// A file that can be read once, such as a pipe.
  static Song stream(Read read);

  /// Raw samples that can be read once, such as a recording.
  static Song pcm(Read read, v1::Encoding encoding, std::uint32_t sample_rate, std::uint32_t channels);

  Song(Song&&) noexcept;
  Song& operator=(Song&&) noexcept;
  ~Song();

  /// Of raw samples.
  const std::optional<v1::RawPcm>& format() const noexcept { return format_; }

 private:
  friend class Client;
  /// Of the unit tests.
  friend class SongTest;

  explicit Song(std::unique_ptr<SongReader> reader, std::optional<v1::RawPcm> format = std::nullopt);

  std::unique_ptr<SongReader> reader_;
  std::optional<v1::RawPcm> format_;
};

/// The bytes of an open file descriptor, such as that of standard input: `Song::stream(descriptor(STDIN_FILENO))`. It
/// stays open.
Song::Read descriptor(int file);

}  // namespace stemwire
