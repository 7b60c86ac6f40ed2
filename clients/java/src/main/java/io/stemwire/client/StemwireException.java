package io.stemwire.client;

import com.google.protobuf.Any;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RequestInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.stemwire.v1.ErrorOptions;
import io.stemwire.v1.ErrorReason;
import io.stemwire.v1.ErrorReasonOuterClass;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A call failed. The message is the cause, {@link #remedy} one imperative sentence. */
public final class StemwireException extends RuntimeException {
  /** The domain of the server's own errors; those of a proxy have another. */
  private static final String DOMAIN = "stemwire";

  private static final String PREFIX = "ERROR_REASON_";

  private final Status.Code code;
  private final String reasonName;
  private final String remedy;
  private final Map<String, String> metadata;
  private final Duration retryAfter;
  private final String requestId;

  private StemwireException(
      String message, Throwable cause, Status.Code code, String reasonName, String remedy, Details details) {
    super(message, cause);
    this.code = code;
    this.reasonName = reasonName;
    this.remedy = remedy;
    this.metadata = Map.copyOf(details.metadata);
    this.retryAfter = details.retryAfter;
    this.requestId = details.requestId;
  }

  /** The gRPC code. */
  public Status.Code code() {
    return code;
  }

  /** The reason; unspecified if the error is not the server's, unrecognized if it is one of a later version. */
  public ErrorReason reason() {
    if (reasonName.isEmpty()) {
      return ErrorReason.ERROR_REASON_UNSPECIFIED;
    }
    EnumValueDescriptor value = ErrorReason.getDescriptor().findValueByName(PREFIX + reasonName);
    return value == null ? ErrorReason.UNRECOGNIZED : ErrorReason.valueOf(value);
  }

  /** The reason as sent, such as "CODEC_UNSUPPORTED"; empty if the error is not the server's. */
  public String reasonName() {
    return reasonName;
  }

  /** What to do: one imperative sentence. */
  public String remedy() {
    return remedy;
  }

  /** Values and limits behind the message. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** The delay after which the same call can succeed; empty if the server offers no retry. */
  public Optional<Duration> retryAfter() {
    return Optional.ofNullable(retryAfter);
  }

  /** The id of the call in the server's log; empty if no server answered. */
  public String requestId() {
    return requestId;
  }

  /** Whether the song cannot be separated, now or later: it is not audio, too long, empty. */
  public boolean isSongError() {
    return options(reasonName).getCategory() == ErrorOptions.Category.CATEGORY_INPUT;
  }

  /** Whether the server does not answer, or the connection broke. */
  public boolean isUnreachable() {
    return reasonName.isEmpty() && isOfConnection(code) && !(getCause() instanceof InterruptedException);
  }

  /** Converts the error of a call. */
  static StemwireException of(StatusRuntimeException error, String server) {
    Status status = error.getStatus();
    Details details = new Details(detailsOf(error));
    String message = status.getDescription() == null ? "" : status.getDescription();
    String remedy = details.metadata.getOrDefault("remedy", "");
    details.metadata.remove("remedy");
    if (remedy.isEmpty()) {
      remedy = options(details.reason).getRemedy();
    }
    if (details.reason.isEmpty() && isOfConnection(status.getCode())) {
      String cause = status.getCause() == null ? message : status.getCause().getMessage();
      message = server + " does not answer: " + cause;
      remedy = "Start it with `stemwire serve`, or check its address: https:// with TLS.";
    }
    if (message.isEmpty()) {
      message = server + " refuses the call: " + status.getCode();
    }
    if (remedy.isEmpty()) {
      remedy = "See the server log, or try again later.";
    }
    return new StemwireException(message, error, status.getCode(), details.reason, remedy, details);
  }

  /** The error of an answer that contradicts the protocol or an earlier answer. */
  static StemwireException invalidAnswer(String problem, Object... values) {
    return new StemwireException(
        "the server's answer is invalid: " + String.format(problem, values), null, Status.Code.DATA_LOSS, "ANSWER_INVALID",
        "Use the same version of client and server.", new Details(List.of()));
  }

  /** The error of a thread that was interrupted while it waited; it stays interrupted. */
  static StemwireException interrupted(InterruptedException cause) {
    Thread.currentThread().interrupt();
    return new StemwireException(
        "the thread was interrupted", cause, Status.Code.CANCELLED, "",
        "Continue with the same request id, or watch the session.", new Details(List.of()));
  }

  /** The contract of a reason; the default for one of a later version. */
  private static ErrorOptions options(String reason) {
    EnumValueDescriptor value = ErrorReason.getDescriptor().findValueByName(PREFIX + reason);
    return value == null
        ? ErrorOptions.getDefaultInstance()
        : value.getOptions().getExtension(ErrorReasonOuterClass.error);
  }

  private static boolean isOfConnection(Status.Code code) {
    return switch (code) {
      case UNAVAILABLE, UNKNOWN, INTERNAL, CANCELLED -> true;
      default -> false;
    };
  }

  private static List<Any> detailsOf(StatusRuntimeException error) {
    try {
      com.google.rpc.Status status = StatusProto.fromThrowable(error);
      return status == null ? List.of() : status.getDetailsList();
    } catch (IllegalArgumentException e) {
      // Details that cannot be read, or of another code: the status is all there is.
      return List.of();
    }
  }

  /** The details of a status; without those of a proxy. */
  private static final class Details {
    final Map<String, String> metadata = new HashMap<>();
    String reason = "";
    Duration retryAfter;
    String requestId = "";

    Details(List<Any> details) {
      try {
        for (Any detail : details) {
          if (detail.is(ErrorInfo.class)) {
            ErrorInfo info = detail.unpack(ErrorInfo.class);
            if (info.getDomain().equals(DOMAIN)) {
              reason = info.getReason();
              metadata.putAll(info.getMetadataMap());
            }
          } else if (detail.is(RetryInfo.class)) {
            var delay = detail.unpack(RetryInfo.class).getRetryDelay();
            retryAfter = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
          } else if (detail.is(RequestInfo.class)) {
            requestId = detail.unpack(RequestInfo.class).getRequestId();
          }
        }
      } catch (InvalidProtocolBufferException e) {
        reason = "";
      }
      if (reason.isEmpty()) {
        retryAfter = null;
      }
    }
  }
}
