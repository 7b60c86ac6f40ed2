#include <cstring>

#include "stemwire/event.h"

namespace stemwire {

namespace {

/// Little-endian bytes as the upper bytes of a number, so that its sign is theirs.
std::int32_t number(const unsigned char* bytes, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t n = 0; n < count; n++) {
    value |= static_cast<std::uint32_t>(bytes[n]) << (8 * (4 - count + n));
  }
  std::int32_t number = 0;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

float sample(const unsigned char* bytes, v1::Encoding encoding) {
  const std::int32_t value = number(bytes, sample_bytes(encoding));
  if (encoding == v1::ENCODING_S16LE || encoding == v1::ENCODING_S24LE) {
    return static_cast<float>(value) / static_cast<float>(1U << 31);
  }
  float sample = 0;
  std::memcpy(&sample, &value, sizeof sample);
  return sample;
}

}  // namespace

std::size_t sample_bytes(v1::Encoding encoding) {
  switch (encoding) {
    case v1::ENCODING_S16LE:
      return 2;
    case v1::ENCODING_S24LE:
      return 3;
    default:
      return 4;
  }
}

std::size_t Chunk::frames() const { return pcm.size() / (sample_bytes(encoding) * static_cast<std::size_t>(channels)); }

double Chunk::start_seconds() const { return static_cast<double>(start_frame) / sample_rate; }

std::vector<std::vector<float>> Chunk::samples() const {
  const std::size_t width = sample_bytes(encoding);
  std::vector<std::vector<float>> samples(static_cast<std::size_t>(channels), std::vector<float>(frames()));
  const auto* next = reinterpret_cast<const unsigned char*>(pcm.data());
  for (std::size_t frame = 0; frame < frames(); frame++) {
    for (std::vector<float>& channel : samples) {
      channel[frame] = sample(next, encoding);
      next += width;
    }
  }
  return samples;
}

}  // namespace stemwire
