package io.stemwire.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stemwire.v1.Encoding;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SongTest {
  private static final int SIZE = 3 * Song.CHUNK_BYTES + 17;

  @Test
  void aSongIsReadFromAnyPositionAndHashedAsAWhole(@TempDir Path folder) throws Exception {
    byte[] bytes = noise(SIZE);
    Path path = Files.write(folder.resolve("song"), bytes);
    for (Song song : new Song[] {Song.file(path), Song.bytes(bytes), Song.stream(new ByteArrayInputStream(bytes))}) {
      assertArrayEquals(bytes, read(song, 0));
      assertArrayEquals(Arrays.copyOfRange(bytes, 300_000, SIZE), read(song, 300_000));
      assertArrayEquals(sha256(bytes), song.sha256(SIZE));
      assertEquals(0, song.sha256(1).length);
      song.close();
    }
    // Also where an earlier process has sent the first part.
    Song song = Song.bytes(bytes);
    assertArrayEquals(Arrays.copyOfRange(bytes, 300_000, SIZE), read(song, 300_000));
    assertArrayEquals(sha256(bytes), song.sha256(SIZE));
  }

  @Test
  void samplesAreInterleavedFromAnyByteOn() throws Exception {
    float[][] channels = new float[2][Song.CHUNK_BYTES / 8 + 5];
    ByteBuffer expected = ByteBuffer.allocate(8 * channels[0].length).order(ByteOrder.LITTLE_ENDIAN);
    for (int frame = 0; frame < channels[0].length; frame++) {
      for (int channel = 0; channel < 2; channel++) {
        channels[channel][frame] = frame + channel / 2f;
        expected.putFloat(channels[channel][frame]);
      }
    }
    Song song = Song.samples(channels, 48_000);
    assertArrayEquals(expected.array(), read(song, 0));
    assertArrayEquals(Arrays.copyOfRange(expected.array(), 13, expected.capacity()), read(song, 13));
    var format = song.format().orElseThrow();
    assertEquals(Encoding.ENCODING_F32LE, format.getEncoding());
    assertEquals(48_000, format.getSampleRate());
    assertEquals(2, format.getChannels());
    assertThrows(IllegalArgumentException.class, () -> Song.samples(new float[][] {new float[1], new float[2]}, 48_000));
  }

  @Test
  void aStreamKeepsItsLastBytes() throws Exception {
    byte[] bytes = noise(StreamSource.KEPT_BYTES + 5 * Song.CHUNK_BYTES);
    Song song = Song.stream(new ByteArrayInputStream(bytes));
    read(song, 0);
    int first = bytes.length - StreamSource.KEPT_BYTES;
    assertArrayEquals(Arrays.copyOfRange(bytes, first, bytes.length), read(song, first));
    var lost = assertThrows(IOException.class, () -> song.read(0));
    assertTrue(lost.getMessage().contains("byte 0"), lost.getMessage());
  }

  private static byte[] noise(int size) {
    byte[] bytes = new byte[size];
    for (int n = 0; n < size; n++) {
      bytes[n] = (byte) (n * 31 + n / 251);
    }
    return bytes;
  }

  private static byte[] read(Song song, long offset) throws IOException, InterruptedException {
    var bytes = new ByteArrayOutputStream();
    for (byte[] piece = song.read(offset); piece.length > 0; piece = song.read(offset + bytes.size())) {
      bytes.write(piece);
    }
    return bytes.toByteArray();
  }

  private static byte[] sha256(byte[] bytes) throws Exception {
    return MessageDigest.getInstance("SHA-256").digest(bytes);
  }
}
