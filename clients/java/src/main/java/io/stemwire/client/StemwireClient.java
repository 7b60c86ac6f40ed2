package io.stemwire.client;

import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ConnectivityState;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import io.stemwire.v1.CancelSessionRequest;
import io.stemwire.v1.CreateSessionRequest;
import io.stemwire.v1.DeleteSessionRequest;
import io.stemwire.v1.Encoding;
import io.stemwire.v1.GetSessionRequest;
import io.stemwire.v1.HealthRequest;
import io.stemwire.v1.HealthResponse;
import io.stemwire.v1.ListModelsRequest;
import io.stemwire.v1.ListSessionsRequest;
import io.stemwire.v1.ListSessionsResponse;
import io.stemwire.v1.Model;
import io.stemwire.v1.SeparationConfig;
import io.stemwire.v1.SeparationServiceGrpc;
import io.stemwire.v1.SeparationServiceGrpc.SeparationServiceBlockingStub;
import io.stemwire.v1.Session;
import io.stemwire.v1.WatchSessionRequest;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** Client of one server. Any number of threads may use it; the first call connects. */
public final class StemwireClient implements AutoCloseable {
  /** Limit of a message; the server's are far smaller. */
  private static final int MAX_MESSAGE_BYTES = 4 << 20;

  /** Silence after which a connection is probed. */
  private static final Duration KEEP_ALIVE = Duration.ofSeconds(30);

  private final String server;
  private final Retry retry;
  private final Duration timeLimit;
  private final ManagedChannel channel;
  private final SeparationServiceBlockingStub calls;

  private StemwireClient(Builder builder) {
    server = builder.server;
    retry = builder.retry;
    timeLimit = builder.timeLimit;
    channel = builder.channel();
    calls = SeparationServiceGrpc.newBlockingStub(channel);
  }

  /** A client of the server at http://HOST:PORT or https://HOST:PORT. */
  public static StemwireClient of(String server) {
    return builder(server).build();
  }

  /** A client of the server at http://HOST:PORT or https://HOST:PORT, with settings. */
  public static Builder builder(String server) {
    return new Builder(server);
  }

  /** Settings of a client; all may be left out. */
  public static final class Builder {
    private final String server;
    private String token = "";
    private byte[] authority = {};
    private Retry retry = Retry.DEFAULT;
    private Duration timeLimit = Duration.ofSeconds(30);

    private Builder(String server) {
      this.server = server.contains("://") ? server : "http://" + server;
    }

    /** Sent as a bearer token, with or without TLS. */
    public Builder token(String token) {
      this.token = token;
      return this;
    }

    /** A file with the certificate authority of the server, in PEM; by default those of the Java platform. */
    public Builder authority(Path pem) throws IOException {
      return authority(Files.readAllBytes(pem));
    }

    /** The certificate authority of the server, in PEM; by default those of the Java platform. */
    public Builder authority(byte[] pem) {
      this.authority = pem.clone();
      return this;
    }

    /** By default {@link Retry#DEFAULT}. */
    public Builder retry(Retry retry) {
      this.retry = retry;
      return this;
    }

    /** Time limit of a call that is answered once; by default 30 seconds. */
    public Builder timeLimit(Duration limit) {
      this.timeLimit = limit;
      return this;
    }

    /**
     * The client.
     *
     * @throws IllegalArgumentException if the server's URL or the certificate authority cannot be used
     */
    public StemwireClient build() {
      return new StemwireClient(this);
    }

    private ManagedChannel channel() {
      URI address = URI.create(server);
      boolean isTls = "https".equals(address.getScheme());
      if (address.getHost() == null || !(isTls || "http".equals(address.getScheme()))) {
        throw new IllegalArgumentException("\"" + server + "\" is not a server URL. Write it as http://HOST:PORT.");
      }
      int port = address.getPort() >= 0 ? address.getPort() : isTls ? 443 : 80;
      String target = "dns:///" + address.getHost() + ":" + port;
      // Retries are this package's.
      ManagedChannelBuilder<?> builder = Grpc.newChannelBuilder(target, isTls ? tls() : InsecureChannelCredentials.create())
          .maxInboundMessageSize(MAX_MESSAGE_BYTES)
          .keepAliveTime(KEEP_ALIVE.toSeconds(), TimeUnit.SECONDS)
          .disableServiceConfigLookUp()
          .disableRetry();
      if (!token.isEmpty()) {
        Metadata headers = new Metadata();
        headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
        builder.intercept(MetadataUtils.newAttachHeadersInterceptor(headers));
      }
      return builder.build();
    }

    private ChannelCredentials tls() {
      if (authority.length == 0) {
        return TlsChannelCredentials.create();
      }
      if (!new String(authority, StandardCharsets.ISO_8859_1).contains("BEGIN CERTIFICATE")) {
        throw new IllegalArgumentException("The certificate authority has no certificate in PEM.");
      }
      try {
        return TlsChannelCredentials.newBuilder().trustManager(new ByteArrayInputStream(authority)).build();
      } catch (IOException e) {
        throw new IllegalArgumentException("The certificate authority cannot be read: " + e.getMessage(), e);
      }
    }
  }

  /** Separates a song into all stems of the server's first model. */
  public Separation separate(Song song) {
    return separate(song, SeparationConfig.getDefaultInstance());
  }

  /**
   * Sends a song and receives its stems. Nothing is sent before the first event is asked for.
   *
   * <p>With a request id of the caller the session of an earlier call, or of another process, is continued: only the missing bytes are
   * sent. Without one a new UUID is set.
   */
  public Separation separate(Song song, SeparationConfig config) {
    SeparationConfig.Builder settings = withRequestId(config).toBuilder();
    if (!config.hasInput()) {
      song.format().ifPresent(settings::setInput);
    }
    return Separation.of(this, song, settings.build(), !config.getRequestId().isEmpty());
  }

  /** Receives all stems of an existing session, as float32. A paused one whose upload is complete is resumed. */
  public Separation watch(String sessionId) {
    return watch(WatchSessionRequest.newBuilder().setSessionId(sessionId).build());
  }

  /** Receives stems of an existing session. The cursors of the request name them, all from one frame; without any all are received. */
  public Separation watch(WatchSessionRequest request) {
    boolean isSet = request.getEncoding() != Encoding.ENCODING_UNSPECIFIED;
    return Separation.of(this, isSet ? request : request.toBuilder().setEncoding(Encoding.ENCODING_F32LE).build());
  }

  /** Whether the server accepts sessions, and its load. */
  public HealthResponse health() {
    return call(calls -> calls.health(HealthRequest.getDefaultInstance()));
  }

  /** The models of the server, those of its chain first. */
  public List<Model> models() {
    return call(calls -> calls.listModels(ListModelsRequest.getDefaultInstance())).getModelsList();
  }

  /** The current state of a session. */
  public Session session(String sessionId) {
    GetSessionRequest request = GetSessionRequest.newBuilder().setSessionId(sessionId).build();
    return call(calls -> calls.getSession(request)).getSession();
  }

  /** A page of sessions, newest first. */
  public ListSessionsResponse sessions(ListSessionsRequest request) {
    return call(calls -> calls.listSessions(request));
  }

  /**
   * Creates a session, or returns the earlier one with this request id. Without one a new UUID is set, so that a repeated call creates no
   * second session.
   */
  public Session createSession(SeparationConfig config) {
    CreateSessionRequest request = CreateSessionRequest.newBuilder().setConfig(withRequestId(config)).build();
    return call(calls -> calls.createSession(request)).getSession();
  }

  /** Cancels a session; its final frames stay readable. One that has ended stays as it is. */
  public Session cancel(String sessionId) {
    CancelSessionRequest request = CancelSessionRequest.newBuilder().setSessionId(sessionId).build();
    return call(calls -> calls.cancelSession(request)).getSession();
  }

  /** Deletes a session and its files; a running one is cancelled first. */
  public void delete(String sessionId) {
    DeleteSessionRequest request = DeleteSessionRequest.newBuilder().setSessionId(sessionId).build();
    call(calls -> calls.deleteSession(request));
  }

  /** The connection, for generated stubs: for what this class has no method for. Their errors are those of gRPC. */
  public Channel channel() {
    return channel;
  }

  /** Ends all calls and closes the connection. */
  @Override
  public void close() {
    channel.shutdownNow();
  }

  String server() {
    return server;
  }

  Retry retry() {
    return retry;
  }

  /** The state of a session, by one call that is not repeated; its errors are those of gRPC. */
  Session sessionOnce(String sessionId) {
    return limited().getSession(GetSessionRequest.newBuilder().setSessionId(sessionId).build()).getSession();
  }

  /** Creates or returns a session, by one call that is not repeated; its errors are those of gRPC. */
  Session createSessionOnce(SeparationConfig config) {
    return limited().createSession(CreateSessionRequest.newBuilder().setConfig(config).build()).getSession();
  }

  /** Lets the next call connect at once: pauses are this package's. */
  void reconnect() {
    if (channel.getState(false) == ConnectivityState.TRANSIENT_FAILURE) {
      channel.enterIdle();
    }
  }

  private SeparationServiceBlockingStub limited() {
    return calls.withDeadlineAfter(timeLimit.toNanos(), TimeUnit.NANOSECONDS);
  }

  /** Makes a call that may be repeated. */
  private <A> A call(Function<SeparationServiceBlockingStub, A> method) {
    Failures failures = new Failures(retry);
    for (;;) {
      try {
        return method.apply(limited());
      } catch (StatusRuntimeException e) {
        StemwireException error = StemwireException.of(e, server);
        if (Thread.currentThread().isInterrupted()) {
          throw error;
        }
        Duration pause = failures.pause(error, Failures.Position.NONE).orElseThrow(() -> error);
        try {
          Thread.sleep(pause.toMillis());
        } catch (InterruptedException interrupt) {
          throw StemwireException.interrupted(interrupt);
        }
        reconnect();
      }
    }
  }

  private static SeparationConfig withRequestId(SeparationConfig config) {
    return config.getRequestId().isEmpty() ? config.toBuilder().setRequestId(UUID.randomUUID().toString()).build() : config;
  }
}
