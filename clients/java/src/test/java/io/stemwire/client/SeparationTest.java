package io.stemwire.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.stemwire.v1.ErrorReason;
import io.stemwire.v1.SeparateResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;

class SeparationTest {
  private static final Retry QUICK = new Retry(2, Duration.ofMillis(1), Duration.ofMillis(1));

  @Test
  void aCallIsRepeatedWhereTheServerOffersARetry() throws Exception {
    BiConsumer<Integer, StreamObserver<SeparateResponse>> answer = (call, answers) -> {
      if (call == 1) {
        answers.onError(FakeServer.stopping(true));
      } else {
        FakeServer.succeed(answers);
      }
    };
    try (var server = new FakeServer(answer); var client = client(server)) {
      List<Event> events = new ArrayList<>();
      client.separate(song()).forEach(events::add);
      assertEquals(2, events.size());
      var error = assertInstanceOf(Event.Reconnecting.class, events.get(0)).error();
      assertEquals(ErrorReason.ERROR_REASON_SHUTTING_DOWN, error.reason());
      assertEquals("Try again in a few seconds.", error.remedy());
      assertEquals("a session", assertInstanceOf(Event.Done.class, events.get(1)).session().getSessionId());
    }
  }

  @Test
  void aCallIsNotRepeatedWhereTheServerOffersNoRetry() throws Exception {
    try (var server = new FakeServer((call, answers) -> answers.onError(FakeServer.stopping(false))); var client = client(server)) {
      var error = assertThrows(StemwireException.class, client.separate(song())::await);
      assertEquals(Status.Code.UNAVAILABLE, error.code());
      assertTrue(error.retryAfter().isEmpty());
      assertEquals(1, server.calls.get());
    }
  }

  @Test
  void aBrokenConnectionIsRepeatedAsOftenAsAllowed() throws Exception {
    BiConsumer<Integer, StreamObserver<SeparateResponse>> answer = (call, answers) -> {
      answers.onNext(SeparateResponse.newBuilder().setSession(FakeServer.SESSION).build());
      answers.onError(Status.UNAVAILABLE.asRuntimeException());
    };
    try (var server = new FakeServer(answer); var client = client(server)) {
      var error = assertThrows(StemwireException.class, client.separate(song())::await);
      assertTrue(error.isUnreachable());
      assertEquals(1 + QUICK.attempts(), server.calls.get());
    }
  }

  @Test
  void aSessionIsWatchedToItsEnd() throws Exception {
    try (var server = new FakeServer((call, answers) -> {}); var client = client(server)) {
      assertEquals("a session", client.watch("a session").await().getSessionId());
    }
  }

  @Test
  void theTimeLimitEndsASeparation() throws Exception {
    try (var server = new FakeServer((call, answers) -> {}); var client = client(server)) {
      var separation = client.separate(song()).withTimeLimit(Duration.ofMillis(100));
      assertEquals(Status.Code.DEADLINE_EXCEEDED, assertThrows(StemwireException.class, separation::await).code());
    }
  }

  @Test
  void aSongThatCannotBeReadIsAnError() throws Exception {
    InputStream unplugged = new InputStream() {
      @Override
      public int read() throws IOException {
        throw new IOException("the microphone is unplugged");
      }
    };
    try (var server = new FakeServer((call, answers) -> {}); var client = client(server)) {
      var error = assertThrows(UncheckedIOException.class, client.separate(Song.stream(unplugged))::await);
      assertEquals("the microphone is unplugged", error.getCause().getMessage());
      assertTrue(server.calls.get() <= 1, "the call was repeated");
    }
  }

  @Test
  void aServerThatIsNotThereIsAnErrorAtOnce() {
    try (var client = StemwireClient.of("http://127.0.0.1:1")) {
      var error = assertThrows(StemwireException.class, client::health);
      assertTrue(error.isUnreachable());
      assertTrue(error.remedy().endsWith("."), error.remedy());
    }
  }

  private static StemwireClient client(FakeServer server) {
    return StemwireClient.builder(server.url()).retry(QUICK).build();
  }

  private static Song song() {
    return Song.bytes(new byte[] {1});
  }
}
