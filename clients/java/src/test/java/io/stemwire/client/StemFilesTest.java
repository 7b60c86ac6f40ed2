package io.stemwire.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.ByteString;
import io.stemwire.v1.Encoding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StemFilesTest {
  @Test
  void anotherReaderFindsTheSamples(@TempDir Path folder) throws Exception {
    check(folder, Encoding.ENCODING_S16LE, AudioFormat.Encoding.PCM_SIGNED, 16);
    check(folder, Encoding.ENCODING_S24LE, AudioFormat.Encoding.PCM_SIGNED, 24);
    check(folder, Encoding.ENCODING_F32LE, AudioFormat.Encoding.PCM_FLOAT, 32);
  }

  private static void check(Path folder, Encoding encoding, AudioFormat.Encoding expected, int bits) throws Exception {
    byte[] pcm = new byte[48];
    for (int n = 0; n < pcm.length; n++) {
      pcm[n] = (byte) n;
    }
    try (StemFiles files = new StemFiles(folder)) {
      files.write(new Chunk("drums", 0, ByteString.copyFrom(pcm, 0, 24), encoding, 2, 44_100, 0));
      files.write(new Chunk("drums", 3, ByteString.copyFrom(pcm, 24, 24), encoding, 2, 44_100, 0));
      Path path = files.publish().get("drums");
      assertEquals(folder.resolve("drums.wav"), path);
      try (var audio = AudioSystem.getAudioInputStream(path.toFile())) {
        assertEquals(expected, audio.getFormat().getEncoding());
        assertEquals(bits, audio.getFormat().getSampleSizeInBits());
        assertEquals(44_100, audio.getFormat().getSampleRate());
        assertEquals(2, audio.getFormat().getChannels());
        assertArrayEquals(pcm, audio.readAllBytes());
      }
    }
    assertEquals(1, count(folder));
  }

  @Test
  void aSeparationThatFailsLeavesNoFiles(@TempDir Path folder) throws IOException {
    try (StemFiles files = new StemFiles(folder)) {
      files.write(new Chunk("drums", 0, ByteString.copyFrom(new byte[8]), Encoding.ENCODING_F32LE, 2, 44_100, 0));
      Chunk outside = new Chunk("../drums", 0, ByteString.copyFrom(new byte[8]), Encoding.ENCODING_F32LE, 2, 44_100, 0);
      assertThrows(StemwireException.class, () -> files.write(outside));
    }
    assertEquals(0, count(folder));
  }

  private static long count(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.count();
    }
  }
}
