#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "source.h"
#include "stemwire/client.h"
#include "temporary_folder.h"

namespace stemwire {
namespace {

std::string noise(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t n = 0; n < size; n++) {
    bytes[n] = static_cast<char>(n * 31 + n / 251);
  }
  return bytes;
}

std::string sha256(const std::string& bytes) {
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), hash);
  return std::string(hash, hash + sizeof hash);
}

std::string read(SongReader& song, std::size_t offset) {
  std::string bytes;
  while (const auto piece = song.read(offset + bytes.size())) {
    if (piece->empty()) {
      break;
    }
    bytes += *piece;
  }
  return bytes;
}

/// Reads at most so many bytes at a time.
Song::Read stream_of(std::string bytes) {
  return [bytes = std::move(bytes), position = std::size_t{0}](char* buffer, std::size_t size) mutable {
    const std::size_t count = bytes.copy(buffer, std::min<std::size_t>(size, 100'000), position);
    position += count;
    return count;
  };
}

constexpr std::size_t SIZE = 3 * CHUNK_BYTES + 17;

}  // namespace

/// What a song has inside.
class SongTest : public testing::Test {
 protected:
  static SongReader& reader(Song& song) { return *song.reader_; }
};

TEST_F(SongTest, ASongIsReadFromAnyPositionAndHashedAsAWhole) {
  const TemporaryFolder folder;
  const std::string bytes = noise(SIZE);
  const std::filesystem::path path = folder.path() / "song";
  std::ofstream(path, std::ios::binary) << bytes;
  Song songs[] = {Song::file(path), Song::bytes(bytes), Song::stream(stream_of(bytes))};
  for (Song& song : songs) {
    EXPECT_EQ(read(reader(song), 0), bytes);
    EXPECT_EQ(read(reader(song), 300'000), bytes.substr(300'000));
    EXPECT_EQ(reader(song).sha256(SIZE), sha256(bytes));
    EXPECT_EQ(reader(song).sha256(1), "");
  }
  // Also where an earlier process has sent the first part.
  Song song = Song::file(path);
  EXPECT_EQ(read(reader(song), 300'000), bytes.substr(300'000));
  EXPECT_EQ(reader(song).sha256(SIZE), sha256(bytes));
}

TEST_F(SongTest, SamplesAreInterleavedFromAnyByteOn) {
  std::vector<std::vector<float>> channels(2);
  std::string expected;
  for (std::size_t frame = 0; frame < CHUNK_BYTES / 8 + 5; frame++) {
    for (std::size_t channel = 0; channel < 2; channel++) {
      const float sample = static_cast<float>(frame) + static_cast<float>(channel) / 2;
      channels[channel].push_back(sample);
      expected.append(reinterpret_cast<const char*>(&sample), sizeof sample);
    }
  }
  Song song = Song::samples(channels, 48'000);
  EXPECT_EQ(read(reader(song), 0), expected);
  EXPECT_EQ(read(reader(song), 13), expected.substr(13));
  EXPECT_EQ(song.format()->encoding(), v1::ENCODING_F32LE);
  EXPECT_EQ(song.format()->sample_rate(), 48'000U);
  EXPECT_EQ(song.format()->channels(), 2U);
  EXPECT_THROW(Song::samples({{0}, {0, 0}}, 48'000), std::invalid_argument);
}

TEST_F(SongTest, AStreamKeepsItsLastBytes) {
  const std::size_t kept = 16 << 20;
  const std::string bytes = noise(kept + 5 * CHUNK_BYTES);
  Song song = Song::stream(stream_of(bytes));
  read(reader(song), 0);
  EXPECT_EQ(read(reader(song), bytes.size() - kept), bytes.substr(bytes.size() - kept));
  EXPECT_THROW(reader(song).read(0), std::runtime_error);
}

TEST_F(SongTest, AFileThatIsNotThereIsAnError) { EXPECT_THROW(Song::file("no such file"), std::system_error); }

}  // namespace stemwire
