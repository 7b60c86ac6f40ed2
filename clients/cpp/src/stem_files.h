#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "stemwire/event.h"

namespace stemwire {

/// WAV files of the stems, in a folder of their own until all are complete.
class StemFiles {
 public:
  /// Creates the folder.
  explicit StemFiles(std::filesystem::path folder);

  /// Deletes what was not published.
  ~StemFiles();

  StemFiles(const StemFiles&) = delete;
  StemFiles& operator=(const StemFiles&) = delete;

  void write(const Chunk& chunk);

  /// Completes the files and moves them to their folder; returns the path of each stem.
  std::map<std::string, std::filesystem::path> publish();

 private:
  struct Wav {
    std::filesystem::path path;
    std::ofstream out;
    v1::Encoding encoding;
    std::uint32_t channels;
    std::uint32_t sample_rate;
    std::uint64_t bytes = 0;

    void write(const Chunk& chunk);
    void finish();
    void put(const std::string& bytes);
    void check() const;
  };

  Wav& of(const Chunk& chunk);

  std::filesystem::path folder_;
  std::filesystem::path scratch_;
  std::map<std::string, Wav> stems_;
};

}  // namespace stemwire
