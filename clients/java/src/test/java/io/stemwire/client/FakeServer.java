package io.stemwire.client;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import io.stemwire.v1.CreateSessionRequest;
import io.stemwire.v1.CreateSessionResponse;
import io.stemwire.v1.GetSessionRequest;
import io.stemwire.v1.GetSessionResponse;
import io.stemwire.v1.SeparateRequest;
import io.stemwire.v1.SeparateResponse;
import io.stemwire.v1.SeparationServiceGrpc.SeparationServiceImplBase;
import io.stemwire.v1.Session;
import io.stemwire.v1.SessionState;
import io.stemwire.v1.WatchSessionRequest;
import io.stemwire.v1.WatchSessionResponse;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;

/** A server whose calls of Separate answer as a test has it. Its one session is done when it is watched. */
final class FakeServer extends SeparationServiceImplBase implements AutoCloseable {
  static final Session SESSION = Session.newBuilder().setSessionId("a session").build();

  private static final Session DONE = SESSION.toBuilder().setState(SessionState.SESSION_STATE_DONE).build();

  final AtomicInteger calls = new AtomicInteger();
  private final BiConsumer<Integer, StreamObserver<SeparateResponse>> answer;
  private final Server server;

  /** Calls {@code answer} with the number of the call, from 1, once it has its settings. */
  FakeServer(BiConsumer<Integer, StreamObserver<SeparateResponse>> answer) throws IOException {
    this.answer = answer;
    var address = new InetSocketAddress("127.0.0.1", 0);
    server = NettyServerBuilder.forAddress(address, InsecureServerCredentials.create()).addService(this).build().start();
  }

  String url() {
    return "http://127.0.0.1:" + server.getPort();
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  /** Ends a call as one whose session is done. */
  static void succeed(StreamObserver<SeparateResponse> answers) {
    answers.onNext(SeparateResponse.newBuilder().setDone(DONE).build());
    answers.onCompleted();
  }

  /** The error of a server that is stopping. */
  static Exception stopping(boolean mayBeRetried) {
    var status = com.google.rpc.Status.newBuilder().setCode(14).setMessage("the server is stopping")
        .addDetails(Any.pack(ErrorInfo.newBuilder().setDomain("stemwire").setReason("SHUTTING_DOWN").build()));
    if (mayBeRetried) {
      Duration delay = Duration.newBuilder().setNanos(1_000_000).build();
      status.addDetails(Any.pack(RetryInfo.newBuilder().setRetryDelay(delay).build()));
    }
    return StatusProto.toStatusRuntimeException(status.build());
  }

  @Override
  public StreamObserver<SeparateRequest> separate(StreamObserver<SeparateResponse> answers) {
    int number = calls.incrementAndGet();
    return new StreamObserver<>() {
      @Override
      public void onNext(SeparateRequest request) {
        if (request.hasConfig()) {
          answer.accept(number, answers);
        }
      }

      @Override
      public void onError(Throwable error) {}

      @Override
      public void onCompleted() {}
    };
  }

  @Override
  public void getSession(GetSessionRequest request, StreamObserver<GetSessionResponse> answers) {
    answers.onNext(GetSessionResponse.newBuilder().setSession(SESSION).build());
    answers.onCompleted();
  }

  @Override
  public void watchSession(WatchSessionRequest request, StreamObserver<WatchSessionResponse> answers) {
    answers.onNext(WatchSessionResponse.newBuilder().setDone(DONE).build());
    answers.onCompleted();
  }

  @Override
  public void createSession(CreateSessionRequest request, StreamObserver<CreateSessionResponse> answers) {
    answers.onNext(CreateSessionResponse.newBuilder().setSession(SESSION).build());
    answers.onCompleted();
  }
}
