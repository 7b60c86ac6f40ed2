package io.stemwire.client;

import io.grpc.CallOptions;
import io.grpc.Deadline;
import io.grpc.StatusRuntimeException;
import io.stemwire.v1.CallAttempt;
import io.stemwire.v1.SeparationConfig;
import io.stemwire.v1.Session;
import io.stemwire.v1.SessionState;
import io.stemwire.v1.StemChunk;
import io.stemwire.v1.StemCursor;
import io.stemwire.v1.WatchSessionRequest;
import io.stemwire.v1.WatchSessionResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * A session that is followed: its events, by a loop that waits for them. It belongs to one thread.
 *
 * <p>Chunks that are not taken yet wait on the server. Iterating throws {@link StemwireException} if the session or the last retry
 * fails, and {@link UncheckedIOException} if the song cannot be read.
 */
public final class Separation implements Iterable<Event>, Iterator<Event>, AutoCloseable {
  private final StemwireClient client;
  private final Song song;
  private final SeparationConfig config;
  private final WatchSessionRequest watched;
  private final Received received;
  private final Failures failures;
  private final String caller = UUID.randomUUID().toString();
  private int calls;
  private boolean mayExist;
  private Deadline deadline;
  private Attempt attempt;
  private Duration pause = Duration.ZERO;
  private Event peeked;
  private boolean isEnded;

  /** A chunk that came before the rate of its samples was known. */
  private StemChunk waiting;

  private Separation(
      StemwireClient client, Song song, SeparationConfig config, WatchSessionRequest watched, Received received, boolean mayExist) {
    this.client = client;
    this.song = song;
    this.config = config;
    this.watched = watched;
    this.received = received;
    this.failures = new Failures(client.retry());
    this.mayExist = mayExist;
  }

  /** Of a song that is sent; the config has a request id. */
  static Separation of(StemwireClient client, Song song, SeparationConfig config, boolean mayExist) {
    var output = config.getOutput();
    var received = new Received(output.getEncoding(), output.getGain(), config.getStartFrame(), List.of());
    return new Separation(client, song, config, null, received, mayExist);
  }

  /** Of a session that is watched. */
  static Separation of(StemwireClient client, WatchSessionRequest request) {
    var names = request.getStemsList().stream().map(StemCursor::getStem).toList();
    long start = request.getStemsList().stream().mapToLong(StemCursor::getStartFrame).max().orElse(0);
    var received = new Received(request.getEncoding(), request.getGain(), start, names);
    return new Separation(client, null, null, request, received, true);
  }

  /** Limits the time until the last event, from now on. */
  public Separation withTimeLimit(Duration limit) {
    deadline = Deadline.after(limit.toNanos(), TimeUnit.NANOSECONDS);
    return this;
  }

  /** The request id of an upload, by which another process can continue it; empty for a session that is watched. */
  public String requestId() {
    return config == null ? "" : config.getRequestId();
  }

  /** The session as last received; empty before the first answer. */
  public Optional<Session> session() {
    return Optional.of(received.session()).filter(session -> !session.getSessionId().isEmpty());
  }

  @Override
  public Iterator<Event> iterator() {
    return this;
  }

  /** Waits for the next event; false after the last one. */
  @Override
  public boolean hasNext() {
    while (peeked == null && !isEnded) {
      try {
        peeked = step();
      } catch (StatusRuntimeException e) {
        peeked = after(StemwireException.of(e, client.server()));
      } catch (StemwireException e) {
        peeked = after(e);
      } catch (InterruptedException e) {
        close();
        throw StemwireException.interrupted(e);
      }
    }
    return peeked != null;
  }

  @Override
  public Event next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the session has no more events");
    }
    Event event = peeked;
    peeked = null;
    return event;
  }

  /** Receives to the end and drops the chunks; returns the session in its final state. */
  public Session await() {
    while (hasNext()) {
      next();
    }
    return received.session();
  }

  /**
   * Writes all stems to FOLDER/STEM.wav as they arrive, in the requested encoding; memory does not grow with the length of the song.
   * The files appear once all stems are complete, and replace files of the same names.
   */
  public Saved save(Path folder) throws IOException {
    return save(folder, event -> {});
  }

  /** The same, with a listener to the events. */
  public Saved save(Path folder, Consumer<Event> listener) throws IOException {
    try (Separation events = this; StemFiles files = new StemFiles(folder)) {
      for (Event event : events) {
        if (event instanceof Chunk chunk) {
          files.write(chunk);
        }
        listener.accept(event);
      }
      return new Saved(received.session(), files.publish());
    }
  }

  /** Cancels the session, as far as it is known; its final frames stay readable. */
  public void cancel() {
    session().ifPresent(session -> client.cancel(session.getSessionId()));
  }

  /** Stops following the session. If it is still running, the server applies {@code on_disconnect}. */
  @Override
  public void close() {
    isEnded = true;
    if (attempt != null) {
      attempt.close();
      attempt = null;
    }
    if (song != null) {
      try {
        song.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** The next event, or null: then there is another step. */
  private Event step() throws InterruptedException {
    if (attempt == null) {
      Thread.sleep(pause.toMillis());
      attempt = watched == null ? separate() : watch();
      return null;
    }
    if (waiting != null) {
      Event chunk = received.newFrames(waiting).orElse(null);
      waiting = null;
      return chunk;
    }
    WatchSessionResponse message = attempt.next();
    if (message == null) {
      throw StemwireException.invalidAnswer("the call ended without a result");
    }
    failures.setAnswered();
    return switch (message.getMessageCase()) {
      case SESSION -> accepted(message.getSession());
      case PROGRESS -> new Event.Progressed(message.getProgress());
      case ENGINE_CHANGE -> {
        var change = message.getEngineChange();
        yield received.isNew(change) ? new Event.EngineChanged(change) : null;
      }
      case STEM -> chunk(message.getStem());
      case DONE -> done(message.getDone());
      // Of a later version.
      case MESSAGE_NOT_SET -> null;
    };
  }

  private Event accepted(Session session) {
    received.setSession(session);
    return new Event.Accepted(session);
  }

  private Event chunk(StemChunk message) {
    if (received.sampleRate() != 0) {
      return received.newFrames(message).orElse(null);
    }
    // The session was received before its upload was decoded. By now its rate is known.
    waiting = message;
    return accepted(client.sessionOnce(received.session().getSessionId()));
  }

  private Event done(Session session) {
    if (session.getState() != SessionState.SESSION_STATE_DONE) {
      // The session failed or was cancelled: the status that follows is the error.
      return null;
    }
    received.setSession(session);
    received.verify(session);
    close();
    return new Event.Done(session);
  }

  private Attempt separate() {
    // One that is delayed on its way must not take the session from a later one.
    calls++;
    SeparationConfig.Builder settings = config.toBuilder().setAttempt(CallAttempt.newBuilder().setCaller(caller).setNumber(calls));
    if (mayExist) {
      Session session = client.createSessionOnce(config);
      received.setSession(session);
      settings.setUploadOffset(session.getCommittedBytes()).setStartFrame(received.resumeFrame());
    }
    mayExist = true;
    return new Attempt(client.channel(), options(), song, settings.build());
  }

  private Attempt watch() {
    if (received.stems().isEmpty()) {
      received.setSession(client.sessionOnce(watched.getSessionId()));
    }
    WatchSessionRequest.Builder request = watched.toBuilder().clearStems();
    for (String name : received.stems()) {
      request.addStems(StemCursor.newBuilder().setStem(name).setStartFrame(received.nextFrame(name)));
    }
    return new Attempt(client.channel(), options(), request.build());
  }

  private CallOptions options() {
    return deadline == null ? CallOptions.DEFAULT : CallOptions.DEFAULT.withDeadline(deadline);
  }

  /** What follows an error: a new call, or the end. */
  private Event after(StemwireException error) {
    Exception songError = null;
    if (attempt != null) {
      songError = attempt.close();
      attempt = null;
      waiting = null;
    }
    if (songError != null) {
      close();
      throw songError instanceof IOException e ? new UncheckedIOException(e) : (RuntimeException) songError;
    }
    Optional<Duration> next = failures.pause(error, received.position());
    if (next.isEmpty() || Thread.currentThread().isInterrupted() || isLate(next.get())) {
      close();
      throw error;
    }
    pause = next.get();
    client.reconnect();
    return new Event.Reconnecting(error, pause);
  }

  /** Whether the time limit ends before a pause does. */
  private boolean isLate(Duration pause) {
    return deadline != null && deadline.timeRemaining(TimeUnit.NANOSECONDS) <= pause.toNanos();
  }
}
