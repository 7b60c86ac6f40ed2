#include "stem_files.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "temporary_folder.h"

namespace stemwire {
namespace {

Chunk chunk(const std::string& stem, std::string pcm, v1::Encoding encoding) {
  return {stem, 0, std::move(pcm), encoding, 2, 44'100, 0};
}

std::size_t count(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

/// The header of 48 bytes of samples, as the format's description has it.
void check(v1::Encoding encoding, char kind, char frame, char bits, const char* bytes_per_second) {
  const TemporaryFolder folder;
  StemFiles files(folder.path());
  files.write(chunk("drums", std::string(24, 'a'), encoding));
  files.write(chunk("drums", std::string(24, 'b'), encoding));
  const auto paths = files.publish();
  ASSERT_EQ(paths.at("drums"), folder.path() / "drums.wav");
  std::ifstream file(paths.at("drums"), std::ios::binary);
  const std::string content(std::istreambuf_iterator<char>(file), {});
  const std::string expected = std::string("RIFF\x54\0\0\0WAVEfmt \x10\0\0\0", 20) + std::string{kind, 0, 2, 0} +
                               std::string("\x44\xac\0\0", 4) + std::string(bytes_per_second, 4) +
                               std::string{frame, 0, bits, 0} + std::string("data\x30\0\0\0", 8) +
                               std::string(24, 'a') + std::string(24, 'b');
  EXPECT_EQ(content, expected);
}

TEST(StemFiles, AreWavFiles) {
  check(v1::ENCODING_S16LE, 1, 4, 16, "\x10\xb1\x02\x00");
  check(v1::ENCODING_S24LE, 1, 6, 24, "\x98\x09\x04\x00");
  check(v1::ENCODING_F32LE, 3, 8, 32, "\x20\x62\x05\x00");
}

TEST(StemFiles, AreNotLeftByASeparationThatFails) {
  const TemporaryFolder folder;
  {
    StemFiles files(folder.path());
    files.write(chunk("drums", std::string(8, '\0'), v1::ENCODING_F32LE));
    EXPECT_THROW(files.write(chunk("../drums", std::string(8, '\0'), v1::ENCODING_F32LE)), Error);
  }
  EXPECT_EQ(count(folder.path()), 0U);
}

TEST(StemFiles, LeaveNothingElse) {
  const TemporaryFolder folder;
  {
    StemFiles files(folder.path());
    files.write(chunk("drums", std::string(8, '\0'), v1::ENCODING_F32LE));
    files.publish();
  }
  EXPECT_EQ(count(folder.path()), 1U);
}

}  // namespace
}  // namespace stemwire
