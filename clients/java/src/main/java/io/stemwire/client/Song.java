package io.stemwire.client;

import io.stemwire.v1.Encoding;
import io.stemwire.v1.RawPcm;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Optional;

/**
 * The bytes of a song: a file of any format that the server decodes, or samples. It is for one separation, which closes it.
 *
 * <p>A file and what is in memory can be read again after a broken connection. Of a stream the last 16 MiB are kept for that.
 */
public final class Song implements Closeable {
  /** Bytes per message. */
  static final int CHUNK_BYTES = 256 << 10;

  private final Source source;
  private final RawPcm format;
  private final MessageDigest hash = Hashes.sha256();
  private long hashed;

  private Song(Source source, RawPcm format) {
    this.source = source;
    this.format = format;
  }

  /** Where the bytes are; used by one thread at a time. */
  interface Source extends Closeable {
    /** The bytes from an offset on, at most as many as a message has; none at the end. */
    byte[] read(long offset) throws IOException, InterruptedException;

    /** Whether any offset can be read. */
    boolean isSeekable();

    @Override
    default void close() throws IOException {}
  }

  /** A file, which is opened. */
  public static Song file(Path path) throws IOException {
    return new Song(new FileSource(new RandomAccessFile(path.toFile(), "r")), null);
  }

  /** A file in memory. */
  public static Song bytes(byte[] bytes) {
    return new Song(new BytesSource(bytes), null);
  }

  /** A file that can be read once, such as a pipe. It is read by a thread of its own, which ends with the stream. */
  public static Song stream(InputStream stream) {
    return new Song(new StreamSource(stream), null);
  }

  /** Raw samples that can be read once, such as a recording. They are read by a thread of its own, which ends with the stream. */
  public static Song pcm(InputStream stream, Encoding encoding, int sampleRate, int channels) {
    return new Song(new StreamSource(stream), format(encoding, sampleRate, channels));
  }

  /** One or two channels of samples in memory, of one length; full scale is 1. */
  public static Song samples(float[][] channels, int sampleRate) {
    return new Song(new SamplesSource(channels), format(Encoding.ENCODING_F32LE, sampleRate, channels.length));
  }

  private static RawPcm format(Encoding encoding, int sampleRate, int channels) {
    return RawPcm.newBuilder().setEncoding(encoding).setSampleRate(sampleRate).setChannels(channels).build();
  }

  /** Of raw samples. */
  Optional<RawPcm> format() {
    return Optional.ofNullable(format);
  }

  /** Closes the file or stops reading the stream. A stream is not closed. */
  @Override
  public void close() throws IOException {
    source.close();
  }

  /** The bytes from an offset on, at most as many as a message has; none at the end. */
  byte[] read(long offset) throws IOException, InterruptedException {
    // Bytes that an earlier process has sent are read only to be hashed.
    while (source.isSeekable() && hashed < offset) {
      byte[] earlier = source.read(hashed);
      if (earlier.length == 0) {
        break;
      }
      add(earlier, 0, (int) Math.min(earlier.length, offset - hashed));
    }
    byte[] piece = source.read(offset);
    if (offset <= hashed && hashed - offset < piece.length) {
      int known = (int) (hashed - offset);
      add(piece, known, piece.length - known);
    }
    return piece;
  }

  /** SHA-256 of the first {@code total} bytes; empty if not all of them were read. */
  byte[] sha256(long total) {
    return hashed == total ? Hashes.soFar(hash) : new byte[0];
  }

  private void add(byte[] bytes, int start, int length) {
    hash.update(bytes, start, length);
    hashed += length;
  }

  private record FileSource(RandomAccessFile file) implements Source {
    @Override
    public byte[] read(long offset) throws IOException {
      byte[] piece = new byte[CHUNK_BYTES];
      file.seek(offset);
      int count = file.read(piece);
      return Arrays.copyOf(piece, Math.max(count, 0));
    }

    @Override
    public boolean isSeekable() {
      return true;
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  private record BytesSource(byte[] bytes) implements Source {
    @Override
    public byte[] read(long offset) {
      int start = (int) Math.min(offset, bytes.length);
      return Arrays.copyOfRange(bytes, start, Math.min(start + CHUNK_BYTES, bytes.length));
    }

    @Override
    public boolean isSeekable() {
      return true;
    }
  }

  /** Samples of channels, interleaved and converted as they are read. */
  private record SamplesSource(float[][] channels) implements Source {
    SamplesSource {
      for (float[] channel : channels) {
        if (channel.length != channels[0].length) {
          throw new IllegalArgumentException("channels of " + channels[0].length + " and " + channel.length + " samples");
        }
      }
    }

    @Override
    public byte[] read(long offset) {
      // A server continues at any byte.
      long total = 4L * channels.length * (channels.length == 0 ? 0 : channels[0].length);
      long first = offset / 4;
      long last = (Math.min(offset + CHUNK_BYTES, total) + 3) / 4;
      if (offset >= total) {
        return new byte[0];
      }
      ByteBuffer bytes = ByteBuffer.allocate((int) (4 * (last - first))).order(ByteOrder.LITTLE_ENDIAN);
      for (long sample = first; sample < last; sample++) {
        bytes.putFloat(channels[(int) (sample % channels.length)][(int) (sample / channels.length)]);
      }
      return Arrays.copyOfRange(bytes.array(), (int) (offset % 4), bytes.capacity());
    }

    @Override
    public boolean isSeekable() {
      return true;
    }
  }
}
