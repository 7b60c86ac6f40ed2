package io.stemwire.client;

import java.time.Duration;
import java.util.Optional;

/**
 * Counts the consecutive failures of one operation.
 *
 * <p>A server that has never answered is not called again: its address is probably wrong, and the caller should see that at once.
 */
final class Failures {
  private final Retry retry;
  private int count;
  private Position last = Position.NONE;
  private boolean answered;

  Failures(Retry retry) {
    this.retry = retry;
  }

  /** What a session has: uploaded bytes and received frames. */
  record Position(long bytes, long frames) {
    static final Position NONE = new Position(0, 0);

    boolean isBeyond(Position other) {
      return bytes > other.bytes || (bytes == other.bytes && frames > other.frames);
    }
  }

  void setAnswered() {
    answered = true;
  }

  /** The pause after an error; empty if the call must not be repeated. A position beyond the last one starts a new count. */
  Optional<Duration> pause(StemwireException error, Position now) {
    count++;
    if (now.isBeyond(last)) {
      count = 1;
      last = now;
    }
    if (!error.isUnreachable()) {
      answered = true;
    }
    return answered ? retry.pause(error, count) : Optional.empty();
  }
}
