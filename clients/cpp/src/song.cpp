#include "stemwire/song.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "source.h"

namespace stemwire {

namespace {

class FileSource : public Source {
 public:
  explicit FileSource(const std::filesystem::path& path) : path_(path), file_(path, std::ios::binary) { check(); }

  std::optional<std::string> read(std::uint64_t offset) override {
    std::string piece(CHUNK_BYTES, '\0');
    file_.clear();
    file_.seekg(static_cast<std::streamoff>(offset));
    file_.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    // The end of the file ends the read, too.
    if (!file_.eof()) {
      check();
    }
    piece.resize(static_cast<std::size_t>(file_.gcount()));
    return piece;
  }

 private:
  void check() const {
    if (!file_) {
      throw std::system_error(errno, std::generic_category(), path_.string());
    }
  }

  std::filesystem::path path_;
  std::ifstream file_;
};

class BytesSource : public Source {
 public:
  explicit BytesSource(std::string bytes) : bytes_(std::move(bytes)) {}

  std::optional<std::string> read(std::uint64_t offset) override {
    return bytes_.substr(std::min<std::uint64_t>(offset, bytes_.size()), CHUNK_BYTES);
  }

 private:
  std::string bytes_;
};

/// Samples of channels, interleaved and converted as they are read.
class SamplesSource : public Source {
 public:
  explicit SamplesSource(std::vector<std::vector<float>> channels) : channels_(std::move(channels)) {
    for (const std::vector<float>& channel : channels_) {
      if (channel.size() != channels_.front().size()) {
        throw std::invalid_argument("the channels have different lengths: " + std::to_string(channels_.front().size()) +
                                    " and " + std::to_string(channel.size()));
      }
    }
  }

  std::optional<std::string> read(std::uint64_t offset) override {
    // A server continues at any byte.
    const std::uint64_t samples = channels_.empty() ? 0 : channels_.size() * channels_.front().size();
    const std::uint64_t last = std::min<std::uint64_t>(offset + CHUNK_BYTES, sizeof(float) * samples);
    std::string bytes;
    for (std::uint64_t n = offset / sizeof(float); sizeof(float) * n < last; n++) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &channels_[n % channels_.size()][n / channels_.size()], sizeof bits);
      for (int shift = 0; shift < 32; shift += 8) {
        bytes.push_back(static_cast<char>(bits >> shift & 0xff));
      }
    }
    bytes.erase(0, offset % sizeof(float));
    return bytes;
  }

 private:
  std::vector<std::vector<float>> channels_;
};

v1::RawPcm format_of(v1::Encoding encoding, std::uint32_t sample_rate, std::uint32_t channels) {
  v1::RawPcm format;
  format.set_encoding(encoding);
  format.set_sample_rate(sample_rate);
  format.set_channels(channels);
  return format;
}

std::unique_ptr<SongReader> reader_of(std::unique_ptr<Source> source) {
  return std::make_unique<SongReader>(std::move(source));
}

}  // namespace

Song::Song(std::unique_ptr<SongReader> reader, std::optional<v1::RawPcm> format)
    : reader_(std::move(reader)), format_(std::move(format)) {}
Song::Song(Song&&) noexcept = default;
Song& Song::operator=(Song&&) noexcept = default;
Song::~Song() = default;

Song Song::file(const std::filesystem::path& path) { return Song(reader_of(std::make_unique<FileSource>(path))); }

Song Song::bytes(std::string bytes) { return Song(reader_of(std::make_unique<BytesSource>(std::move(bytes)))); }

Song Song::samples(std::vector<std::vector<float>> channels, std::uint32_t sample_rate) {
  const auto format = format_of(v1::ENCODING_F32LE, sample_rate, static_cast<std::uint32_t>(channels.size()));
  return Song(reader_of(std::make_unique<SamplesSource>(std::move(channels))), format);
}

Song Song::stream(Read read) { return Song(reader_of(stream_source(std::move(read)))); }

Song Song::pcm(Read read, v1::Encoding encoding, std::uint32_t sample_rate, std::uint32_t channels) {
  return Song(reader_of(stream_source(std::move(read))), format_of(encoding, sample_rate, channels));
}

std::optional<std::string> SongReader::read(std::uint64_t offset) {
  // Bytes that an earlier process has sent are read only to be hashed.
  while (source_->is_seekable() && hashed_ < offset) {
    const std::optional<std::string> earlier = source_->read(hashed_);
    if (!earlier || earlier->empty()) {
      break;
    }
    add(std::string_view(*earlier).substr(0, offset - hashed_));
  }
  std::optional<std::string> piece = source_->read(offset);
  if (piece && offset <= hashed_ && hashed_ - offset < piece->size()) {
    add(std::string_view(*piece).substr(hashed_ - offset));
  }
  return piece;
}

void SongReader::add(std::string_view bytes) {
  hash_.add(bytes);
  hashed_ += bytes.size();
}

Song::Read descriptor(int file) {
  return [file](char* buffer, std::size_t size) {
    for (;;) {
      const ssize_t count = ::read(file, buffer, size);
      if (count >= 0) {
        return static_cast<std::size_t>(count);
      }
      if (errno != EINTR) {
        throw std::system_error(errno, std::generic_category(), "the song cannot be read");
      }
    }
  };
}

}  // namespace stemwire
