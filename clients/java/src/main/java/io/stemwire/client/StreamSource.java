package io.stemwire.client;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/**
 * A source that can be read once.
 *
 * <p>A thread of its own reads it, as the read of a pipe cannot be interrupted: a call that breaks while there is no music loses nothing.
 */
final class StreamSource implements Song.Source {
  /** Bytes that are kept: more than HTTP/2 has in flight, so that what a broken connection lost can be sent again. */
  static final int KEPT_BYTES = 16 << 20;

  private final BlockingQueue<Piece> pieces = new ArrayBlockingQueue<>(4);
  private final ArrayDeque<byte[]> kept = new ArrayDeque<>();
  private final InputStream stream;
  private Thread reader;
  private long start;
  private long end;
  private Piece last;

  StreamSource(InputStream stream) {
    this.stream = stream;
  }

  /** The next bytes; none at the end. */
  private record Piece(byte[] bytes, IOException error) {
    boolean isLast() {
      return bytes.length == 0;
    }
  }

  @Override
  public boolean isSeekable() {
    return false;
  }

  @Override
  public byte[] read(long offset) throws IOException, InterruptedException {
    if (reader == null) {
      reader = new Thread(this::forward, "stemwire-song");
      reader.setDaemon(true);
      reader.start();
    }
    while (offset >= end) {
      Piece next = last == null ? pieces.take() : last;
      if (next.isLast()) {
        last = next;
        if (next.error != null) {
          throw next.error;
        }
        return next.bytes;
      }
      keep(next.bytes);
    }
    long position = start;
    for (byte[] piece : kept) {
      if (position <= offset && offset < position + piece.length) {
        return Arrays.copyOfRange(piece, (int) (offset - position), piece.length);
      }
      position += piece.length;
    }
    throw new IOException(
        "the upload continues at byte " + offset + ", but only the last " + (KEPT_BYTES >> 20) + " MiB of a stream are kept");
  }

  @Override
  public void close() {
    if (reader != null) {
      reader.interrupt();
    }
  }

  private void keep(byte[] piece) {
    kept.add(piece);
    end += piece.length;
    while (end - start - kept.peek().length >= KEPT_BYTES) {
      start += kept.poll().length;
    }
  }

  private void forward() {
    try {
      Piece piece;
      do {
        piece = next();
        pieces.put(piece);
      } while (!piece.isLast());
    } catch (InterruptedException e) {
      // The song has been closed.
    }
  }

  private Piece next() {
    byte[] bytes = new byte[Song.CHUNK_BYTES];
    try {
      int count = stream.read(bytes);
      return new Piece(Arrays.copyOf(bytes, Math.max(count, 0)), null);
    } catch (IOException e) {
      return new Piece(new byte[0], e);
    }
  }
}
