#include "received.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <cstring>

namespace stemwire {
namespace {

/// Frames whose samples are their positions.
v1::StemChunk message(const std::string& stem, int start, int frames) {
  v1::StemChunk message;
  message.set_stem(stem);
  message.set_start_frame(static_cast<std::uint64_t>(start));
  message.set_channels(2);
  for (int sample = 2 * start; sample < 2 * (start + frames); sample++) {
    const float value = static_cast<float>(sample);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    message.mutable_pcm()->append(bytes, sizeof bytes);
  }
  return message;
}

Received received(std::initializer_list<const char*> stems) {
  Received received(v1::ENCODING_F32LE, 1, 0, {});
  v1::Session session;
  for (const char* stem : stems) {
    session.add_stems()->set_name(stem);
  }
  received.set_session(session);
  return received;
}

void check(Received& received, const v1::StemChunk& message, std::uint64_t first, std::size_t count,
           std::uint64_t resume) {
  const std::optional<Chunk> chunk = received.new_frames(message);
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->start_frame, first);
  EXPECT_EQ(chunk->frames(), count);
  EXPECT_EQ(chunk->samples()[0][0], static_cast<float>(2 * first));
  EXPECT_EQ(received.resume_frame(), resume);
}

TEST(Received, EachFrameComesOnceAndInOrder) {
  Received both = received({"drums", "bass"});
  check(both, message("drums", 0, 10), 0, 10, 0);
  check(both, message("bass", 0, 4), 0, 4, 4);
  // The next call begins with frame 4.
  check(both, message("drums", 4, 8), 10, 2, 4);
  EXPECT_FALSE(both.new_frames(message("drums", 4, 8)));
  try {
    both.new_frames(message("bass", 5, 1));
    FAIL() << "a missing frame is no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("frames 4 to 5 of bass"), std::string::npos) << error.what();
    EXPECT_EQ(error.reason_name(), "ANSWER_INVALID");
  }
}

TEST(Received, LengthsAndHashesAreComparedAtTheEnd) {
  const std::string pcm = message("drums", 0, 10).pcm();
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(pcm.data()), pcm.size(), hash);
  v1::Session done;
  v1::Stem& drums = *done.add_stems();
  drums.set_name("drums");
  drums.set_frames(10);
  drums.set_sha256(hash, sizeof hash);

  Received one = received({"drums"});
  one.new_frames(message("drums", 0, 6));
  EXPECT_THROW(one.verify(done), Error);
  one.new_frames(message("drums", 4, 6));
  one.verify(done);
  hash[0] ^= 1;
  drums.set_sha256(hash, sizeof hash);
  EXPECT_THROW(one.verify(done), Error);
}

/// Of two frames in stereo: -1 and 0.5, then 0 and a small negative one.
void check(v1::Encoding encoding, std::initializer_list<unsigned char> pcm, float small) {
  const Chunk chunk{"drums", 0, std::string(pcm.begin(), pcm.end()), encoding, 2, 44'100, 0};
  EXPECT_EQ(chunk.frames(), 2U);
  EXPECT_EQ(chunk.samples()[0], (std::vector<float>{-1, 0}));
  EXPECT_EQ(chunk.samples()[1], (std::vector<float>{0.5F, small}));
}

TEST(Received, SamplesAreFractionsOfFullScaleByChannel) {
  check(v1::ENCODING_S16LE, {0, 0x80, 0, 0x40, 0, 0, 0xff, 0xff}, -1.0F / 32'768);
  check(v1::ENCODING_S24LE, {0, 0, 0x80, 0, 0, 0x40, 0, 0, 0, 0, 0xff, 0xff}, -256.0F / 8'388'608);
  check(v1::ENCODING_F32LE, {0, 0, 0x80, 0xbf, 0, 0, 0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xbc}, -1.0F / 128);
}

}  // namespace
}  // namespace stemwire
