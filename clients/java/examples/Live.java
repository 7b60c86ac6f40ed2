import io.stemwire.client.Chunk;
import io.stemwire.client.Event;
import io.stemwire.client.Song;
import io.stemwire.client.StemwireClient;
import io.stemwire.client.StemwireException;
import io.stemwire.v1.Encoding;
import io.stemwire.v1.SeparationConfig;
import java.io.IOException;

/**
 * Separates while it records: raw PCM from standard input, vocals as raw PCM to standard output.
 *
 * <pre>arecord -f cd -t raw | java … Live http://127.0.0.1:8000 | aplay -f FLOAT_LE -c 2 -r 44100</pre>
 */
public final class Live {
  private Live() {}

  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 1) {
      System.err.println("usage: Live SERVER");
      System.exit(2);
    }
    var song = Song.pcm(System.in, Encoding.ENCODING_S16LE, 44_100, 2);
    var config = SeparationConfig.newBuilder().addStems("vocals").build();
    try (var client = StemwireClient.of(arguments[0]); var separation = client.separate(song, config)) {
      for (Event event : separation) {
        if (event instanceof Chunk chunk) {
          chunk.pcm().writeTo(System.out);
          System.out.flush();
        } else if (event instanceof Event.EngineChanged changed) {
          System.err.println("note: " + changed.change().getMessage());
        } else if (event instanceof Event.Reconnecting broken) {
          System.err.println(broken.error().getMessage() + ": trying again in " + broken.pause().toMillis() + " ms");
        }
      }
    } catch (StemwireException e) {
      System.err.println("error: " + e.getMessage() + "\nremedy: " + e.remedy());
      System.exit(1);
    }
  }
}
