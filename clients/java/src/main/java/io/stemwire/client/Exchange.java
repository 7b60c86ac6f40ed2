package io.stemwire.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.util.ArrayDeque;
import java.util.Queue;

/**
 * A streaming call, for one thread that sends and one that receives.
 *
 * <p>Memory is bounded both ways: an answer is requested from the transport only as another is taken, and a message is handed to the
 * transport only once it has sent the ones before.
 */
final class Exchange<Q, A> {
  /** Answers that may wait here, beside those in the transport's window. */
  private static final int AHEAD = 2;

  private final ClientCall<Q, A> call;
  private final Queue<A> answers = new ArrayDeque<>();
  private Status status;
  private Metadata trailers;

  Exchange(Channel channel, MethodDescriptor<Q, A> method, CallOptions options) {
    call = channel.newCall(method, options);
    call.start(new Listener(), new Metadata());
    call.request(AHEAD);
  }

  /**
   * The next answer, waiting for it; null at the end.
   *
   * @throws io.grpc.StatusRuntimeException the error that the call ended with
   */
  synchronized A receive() throws InterruptedException {
    while (answers.isEmpty() && status == null) {
      wait();
    }
    A answer = answers.poll();
    if (answer != null) {
      call.request(1);
    } else if (!status.isOk()) {
      throw status.asRuntimeException(trailers);
    }
    return answer;
  }

  /** Sends a message, waiting until the transport takes it; false once the call has ended. */
  synchronized boolean send(Q message) throws InterruptedException {
    while (status == null && !call.isReady()) {
      wait();
    }
    if (status != null) {
      return false;
    }
    call.sendMessage(message);
    return true;
  }

  /** Sends the one message of a call that takes no more: its transport opens with that, and is not ready before. */
  synchronized void sendOnly(Q message) {
    if (status == null) {
      call.sendMessage(message);
      call.halfClose();
    }
  }

  /** Ends the messages. */
  synchronized void finish() {
    if (status == null) {
      call.halfClose();
    }
  }

  /** Ends the call, unless it has ended. */
  synchronized void cancel() {
    if (status == null) {
      end(Status.CANCELLED.withDescription("the client has ended the call"), new Metadata());
      call.cancel("the client has ended the call", null);
    }
  }

  private synchronized void add(A answer) {
    if (status == null) {
      answers.add(answer);
      notifyAll();
    }
  }

  private synchronized void end(Status ended, Metadata with) {
    if (status == null) {
      status = ended;
      trailers = with;
      notifyAll();
    }
  }

  private synchronized void wake() {
    notifyAll();
  }

  private final class Listener extends ClientCall.Listener<A> {
    @Override
    public void onMessage(A answer) {
      add(answer);
    }

    @Override
    public void onReady() {
      wake();
    }

    @Override
    public void onClose(Status ended, Metadata with) {
      end(ended, with);
    }
  }
}
