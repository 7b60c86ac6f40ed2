package io.stemwire.client;

import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/** WAV files of the stems, in a folder of their own until all are complete. */
final class StemFiles implements Closeable {
  private static final Pattern STEM_NAME = Pattern.compile("[A-Za-z0-9_-]+");

  private final Path folder;
  private final Path scratch;
  private final Map<String, WavFile> stems = new LinkedHashMap<>();

  StemFiles(Path folder) throws IOException {
    this.folder = Files.createDirectories(folder);
    scratch = Files.createTempDirectory(folder, ".stemwire-");
  }

  void write(Chunk chunk) throws IOException {
    WavFile wav = stems.get(chunk.stem());
    if (wav == null) {
      if (!STEM_NAME.matcher(chunk.stem()).matches()) {
        throw StemwireException.invalidAnswer("\"%s\" is no name of a stem", chunk.stem());
      }
      wav = new WavFile(scratch.resolve(chunk.stem() + ".wav"), chunk);
      stems.put(chunk.stem(), wav);
    }
    wav.write(chunk);
  }

  /** Completes the files and moves them to their folder; returns the path of each stem. */
  Map<String, Path> publish() throws IOException {
    for (WavFile wav : stems.values()) {
      wav.finish();
    }
    Map<String, Path> files = new LinkedHashMap<>();
    for (var stem : stems.entrySet()) {
      Path path = folder.resolve(stem.getKey() + ".wav");
      files.put(stem.getKey(), Files.move(stem.getValue().path, path, StandardCopyOption.REPLACE_EXISTING));
    }
    return files;
  }

  /** Deletes what was not published. */
  @Override
  public void close() throws IOException {
    for (WavFile wav : stems.values()) {
      wav.discard();
    }
    Files.deleteIfExists(scratch);
  }

  private static final class WavFile {
    static final int HEADER_BYTES = 44;
    static final long MAX_BYTES = 0xffff_ffffL - HEADER_BYTES;

    final Path path;
    final Chunk first;
    final OutputStream out;
    long bytes;

    WavFile(Path path, Chunk first) throws IOException {
      this.path = path;
      this.first = first;
      out = new BufferedOutputStream(Files.newOutputStream(path), 1 << 16);
      out.write(new byte[HEADER_BYTES]);
    }

    void write(Chunk chunk) throws IOException {
      bytes += chunk.pcm().size();
      if (bytes > MAX_BYTES) {
        throw new IOException(chunk.stem() + " is longer than the 4 GiB of a WAV file");
      }
      chunk.pcm().writeTo(out);
    }

    /** Writes the header (RIFF, as in Microsoft's and IBM's "Multimedia Programming Interface"). */
    void finish() throws IOException {
      out.close();
      int width = Chunk.sampleBytes(first.encoding());
      int frame = width * first.channels();
      ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      header.put(ascii("RIFF")).putInt((int) (bytes + HEADER_BYTES - 8)).put(ascii("WAVEfmt ")).putInt(16);
      // 1 is PCM, 3 is floating point.
      header.putShort((short) (width == 4 ? 3 : 1)).putShort((short) first.channels()).putInt(first.sampleRate());
      header.putInt(first.sampleRate() * frame).putShort((short) frame).putShort((short) (8 * width));
      header.put(ascii("data")).putInt((int) bytes);
      try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
        file.write(header.array());
      }
    }

    void discard() throws IOException {
      try {
        out.close();
      } catch (IOException e) {
        // What could not be written is deleted.
      }
      Files.deleteIfExists(path);
    }

    private static byte[] ascii(String text) {
      return text.getBytes(StandardCharsets.US_ASCII);
    }
  }
}
