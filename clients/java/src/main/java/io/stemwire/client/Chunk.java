package io.stemwire.client;

import com.google.protobuf.ByteString;
import io.stemwire.v1.Encoding;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The next frames of one stem.
 *
 * @param stem its name
 * @param startFrame position of the first frame
 * @param pcm interleaved samples, whole frames
 * @param encoding of the samples
 * @param channels 1 or 2
 * @param sampleRate in frames per second
 * @param clippedSamples number of samples that an integer encoding clipped to full scale
 */
public record Chunk(
    String stem, long startFrame, ByteString pcm, Encoding encoding, int channels, int sampleRate, long clippedSamples)
    implements Event {
  /** Number of frames. */
  public int frames() {
    return pcm.size() / (sampleBytes(encoding) * channels);
  }

  /** Position of the first frame, in seconds. */
  public double startSeconds() {
    return (double) startFrame / sampleRate;
  }

  /** The samples of each channel; full scale is 1. */
  public float[][] samples() {
    ByteBuffer bytes = pcm.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    int frames = frames();
    float[][] samples = new float[channels][frames];
    for (int frame = 0; frame < frames; frame++) {
      for (int channel = 0; channel < channels; channel++) {
        samples[channel][frame] = sample(bytes, encoding);
      }
    }
    return samples;
  }

  static int sampleBytes(Encoding encoding) {
    return switch (encoding) {
      case ENCODING_S16LE -> 2;
      case ENCODING_S24LE -> 3;
      default -> 4;
    };
  }

  private static float sample(ByteBuffer bytes, Encoding encoding) {
    return switch (encoding) {
      case ENCODING_S16LE -> bytes.getShort() / (float) (1 << 15);
      case ENCODING_S24LE -> ((bytes.get() & 0xff) | (bytes.get() & 0xff) << 8 | bytes.get() << 16) / (float) (1 << 23);
      default -> bytes.getFloat();
    };
  }
}
