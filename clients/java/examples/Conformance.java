import com.google.gson.Gson;
import com.google.gson.annotations.SerializedName;
import io.stemwire.client.Chunk;
import io.stemwire.client.Event;
import io.stemwire.client.Retry;
import io.stemwire.client.Separation;
import io.stemwire.client.Song;
import io.stemwire.client.StemwireClient;
import io.stemwire.client.StemwireException;
import io.stemwire.v1.Encoding;
import io.stemwire.v1.OutputFormat;
import io.stemwire.v1.SeparationConfig;
import io.stemwire.v1.Session;
import io.stemwire.v1.StemCursor;
import io.stemwire.v1.WatchSessionRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** The program that clients/conformance runs: a task as JSON in, what was received as JSON out; or a list of them. */
public final class Conformance {
  private static final Map<String, Encoding> ENCODINGS =
      Map.of("s16", Encoding.ENCODING_S16LE, "s24", Encoding.ENCODING_S24LE);

  private Conformance() {}

  /** See clients/conformance/README.md. */
  private static final class Task {
    String server;
    String token = "";
    String authority = "";
    Integer attempts;
    String song = "";
    String watch = "";
    List<String> stems = List.of();
    String model = "";
    @SerializedName("request_id") String requestId = "";
    String encoding = "";
    boolean raw;
    boolean memory;
    @SerializedName("start_frame") long startFrame;
    @SerializedName("time_limit_ms") Integer timeLimitMs;
    @SerializedName("slow_ms") int slowMs;
    boolean cancel;
    boolean leave;
    boolean measure;
  }

  private static final class Stem {
    final MessageDigest hash;
    long frames;

    Stem() {
      try {
        hash = MessageDigest.getInstance("SHA-256");
      } catch (GeneralSecurityException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    Gson gson = new Gson();
    Object answer;
    if (arguments[0].startsWith("[")) {
      List<Object> answers = new ArrayList<>();
      for (Task task : gson.fromJson(arguments[0], Task[].class)) {
        answers.add(answer(task));
      }
      answer = answers;
    } else {
      answer = answer(gson.fromJson(arguments[0], Task.class));
    }
    System.out.println(gson.toJson(answer));
    System.exit(0);
  }

  private static Map<String, Object> answer(Task task) throws IOException, InterruptedException {
    try {
      return run(task);
    } catch (StemwireException e) {
      return Map.of("error", Map.of(
          "code", e.code().value(), "reason", e.reasonName(), "message", e.getMessage(), "remedy", e.remedy()));
    }
  }

  private static Map<String, Object> run(Task task) throws IOException, InterruptedException {
    var builder = StemwireClient.builder(task.server).token(task.token);
    if (!task.authority.isEmpty()) {
      builder.authority(Path.of(task.authority));
    }
    if (task.attempts != null) {
      builder.retry(new Retry(task.attempts, Retry.DEFAULT.firstPause(), Retry.DEFAULT.longestPause()));
    }
    try (var client = builder.build(); var separation = separation(task, client)) {
      long began = System.nanoTime();
      Map<String, Stem> stems = new HashMap<>();
      int chunks = 0;
      int reconnects = 0;
      double firstSeconds = 0;
      for (Event event : separation) {
        if (event instanceof Event.Reconnecting) {
          reconnects++;
        }
        if (!(event instanceof Chunk chunk)) {
          continue;
        }
        add(stems.computeIfAbsent(chunk.stem(), name -> new Stem()), chunk, task);
        chunks++;
        if (chunks == 1) {
          firstSeconds = seconds(began);
        }
        if (task.leave) {
          break;
        }
        if (task.cancel && chunks == 1) {
          separation.cancel();
        }
        Thread.sleep(task.slowMs);
      }
      double seconds = seconds(began);
      Session session = separation.session().orElseThrow();
      Map<String, Object> received = new HashMap<>();
      stems.forEach((name, stem) -> received.put(
          name, Map.of("frames", stem.frames, "sha256", HexFormat.of().formatHex(stem.hash.digest()))));
      Map<String, Object> answer = new HashMap<>(Map.of(
          "session", session.getSessionId(), "rate", session.getSource().getOutputSampleRate(), "reconnects", reconnects,
          "stems", received));
      if (task.measure) {
        answer.putAll(Map.of("first_s", firstSeconds, "seconds", seconds));
      }
      return answer;
    }
  }

  private static double seconds(long began) {
    return (System.nanoTime() - began) / 1e9;
  }

  private static void add(Stem stem, Chunk chunk, Task task) {
    long expected = task.startFrame + stem.frames;
    if (expected != chunk.startFrame()) {
      throw new IllegalStateException("a frame is repeated or missing: " + expected + ", " + chunk.startFrame());
    }
    stem.frames += chunk.frames();
    if (!task.measure) {
      stem.hash.update(chunk.pcm().asReadOnlyByteBuffer());
    }
  }

  private static Separation separation(Task task, StemwireClient client) throws IOException {
    Separation separation = unlimited(task, client);
    return task.timeLimitMs == null ? separation : separation.withTimeLimit(Duration.ofMillis(task.timeLimitMs));
  }

  private static Separation unlimited(Task task, StemwireClient client) throws IOException {
    Encoding encoding = ENCODINGS.getOrDefault(task.encoding, Encoding.ENCODING_UNSPECIFIED);
    if (!task.watch.isEmpty()) {
      var cursors = task.stems.stream()
          .map(name -> StemCursor.newBuilder().setStem(name).setStartFrame(task.startFrame).build()).toList();
      return client.watch(
          WatchSessionRequest.newBuilder().setSessionId(task.watch).setEncoding(encoding).addAllStems(cursors).build());
    }
    var config = SeparationConfig.newBuilder()
        .setModel(task.model).addAllStems(task.stems).setRequestId(task.requestId)
        .setOutput(OutputFormat.newBuilder().setEncoding(encoding)).build();
    Song song;
    if (task.raw) {
      song = Song.pcm(System.in, Encoding.ENCODING_S16LE, 44_100, 2);
    } else if (task.memory) {
      song = Song.bytes(Files.readAllBytes(Path.of(task.song)));
    } else {
      song = task.song.isEmpty() ? Song.stream(System.in) : Song.file(Path.of(task.song));
    }
    return client.separate(song, config);
  }
}
