package io.stemwire.client;

import com.google.protobuf.ByteString;
import io.stemwire.v1.Encoding;
import io.stemwire.v1.EngineChange;
import io.stemwire.v1.Session;
import io.stemwire.v1.Stem;
import io.stemwire.v1.StemChunk;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What has been received of a session, over any number of calls: each frame of a stem once and in order. */
final class Received {
  private final Encoding encoding;
  private final long start;
  private final List<String> requested;
  private final Map<String, Long> next = new HashMap<>();
  private final Set<EngineChange> changes = new LinkedHashSet<>();

  /** Of the received samples. The server's are those of whole stems as float32 in stereo; null if these are others. */
  private Map<String, MessageDigest> hashes;

  private Session session = Session.getDefaultInstance();

  Received(Encoding encoding, float gain, long start, List<String> requested) {
    this.encoding = encoding;
    this.start = start;
    this.requested = List.copyOf(requested);
    boolean isWhole = Chunk.sampleBytes(encoding) == 4 && (gain == 0 || gain == 1) && start == 0;
    hashes = isWhole ? new HashMap<>() : null;
  }

  /** The session as last received; empty before. */
  Session session() {
    return session;
  }

  void setSession(Session received) {
    session = received;
  }

  /** Whether a switch of engines is new. Every call lists all switches. */
  boolean isNew(EngineChange change) {
    return changes.add(change);
  }

  /** 0 until the start of the upload has been decoded. */
  int sampleRate() {
    return session.getSource().getOutputSampleRate();
  }

  /** Those that are received. */
  List<String> stems() {
    return requested.isEmpty() ? session.getStemsList().stream().map(Stem::getName).toList() : requested;
  }

  /** The position after the last received frame of a stem. */
  long nextFrame(String stem) {
    return next.getOrDefault(stem, start);
  }

  /** The first frame that some stem lacks: where the next call starts. */
  long resumeFrame() {
    return stems().stream().mapToLong(this::nextFrame).min().orElse(start);
  }

  /** Grows whenever a call made progress. */
  Failures.Position position() {
    if (session.getSessionId().isEmpty()) {
      return Failures.Position.NONE;
    }
    return new Failures.Position(Math.max(session.getCommittedBytes(), 1), resumeFrame());
  }

  /** The frames of a message that were not received before. The sample rate must be known. */
  Optional<Chunk> newFrames(StemChunk message) {
    String stem = message.getStem();
    // A server that is older than the field sends stereo.
    int channels = message.getChannels() == 1 ? 1 : 2;
    long first = nextFrame(stem);
    if (message.getStartFrame() > first) {
      throw StemwireException.invalidAnswer("frames %d to %d of %s are missing", first, message.getStartFrame(), stem);
    }
    // A repeated call starts all stems at one frame, and some may be ahead of it.
    long repeated = (first - message.getStartFrame()) * Chunk.sampleBytes(encoding) * channels;
    if (repeated >= message.getPcm().size()) {
      return Optional.empty();
    }
    ByteString pcm = message.getPcm().substring((int) repeated);
    Chunk chunk = new Chunk(stem, first, pcm, encoding, channels, sampleRate(), message.getClippedSamples());
    if (channels != 2) {
      hashes = null;
    }
    if (hashes != null) {
      MessageDigest hash = hashes.computeIfAbsent(stem, name -> Hashes.sha256());
      pcm.asReadOnlyByteBufferList().forEach(hash::update);
    }
    next.put(stem, first + chunk.frames());
    return Optional.of(chunk);
  }

  /** Compares lengths and hashes with those of the session in its final state. */
  void verify(Session done) {
    for (Stem stem : done.getStemsList()) {
      String name = stem.getName();
      if (!stems().contains(name)) {
        continue;
      }
      if (nextFrame(name) < stem.getFrames()) {
        throw StemwireException.invalidAnswer(
            "only %d of %d frames of %s were received", nextFrame(name), stem.getFrames(), name);
      }
      MessageDigest hash = hashes == null ? null : hashes.get(name);
      if (hash != null && !stem.getSha256().isEmpty() && !ByteString.copyFrom(Hashes.soFar(hash)).equals(stem.getSha256())) {
        throw StemwireException.invalidAnswer("the SHA-256 of %s is not that of the server", name);
      }
    }
  }
}
