package io.stemwire.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.stemwire.v1.Encoding;
import io.stemwire.v1.Session;
import io.stemwire.v1.Stem;
import io.stemwire.v1.StemChunk;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.List;
import org.junit.jupiter.api.Test;

class ReceivedTest {
  @Test
  void eachFrameComesOnceAndInOrder() {
    Received received = received("drums", "bass");
    check(received, message("drums", 0, 10), 0, 10, 0);
    check(received, message("bass", 0, 4), 0, 4, 4);
    // The next call begins with frame 4.
    check(received, message("drums", 4, 8), 10, 2, 4);
    assertTrue(received.newFrames(message("drums", 4, 8)).isEmpty());
    var missing = assertThrows(StemwireException.class, () -> received.newFrames(message("bass", 5, 1)));
    assertTrue(missing.getMessage().contains("frames 4 to 5 of bass"), missing.getMessage());
    assertEquals("ANSWER_INVALID", missing.reasonName());
  }

  @Test
  void lengthsAndHashesAreComparedAtTheEnd() throws Exception {
    Received received = received("drums");
    byte[] hash = MessageDigest.getInstance("SHA-256").digest(message("drums", 0, 10).getPcm().toByteArray());
    received.newFrames(message("drums", 0, 6));
    var early = assertThrows(StemwireException.class, () -> received.verify(done(hash)));
    assertTrue(early.getMessage().contains("6 of 10 frames"), early.getMessage());
    received.newFrames(message("drums", 4, 6));
    received.verify(done(hash));
    hash[0] ^= 1;
    var other = assertThrows(StemwireException.class, () -> received.verify(done(hash)));
    assertTrue(other.getMessage().contains("SHA-256"), other.getMessage());
  }

  @Test
  void samplesAreFractionsOfFullScaleByChannel() {
    check(Encoding.ENCODING_S16LE, 0, 0x80, 0, 0x40, 0, 0, 0xff, 0xff);
    check(Encoding.ENCODING_S24LE, 0, 0, 0x80, 0, 0, 0x40, 0, 0, 0, 0, 0xff, 0xff);
    check(Encoding.ENCODING_F32LE, 0, 0, 0x80, 0xbf, 0, 0, 0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xbc);
  }

  /** Of two frames in stereo: -1 and 0.5, then 0 and a small negative one. */
  private static void check(Encoding encoding, int... pcm) {
    byte[] bytes = new byte[pcm.length];
    for (int n = 0; n < pcm.length; n++) {
      bytes[n] = (byte) pcm[n];
    }
    Chunk chunk = new Chunk("drums", 0, ByteString.copyFrom(bytes), encoding, 2, 44_100, 0);
    assertEquals(2, chunk.frames());
    float small = switch (encoding) {
      case ENCODING_S16LE -> -1f / 32_768;
      case ENCODING_S24LE -> -256f / 8_388_608;
      default -> -1f / 128;
    };
    assertArrayEquals(new float[] {-1, 0}, chunk.samples()[0], encoding.name());
    assertArrayEquals(new float[] {0.5f, small}, chunk.samples()[1], encoding.name());
  }

  private static void check(Received received, StemChunk message, long first, int count, long resume) {
    Chunk chunk = received.newFrames(message).orElseThrow();
    assertEquals(first, chunk.startFrame());
    assertEquals(count, chunk.frames());
    assertEquals(2 * first, chunk.samples()[0][0]);
    assertEquals(resume, received.resumeFrame());
  }

  private static Received received(String... stems) {
    Received received = new Received(Encoding.ENCODING_F32LE, 1, 0, List.of());
    Session.Builder session = Session.newBuilder();
    for (String stem : stems) {
      session.addStems(Stem.newBuilder().setName(stem));
    }
    received.setSession(session.build());
    return received;
  }

  /** Frames whose samples are their positions. */
  private static StemChunk message(String stem, int start, int frames) {
    ByteBuffer pcm = ByteBuffer.allocate(8 * frames).order(ByteOrder.LITTLE_ENDIAN);
    for (int sample = 2 * start; sample < 2 * (start + frames); sample++) {
      pcm.putFloat(sample);
    }
    return StemChunk.newBuilder()
        .setStem(stem).setStartFrame(start).setPcm(ByteString.copyFrom(pcm.array())).setChannels(2).build();
  }

  private static Session done(byte[] hash) {
    Stem drums = Stem.newBuilder().setName("drums").setFrames(10).setSha256(ByteString.copyFrom(hash)).build();
    return Session.newBuilder().addStems(drums).build();
  }
}
