#include "stem_files.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "connection.h"
#include "errors.h"

namespace stemwire {

namespace {

constexpr std::uint64_t HEADER_BYTES = 44;
constexpr std::uint64_t MAX_BYTES = 0xffff'ffff - HEADER_BYTES;

bool is_name(const std::string& stem) {
  return !stem.empty() && std::all_of(stem.begin(), stem.end(), [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
           letter == '_' || letter == '-';
  });
}

std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int n = 0; n < bytes; n++) {
    text.push_back(static_cast<char>(value >> 8 * n & 0xff));
  }
  return text;
}

}  // namespace

StemFiles::StemFiles(std::filesystem::path folder)
    : folder_(std::move(folder)), scratch_(folder_ / (".stemwire-" + new_uuid())) {
  std::filesystem::create_directories(scratch_);
}

StemFiles::~StemFiles() {
  stems_.clear();
  // What cannot be deleted has a name that shows whose it is.
  std::error_code ignored;
  std::filesystem::remove_all(scratch_, ignored);
}

void StemFiles::write(const Chunk& chunk) { of(chunk).write(chunk); }

std::map<std::string, std::filesystem::path> StemFiles::publish() {
  for (auto& [stem, wav] : stems_) {
    wav.finish();
  }
  std::map<std::string, std::filesystem::path> files;
  for (auto& [stem, wav] : stems_) {
    files[stem] = folder_ / wav.path.filename();
    std::filesystem::rename(wav.path, files[stem]);
  }
  return files;
}

StemFiles::Wav& StemFiles::of(const Chunk& chunk) {
  const auto known = stems_.find(chunk.stem);
  if (known != stems_.end()) {
    return known->second;
  }
  if (!is_name(chunk.stem)) {
    raise(invalid_answer("\"" + chunk.stem + "\" is no name of a stem"));
  }
  const std::filesystem::path path = scratch_ / (chunk.stem + ".wav");
  std::ofstream out(path, std::ios::binary);
  Wav wav{path, std::move(out), chunk.encoding, static_cast<std::uint32_t>(chunk.channels), chunk.sample_rate};
  wav.put(std::string(HEADER_BYTES, '\0'));
  return stems_.emplace(chunk.stem, std::move(wav)).first->second;
}

void StemFiles::Wav::write(const Chunk& chunk) {
  bytes += chunk.pcm.size();
  if (bytes > MAX_BYTES) {
    throw std::system_error(EFBIG, std::generic_category(), chunk.stem + " is longer than the 4 GiB of a WAV file");
  }
  put(chunk.pcm);
}

/// Writes the header (RIFF, as in Microsoft's and IBM's "Multimedia Programming Interface").
void StemFiles::Wav::finish() {
  const std::uint32_t width = static_cast<std::uint32_t>(sample_bytes(encoding));
  const std::uint32_t frame = width * channels;
  out.seekp(0);
  put("RIFF" + number(bytes + HEADER_BYTES - 8, 4) + "WAVEfmt " + number(16, 4));
  // 1 is PCM, 3 is floating point.
  put(number(width == sizeof(float) ? 3 : 1, 2) + number(channels, 2) + number(sample_rate, 4));
  put(number(sample_rate * frame, 4) + number(frame, 2) + number(8 * width, 2) + "data" + number(bytes, 4));
  out.close();
  check();
}

void StemFiles::Wav::put(const std::string& bytes) {
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  check();
}

void StemFiles::Wav::check() const {
  if (!out) {
    throw std::system_error(errno, std::generic_category(), path.string());
  }
}

}  // namespace stemwire
