import io.stemwire.client.Event;
import io.stemwire.client.Saved;
import io.stemwire.client.Song;
import io.stemwire.client.StemwireClient;
import io.stemwire.client.StemwireException;
import io.stemwire.v1.SeparationConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;

/** Separates a song into WAV files: SaveStems SERVER SONG FOLDER [STEM …]. */
public final class SaveStems {
  private SaveStems() {}

  public static void main(String[] arguments) throws IOException {
    if (arguments.length < 3) {
      System.err.println("usage: SaveStems SERVER SONG FOLDER [STEM …]");
      System.exit(2);
    }
    var stems = Arrays.asList(arguments).subList(3, arguments.length);
    var config = SeparationConfig.newBuilder().addAllStems(stems).build();
    try (var client = StemwireClient.of(arguments[0])) {
      Saved saved = client.separate(Song.file(Path.of(arguments[1])), config).save(Path.of(arguments[2]), SaveStems::report);
      saved.files().forEach((stem, file) -> System.out.println(stem + " " + file));
    } catch (StemwireException e) {
      System.err.println("error: " + e.getMessage() + "\nremedy: " + e.remedy());
      System.exit(1);
    }
  }

  private static void report(Event event) {
    if (event instanceof Event.Progressed progressed) {
      var progress = progressed.progress();
      System.err.println(progress.getFinishedFrames() + " of " + progress.getTotalFrames() + " frames");
    } else if (event instanceof Event.EngineChanged changed) {
      System.err.println("note: " + changed.change().getMessage());
    }
  }
}
