package io.stemwire.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.stemwire.v1.Finish;
import io.stemwire.v1.SeparateRequest;
import io.stemwire.v1.SeparateResponse;
import io.stemwire.v1.SeparationConfig;
import io.stemwire.v1.SeparationServiceGrpc;
import io.stemwire.v1.WatchSessionRequest;
import io.stemwire.v1.WatchSessionResponse;
import java.io.IOException;

/** A call that is open: its answers, and the thread that sends its song. */
final class Attempt {
  private final Answers answers;
  private final Thread sender;
  private volatile Exception songError;

  /** Of a song that is sent. */
  Attempt(Channel channel, CallOptions options, Song song, SeparationConfig config) {
    var exchange = new Exchange<SeparateRequest, SeparateResponse>(channel, SeparationServiceGrpc.getSeparateMethod(), options);
    answers = new Answers() {
      @Override
      public WatchSessionResponse next() throws InterruptedException {
        return convert(exchange.receive());
      }

      @Override
      public void cancel() {
        exchange.cancel();
      }
    };
    sender = new Thread(() -> send(exchange, song, config), "stemwire-upload");
    sender.setDaemon(true);
    sender.start();
  }

  /** Of a session that is watched. */
  Attempt(Channel channel, CallOptions options, WatchSessionRequest request) {
    var exchange =
        new Exchange<WatchSessionRequest, WatchSessionResponse>(channel, SeparationServiceGrpc.getWatchSessionMethod(), options);
    answers = new Answers() {
      @Override
      public WatchSessionResponse next() throws InterruptedException {
        return exchange.receive();
      }

      @Override
      public void cancel() {
        exchange.cancel();
      }
    };
    sender = null;
    exchange.sendOnly(request);
  }

  private interface Answers {
    WatchSessionResponse next() throws InterruptedException;

    void cancel();
  }

  /** The next answer; null at the end. */
  WatchSessionResponse next() throws InterruptedException {
    return answers.next();
  }

  /** Ends the call; returns the error that reading the song ended with, or null. */
  Exception close() {
    answers.cancel();
    if (sender == null) {
      return null;
    }
    sender.interrupt();
    boolean isInterrupted = false;
    // It waits for nothing but what the interrupt ends.
    while (sender.isAlive()) {
      try {
        sender.join();
      } catch (InterruptedException e) {
        isInterrupted = true;
      }
    }
    if (isInterrupted) {
      Thread.currentThread().interrupt();
    }
    return songError;
  }

  private void send(Exchange<SeparateRequest, SeparateResponse> exchange, Song song, SeparationConfig config) {
    try {
      long offset = config.getUploadOffset();
      SeparateRequest next = SeparateRequest.newBuilder().setConfig(config).build();
      // Once the call has ended, its error is reported by its answers.
      while (exchange.send(next)) {
        byte[] piece = song.read(offset);
        if (piece.length == 0) {
          ByteString hash = ByteString.copyFrom(song.sha256(offset));
          Finish finish = Finish.newBuilder().setTotalBytes(offset).setSha256(hash).build();
          exchange.send(SeparateRequest.newBuilder().setFinish(finish).build());
          exchange.finish();
          return;
        }
        offset += piece.length;
        next = SeparateRequest.newBuilder().setChunk(UnsafeByteOperations.unsafeWrap(piece)).build();
      }
    } catch (InterruptedException e) {
      // The call has been closed.
    } catch (IOException | RuntimeException e) {
      // Without finish the server treats the upload as interrupted.
      songError = e;
      exchange.cancel();
    }
  }

  private static WatchSessionResponse convert(SeparateResponse answer) {
    if (answer == null) {
      return null;
    }
    WatchSessionResponse.Builder same = WatchSessionResponse.newBuilder();
    return switch (answer.getMessageCase()) {
      case SESSION -> same.setSession(answer.getSession()).build();
      case PROGRESS -> same.setProgress(answer.getProgress()).build();
      case STEM -> same.setStem(answer.getStem()).build();
      case ENGINE_CHANGE -> same.setEngineChange(answer.getEngineChange()).build();
      case DONE -> same.setDone(answer.getDone()).build();
      case MESSAGE_NOT_SET -> same.build();
    };
  }
}
