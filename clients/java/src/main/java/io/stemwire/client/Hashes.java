package io.stemwire.client;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

final class Hashes {
  private Hashes() {}

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /** The hash of what has been added so far; more can be added. */
  static byte[] soFar(MessageDigest hash) {
    try {
      return ((MessageDigest) hash.clone()).digest();
    } catch (CloneNotSupportedException e) {
      throw new IllegalStateException("SHA-256 of the Java platform can be cloned", e);
    }
  }
}
