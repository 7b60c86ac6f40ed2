package io.stemwire.client;

import io.stemwire.v1.EngineChange;
import io.stemwire.v1.Progress;
import io.stemwire.v1.Session;
import java.time.Duration;

/** An event of a session. */
public sealed interface Event
    permits Chunk, Event.Accepted, Event.Progressed, Event.EngineChanged, Event.Reconnecting, Event.Done {
  /**
   * The session: at the start of each call, and once the format of the song is known, before the first chunk.
   *
   * @param session the session
   */
  record Accepted(Session session) implements Event {}

  /**
   * Progress, at least every five seconds.
   *
   * @param progress in frames
   */
  record Progressed(Progress progress) implements Event {}

  /**
   * A switch to another engine.
   *
   * @param change the engines, the frame and the reason
   */
  record EngineChanged(EngineChange change) implements Event {}

  /**
   * The call failed, and is repeated after a pause.
   *
   * @param error of the call
   * @param pause before the next call
   */
  record Reconnecting(StemwireException error, Duration pause) implements Event {}

  /**
   * The last event: all stems are complete, and have the lengths and hashes that the server computed.
   *
   * @param session in its final state
   */
  record Done(Session session) implements Event {}
}
