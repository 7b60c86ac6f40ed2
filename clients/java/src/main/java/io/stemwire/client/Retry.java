package io.stemwire.client;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/**
 * How a client continues after a broken connection, a restart of the server or a full queue.
 *
 * <p>Pauses double from {@code firstPause} up to {@code longestPause}, less a random part so that many clients do not return at the same
 * moment. A pause is never shorter than the server asks for.
 *
 * @param attempts consecutive failures without progress that are retried; 0 disables retries
 * @param firstPause the pause after the first failure
 * @param longestPause limit of a pause that the server has not asked for
 */
public record Retry(int attempts, Duration firstPause, Duration longestPause) {
  /** 8 attempts, pauses of 0.25 to 10 seconds. */
  public static final Retry DEFAULT = new Retry(8, Duration.ofMillis(250), Duration.ofSeconds(10));

  /** No retries. */
  public static final Retry NEVER = new Retry(0, Duration.ZERO, Duration.ZERO);

  /** The pause after so many failures in a row; empty if the call must not be repeated. */
  Optional<Duration> pause(StemwireException error, int failures) {
    if (failures > attempts || !(error.isUnreachable() || error.retryAfter().isPresent())) {
      return Optional.empty();
    }
    int doublings = Math.min(Math.max(failures - 1, 0), 20);
    double usual = Math.min(firstPause.toMillis() * (double) (1 << doublings), longestPause.toMillis());
    Duration pause = Duration.ofMillis((long) (usual * (1 - ThreadLocalRandom.current().nextDouble() / 4)));
    return Optional.of(error.retryAfter().filter(least -> least.compareTo(pause) > 0).orElse(pause));
  }
}
