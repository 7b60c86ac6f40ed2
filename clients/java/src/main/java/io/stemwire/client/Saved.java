package io.stemwire.client;

import io.stemwire.v1.Session;
import java.nio.file.Path;
import java.util.Map;

/**
 * The files of a session that is done.
 *
 * @param session in its final state
 * @param files path of each stem
 */
public record Saved(Session session, Map<String, Path> files) {}
